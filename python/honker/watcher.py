"""Noticing commits of any connection in any process.

A subscription says that *something* was committed since it last looked; what it was must be read. So: subscribe
first, then read, then wait, and no commit between the read and the wait is missed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final

from honker.errors import ArgumentOverflowError, DatabaseClosedError, InvalidArgumentError

#: The backends that this build has, under every name they are known by.
_POLLING: Final = frozenset({None, "polling", "poll"})
#: Names that are understood, and what this build lacks for them.
_UNAVAILABLE: Final = {
    "kernel": "kernel-watcher",
    "kernel-watcher": "kernel-watcher",
    "shm": "shm-fast-path",
    "shm-fast-path": "shm-fast-path",
}
_DEFAULT_INTERVAL_MS: Final = 1


def check_watcher_options(backend: str | None, poll_interval_ms: int | None) -> None:
    """Refuse what no watcher could be made of.

    Raises:
        InvalidArgumentError: An unknown or unavailable backend, or an interval that is not positive.
    """
    if poll_interval_ms is not None and poll_interval_ms < 0:
        raise ArgumentOverflowError(f"watcher poll interval must be positive, not {poll_interval_ms} ms")
    if poll_interval_ms == 0:
        raise InvalidArgumentError("watcher poll interval must be positive, not 0 ms")
    if backend in _UNAVAILABLE:
        raise InvalidArgumentError(
            f"watcher backend {backend!r} requires the {_UNAVAILABLE[backend]} feature, which this build lacks; "
            "leave watcher_backend out"
        )
    if backend not in _POLLING:
        raise InvalidArgumentError(
            f"unknown watcher backend {backend!r}; leave it out, or choose 'polling', 'kernel' or 'shm'"
        )


class Watcher:
    """The commits of one database file, for any number of subscriptions.

    The truth is SQLite's ``data_version`` on a connection of its own: it changes when another connection, of this
    process or any other, has committed. The connection holds no transaction between two looks.
    """

    def __init__(self, path: str, connect: Callable[[], sqlite3.Connection], poll_interval_ms: int | None) -> None:
        self.path = path
        self.interval_s = (poll_interval_ms or _DEFAULT_INTERVAL_MS) / 1000
        self._lock = threading.Lock()
        self._conn: sqlite3.Connection | None = connect()

    def version(self) -> int:
        """A number that differs from the last one if anything was committed in between.

        Raises:
            DatabaseClosedError: The watcher was closed.
        """
        with self._lock:
            if self._conn is None:
                raise DatabaseClosedError("Database is closed: its update watcher has stopped")
            rows: list[tuple[int]] = self._conn.execute("PRAGMA data_version").fetchall()
            return rows[0][0]

    def subscribe(self) -> Subscription:
        """Begin to notice commits, from this moment on."""
        return Subscription(self)

    def close(self) -> None:
        """Stop; whoever waits gets a `DatabaseClosedError`."""
        with self._lock:
            if self._conn is not None:
                self._conn.close()
                self._conn = None


class Subscription:
    """One subscriber's view of the commits. Not for use by two waiters at once."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._seen = watcher.version()

    @property
    def path(self) -> str:
        """The database file."""
        return self._watcher.path

    def wait(self, timeout_s: float | None) -> bool:
        """Block until something was committed since the last look, or for ``timeout_s``; whether it was."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._has_moved():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(self._watcher.interval_s)
        return True

    async def wait_async(self, timeout_s: float | None) -> bool:
        """As `wait`, without blocking the event loop. A cancelled wait leaves the subscription usable."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._has_moved():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            await asyncio.sleep(self._watcher.interval_s)
        return True

    def close(self) -> None:
        """Stop noticing. Idempotent."""

    def _has_moved(self) -> bool:
        version = self._watcher.version()
        has_moved = version != self._seen
        self._seen = version
        return has_moved
