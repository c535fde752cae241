"""Write transactions of the application on PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, LiteralString, Self, TypeVar

from psycopg.pq import TransactionStatus

from honker import serialization
from honker.arguments import Parameters, Row, SQLValue
from honker.engine import Transaction
from honker.engine.fate import OwnFate
from honker.errors import ConnectionLostError, NestedTransactionError, TransactionNotStartedError, forked
from honker.postgres import session
from honker.postgres.connection import PoolConnection
from honker.postgres.holders import Holder, Holders
from honker.postgres.pool import Pool

T = TypeVar("T")

#: The longest wait for a lock in a transaction of a coroutine.
LOOP_LOCK_TIMEOUT: Final = "2s"
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
_BEGIN_ON_LOOP: Final = f"{_BEGIN}; SET LOCAL lock_timeout = '{LOOP_LOCK_TIMEOUT}'"


class PostgresTransaction(Transaction):
    """A transaction on a connection of the pool: ``BEGIN`` ... ``COMMIT``, at isolation level read committed.

    If a statement in it fails, PostgreSQL refuses every later one, and the block must be left. A COMMIT that is
    interrupted by the loss of the connection may have taken effect: `ConnectionLostError`.

    Begun by ``async with``, its statements wait for locks of rows for `LOOP_LOCK_TIMEOUT` at most: `execute` and
    `query` block the event loop, and the holder of the lock may be a coroutine of that loop. PostgreSQL cannot see
    such a deadlock.
    """

    def __init__(self, pool: Pool, holders: Holders) -> None:
        self._pool = pool
        self._holders = holders
        self._pid = os.getpid()
        self._raw: PoolConnection | None = None
        self._holder: Holder | None = None
        # One statement at a time.
        self._mutex = threading.RLock()
        self._is_in_use = False
        self._fate: OwnFate | None = None

    @property
    def is_active(self) -> bool:
        """True inside the block."""
        return self._raw is not None

    @property
    def pool(self) -> Pool:
        """The pool of its connection, by which a handle recognises its own transactions."""
        return self._pool

    def __enter__(self) -> Self:
        self._check_process()
        holder = self._holders.enter(self)
        try:
            raw = self._begin(_BEGIN)
        except BaseException:
            self._holders.leave(holder)
            raise
        self._raw, self._holder = raw, holder
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._end(commits=kind is None)
        except BaseException:
            self._end(commits=False)  # an interrupt may have come before it had begun
            raise

    async def __aenter__(self) -> Self:
        self._check_process()
        holder = self._holders.enter(self)
        begun = asyncio.get_running_loop().run_in_executor(self._pool.threads, self._begin, _BEGIN_ON_LOOP)
        try:
            raw = await asyncio.shield(begun)
        except BaseException:
            self._holders.leave(holder)
            begun.add_done_callback(self._undo)  # a thread cannot be cancelled
            raise
        self._raw, self._holder = raw, holder
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._aend(commits=kind is None)

    def __del__(self) -> None:
        if self._raw is not None:
            self._end(commits=False)

    def _begin(self, sql: LiteralString) -> PoolConnection:
        raw = self._pool.take()
        try:
            session.control(raw, sql)
        except BaseException:
            self._pool.give_back(raw)
            raise
        return raw

    def _undo(self, begun: asyncio.Future[PoolConnection]) -> None:
        if not begun.cancelled() and begun.exception() is None:
            self._pool.give_back(begun.result())

    async def _aend(self, *, commits: bool) -> None:
        await self._in_thread(partial(self._end, commits=commits))

    async def _in_thread(self, function: Callable[[], T]) -> T:
        # Shielded: a cancelled task leaves its statement to end in the thread.
        return await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(self._pool.transaction_threads, function)
        )

    def _end(self, *, commits: bool) -> None:
        if self._pid != os.getpid():
            self._mutex = threading.RLock()  # a thread of the parent may hold the other one for ever
        with self._mutex:  # a statement running in another thread is still part of it
            raw, self._raw = self._raw, None
            holder, self._holder = self._holder, None
            fate, self._fate = self._fate, None
        if raw is None or holder is None:
            return
        is_committed: bool | None = False
        try:
            self._holders.leave(holder)
            if commits:
                self._check_process()
                is_committed = None
                _check_open(raw)
                session.control(raw, "COMMIT")
                is_committed = True
            elif not raw.closed and self._pid == os.getpid():
                with contextlib.suppress(ConnectionLostError):  # The server has rolled it back.
                    session.control(raw, "ROLLBACK")
        finally:
            if fate is not None:
                fate.is_committed, fate.is_over = is_committed, True
            self._pool.give_back(raw)

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise forked(self._pid)

    def _begun(self) -> PoolConnection:
        self._check_process()
        if self._raw is None:
            raise TransactionNotStartedError("Transaction not started: use it inside its with block")
        return self._raw

    def _run(self, run: Callable[[PoolConnection, str, Any], T], sql: str, params: Any) -> T:
        self._check_process()  # in a forked child, a thread that is not there may hold the mutex for ever
        with self._mutex:
            if self._is_in_use:
                raise NestedTransactionError(
                    "the transaction is in use: a signal handler interrupted a statement of it"
                )
            try:
                self._is_in_use = True
                return run(self._begun(), sql, params)
            finally:
                self._is_in_use = False

    def execute(self, sql: str, params: Parameters = None) -> None:
        """Run one statement that returns no rows; see `honker.Transaction`. Placeholders are ``%s``."""
        self._run(session.execute, sql, params)

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one statement and return its rows; see `honker.Transaction`. Placeholders are ``%s``."""
        return self._run(session.query, sql, params)

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        """Run a function of the contract in this transaction."""
        return self._run(session.scalar, sql, params)

    async def ascalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        """Like `scalar`, without blocking the event loop while the function waits for the server or for a lock."""
        self._begun()
        return await self._in_thread(partial(self.scalar, sql, params))

    def notify(self, channel: str, payload: Any) -> int:
        """Notify the listeners of a channel when this transaction commits; see `honker.Transaction`."""
        notification_id: int = self.scalar("SELECT notify(?, ?)", (channel, serialization.encode(payload)))
        return notification_id

    def bootstrap_honker_schema(self) -> None:
        """Check that honker's functions are there; ``honker migrate`` installs them. See `honker.Transaction`."""
        self.scalar("SELECT honker_bootstrap()", ())

    def fate(self) -> OwnFate:
        """The end of the transaction that runs now."""
        self._fate = fate = self._fate or OwnFate()
        return fate


def _check_open(raw: PoolConnection) -> None:
    """PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error."""
    status = raw.info.transaction_status
    if status is TransactionStatus.INERROR:
        session.control(raw, "ROLLBACK")
        raise TransactionNotStartedError("a statement of the transaction failed, and so all of it was rolled back")
    if status is TransactionStatus.IDLE:
        raise TransactionNotStartedError("the transaction was ended inside its with block by a statement")
