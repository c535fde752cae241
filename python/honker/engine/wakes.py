"""Wakes after commits for an iterator, which a thread or a coroutine may advance."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from honker.errors import DatabaseClosedError, forked

if TYPE_CHECKING:
    from honker.engine import Engine, LoopUpdates, Updates


class Wakes:
    """The subscription of one iterator: a descriptor of its own in a thread, the shared one of its loop in a coroutine.

    It subscribes for the place where it is made, and again when it is used in another one, or after `rest`. That counts
    as a wake, so that no commit in between is missed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._own: Updates | None = None
        self._shared: LoopUpdates | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._pid = os.getpid()
        # The engine that was subscribed to before a rest. An app that is closed and used again has another one.
        self._rested: Engine | None = None
        loop = asyncio._get_running_loop()
        if loop is None:
            self._own = engine.updates()
        else:
            self._join(loop)

    @property
    def path(self) -> str:
        """The database file."""
        return self._engine.path

    def check_process(self) -> None:
        """Refuse an iterator that was inherited: the parent and the child would both return what it has read ahead.

        Raises:
            ForkError: It was made before this process was forked.
        """
        if self._pid != os.getpid():
            raise forked(self._pid)

    def wait(self, timeout_s: float | None) -> bool:
        """Block until a commit since the last wake, or for ``timeout_s`` seconds. True if there was a commit.

        Raises:
            DatabaseClosedError: This object or the database was closed.
        """
        self._check_open()
        if self._own is None:
            self._own = self._engine.updates()
            self._leave()
            return True
        return self._own.wait(timeout_s)

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Like `wait`, without blocking the event loop. A cancelled wait leaves the object usable."""
        self._check_open()
        loop = asyncio.get_running_loop()
        if self._shared is None or loop is not self._loop:
            self._leave()
            self._join(loop)
            own, self._own = self._own, None
            if own is not None:
                own.close()
            return True
        return await self._shared.wait_async(timeout_s)

    @property
    def is_resting(self) -> bool:
        """True if there is no subscription: the next wait begins one, and counts as a wake."""
        return self._own is None and self._shared is None

    def rest(self) -> None:
        """End the subscription until the next wait. While one exists, each commit costs this process a wake-up."""
        self._rested = getattr(self._engine, "current", self._engine)
        own, self._own = self._own, None
        if own is not None:
            own.close()
        self._leave()

    def close(self) -> None:
        """End the subscription; a waiter gets a `DatabaseClosedError`. Idempotent; nothing in a forked child."""
        if self._pid != os.getpid():
            return
        self._is_closed = True
        if self._own is not None:
            self._own.close()
        self._leave()

    def _check_open(self) -> None:
        if self._is_closed or (self._rested is not None and self._rested.is_closed):
            raise DatabaseClosedError("Database is closed: its update watcher has stopped")

    def _join(self, loop: asyncio.AbstractEventLoop) -> None:
        self._shared, self._loop = self._engine.loop_updates(), loop

    def _leave(self) -> None:
        shared, self._shared, self._loop = self._shared, None, None
        if shared is not None:
            shared.close()
