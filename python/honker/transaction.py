"""Transactions: ours, and those of others that an operation can join."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from types import ModuleType, TracebackType
from typing import Any, Final, Protocol

from honker import payload as payloads
from honker.connection import Connection
from honker.errors import (
    HonkerError,
    InvalidArgumentError,
    TransactionNotStartedError,
    from_sqlite,
)
from honker.series import AddMany, Series
from honker.turn import Turn, current_task, in_thread
from honker.types import Call, Parameters, Row, SQLValue, TransactionLike

# What may follow a statement that has ended the transaction.
_BEGIN: Final = re.compile(r"\s*(BEGIN|SAVEPOINT)\b", re.IGNORECASE)


class Carrier(Protocol):
    """What can run a SQL function as part of a transaction."""

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        """The first column of the only row."""


class Transaction:
    """A write transaction, begun by ``with`` or ``async with`` and ended by leaving the block.

    ``BEGIN IMMEDIATE`` on entry: the write lock is waited for once, there, and nothing inside the block can fail for
    the lack of it. COMMIT on a normal exit, ROLLBACK on an exception, which is never suppressed. After an exit the
    object may be entered again.

    With ``async with``, neither waiting for other tasks nor waiting for another process blocks the event loop. Other
    tasks that want to write wait for their turn meanwhile.

    Of jobs and events that are added one after the other, with nothing else in between, most are written together
    before the next statement or the COMMIT, whichever comes first. So a full disk may be told of there.
    """

    def __init__(self, connection: Connection, turn: Turn) -> None:
        self._connection = connection
        self._turn = turn
        self._is_active = False
        # One statement at a time; guards the field below.
        self._mutex = threading.RLock()
        self._series: Series | None = None

    def __enter__(self) -> Transaction:
        _ = self._connection.raw
        self._turn.take()
        try:
            self._connection.begin()
        except BaseException:
            self._turn.give()
            raise
        self._is_active = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(commits=kind is None)

    async def __aenter__(self) -> Transaction:
        _ = self._connection.raw
        await self._turn.take_async()
        try:
            has_begun = self._connection.begin_now()
        except BaseException:
            self._turn.give()
            raise
        if not has_begun:
            await _Begin(self._connection, self._turn).wait()
        self._is_active = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(commits=kind is None)

    def __del__(self) -> None:
        if self._is_active:
            self._end(commits=False)

    def _end(self, *, commits: bool) -> None:
        self._is_active = False
        try:
            if commits:
                with self._mutex:
                    if self._series is not None:
                        self._series.flush(self._connection)
                self._connection.run("COMMIT")
        finally:
            self._series = None
            try:
                self._connection.roll_back_if_open()
            finally:
                self._turn.give()

    def _begun(self, sql: str) -> Connection:
        """The connection, in the transaction that the statement is to be part of."""
        if not self._is_active:
            raise TransactionNotStartedError("Transaction not started: use it inside its with block")
        if not self._connection.raw.in_transaction and not _BEGIN.match(sql):
            raise TransactionNotStartedError(
                "the transaction has ended inside its with block: a statement or an error of SQLite rolled it back or "
                "committed it; leave the block and begin again"
            )
        return self._connection

    def _live(self, sql: str) -> Connection:
        """The connection, with all that waits written, for the statement to be run next."""
        connection = self._begun(sql)
        series = self._series
        if series is not None:
            series.flush(connection)
            self._series = None
        return connection

    def add(self, add_one: Call, add_many: AddMany, element: str) -> int:
        """Add a job or an event, now or together with others that follow; see `honker.series`.

        Args:
            add_one: The SQL function that adds this one, and what it takes.
            add_many: The one that adds many, and what it takes besides their JSON array.
            element: What this one is in that array, JSON text.

        Returns:
            Its id.
        """
        with self._mutex:
            series = self._series
            if series is not None and series.add_many == add_many:
                promised = series.promise(element)
                if promised:
                    return promised
                connection = self._begun(add_one[0])
            else:
                connection = self._live(add_one[0])
                self._series = series = Series(add_many)
            return series.add_now(connection, *add_one)

    def scalar(self, sql: str, params: tuple[SQLValue, ...] = ()) -> Any:
        """The first column of the only row of a statement."""
        with self._mutex:
            return self._live(sql).scalar(sql, params)

    def execute(self, sql: str, params: Parameters = None) -> None:
        """Run one statement that returns no rows.

        Args:
            sql: One SQL statement.
            params: Positional parameters: None, bool, int, float, str or bytes each.

        Raises:
            UnexpectedRowsError: The statement returns rows; call `query`.
            UnsupportedParameterError: The parameters are not as above.
            DatabaseError: SQLite refused.
        """
        with self._mutex:
            self._live(sql).execute(sql, params)

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one statement and return its rows, each a dict by column label.

        Args:
            sql: One SQL statement.
            params: Positional parameters: None, bool, int, float, str or bytes each.

        Raises:
            UnsupportedParameterError: The parameters are not as above.
            DatabaseError: SQLite refused.
        """
        with self._mutex:
            return self._live(sql).query(sql, params)

    def notify(self, channel: str, payload: Any) -> int:
        """Notify the listeners of a channel when this transaction commits; none of them if it does not.

        Args:
            channel: Non-empty text, at most 255 UTF-8 bytes.
            payload: Anything JSON can carry.

        Returns:
            The notification's id.

        Raises:
            InvalidPayloadError: The payload has no JSON form.

        Source: SQL ``notify``.
        """
        text = payloads.encode(payload)
        notification_id: int = self.scalar("SELECT notify(?, ?)", (channel, text))
        return notification_id

    def bootstrap_honker_schema(self) -> None:
        """Create or upgrade honker's tables as part of this transaction; nothing if they are current.

        Source: SQL ``honker_bootstrap``.
        """
        self.scalar("SELECT honker_bootstrap()")


class HandlerTransaction(Transaction):
    """The transaction of a job's handler: begun when it is first needed, and committed with the job's end.

    The worker makes one for a handler that has a parameter annotated `honker.Transaction`. A handler that is a plain
    function uses it at once: the first statement begins it. One that is a coroutine begins it with ``async with tx:``,
    so that waiting for the write lock does not block the event loop; the block's end does not end the transaction.
    From its begin on the database is locked for all other writers, so do what takes long before.
    """

    def __init__(self, connection: Connection, turn: Turn) -> None:
        super().__init__(connection, turn)
        self._is_revoked = False

    @property
    def is_active(self) -> bool:
        """Whether it has begun and not ended."""
        return self._is_active

    def __enter__(self) -> Transaction:
        self._check_granted()
        return self if self._is_active else super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.finish(commits=False)

    async def __aenter__(self) -> Transaction:
        self._check_granted()
        return self if self._is_active else await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.finish(commits=False)

    def finish(self, *, commits: bool) -> None:
        """COMMIT or ROLLBACK, if it has begun. For the worker."""
        if self._is_active:
            self._end(commits=commits and not self._is_revoked)

    def revoke(self) -> None:
        """Refuse every further statement and the commit: the handler does not speak for its job any more."""
        self._is_revoked = True
        self._series = None

    def _check_granted(self) -> None:
        if self._is_revoked:
            raise TransactionNotStartedError("Transaction not started: the lease of its job was lost or given back")

    def _begun(self, sql: str) -> Connection:
        self._check_granted()
        if not self._is_active:
            if current_task() is not None:
                raise TransactionNotStartedError(
                    "Transaction not started: in a coroutine begin it with `async with tx:`, which does not block"
                )
            self.__enter__()
        return super()._begun(sql)


class _Begin:
    """BEGIN IMMEDIATE in a thread, for a task that may be cancelled while it waits.

    A thread cannot be cancelled. If the task is, the thread undoes what it comes to hold: the transaction, and the
    turn that was the task's.
    """

    def __init__(self, connection: Connection, turn: Turn) -> None:
        self._connection = connection
        self._turn = turn
        # Guards the two fields below: exactly one of thread and task undoes.
        self._mutex = threading.Lock()
        self._is_abandoned = False
        self._has_begun = False

    async def wait(self) -> None:
        """Return with the transaction begun, or raise with neither transaction nor turn."""
        try:
            await in_thread(self._begin, otherwise=self._turn.give)
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
            self._turn.give()
            raise
        with self._mutex:
            self._has_begun = True
            if self._is_abandoned:
                self._undo()

    def _undo(self) -> None:
        try:
            self._connection.roll_back_if_open()
        finally:
            self._turn.give()


class _Joined:
    """The transaction of somebody else's ``sqlite3`` connection."""

    def __init__(self, raw: sqlite3.Connection, module: ModuleType) -> None:
        self._raw = raw
        self._module = module

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        try:
            self._begin_as_python_would()
            cursor = self._raw.cursor()
            cursor.row_factory = None  # the owner's may make anything of a row
            value = cursor.execute(sql, params).fetchall()[0][0]
        except self._module.Error as error:
            raise _explain_join(from_sqlite(error)) from error
        return value.decode() if isinstance(value, bytes) else value  # the owner's text_factory may be bytes

    def _begin_as_python_would(self) -> None:
        """Begin the transaction that an INSERT would have begun here, so that the owner's commit decides."""
        if self._raw.in_transaction:
            return
        if self._raw.isolation_level is None or getattr(self._raw, "autocommit", None) is True:
            raise InvalidArgumentError(
                "tx is a connection in autocommit mode without an open transaction; begin one before you pass it"
            )
        self._raw.execute("BEGIN IMMEDIATE")


def _explain_join(error: HonkerError) -> HonkerError:
    if "no such function" in str(error):
        return InvalidArgumentError(
            f"tx is a connection without honker's functions ({error}); "
            "call honker.load_extension(connection), or open it with honker.connect()"
        )
    return error


def carrier(tx: TransactionLike, module: ModuleType) -> Carrier:
    """Whatever ``tx`` is, as something that runs SQL functions inside its transaction.

    Raises:
        InvalidArgumentError: It is none of the kinds of transaction that honker knows.
    """
    if isinstance(tx, Transaction):
        return tx
    raw = _driver_connection(tx)
    if isinstance(raw, (sqlite3.Connection, module.Connection)):
        return _Joined(raw, module if isinstance(raw, module.Connection) else sqlite3)
    raise InvalidArgumentError(
        f"tx is {type(tx).__name__}; pass a honker.Transaction, a sqlite3.Connection, a SQLAlchemy Connection or "
        "Session, or a Django connection"
    )


def _driver_connection(tx: Any) -> Any:
    """The ``sqlite3`` connection below an ORM's; told by shape, so that no ORM need be installed."""
    if hasattr(tx, "get_bind") and callable(getattr(tx, "connection", None)):  # SQLAlchemy Session
        tx = tx.connection()
    if hasattr(tx, "exec_driver_sql"):  # SQLAlchemy Connection
        if not tx.in_transaction():
            tx.begin()  # as its own statements would: otherwise its commit() finds nothing to commit
        return tx.connection.driver_connection
    if hasattr(tx, "ensure_connection"):  # Django
        tx.ensure_connection()
        return tx.connection
    return tx
