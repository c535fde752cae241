"""The timed loops of `protocol.Driver` for queues whose calls are coroutines: one event loop, entered once for a loop.

A driver defines `aput(payload)`, `atake()` and `asettle(handle)`. Like `protocol.py`, this file runs in the peers'
environments.
"""

import asyncio
import time

from protocol import PAYLOAD, Driver


class AsyncDriver(Driver):
    """A driver on an event loop of its own."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()

    def run(self, coroutine):
        return self._loop.run_until_complete(coroutine)

    def enqueue(self, count, seconds=None):
        return self.run(self._enqueue(count, float("inf") if seconds is None else seconds))

    async def _enqueue(self, count, limit):
        await self.aput(PAYLOAD)
        done = 0
        began = now = time.perf_counter()
        while done < count and now - began < limit:
            await self.aput(PAYLOAD)
            done += 1
            now = time.perf_counter()
        return done, now - began

    def claim(self, count, seconds=None):
        return self.run(self._claim(count, float("inf") if seconds is None else seconds))

    async def _claim(self, count, limit):
        done = 0
        began = now = time.perf_counter()
        while done < count and now - began < limit:
            taken = await self.atake()
            if taken is None:
                raise RuntimeError(f"nothing to claim after {done} of {count} jobs")
            await self.asettle(taken)
            done += 1
            now = time.perf_counter()
        return done, now - began
