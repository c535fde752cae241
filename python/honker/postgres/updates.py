"""Subscriptions to commits, as descriptors: an event loop or ``select`` waits for many of them without a thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import threading
from typing import TYPE_CHECKING, Any

from honker.clock import monotonic
from honker.engine.loop_updates import LoopHub
from honker.errors import DatabaseClosedError, forked

if TYPE_CHECKING:
    from honker.postgres.listener import Listener


class PostgresUpdates:
    """Wakes after commits; see `honker.engine.Updates`. Each object serves one waiter at a time.

    Args:
        listener: The listening connection.
        overhears: True if its waits have no commits announced. It is woken by those that are, for other waiters or by
            ``honker_cancel_request``.
    """

    def __init__(self, listener: Listener, *, overhears: bool = False) -> None:
        self._listener = listener
        self._overhears = overhears
        self.path = listener.path
        self._pid = os.getpid()
        self._descriptor, self._waker = os.pipe()
        os.set_blocking(self._descriptor, False)
        os.set_blocking(self._waker, False)
        # Guards the fields below.
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_waiting = False
        self._is_followed = False  # by a loop or a select that waits at times of its own
        listener.join(self)

    def __del__(self) -> None:
        if sys.is_finalizing():
            return  # The thread of the listener has ended, with its locks.
        self.close()
        for descriptor in (self._descriptor, self._waker):
            os.close(descriptor)

    def __iter__(self) -> PostgresUpdates:
        return self

    def __next__(self) -> None:
        self.wait(None)

    def __aiter__(self) -> PostgresUpdates:
        return self

    async def __anext__(self) -> None:
        await self.wait_async(None)

    def wake(self) -> None:
        """Make the descriptor readable. From any thread."""
        with contextlib.suppress(BlockingIOError):  # It is readable, and full.
            os.write(self._waker, b"\0")

    def fileno(self) -> int:
        """The descriptor, readable when `wait` would not block; from now on commits are announced to it."""
        self._check_live()
        self._is_followed = True
        self._begin_wait()
        return self._descriptor

    def rest(self) -> None:
        """Have commits announced no longer, until the next call of `fileno` or wait."""
        self._is_followed = False
        self._end_wait()

    def wait(self, timeout_s: float | None) -> bool:
        """Block until a commit since the last wake, or for ``timeout_s`` seconds. True if there was a commit."""
        self._check_live()
        if self._take():
            return True
        deadline = None if timeout_s is None else monotonic() + timeout_s
        self._begin_wait()
        try:
            while True:
                left = None if deadline is None else max(0.0, deadline - monotonic())
                poller = select.poll()
                poller.register(self._descriptor, select.POLLIN)
                poller.poll(None if left is None else -(-left * 1000 // 1))
                if self._take():
                    return True
                if deadline is not None and monotonic() >= deadline:
                    return False
        finally:
            self._end_wait()

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Like `wait`, without blocking the event loop. A cancelled wait leaves the object usable."""
        self._check_live()
        if self._take():
            return True
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _resolve, ready)
        timer = None if timeout_s is None else loop.call_later(timeout_s, _resolve, ready)
        self._begin_wait()
        try:
            await ready
        finally:
            self._end_wait()
            loop.remove_reader(self._descriptor)
            if timer is not None:
                timer.cancel()
        return self._take()

    def stats(self) -> dict[str, Any]:
        """The mode (``notify`` or ``polling``) and the counters of the listening connection."""
        listener = self._listener
        return {
            "mode": listener.mode,
            "path": self.path,
            "events": listener.events,
            "connections": listener.connections,
            "subscribers": listener.subscribers,
        }

    def close(self) -> None:
        """End the subscription; a waiting thread gets a `DatabaseClosedError`. Idempotent."""
        if self._pid != os.getpid():
            return
        self.rest()
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
        if not was_closed:
            self._listener.leave(self)
            self.wake()

    def _check_live(self) -> None:
        if self._pid != os.getpid():
            raise forked(self._pid)
        if self._is_closed:
            raise DatabaseClosedError("Database is closed: its update watcher has stopped")

    def _begin_wait(self) -> None:
        with self._lock:
            if self._is_waiting or self._is_closed or self._overhears:
                return
            self._is_waiting = True
        self._listener.begin_wait()

    def _end_wait(self) -> None:
        if self._is_followed:
            return
        with self._lock:
            was_waiting, self._is_waiting = self._is_waiting, False
        if was_waiting:
            self._listener.end_wait()

    def _take(self) -> bool:
        """Consume pending wakes. True if there was one."""
        try:
            os.read(self._descriptor, 4096)
        except BlockingIOError:
            return False
        self._check_live()
        return True


class PostgresLoopHub(LoopHub):
    """The hub of an event loop, which has commits announced only while a waiter waits."""

    def __init__(self, source: PostgresUpdates, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(source, loop)
        self._updates = source
        self._waiting = 0
        source.rest()

    def begin_wait(self) -> None:
        """Have commits announced. One in the time without a waiter counts as a wake."""
        self._waiting += 1
        if self.is_usable:
            self._updates.fileno()

    def end_wait(self) -> None:
        """Have commits announced no longer after the last waiter."""
        self._waiting -= 1
        if not self._waiting:
            self._updates.rest()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
