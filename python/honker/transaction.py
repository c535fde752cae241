"""Write transactions: of the application, and of the handlers of jobs."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from os import getpid
from types import TracebackType
from typing import Any, Final, TypeVar

from honker import payload as payloads
from honker.connection import Connection
from honker.errors import (
    NestedTransactionError,
    TransactionNotStartedError,
)
from honker.series import Series
from honker.turn import Turn, current_task, in_thread
from honker.types import Call, Parameters, Row, SQLValue

T = TypeVar("T")

# What undoes all that waits: whatever savepoint it goes back to is older, since what waited was written before it.
_ROLLBACK: Final = re.compile(r"\s*ROLLBACK\b", re.IGNORECASE)


class Transaction:
    """A write transaction, begun by ``with`` or ``async with`` and ended by leaving the block.

    ``BEGIN IMMEDIATE`` on entry: the write lock is waited for once, there, and nothing inside the block can fail for
    the lack of it. COMMIT on a normal exit, ROLLBACK on an exception, which is never suppressed. After an exit the
    object may be entered again.

    With ``async with``, neither waiting for other tasks nor waiting for another process blocks the event loop. Other
    tasks that want to write wait for their turn meanwhile.

    Of jobs and events that are added one after the other, with nothing else in between, most are written together, just
    before the next statement or the COMMIT. That is when they are dated, and where it is told that the disk is full.
    """

    _is_active = False  # also of one whose making was interrupted

    def __init__(self, connection: Connection, turn: Turn) -> None:
        self._connection = connection
        self._turn = turn
        self._pid = getpid()
        # One use at a time; guards the fields below. Never waited for the turn with: see `_prepare`.
        self._mutex = threading.RLock()
        self._is_in_use = False
        self._was_ended_by_application = False
        self._series: Series | None = None

    def __enter__(self) -> Transaction:
        _ = self._connection.raw
        self._turn.take()
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

    async def __aenter__(self) -> Transaction:
        _ = self._connection.raw
        await self._turn.take_async()
        try:
            self._is_active = self._connection.begin_now()
        except BaseException:
            self._end(commits=False)
            raise
        if not self._is_active:
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
        try:
            if commits:
                _ = self._connection.raw
            if self._pid == getpid():  # in a forked child the mutex may be nobody's
                with self._mutex:  # what another thread runs now is part of it, and nothing after
                    self._conclude(commits=commits)
        finally:
            self._is_active = False
            self._turn.give()

    def _conclude(self, *, commits: bool) -> None:
        self._is_active = False
        try:
            if commits:
                self._flush(self._connection)
                self._connection.run("COMMIT")
        finally:
            self._series = None
            self._was_ended_by_application = False
            self._connection.roll_back_if_open()

    def _prepare(self) -> None:
        """Whatever may have to be waited for, or fail, before the mutex is taken."""
        _ = self._connection.raw

    def _begun(self, *, by_application: bool = False) -> Connection:
        """The connection, in the transaction that a statement is to be part of.

        SQLite rolls back by itself on a full disk, for example. What follows would be committed by itself, so it is
        refused, unless the application has ended the transaction by a statement and now runs its own.
        """
        if not self._is_active:
            raise TransactionNotStartedError("Transaction not started: use it inside its with block")
        if not self._connection.raw.in_transaction and not (by_application and self._was_ended_by_application):
            raise TransactionNotStartedError(
                "the transaction has ended inside its with block, by a statement or because SQLite rolled it back; "
                "leave the block and begin again"
            )
        return self._connection

    def add_in_series(self, add_one: Call, add_many: Call, element: str) -> int:
        """Add a job or an event, now or together with others that follow; see `honker.series`. For honker itself.

        Args:
            add_one: The SQL function that adds this one, and what it takes.
            add_many: The one that adds many, and what it takes from ?2 on; ?1 is their JSON array.
            element: What this one is in that array, JSON text.

        Returns:
            Its id.
        """
        series = self._series
        if series is not None and series.add_many == add_many and self._pid == getpid():
            with self._mutex:
                if self._series is series and not self._is_in_use:
                    try:
                        self._is_in_use = True
                        promised = series.promise(element)
                    finally:
                        self._is_in_use = False
                    if promised:
                        return promised
        return self._add_now(add_one, add_many)

    def _add_now(self, add_one: Call, add_many: Call) -> int:
        self._prepare()
        with self._mutex:
            self._check_unused()
            try:
                self._is_in_use = True
                connection = self._begun()
                series = self._series
                if series is None or series.add_many != add_many:
                    self._flush(connection)
                    self._series = series = Series(add_many)
                return series.add_now(connection, *add_one)
            finally:
                self._is_in_use = False

    def _flush(self, connection: Connection) -> None:
        series = self._series
        if series is not None:
            series.flush(connection)
            self._series = None

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
                if self._series is not None and not _ROLLBACK.match(sql):
                    self._flush(connection)
                result = run(connection, sql, params)
                self._series = None
                self._was_ended_by_application = not connection.raw.in_transaction
                return result
            finally:
                self._is_in_use = False

    def scalar(self, sql: str, params: tuple[SQLValue, ...] = ()) -> Any:
        """The first column of the only row of a statement. For honker itself."""
        return self._run(Connection.scalar, sql, params)

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
        self._run(Connection.execute, sql, params, by_application=True)

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one statement and return its rows, each a dict by column label.

        Args:
            sql: One SQL statement.
            params: Positional parameters: None, bool, int, float, str or bytes each.

        Raises:
            UnsupportedParameterError: The parameters are not as above.
            DatabaseError: SQLite refused.
        """
        return self._run(Connection.query, sql, params, by_application=True)

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
        # Threads of one handler that use it first wait here for each other, and one of them for the turn.
        self._beginning = threading.Lock()
        self._refusal: str | None = None  # why it may not be used any more

    @property
    def is_active(self) -> bool:
        """Whether it has begun and not ended."""
        return self._is_active

    def __enter__(self) -> Transaction:
        self._check_granted()
        with self._beginning:
            if not self._is_active:
                super().__enter__()
                self._check_still_granted()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self._is_active:
            self._end(commits=False)

    async def __aenter__(self) -> Transaction:
        self._check_granted()
        if not self._is_active:
            await super().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def finish(self, *, commits: bool) -> None:
        """COMMIT or ROLLBACK, if it has begun; refuse to begin again. For the worker."""
        was_granted = self._refusal is None
        self._refusal = self._refusal or "its handler has ended"
        if self._is_active:
            self._end(commits=commits and was_granted)

    def revoke(self) -> None:
        """Refuse every further statement and the commit: the handler does not speak for its job any more."""
        self._refusal = "the lease of its job was lost or given back"
        self._series = None

    def _check_granted(self) -> None:
        if self._refusal is not None:
            raise TransactionNotStartedError(f"Transaction not started: {self._refusal}")

    def _check_still_granted(self) -> None:
        """After the wait for the turn, which may have been longer than the lease."""
        try:
            self._check_granted()
        except BaseException:
            self._end(commits=False)
            raise

    def _prepare(self) -> None:
        self._check_granted()
        super()._prepare()
        if not self._is_active:
            if current_task() is not None:
                raise TransactionNotStartedError(
                    "Transaction not started: in a coroutine begin it with `async with tx:`, which does not block"
                )
            self.__enter__()


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
