"""Write transactions of the application."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from functools import partial
from os import getpid
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from honker import serialization
from honker.arguments import Call, Parameters, Row, SQLValue
from honker.engine import Element, Transaction
from honker.engine.fate import OwnFate
from honker.errors import NestedTransactionError, TransactionNotStartedError
from honker.sqlite.batch import Batch
from honker.sqlite.connection import Connection
from honker.sqlite.database_file import DatabaseFile
from honker.sqlite.write_lock import WriteLock, in_thread

T = TypeVar("T")

# Discards all buffered elements: any savepoint it can return to is older, since they are written before a savepoint.
_ROLLBACK: Final = re.compile(r"\s*ROLLBACK\b", re.IGNORECASE)


class SQLiteTransaction(Transaction):
    """A write transaction on SQLite: ``BEGIN IMMEDIATE`` ... ``COMMIT``."""

    _is_active = False  # also for an object whose constructor was interrupted

    def __init__(self, connection: Connection, write_lock: WriteLock) -> None:
        self._connection = connection
        self._write_lock = write_lock
        self._pid = getpid()
        # One use at a time; guards the fields below. Never held while waiting for the write lock: see `_prepare`.
        self._mutex = threading.RLock()
        self._is_in_use = False
        self._was_ended_by_application = False
        self._batch: Batch | None = None
        self._fate: OwnFate | None = None  # of the transaction that runs now, once it is asked for

    def __enter__(self) -> Self:
        _ = self._connection.raw
        self._write_lock.acquire()
        try:
            self._connection.begin()
            self._is_active = True
        except BaseException:  # an interrupt may come after it has begun
            self._end(commits=False)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(commits=kind is None)

    async def __aenter__(self) -> Self:
        _ = self._connection.raw
        await self._write_lock.acquire_async()
        try:
            self._is_active = self._connection.begin_now()
        except BaseException:
            self._end(commits=False)
            raise
        if not self._is_active:
            await _Begin(self._connection, self._write_lock).wait()
            self._is_active = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._aend(commits=kind is None)

    def __del__(self) -> None:
        if self._is_active:
            self._end(commits=False)

    async def _aend(self, *, commits: bool) -> None:
        """End it without blocking the event loop: in a thread if that has to wait for a statement or for the disk.

        A cancelled task leaves the thread to end the transaction and release the write lock.
        """
        if self._pid != getpid() or not self._mutex.acquire(blocking=False):
            is_slow = self._pid == getpid()
        else:
            try:
                is_slow = commits and self._is_active and self._is_commit_slow()
            finally:
                self._mutex.release()
        if not is_slow:
            self._end(commits=commits, is_slow=False)
            return
        self._is_active = False  # of a cancelled task, which must not add to it
        self._write_lock.hand_to_thread()
        await in_thread(partial(self._end, commits=commits), otherwise=partial(self._end, commits=False))

    def _is_commit_slow(self) -> bool:
        return self._connection.is_commit_slow() or self._connection.is_large

    def _end(self, *, commits: bool, is_slow: bool = True) -> None:
        try:
            if commits:
                _ = self._connection.raw
            if self._pid == getpid():  # in a forked child the mutex may be held by a thread that does not exist there
                with self._mutex:  # a statement running in another thread is still part of it
                    self._conclude(commits=commits, is_slow=is_slow)
        finally:
            self._is_active = False
            self._write_lock.release()

    def _conclude(self, *, commits: bool, is_slow: bool) -> None:
        self._is_active = False
        fate, self._fate = self._fate, None
        is_committed = None if self._was_ended_by_application else False
        try:
            if commits:
                self._flush(self._connection)
                self._connection.check_file()
                self._connection.commit(is_slow=is_slow)
                is_committed = True
        finally:
            if fate is not None:
                fate.is_committed, fate.is_over = is_committed, True
            self._batch = None
            self._was_ended_by_application = False
            self._connection.roll_back_if_open()

    def _prepare(self) -> None:
        """Do everything that may wait or fail, before the mutex is taken."""
        _ = self._connection.raw

    def _begun(self, *, by_application: bool = False) -> Connection:
        """The connection, after a check that this transaction is open on it.

        SQLite rolls back by itself in some cases, such as a full disk. A later statement would be committed alone, so
        it is rejected. The application may run further statements only if it ended the transaction by a statement.
        """
        if not self._is_active:
            raise TransactionNotStartedError("Transaction not started: use it inside its with block")
        if not self._connection.raw.in_transaction and not (by_application and self._was_ended_by_application):
            raise TransactionNotStartedError(
                "the transaction has ended inside its with block, by a statement or because SQLite rolled it back; "
                "leave the block and begin again"
            )
        return self._connection

    def _append(self, one: Call, many: Call, element: Element) -> int:
        batch = self._batch
        if batch is not None and batch.add_many == many and self._pid == getpid():
            with self._mutex:
                if self._batch is batch and not self._is_in_use:
                    try:
                        self._is_in_use = True
                        reserved = batch.reserve_id(element)
                    finally:
                        self._is_in_use = False
                    if reserved:
                        return reserved
        return self._add_now(one, many)

    def _add_now(self, one: Call, many: Call) -> int:
        self._prepare()
        with self._mutex:
            self._check_unused()
            try:
                self._is_in_use = True
                connection = self._begun()
                batch = self._batch
                if batch is None or batch.add_many != many:
                    self._flush(connection)
                    self._batch = batch = Batch(many)
                return batch.add_now(connection, *one)
            finally:
                self._is_in_use = False

    def _flush(self, connection: Connection) -> None:
        batch = self._batch
        if batch is not None:
            batch.flush(connection)
            self._batch = None

    def _check_unused(self) -> None:
        if self._is_in_use:
            raise NestedTransactionError("the transaction is in use: a signal handler interrupted a statement of it")

    def _run(
        self, run: Callable[[Connection, str, Any], T], sql: str, params: Any, *, by_application: bool = False
    ) -> T:
        self._prepare()
        with self._mutex:
            self._check_unused()
            try:
                self._is_in_use = True
                connection = self._begun(by_application=by_application)
                if self._batch is not None and not _ROLLBACK.match(sql):
                    self._flush(connection)
                result = run(connection, sql, params)
                self._batch = None
                self._was_ended_by_application = not connection.raw.in_transaction
                return result
            finally:
                self._is_in_use = False

    def _scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        return self._run(Connection.scalar, sql, params)

    def execute(self, sql: str, params: Parameters = None) -> None:
        """Run one statement that returns no rows; see `honker.Transaction`."""
        self._run(Connection.execute, sql, params, by_application=True)

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one statement and return its rows; see `honker.Transaction`."""
        return self._run(Connection.query, sql, params, by_application=True)

    def notify(self, channel: str, payload: Any) -> int:
        """Notify the listeners of a channel when this transaction commits; see `honker.Transaction`."""
        text = serialization.encode(payload)
        notification_id: int = self._scalar("SELECT notify(?, ?)", (channel, text))
        return notification_id

    def bootstrap_honker_schema(self) -> None:
        """Create or upgrade honker's tables as part of this transaction; see `honker.Transaction`."""
        self._scalar("SELECT honker_bootstrap()", ())


def scalar_in(tx: SQLiteTransaction, sql: str, params: tuple[SQLValue, ...]) -> Any:
    """Run a SQL function in a transaction and return the first column of its only row.

    Not a method, because applications hold the object.
    """
    return tx._scalar(sql, params)  # pyright: ignore[reportPrivateUsage] - a friend in the same module


def fate_of(tx: SQLiteTransaction) -> OwnFate:
    """The end of the transaction that runs now."""
    tx._fate = fate = tx._fate or OwnFate()  # pyright: ignore[reportPrivateUsage] - a friend in the same module
    return fate


def check_own(tx: SQLiteTransaction, file: DatabaseFile) -> None:
    """Check that a transaction of honker, perhaps of another handle, is one of this file.

    Raises:
        InvalidArgumentError: It is a transaction of another database.
    """
    path = tx._connection.real_path  # pyright: ignore[reportPrivateUsage] - a friend in the same module
    if path is not file.real_path:
        file.check_same(path)


def append_to(tx: SQLiteTransaction, one: Call, many: Call, element: Element) -> int:
    """Add a job or an event to a transaction, now or together with others that follow; see `Engine.add`."""
    return tx._append(one, many, element)  # pyright: ignore[reportPrivateUsage] - a friend in the same module


class _Begin:
    """BEGIN IMMEDIATE in a thread, for a task that may be cancelled while it waits.

    A thread cannot be cancelled. If its task is cancelled, the thread rolls back the transaction and releases the write
    lock of the task.
    """

    def __init__(self, connection: Connection, write_lock: WriteLock) -> None:
        self._connection = connection
        self._write_lock = write_lock
        # Guards the two fields below: either the thread or the task undoes the begin.
        self._mutex = threading.Lock()
        self._is_abandoned = False
        self._has_begun = False

    async def wait(self) -> None:
        """Return with the transaction begun, or raise with neither transaction nor write lock."""
        try:
            await in_thread(self._begin, otherwise=self._write_lock.release)
        except asyncio.CancelledError:
            with self._mutex:
                self._is_abandoned = True
                if self._has_begun:
                    self._undo()
            raise

    def _begin(self) -> None:
        try:
            self._connection.begin()
        except BaseException:
            self._write_lock.release()
            raise
        with self._mutex:
            self._has_begun = True
            if self._is_abandoned:
                self._undo()

    def _undo(self) -> None:
        try:
            self._connection.roll_back_if_open()
        finally:
            self._write_lock.release()
