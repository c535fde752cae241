"""Wakes after commits for the many waiters of an event loop, from one subscription: one descriptor for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from typing import Final

from honker.engine import Updates
from honker.errors import DatabaseClosedError, HonkerError

# Seconds for which the subscription outlives its last waiter. Stopping a watcher and starting another takes 7 ms, which
# an iterator for each job would pay.
_GRACE_S: Final = 2.0


class LoopHub:
    """The subscription of one event loop, and its waiters. Used on the thread of that loop only.

    Without waiters, only the loop keeps it, by the reader of the descriptor. So it ends at the latest when the loop is
    closed, which drops its readers.
    """

    def __init__(self, source: Updates, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop
        self._waiters: set[LoopWaiter] = set()
        self._pid = os.getpid()
        # Ends the subscription if no waiter joins before.
        self._grace: asyncio.TimerHandle | None = None
        #: The reason why there are no more wakes.
        self.error: HonkerError | None = None
        self._descriptor = source.fileno()
        loop.add_reader(self._descriptor, self._read)

    @property
    def is_usable(self) -> bool:
        """True until the subscription ends: some seconds after its last waiter has left, or by an error."""
        return self._descriptor >= 0

    def join(self) -> LoopWaiter:
        """A new waiter, which is woken by commits from this moment on."""
        self._cancel_grace()
        waiter = LoopWaiter(self, self._loop)
        self._waiters.add(waiter)
        return waiter

    def leave(self, waiter: LoopWaiter) -> None:
        """Forget a waiter. The subscription ends some seconds after the last one, or when the loop is closed.

        Another thread may call it, such as one whose garbage collection drops an iterator: the loop then does the work.
        """
        if self._loop.is_closed():
            self._source.close()
            return
        if asyncio._get_running_loop() is not self._loop:
            with contextlib.suppress(RuntimeError):  # The loop was closed at this moment.
                self._loop.call_soon_threadsafe(self._forget, waiter)
            return
        self._forget(waiter)

    def _forget(self, waiter: LoopWaiter) -> None:
        waiter.wake()
        self._waiters.discard(waiter)
        if not self._waiters and self.is_usable:
            self._cancel_grace()
            hub: weakref.ref[LoopHub] = weakref.ref(self)
            self._grace = self._loop.call_later(_GRACE_S, _end_unused, hub)

    def _cancel_grace(self) -> None:
        grace, self._grace = self._grace, None
        if grace is not None:
            grace.cancel()

    def _read(self) -> None:
        try:
            self._source.wait(0)
        except HonkerError as error:
            self.error = error
            self.end()
        for waiter in tuple(self._waiters):
            waiter.wake()

    def begin_wait(self) -> None:
        """Called by a waiter before it waits."""

    def end_wait(self) -> None:
        """Called by a waiter after it has waited."""

    def end(self) -> None:
        """End the subscription. Nothing in a forked child.

        The child of a handler runs on in a copy of the loop, whose epoll object it shares with its parent. A reader
        that it removed would be removed from the loop of the parent too, which would get no more wakes.
        """
        if self._pid != os.getpid():
            return
        self._cancel_grace()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._descriptor = -1
            self._source.close()


def _end_unused(reference: weakref.ref[LoopHub]) -> None:
    """End the subscription of a hub that has no waiters. The timer must not keep the hub of a closed loop."""
    hub = reference()
    if hub is not None:
        hub.end()


class LoopWaiter:
    """One of the waiters of an event loop; see `honker.engine.LoopUpdates`."""

    def __init__(self, hub: LoopHub, loop: asyncio.AbstractEventLoop) -> None:
        self._hub = hub
        self._loop = loop
        self._is_woken = False
        self._is_closed = False
        self._waiting: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Remember a commit, and end a wait."""
        self._is_woken = True
        self._resolve()

    def _resolve(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Wait for a commit since the last wake, or for ``timeout_s`` seconds. True if there was a commit.

        Raises:
            DatabaseReplacedError: The watcher is dead: the file was replaced.
            DatabaseClosedError: This object or the database was closed.
        """
        if not self._is_woken and not self._is_closed and self._hub.error is None:
            self._waiting = self._loop.create_future()
            timer = None if timeout_s is None else self._loop.call_later(timeout_s, self._resolve)
            self._hub.begin_wait()
            try:
                await self._waiting
            finally:
                self._hub.end_wait()
                if timer is not None:
                    timer.cancel()
                self._waiting = None
        if self._is_closed:
            raise DatabaseClosedError("Database is closed: its update watcher has stopped")
        if self._hub.error is not None:
            raise type(self._hub.error)(str(self._hub.error)) from self._hub.error
        was_woken, self._is_woken = self._is_woken, False
        return was_woken

    def close(self) -> None:
        """Stop waiting for commits, from any thread; a waiter gets a `DatabaseClosedError`. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._hub.leave(self)
