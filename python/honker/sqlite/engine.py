"""The engine on SQLite: one connection that writes, several that read, one that watches."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from honker.arguments import Call, Parameters, Row, SQLValue, TransactionLike
from honker.engine import Element
from honker.engine.fate import ForeignFate, OwnFate
from honker.engine.limits import Limits
from honker.engine.loop_updates import LoopHub, LoopWaiter
from honker.errors import (
    ArgumentOverflowError,
    DatabaseBusyError,
    DatabaseClosedError,
    DatabaseError,
    InvalidArgumentError,
)
from honker.sqlite.connection import SYNCHRONOUS, Connection
from honker.sqlite.database_file import DatabaseFile
from honker.sqlite.engine_clock import EngineClock, note_testing_file
from honker.sqlite.extension_file import extension_info
from honker.sqlite.foreign import fate_of, session_of
from honker.sqlite.foreign_async import ascalar_in
from honker.sqlite.group_commit import GroupCommit
from honker.sqlite.handler_transaction import SQLiteHandlerScope
from honker.sqlite.path import database_path
from honker.sqlite.readers import LoopReader, ReaderPool
from honker.sqlite.transaction import SQLiteTransaction, append_to, check_own
from honker.sqlite.watcher import UpdateEvents, check_watcher_options
from honker.sqlite.write_lock import WriteLock

Opened = TypeVar("Opened", Connection, UpdateEvents)


class SQLiteEngine:
    """A storage engine that runs SQL functions on the right connection of one file; see `honker.engine.Engine`.

    A function that writes is one statement, run in autocommit on the writing connection by the holder of the write
    lock. A function that only reads runs on a reading connection, and does not wait for writers.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_readers: int,
        watcher_backend: str | None,
        watcher_poll_interval_ms: int | None,
        module: ModuleType,
        *,
        synchronous: str,
        foreign_keys: bool | None = None,
        creates: bool = True,
    ) -> None:
        check_watcher_options(watcher_backend, watcher_poll_interval_ms)
        if synchronous not in SYNCHRONOUS:
            raise InvalidArgumentError(f"synchronous is {synchronous!r}; choose one of {', '.join(SYNCHRONOUS)}")
        if max_readers < 0:
            raise ArgumentOverflowError(f"max_readers is {max_readers}; 0 or more are allowed")
        self._path = database_path(path)
        self._module = module
        self._watcher_options = watcher_backend, watcher_poll_interval_ms
        self._write_lock = WriteLock()
        self._writer = Connection(
            self._path, module, synchronous=synchronous, creates=creates, foreign_keys=foreign_keys
        )
        self._file = self._writer.file = DatabaseFile(self._path, self._writer.real_path)
        self._clock = EngineClock(module, self._writer.real_path, self._open_reader)
        self._readers = ReaderPool(self._open_reader, max(max_readers, 1))
        self._loop_reader = LoopReader(self._open_reader)
        # Guards the fields below.
        self._updates_lock = threading.Lock()
        self._updates: weakref.WeakSet[UpdateEvents] = weakref.WeakSet()
        # By event loop; each hub is used on the thread of its loop only. Waiters and the loop keep it.
        self._hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[LoopHub]]
        self._hubs = weakref.WeakKeyDictionary()
        # By event loop, too; and the one that was used last.
        self._groups: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, GroupCommit] = weakref.WeakKeyDictionary()
        self._last_group: GroupCommit | None = None
        self._is_closed = False
        try:
            if watcher_backend is not None:
                # A backend that was requested by name must work; a failure is raised here, not at its first use.
                self.updates().close()
            self.call("SELECT honker_bootstrap()")
            if self._writer.scalar("SELECT honker_test_clock_get()", ()) is not None:
                note_testing_file(self._writer.real_path)
            self._limits = Limits.of(self._writer.scalar("SELECT honker_limits()", ()))
            self._file.remember_wal()
            self._writer.checkpoint_in_thread(self._open_reader)
        except BaseException:
            self.close()
            raise

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # The constructor may have failed half-way.
            self.close()

    def _open_reader(self) -> Connection:
        """A reading connection to the file that the writing one has open, not to another that is at the path now."""
        return self._on_the_same_file(lambda: Connection(self._path, self._module, is_query_only=True))

    def _on_the_same_file(self, make: Callable[[], Opened]) -> Opened:
        """Open something by the path, and see that the path led to the handle's file before and after it."""
        self._file.check_now()
        try:
            opened = make()
        except DatabaseError:
            self._file.check_now()  # An error because the file is gone is told as that.
            raise
        try:
            self._file.check_now()
        except BaseException:
            opened.close()
            raise
        return opened

    @property
    def path(self) -> str:
        """The database file: an absolute path, or a ``file:`` URI with one."""
        return self._path

    @property
    def identity(self) -> str:
        """The file's path with links resolved, which is the same for every spelling of it."""
        return self._writer.real_path

    @property
    def file_identity(self) -> tuple[int, int] | None:
        """Device and inode of the file."""
        return self._file.identity

    @property
    def is_writing_here(self) -> bool:
        """True while this thread, or a task suspended on it, is in a transaction."""
        return self._write_lock.is_held_here

    @property
    def limits(self) -> Limits:
        """The ranges against which the engine checks arguments."""
        return self._limits

    @property
    def is_closed(self) -> bool:
        """True once it is closed."""
        return self._is_closed

    @property
    def is_commit_slow(self) -> bool:
        """True if the next commit may wait for the disk; `call_now` then blocks an event loop, and `acall` does not."""
        return self._writer.is_commit_slow()

    def clock(self) -> float:
        """Unix seconds, as the engine reads them: of the system, of a testing file, or of a clock that a test stopped.

        A clock that a test froze in Python does not count.
        """
        return self._clock.now()

    def transaction(self) -> SQLiteTransaction:
        """A write transaction, for ``with`` or ``async with``; see `honker.Transaction`."""
        return SQLiteTransaction(self._writer, self._write_lock)

    def handler_transaction(self) -> SQLiteHandlerScope:
        """A write transaction for the handler of a job."""
        return SQLiteHandlerScope(self._writer, self._write_lock)

    # Reading

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one read-only statement of the application and return its rows."""
        self._file.check()
        with self._readers.lend() as reader:
            return reader.query(sql, params)

    async def aquery(self, sql: str, params: Parameters = None) -> list[Row]:
        """Like `query`, in a thread, because a statement of the application may take long."""
        return await asyncio.to_thread(self.query, sql, params)

    def ask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Run a read-only SQL function and return its result."""
        if tx is not None:
            return self._scalar_in(tx, sql, params)
        self._file.check()
        with self._readers.lend() as reader:
            return reader.scalar(sql, params)

    async def aask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `ask`: at once on the reserved connection, or in a thread if that would have to wait."""
        if tx is not None:
            return await self._ascalar_in(tx, sql, params)
        self._file.check()
        for is_prepared in (False, True):
            reader = self._loop_reader.take_now()
            if reader is not None:
                try:
                    return reader.scalar(sql, params)
                except DatabaseBusyError:
                    break
                finally:
                    self._loop_reader.give_back()
            if not is_prepared:
                await asyncio.to_thread(self._loop_reader.prepare)
        return await asyncio.to_thread(self.ask, sql, *params)

    # Writing

    def call(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Run a SQL function that writes, as part of ``tx`` or in autocommit, and return its result."""
        if tx is not None:
            return self._scalar_in(tx, sql, params)
        _ = self._writer.raw
        self._write_lock.acquire()
        return self._call_and_release(sql, params)

    def call_now(self, sql: str, *params: SQLValue) -> Any:
        """Like `call`, without waiting.

        Raises:
            DatabaseBusyError: Another thread, task or process is writing.
        """
        _ = self._writer.raw
        if not self._write_lock.acquire_now():
            raise DatabaseBusyError("database is locked: another thread or task of this process is writing")
        try:
            self._writer.make_ready()
            self._writer.fail_when_busy()
            return self._writer.scalar(sql, params)
        finally:
            self._write_lock.release()

    async def acall(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `call`, without blocking the event loop; calls of several tasks may share a commit.

        A call that is cancelled before its commit has begun is not made; one that is cancelled later may take effect.
        """
        if tx is not None:
            return await self._ascalar_in(tx, sql, params)
        loop = asyncio.get_running_loop()
        call = self._group(loop).submit(loop, (sql, *params))
        return call.answer if call.future is None else await call.future

    def _group(self, loop: asyncio.AbstractEventLoop) -> GroupCommit:
        """The group commit of an event loop."""
        _ = self._writer.raw
        group = self._last_group
        if group is None or group.loop() is not loop:
            with self._updates_lock:
                group = self._groups.get(loop) or self._new_group(loop)
                self._last_group = self._groups[loop] = group
        return group

    def _new_group(self, loop: asyncio.AbstractEventLoop) -> GroupCommit:
        # Calls that wait refer to their loop. One that was closed before they ended would be kept for ever.
        for closed in [each for each in self._groups if each.is_closed()]:
            del self._groups[closed]
        return GroupCommit(self._writer, self._write_lock, loop)

    def _call_and_release(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        try:
            self._writer.make_ready()
            return self._writer.scalar_waiting(sql, params)
        finally:
            self._write_lock.release()

    def add(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Add a job or an event in a transaction, alone or together with those that follow it."""
        if isinstance(tx, SQLiteTransaction):
            self._file.check()
            check_own(tx, self._file)
            return append_to(tx, one, many, element)
        added: int = self.call(*one, tx=tx)
        return added

    async def aadd(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Like `add`, without blocking the event loop; without ``tx``, like `acall`."""
        added: int
        if tx is None:
            loop = asyncio.get_running_loop()
            call = self._group(loop).submit(loop, one, many, element)
            added = call.answer if call.future is None else await call.future
        elif isinstance(tx, SQLiteTransaction):
            added = self.add(one, many, element, tx)
        else:
            added = await self.acall(*one, tx=tx)
        return added

    def fate(self, tx: TransactionLike) -> OwnFate | ForeignFate:
        """The end of the transaction ``tx``, which runs now."""
        return fate_of(tx, self._module)

    def _scalar_in(self, tx: TransactionLike, sql: str, params: tuple[SQLValue, ...]) -> Any:
        self._file.check()
        return session_of(tx, self._module, self._file).scalar(sql, params)

    async def _ascalar_in(self, tx: TransactionLike, sql: str, params: tuple[SQLValue, ...]) -> Any:
        self._file.check()
        return await ascalar_in(tx, self._module, self._file, sql, params)

    # Waiting

    def updates(self, *, overhears: bool = False) -> UpdateEvents:
        """Subscribe to commits of any connection in any process, from this moment on.

        Args:
            overhears: Of no effect: to announce a commit costs nothing here.

        Raises:
            WatcherError: The file cannot be watched by the requested backend.
            DatabaseReplacedError: The file was deleted or replaced by another.
            DatabaseClosedError: The database is closed.

        Cost: the first subscription starts a native thread for the file, which all others share.
        Source: ``honker_watcher_open`` of ``include/honker.h``; SQL ``honker_update_watcher_open`` is the same.
        """
        _ = self._writer.raw
        # The watcher detects every replacement after its start.
        updates = self._on_the_same_file(lambda: UpdateEvents(extension_info()[0], self._path, *self._watcher_options))
        with self._updates_lock:
            if not self._is_closed:
                self._updates.add(updates)
                return updates
        updates.close()
        raise DatabaseClosedError("Database is closed")

    def loop_updates(self) -> LoopWaiter:
        """As `updates`, for a waiter on the running event loop: all of them share one descriptor."""
        loop = asyncio.get_running_loop()
        with self._updates_lock:
            known = None if self._is_closed else self._hubs.get(loop)
        hub = None if known is None else known()
        if hub is None or not hub.is_usable:
            hub = LoopHub(self.updates(), loop)
            with self._updates_lock:
                self._hubs[loop] = weakref.ref(hub)
        return hub.join()

    def close(self) -> None:
        """Close every connection. Idempotent. An open transaction may still end."""
        with self._updates_lock:
            self._is_closed = True
            self._file.forget()
            updates = list(self._updates)
        for each in updates:
            each.close()
        self._clock.close()
        self._readers.close()
        self._loop_reader.close()
        self._writer.retire()
        self._write_lock.when_free(self._writer.close)
