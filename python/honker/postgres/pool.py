"""The connections of one process to one database."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from honker.clock import monotonic
from honker.errors import DatabaseBusyError, DatabaseClosedError
from honker.postgres.connection import PoolConnection
from honker.postgres.driver import CONNECT_S
from honker.postgres.failures import from_postgres
from honker.postgres.watchdog import Watchdog

#: Connections of one process, beside the one that listens.
POOL_MAX: Final = 16
#: Seconds that a caller waits for one of them.
WAIT_S: Final = 30.0
#: Seconds after which an idle connection is closed, at the next return of another one.
IDLE_S: Final = 300.0
#: Options of libpq where the URL has no others. A server that is gone without a word is noticed within half a minute:
#: by probes of an idle connection, and by the limit for data that are not confirmed.
DEFAULTS: Final[Mapping[str, int | str]] = MappingProxyType(
    {
        "connect_timeout": CONNECT_S,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25_000,
    }
)

# Connections and threads of the parent, in a forked child: closing them would end the parent's sessions.
_inherited: Final[list[Any]] = []


class Pool:
    """Connections in autocommit, and threads for callers on an event loop.

    A connection is made when all others are lent. A forked child has a pool of its own; it neither uses nor closes
    the connections of its parent.

    Args:
        url: The database, as libpq takes it.
        application_name: The name of the sessions in ``pg_stat_activity``.
    """

    def __init__(self, url: str, application_name: str) -> None:
        self._url = url
        given = conninfo_to_dict(url)
        self._options: dict[str, Any] = {
            "autocommit": True,
            # Not that of the URL, the environment or the role: texts of the contract are Unicode.
            "client_encoding": "UTF8",
            **{name: value for name, value in DEFAULTS.items() if name not in given},
            **({} if "application_name" in given else {"application_name": application_name}),
        }
        self._is_closed = False
        #: The name of the database, once a connection has been made.
        self.database = ""
        #: True if a pooler such as PgBouncer is between this process and the server.
        self.has_pooler = False
        self._begin_process()

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        # Guards the fields below. Reentrant: the garbage collector may end a transaction while this thread holds it.
        self._lock = threading.RLock()
        # Notified when a connection is given back while a caller waits.
        self._returned = threading.Condition(self._lock)
        self._waiting = 0
        self._idle: deque[tuple[float, PoolConnection]] = deque()
        self._count = 0
        # Statements and begins wait for a connection in the first. Those of transactions, which have one, run in the
        # second: as many as there are connections, so that none waits for a thread.
        self._threads: ThreadPoolExecutor | None = None
        self._transaction_threads: ThreadPoolExecutor | None = None
        self.watchdog = Watchdog(self.connect)

    @contextmanager
    def lend(self) -> Generator[PoolConnection]:
        """A connection for a block. One that the server has closed while it was idle is never lent.

        Raises:
            DatabaseClosedError: The pool is closed.
            DatabaseBusyError: All connections are in use, or the server takes no more.
            ConnectionLostError: The server does not answer.
        """
        raw = self.take()
        try:
            yield raw
        finally:
            self.give_back(raw)

    def take(self) -> PoolConnection:
        """Take a connection; give it back later. Raises the errors of `lend`."""
        self._check_open()
        raw = self._take_idle()
        if raw is None:
            try:
                raw = self.connect()
            except BaseException:
                self._forget_one()
                raise
        self.watchdog.watch(raw)
        return raw

    def _take_idle(self) -> PoolConnection | None:
        """An idle connection, or None with the right to make one."""
        deadline: float | None = None
        with self._lock:
            while True:
                while self._idle:
                    _, raw = self._idle.pop()  # the last one: the others may be closed when they have been idle
                    if not raw.is_stale:
                        return raw
                    raw.close()
                    self._count -= 1
                if self._count < POOL_MAX:
                    self._count += 1
                    return None
                deadline = monotonic() + WAIT_S if deadline is None else deadline
                self._wait_until(deadline)

    def _wait_until(self, deadline: float) -> None:
        """Wait, with the lock, until a connection is given back."""
        self._waiting += 1
        try:
            if not self._returned.wait(deadline - monotonic()) and monotonic() >= deadline:
                raise DatabaseBusyError(f"all {POOL_MAX} connections of this process were in use for {WAIT_S:g} s")
        finally:
            self._waiting -= 1

    def _forget_one(self) -> None:
        with self._lock:
            self._count -= 1
            self._returned.notify()

    def give_back(self, raw: PoolConnection) -> None:
        """Give a connection back. One in a transaction is closed, which rolls it back."""
        if self._pid != os.getpid():
            _inherited.append(raw)
            return
        self.watchdog.forget(raw)
        is_lost = raw.closed or raw.pgconn.transaction_status != TransactionStatus.IDLE or self._is_closed
        now = monotonic()
        old = [raw] if is_lost else []
        with self._lock:
            if not is_lost:
                self._idle.append((now, raw))
            while self._idle and now - self._idle[0][0] > IDLE_S:
                old.append(self._idle.popleft()[1])
            self._count -= len(old)
            if self._waiting:
                self._returned.notify()
        for each in old:
            each.close()

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Threads for statements of coroutines, and for the begins of their transactions."""
        self._check_open()
        with self._lock:
            self._threads = self._threads or ThreadPoolExecutor(POOL_MAX, "honker-postgres")
            return self._threads

    @property
    def transaction_threads(self) -> ThreadPoolExecutor:
        """Threads for the statements and the ends of transactions of coroutines. They work in a closed pool too."""
        self._check_process()
        with self._lock:
            self._transaction_threads = self._transaction_threads or ThreadPoolExecutor(
                POOL_MAX, "honker-postgres-transaction"
            )
            return self._transaction_threads

    def connect(self) -> PoolConnection:
        """Make a connection that is not part of the pool, and that the caller closes."""
        try:
            raw = PoolConnection.connect(self._url, **self._options)
            try:
                self._learn(raw)
            except BaseException:
                raw.close()
                raise
        except psycopg.Error as error:
            raise from_postgres(error) from error
        return raw

    def _learn(self, raw: PoolConnection) -> None:
        if not self.database:
            row = raw.execute("SELECT current_database(), pg_backend_pid()").fetchone()
            assert row is not None
            # The pid that a pooler tells its clients is not that of a session.
            self.database, self.has_pooler = row[0], row[1] != raw.info.backend_pid
        if self.has_pooler:
            # In transaction mode the next transaction may run in a session without the prepared statement.
            raw.prepare_threshold = None
        else:
            # Functions look again after they have waited for a lock, and must see the commits meanwhile.
            raw.execute("SET default_transaction_isolation = 'read committed'")

    def close(self) -> None:
        """Close every connection that is not lent. Idempotent; nothing in a forked child."""
        self._is_closed = True
        self._check_process()
        with self._lock:
            idle, threads = list(self._idle), self._threads
            self._idle.clear()
            self._count -= len(idle)
            self._threads = None
        for _, raw in idle:
            raw.close()
        if threads is not None:
            threads.shutdown(wait=False)
        self.watchdog.close()

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            _inherited.extend((self._idle, self._threads, self._transaction_threads, self.watchdog))
            self._begin_process()

    def _check_open(self) -> None:
        if self._is_closed:
            raise DatabaseClosedError("Database is closed")
        self._check_process()
