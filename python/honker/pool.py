"""The connections of one database file: one that writes, several that read, one that watches."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from types import ModuleType
from typing import Any

from honker.carrier import carrier
from honker.connection import SYNCHRONOUS, Connection, database_path
from honker.errors import (
    ArgumentOverflowError,
    DatabaseBusyError,
    DatabaseClosedError,
    ForkError,
    InvalidArgumentError,
    WatcherError,
)
from honker.extension import extension_info
from honker.transaction import HandlerTransaction, Transaction
from honker.turn import Turn, in_thread
from honker.types import Parameters, Row, SQLValue, TransactionLike
from honker.watcher import UpdateEvents, check_watcher_options


class Pool:
    """Runs SQL functions on the right connection. The base of `honker.Database`.

    A function that writes is one statement, run in autocommit on the writing connection when it is this caller's
    turn; one that only reads runs on a reading connection and waits for nobody.
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
    ) -> None:
        check_watcher_options(watcher_backend, watcher_poll_interval_ms)
        if synchronous not in SYNCHRONOUS:
            raise InvalidArgumentError(f"synchronous is {synchronous!r}; choose one of {', '.join(SYNCHRONOUS)}")
        if max_readers < 0:
            raise ArgumentOverflowError(f"max_readers is {max_readers}; 0 or more are allowed")
        self._path = database_path(path)
        self._module = module
        self._watcher_options = watcher_backend, watcher_poll_interval_ms
        self._turn = Turn()
        self._writer = Connection(self._path, module, synchronous=synchronous)
        self._identity = self._writer.file_identity()
        self._readers = _Readers(self._path, module, max(max_readers, 1))
        # Guards the two fields below.
        self._updates_lock = threading.Lock()
        self._updates: weakref.WeakSet[UpdateEvents] = weakref.WeakSet()
        self._is_closed = False
        if watcher_backend is not None:
            self._probe_watcher()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # The constructor may have failed half-way.
            self.close()

    def _probe_watcher(self) -> None:
        """A backend that was asked for by name must work, and say so now rather than when it is first needed."""
        try:
            self.update_events().close()
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> str:
        """The database file: an absolute path, or a ``file:`` URI with one."""
        return self._path

    def transaction(self) -> Transaction:
        """A write transaction, for ``with`` or ``async with``; see `honker.Transaction`."""
        return Transaction(self._writer, self._turn)

    def handler_transaction(self) -> HandlerTransaction:
        """A write transaction for the handler of a job; see `honker.transaction.HandlerTransaction`."""
        return HandlerTransaction(self._writer, self._turn)

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one statement that only reads and return its rows, each a dict by column label.

        Sees what was committed when it begins, also while a transaction is open. To read what a transaction has not
        committed yet, use `Transaction.query`.

        Args:
            sql: One SQL statement.
            params: Positional parameters: None, bool, int, float, str or bytes each.

        Raises:
            UnsupportedParameterError: The parameters are not as above.
            DatabaseReadOnlyError: The statement writes; use `transaction`.
            DatabaseError: SQLite refused.
        """
        reader = self._readers.lend()
        try:
            return reader.query(sql, params)
        finally:
            self._readers.take_back(reader)

    def ask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """The result of a SQL function that only reads."""
        if tx is not None:
            return carrier(tx, self._module).scalar(sql, params)
        reader = self._readers.lend()
        try:
            return reader.scalar(sql, params)
        finally:
            self._readers.take_back(reader)

    def call(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """The result of a SQL function that writes, as part of ``tx`` or committed by itself."""
        if tx is not None:
            return carrier(tx, self._module).scalar(sql, params)
        _ = self._writer.raw
        self._turn.take()
        return self._call_and_give(sql, params)

    def call_now(self, sql: str, *params: SQLValue) -> Any:
        """As `call`, without waiting for anybody.

        Raises:
            DatabaseBusyError: Somebody else is writing.
        """
        _ = self._writer.raw
        if not self._turn.take_now():
            raise DatabaseBusyError("database is locked: another thread or task of this process is writing")
        try:
            self._writer.roll_back_if_open()
            self._writer.fail_when_busy()
            return self._writer.scalar(sql, params)
        finally:
            self._turn.give()

    async def acall(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """As `call`, without blocking the event loop.

        A cancelled call may still take effect: what has been handed to SQLite cannot be called back.
        """
        if tx is not None:
            return carrier(tx, self._module).scalar(sql, params)
        _ = self._writer.raw
        await self._turn.take_async()
        # The turn is given back by whoever runs the statement last: here, or the thread that outlives a cancelled task.
        try:
            self._writer.roll_back_if_open()
            self._writer.fail_when_busy()
            result = self._writer.scalar(sql, params)
        except DatabaseBusyError:
            self._turn.lend()
            return await in_thread(self._call_and_give, sql, params, otherwise=self._turn.give)
        except BaseException:
            self._turn.give()
            raise
        self._turn.give()
        return result

    def _call_and_give(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        try:
            self._writer.roll_back_if_open()
            self._writer.wait_when_busy()
            return self._writer.scalar(sql, params)
        finally:
            self._turn.give()

    def update_events(self) -> UpdateEvents:
        """Begin to notice commits of any connection in any process, from this moment on.

        Raises:
            WatcherError: The file cannot be watched in the way asked for, or was replaced by another.
            DatabaseClosedError: The database is closed.

        Cost: the first one starts a native thread for the file, which all others share.
        Source: ``honker_watcher_open`` of ``include/honker.h``; SQL ``honker_update_watcher_open`` is the same.
        """
        _ = self._writer.raw
        updates = UpdateEvents(extension_info()[0], self._path, *self._watcher_options)
        # Looked at after the watcher has looked: a replacement from now on is the watcher's to notice.
        if self._writer.file_identity() != self._identity:
            updates.close()
            raise WatcherError(
                f"update watcher died: database file replaced: {self._path}; close this handle and open the file again"
            )
        with self._updates_lock:
            if not self._is_closed:
                self._updates.add(updates)
                return updates
        updates.close()
        raise DatabaseClosedError("Database is closed")

    def close(self) -> None:
        """Close every connection. Idempotent. A transaction that is open at this moment may still end, as it will."""
        with self._updates_lock:
            self._is_closed = True
            updates = list(self._updates)
        for each in updates:
            each.close()
        self._readers.close()
        self._writer.retire()
        self._turn.when_free(self._writer.close)


class _Readers:
    """Connections that only read, opened when first needed, at most ``limit`` of them."""

    def __init__(self, path: str, module: ModuleType, limit: int) -> None:
        self._path = path
        self._module = module
        self._limit = limit
        # Guards the fields below; never held while running SQL.
        self._mutex = threading.Lock()
        self._returned = threading.Condition(self._mutex)
        self._idle: list[Connection] = []
        self._lent = 0
        self._is_closed = False
        self._pid = os.getpid()

    def lend(self) -> Connection:
        """A connection, to be given to `take_back`; waits while all are lent."""
        self._check_usable()
        with self._mutex:
            while self._lent == self._limit:
                self._returned.wait()
                self._check_usable()
            self._lent += 1
            if self._idle:
                return self._idle.pop()
        try:
            return Connection(self._path, self._module, is_query_only=True)
        except BaseException:
            self._end_loan(None)
            raise

    def take_back(self, reader: Connection) -> None:
        """The end of a loan."""
        try:
            reader.roll_back_if_open()
        except BaseException:
            self._end_loan(None)
            reader.close()
            raise
        if not self._end_loan(reader):
            reader.close()

    def _end_loan(self, reader: Connection | None) -> bool:
        """Whether the connection is kept for the next loan."""
        with self._mutex:
            self._lent -= 1
            self._returned.notify()
            if reader is None or self._is_closed:
                return False
            self._idle.append(reader)
            return True

    def _check_usable(self) -> None:
        if self._pid != os.getpid():
            raise ForkError(
                f"this database was opened in process {self._pid} and is used in its child {os.getpid()}; "
                "call honker.open() again after the fork"
            )
        if self._is_closed:
            raise DatabaseClosedError("Database is closed")

    def close(self) -> None:
        with self._mutex:
            self._is_closed = True
            self._returned.notify_all()
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()
