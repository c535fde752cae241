"""The connections of one process to one database."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from honker.errors import DatabaseBusyError, DatabaseClosedError
from honker.postgres.driver import CONNECT_S
from honker.postgres.failures import from_postgres

#: Connections of one process, beside the one that listens.
POOL_MAX: Final = 16
#: Seconds that a caller waits for one of them.
WAIT_S: Final = 30.0

# Pools and connections of the parent, in a forked child: closing them would end the parent's sessions.
_inherited: Final[list[Any]] = []


class Pool:
    """Connections in autocommit, and threads for callers on an event loop.

    A forked child has a pool of its own, made at its first use; it neither uses nor closes those of its parent.
    """

    def __init__(self, url: str, application_name: str) -> None:
        self._url = url
        self._options: dict[str, Any] = {
            "autocommit": True,
            "application_name": application_name,
            "connect_timeout": CONNECT_S,
        }
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._pool: ConnectionPool[psycopg.Connection[Any]] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._is_closed = False
        #: The name of the database, once a connection has been made.
        self.database = ""

    @contextmanager
    def lend(self) -> Generator[psycopg.Connection[Any]]:
        """A connection for a block. One that the server has closed while it was idle is never lent.

        Raises:
            DatabaseClosedError: The pool is closed.
            DatabaseBusyError: All connections are in use.
        """
        raw = self.take()
        try:
            yield raw
        finally:
            self.give_back(raw)

    def take(self) -> psycopg.Connection[Any]:
        """Take a connection; give it back later."""
        pool = self._open()
        try:
            raw = pool.getconn(WAIT_S)
            while _is_stale(raw):
                raw.close()
                pool.putconn(raw)
                raw = pool.getconn(WAIT_S)
        except PoolClosed as error:
            raise DatabaseClosedError("Database is closed") from error
        except PoolTimeout as error:
            raise DatabaseBusyError(
                f"no connection was free, or could be made, within {WAIT_S:g} s: {error}"
            ) from error
        except psycopg.Error as error:
            raise from_postgres(error) from error
        return raw

    def give_back(self, raw: psycopg.Connection[Any]) -> None:
        """Give a connection back. One in a transaction is rolled back."""
        if self._pid != os.getpid():
            _inherited.append(raw)
            return
        if self._pool is not None:
            self._pool.putconn(raw)

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Threads for statements of coroutines: as many as connections."""
        self._open()
        assert self._threads is not None
        return self._threads

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of its own, which the caller closes."""
        try:
            return psycopg.connect(self._url, **self._options)
        except psycopg.Error as error:
            raise from_postgres(error) from error

    def close(self) -> None:
        """Close every connection that is not lent. Idempotent; nothing in a forked child."""
        self._is_closed = True
        pool, self._pool = self._pool, None
        threads, self._threads = self._threads, None
        if self._pid != os.getpid():
            _inherited.extend((pool, threads))
            return
        if threads is not None:
            threads.shutdown(wait=False)
        if pool is not None:
            pool.close()

    def _open(self) -> ConnectionPool[psycopg.Connection[Any]]:
        if self._is_closed:
            raise DatabaseClosedError("Database is closed")
        if self._pool is not None and self._pid == os.getpid():
            return self._pool
        if self._pid != os.getpid():
            _inherited.extend((self._pool, self._threads))
            self._lock, self._pool, self._threads, self._pid = threading.Lock(), None, None, os.getpid()
        with self._lock:
            if self._pool is None:
                self._threads = ThreadPoolExecutor(POOL_MAX, "honker-postgres")
                self._pool = ConnectionPool(self._url, kwargs=self._options, min_size=0, max_size=POOL_MAX, open=True)
            return self._pool


def _is_stale(raw: psycopg.Connection[Any]) -> bool:
    """True if the server has closed it. An idle connection has nothing to read, unless it tells of its end."""
    if raw.closed or raw.info.transaction_status is not TransactionStatus.IDLE:
        return True
    poller = select.poll()
    poller.register(raw.fileno(), select.POLLIN)
    return bool(poller.poll(0))
