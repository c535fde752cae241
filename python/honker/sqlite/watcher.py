"""Subscriptions to commits of any connection in any process.

A native watcher, one per file and process, detects commits. Each subscription is a descriptor that becomes readable, so
waiting needs no thread, no polling and no processor time.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import select
import sys
import threading
from functools import cache
from typing import Any, Final

from honker.clock import monotonic
from honker.errors import (
    ArgumentOverflowError,
    DatabaseClosedError,
    DatabaseReplacedError,
    InvalidArgumentError,
    WatcherError,
    forked,
)
from honker.sqlite.open_failure import out_of_descriptors

#: The names of all backends of the engine; None lets the engine choose.
_BACKENDS: Final = frozenset({None, "", "polling", "poll", "kernel", "kernel-watcher", "shm", "shm-fast-path"})
_DEFAULT_INTERVAL_MS: Final = 1

# The value of the descriptor: 1 for each wake; this value or more if the watcher is dead.
_DEATH: Final = 1 << 32
_ONE_WAKE: Final = (1).to_bytes(8, sys.byteorder)

_MESSAGE_BYTES: Final = 1024
_STATS_BYTES: Final = 4096

# The engine's library, loaded at its first use here.
_loaded: Final[list[ctypes.CDLL]] = []


def check_watcher_options(backend: str | None, poll_interval_ms: int | None) -> None:
    """Reject options that no watcher supports.

    Raises:
        InvalidArgumentError: The backend is unknown, or the interval is not positive.
    """
    if poll_interval_ms is not None and poll_interval_ms < 0:
        raise ArgumentOverflowError(f"watcher poll interval must be positive, not {poll_interval_ms} ms")
    if poll_interval_ms == 0:
        raise InvalidArgumentError("watcher poll interval must be positive, not 0 ms")
    if backend not in _BACKENDS:
        raise InvalidArgumentError(
            f"unknown watcher backend {backend!r}; leave it out, or choose 'polling', 'kernel' or 'shm'"
        )


class UpdateEvents:
    """Wakes after commits to a database file, for ``for``, ``async for`` or any other event loop.

    A wake means that there was a commit since the last wake; read the database to find the change. Subscribe first,
    then read, then wait, so that no commit between the read and the wait is missed. Several commits may cause one wake,
    and a wake may be spurious. Each object serves one waiter at a time; get one for each waiter from
    `Database.update_events`.

    Attributes:
        path: The database file.
    """

    def __init__(self, library: str, path: str, backend: str | None, poll_interval_ms: int | None) -> None:
        self.path = path
        self._pid = os.getpid()
        self._native = _native(library)
        # Guards the handle: it must not be closed while a call uses it.
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._descriptor = -1
        self._death: str | None = None
        self._handle = self._open(backend, poll_interval_ms)
        # A duplicate, because the native one goes with the handle, and a thread may be waiting on it at that moment.
        try:
            self._descriptor = os.dup(self._native.honker_watcher_fd(self._handle))
        except OSError as error:
            self.close()
            raise WatcherError(
                f"the updates of {path!r} cannot be followed: {out_of_descriptors() or error}"
            ) from error

    def _open(self, backend: str | None, poll_interval_ms: int | None) -> int:
        message = ctypes.create_string_buffer(_MESSAGE_BYTES)
        handle: int | None = self._native.honker_watcher_open_v2(
            self.path.encode(),
            None if backend is None else backend.encode(),
            poll_interval_ms or _DEFAULT_INTERVAL_MS,
            message,
            _MESSAGE_BYTES,
        )
        if handle is None:
            reason = out_of_descriptors() or message.value.decode(errors="replace")
            raise WatcherError(f"watcher_backend probe failed: {reason}")
        return handle

    def __del__(self) -> None:
        self.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def __iter__(self) -> UpdateEvents:
        return self

    def __next__(self) -> None:
        self.wait(None)

    def __aiter__(self) -> UpdateEvents:
        return self

    async def __anext__(self) -> None:
        await self.wait_async(None)

    def fileno(self) -> int:
        """The descriptor, readable when `wait` would not block; for ``select`` and similar calls. Do not close it."""
        self._check_live()
        return self._descriptor

    def rest(self) -> None:
        """Do nothing: to announce a commit costs nothing here."""

    def wait(self, timeout_s: float | None) -> bool:
        """Block until there is a commit since the last wake, or for ``timeout_s`` seconds. True if there was one.

        Raises:
            DatabaseReplacedError: The watcher is dead: the file was replaced.
            DatabaseClosedError: This object or the database was closed.
        """
        self._check_live()
        if self._take():
            return True
        deadline = None if timeout_s is None else monotonic() + timeout_s
        while True:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            _poll(self._descriptor, left)
            if self._take():
                return True
            if deadline is not None and monotonic() >= deadline:
                return False

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Like `wait`, without blocking the event loop. It stays usable after a cancelled wait."""
        self._check_live()
        if self._take():
            return True
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _resolve, ready)
        timer = None if timeout_s is None else loop.call_later(timeout_s, _resolve, ready)
        try:
            await ready  # not `asyncio.wait`, which would take another iteration of the loop
        finally:
            loop.remove_reader(self._descriptor)
            if timer is not None:
                timer.cancel()
        return self._take()

    def stats(self) -> dict[str, Any]:
        """The watcher's state and counters: mode, path, events, wakes, missed, safety_ticks, subscribers, death."""
        length = _STATS_BYTES
        while True:
            buffer = ctypes.create_string_buffer(length)
            with self._lock:
                self._check_live()
                needed: int = self._native.honker_watcher_stats(self._handle, buffer, length)
            if needed < length:
                report: dict[str, Any] = json.loads(buffer.value)
                return report
            length = 2 * needed

    def close(self) -> None:
        """End the subscription; a waiter in another thread gets a `DatabaseClosedError`. Idempotent."""
        if self._pid != os.getpid():
            return
        with self._lock:
            handle, self._handle = self._handle, None
            if handle is not None:
                self._native.honker_watcher_close(handle)

    def _check_live(self) -> None:
        if self._pid != os.getpid():
            raise forked(self._pid)
        if self._death is not None:
            raise (DatabaseReplacedError if "replaced" in self._death else WatcherError)(self._death)
        if self._handle is None:
            raise DatabaseClosedError("Database is closed: its update watcher has stopped")

    def _take(self) -> bool:
        """Consume a pending wake. True if there was one."""
        try:
            data = os.read(self._descriptor, 4096)
        except BlockingIOError:
            return False
        if data == _ONE_WAKE:
            return True
        wakes = (int.from_bytes(data[start : start + 8], sys.byteorder) for start in range(0, len(data), 8))
        if any(wake >= _DEATH for wake in wakes):
            self._death = self.stats()["death"] or "update watcher died"
            self._check_live()
        return True


def pause_watchers() -> bool:
    """Keep native watchers out of SQLite while the process forks. True if all of them are out."""
    # A list, so that every watcher is paused, even after one that could not be.
    were_idle = [bool(native.honker_watcher_pause()) for native in _loaded]
    return all(were_idle)


def resume_watchers(*, is_child: bool) -> None:
    """End the pause, in the parent and in the child."""
    for native in _loaded:
        native.honker_watcher_resume(int(is_child))


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _poll(descriptor: int, timeout_s: float | None) -> None:
    """Wait until the descriptor is readable. ``poll`` accepts any descriptor, ``select`` only low numbers."""
    if not hasattr(select, "poll"):
        select.select([descriptor], [], [], timeout_s)
        return
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    # Rounded up, so that a remainder below one millisecond does not cause a busy loop.
    poller.poll(None if timeout_s is None else -(-timeout_s * 1000 // 1))


@cache
def _native(library: str) -> ctypes.CDLL:
    """The C functions of the engine, which is loaded into this process already; see include/honker.h."""
    native = ctypes.CDLL(library)
    native.honker_watcher_open_v2.argtypes = [
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_uint64,
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    native.honker_watcher_open_v2.restype = ctypes.c_void_p
    native.honker_watcher_fd.argtypes = [ctypes.c_void_p]
    native.honker_watcher_stats.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    native.honker_watcher_stats.restype = ctypes.c_size_t
    native.honker_watcher_close.argtypes = [ctypes.c_void_p]
    native.honker_watcher_close.restype = None
    _loaded.append(native)
    return native
