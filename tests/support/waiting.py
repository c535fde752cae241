"""Waiting for an effect of another thread, task or process. A test never sleeps for a fixed time."""

import asyncio
import time


def wait_until(predicate, timeout_s=10.0, every_s=0.001):
    """Wait until the predicate is true, and return its value. Ask a costly predicate less often."""
    deadline = time.monotonic() + timeout_s
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"nothing happened for {timeout_s} s"
        time.sleep(every_s)
    return value


async def until(predicate, timeout_s=10.0):
    """As `wait_until`, without blocking the event loop."""
    deadline = time.monotonic() + timeout_s
    while not (value := predicate()):
        assert time.monotonic() < deadline, f"nothing happened for {timeout_s} s"
        await asyncio.sleep(0.001)
    return value
