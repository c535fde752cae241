"""The engine on PostgreSQL: connections of a pool, and one that listens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import weakref
from functools import partial
from typing import Any, Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from honker.arguments import Call, Parameters, Row, SQLValue, TransactionLike
from honker.engine import Element
from honker.engine.fate import ForeignFate, OwnFate
from honker.engine.limits import Limits
from honker.engine.loop_updates import LoopWaiter
from honker.errors import (
    ConnectionLostError,
    DatabaseClosedError,
    InvalidArgumentError,
)
from honker.postgres import session
from honker.postgres.bootstrap import bring_up_to_date
from honker.postgres.clock import ServerClock
from honker.postgres.driver import malformed
from honker.postgres.foreign import ascalar_in, fate_of, scalar_in
from honker.postgres.handler_transaction import PostgresHandlerScope
from honker.postgres.holders import Holders
from honker.postgres.listener import Listener
from honker.postgres.location import without_password
from honker.postgres.pool import Pool
from honker.postgres.transaction import PostgresTransaction
from honker.postgres.updates import PostgresLoopHub, PostgresUpdates

_NOW: Final = "SELECT honker._now()"


class PostgresEngine:
    """A storage engine that runs SQL functions on connections of a pool; see `honker.engine.Engine`.

    A coroutine's statement runs in a thread of the pool's own, so the event loop never waits for the server. A
    connection that is lost fails the call that was under way, and the next call makes another.
    """

    def __init__(self, url: str, *, installs: bool = True) -> None:
        try:
            parts = conninfo_to_dict(url)
        except ProgrammingError:
            raise malformed(url) from None  # The message of libpq may quote the password.
        self._url = url
        self._path = without_password(url)
        self._pool = Pool(url, "honker")
        self._holders = Holders()
        self._clock = ServerClock(lambda: self.ask(_NOW), self._in_background)
        # Guards the fields below.
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._listener: Listener | None = None
        self._updates: weakref.WeakSet[PostgresUpdates] = weakref.WeakSet()
        self._hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, PostgresLoopHub] = weakref.WeakKeyDictionary()
        self._is_closed = False
        try:
            with self._pool.lend() as raw:
                self._identity = f"postgresql://{parts.get('host') or raw.info.host}:{raw.info.port}/{raw.info.dbname}"
                if raw.info.parameter_status("server_encoding") == "SQL_ASCII":
                    raise InvalidArgumentError(
                        f"{self._path} has the encoding SQL_ASCII, in which PostgreSQL knows bytes and no characters; "
                        "use a database in UTF8"
                    )
            self._bootstrap(installs=installs)
            self._limits = Limits.of(self.ask("SELECT honker_limits()"))
        except BaseException:
            self.close()
            raise

    def _bootstrap(self, *, installs: bool) -> None:
        with self._pool.lend() as raw:
            if not installs:
                session.scalar(raw, "SELECT honker_bootstrap()", ())
                return
            bring_up_to_date(raw, self._path)

    def __del__(self) -> None:
        if sys.is_finalizing():
            return  # The threads have ended, with their locks.
        with contextlib.suppress(AttributeError):  # The constructor may have failed half-way.
            self.close()

    @property
    def path(self) -> str:
        """The URL of the database, without a password."""
        return self._path

    @property
    def identity(self) -> str:
        """Host, port and name of the database."""
        return self._identity

    @property
    def file_identity(self) -> None:
        """None: there is no file that a forked child could find replaced."""
        return None

    @property
    def limits(self) -> Limits:
        """The ranges against which the engine checks arguments."""
        return self._limits

    @property
    def is_closed(self) -> bool:
        """True once it is closed."""
        return self._is_closed

    @property
    def is_writing_here(self) -> bool:
        """True while this thread, or a task suspended on it, is in a transaction."""
        return self._holders.is_here

    @property
    def is_commit_slow(self) -> bool:
        """True: every commit waits for the server."""
        return True

    def clock(self) -> float:
        """The server's time in Unix seconds."""
        return self._clock.now()

    def transaction(self) -> PostgresTransaction:
        """A transaction, for ``with`` or ``async with``; see `honker.Transaction`."""
        return PostgresTransaction(self._pool, self._holders)

    def handler_transaction(self) -> PostgresHandlerScope:
        """A transaction for the handler of a job."""
        return PostgresHandlerScope(self._pool, self._holders)

    # Statements

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one read-only statement of the application and return its rows. Placeholders are ``%s``."""
        with self._pool.lend() as raw:
            session.control(raw, "BEGIN READ ONLY")
            try:
                return session.query(raw, sql, params)
            finally:
                session.control(raw, "ROLLBACK")

    async def aquery(self, sql: str, params: Parameters = None) -> list[Row]:
        """Like `query`, without blocking the event loop."""
        return await self._in_thread(self.query, sql, params)

    def ask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Run a read-only SQL function and return its result."""
        if tx is not None:
            return scalar_in(tx, self._pool, sql, params)
        try:
            return self._call(sql, *params)
        except ConnectionLostError:
            return self._call(sql, *params)  # It changes nothing, and a new connection may be made.

    async def aask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `ask`, without blocking the event loop."""
        if tx is not None:
            return await ascalar_in(tx, self._pool, sql, params)
        return await self._in_thread(self.ask, sql, *params)

    def call(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Run a SQL function that writes, as part of ``tx`` or in autocommit, and return its result."""
        if tx is not None:
            return scalar_in(tx, self._pool, sql, params)
        self._holders.check()
        return self._call(sql, *params)

    def _call(self, sql: str, *params: SQLValue) -> Any:
        pool = self._pool  # as by `lend`, which takes longer
        raw = pool.take()
        try:
            return session.scalar(raw, sql, params)
        finally:
            pool.give_back(raw)

    async def acall(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `call`, without blocking the event loop. A cancelled call may still take effect."""
        if tx is not None:
            return await ascalar_in(tx, self._pool, sql, params)
        self._holders.check()
        return await self._in_thread(self._call, sql, *params)

    def call_now(self, sql: str, *params: SQLValue) -> Any:
        """As `call`: a writer here waits for no other, except for one of the same row."""
        return self.call(sql, *params)

    def add(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Add a job or an event in a transaction."""
        added: int = self.call(*one, tx=tx)
        return added

    async def aadd(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Like `add`, without blocking the event loop."""
        added: int = await self.acall(*one, tx=tx)
        return added

    def fate(self, tx: TransactionLike) -> OwnFate | ForeignFate:
        """The end of the transaction ``tx``, which runs now."""
        return fate_of(tx)

    def _in_background(self, function: Any) -> None:
        with contextlib.suppress(DatabaseClosedError, RuntimeError):  # It is closed, or at this moment.
            self._pool.threads.submit(function)

    async def _in_thread(self, function: Any, *args: Any) -> Any:
        # Shielded: a cancelled task leaves its statement to end in the thread.
        return await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(self._pool.threads, partial(function, *args))
        )

    # Waiting

    def updates(self, *, overhears: bool = False) -> PostgresUpdates:
        """Subscribe to commits of any connection, from this moment on.

        Args:
            overhears: True for a waiter to which no commit has to be announced, but that of a request to cancel.

        Cost: the first subscription of a process starts a thread and a connection, which all others share.
        """
        with self._lock:
            if self._is_closed:
                raise DatabaseClosedError("Database is closed")
            if self._listener is None or self._pid != os.getpid():
                self._listener, self._pid = Listener(self._pool, self._path), os.getpid()
                self._updates = weakref.WeakSet()
            updates = PostgresUpdates(self._listener, overhears=overhears)
            self._updates.add(updates)
            return updates

    def loop_updates(self) -> LoopWaiter:
        """As `updates`, for a waiter on the running event loop: all of them share one descriptor."""
        loop = asyncio.get_running_loop()
        with self._lock:
            hub = self._hubs.get(loop)
        if hub is None or not hub.is_usable:
            hub = PostgresLoopHub(self.updates(), loop)
            with self._lock:
                self._hubs[loop] = hub
        return hub.join()

    def close(self) -> None:
        """Close every connection. Idempotent. An open transaction may still end."""
        with self._lock:
            self._is_closed = True
            updates = list(self._updates) if self._pid == os.getpid() else []
            listener = self._listener if self._pid == os.getpid() else None
        for each in updates:
            each.close()
        if listener is not None:
            listener.close()
        self._pool.close()
