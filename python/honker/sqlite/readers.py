"""Connections that only read: a pool for threads, and one reserved for event loops."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from honker.clock import monotonic
from honker.errors import DatabaseBusyError, DatabaseClosedError, forked
from honker.sqlite.connection import Connection

#: Seconds for which a thread waits for a reading connection before it gets a `DatabaseBusyError`.
READER_TIMEOUT_S: Final = 60.0

Open = Callable[[], Connection]


class ReaderPool:
    """Reading connections for threads, opened when first needed, at most ``limit`` of them."""

    def __init__(self, open_reader: Open, limit: int) -> None:
        self._open = open_reader
        self._limit = limit
        # Guards the fields below; never held while running SQL.
        self._returned = threading.Condition()
        self._idle: list[Connection] = []
        self._lent = 0
        self._is_closed = False
        self._pid = os.getpid()

    @contextmanager
    def lend(self) -> Generator[Connection]:
        """Lend a connection for the block; waits while all are lent.

        Raises:
            DatabaseBusyError: All connections stayed in use for `READER_TIMEOUT_S`.
            DatabaseClosedError: The pool is closed.
            ForkError: This process inherited the pool.
        """
        reader = self._take()
        try:
            yield reader
        finally:
            self._take_back(reader)

    def _take(self) -> Connection:
        self._check_usable()
        with self._returned:
            deadline = monotonic() + READER_TIMEOUT_S
            while self._lent == self._limit:
                if not self._returned.wait(deadline - monotonic()):
                    raise DatabaseBusyError(
                        f"all {self._limit} reading connections have been in use for {READER_TIMEOUT_S:.0f} s; "
                        "end long queries, or raise max_readers of honker.open()"
                    )
                self._check_usable()
            self._lent += 1
            if self._idle:
                return self._idle.pop()
        try:
            return self._open()
        except BaseException:
            self._end_loan(None)
            raise

    def _take_back(self, reader: Connection) -> None:
        try:
            reader.roll_back_if_open()
        except BaseException:
            self._end_loan(None)
            reader.close()
            raise
        if not self._end_loan(reader):
            reader.close()

    def _end_loan(self, reader: Connection | None) -> bool:
        """True if the connection is kept for the next loan."""
        with self._returned:
            self._lent -= 1
            self._returned.notify()
            if reader is None or self._is_closed:
                return False
            self._idle.append(reader)
            return True

    def _check_usable(self) -> None:
        if self._pid != os.getpid():
            raise forked(self._pid)
        if self._is_closed:
            raise DatabaseClosedError("Database is closed")

    def close(self) -> None:
        """Close the idle connections now and the others when they are returned. Idempotent."""
        with self._returned:
            self._is_closed = True
            self._returned.notify_all()
            idle, self._idle = self._idle, []
        for reader in idle:
            reader.close()


class LoopReader:
    """One reading connection reserved for event loops, which must never wait for a connection.

    It runs only functions of the engine, which take microseconds, and fails at once instead of waiting for a lock. The
    pool is no substitute: handlers in threads may hold all of its connections, while the event loop that must end them
    waits.
    """

    def __init__(self, open_reader: Open) -> None:
        self._open = open_reader
        # Held while the connection is used or opened; an event loop never blocks on it.
        self._mutex = threading.Lock()
        self._reader: Connection | None = None
        self._is_closed = False
        self._pid = os.getpid()

    def prepare(self) -> None:
        """Open the connection if necessary. This may wait, so it is called in a thread."""
        with self._mutex:
            if self._reader is None and not self._is_closed:
                self._reader = self._open()
                self._reader.fail_when_busy()
        self._close_if_asked()

    def take_now(self) -> Connection | None:
        """Take the connection until `give_back`; None if it is in use or not open yet.

        Raises:
            DatabaseClosedError: It is closed.
            ForkError: This process inherited it.
        """
        if self._pid != os.getpid():
            raise forked(self._pid)
        if self._is_closed:
            raise DatabaseClosedError("Database is closed")
        if not self._mutex.acquire(blocking=False):
            return None
        if self._reader is None:
            self._mutex.release()
        return self._reader

    def give_back(self) -> None:
        """End the use of the connection."""
        self._mutex.release()
        self._close_if_asked()

    def close(self) -> None:
        """Close now, or when the current use ends. Idempotent."""
        self._is_closed = True
        self._close_if_asked()

    def _close_if_asked(self) -> None:
        # If another thread holds the mutex, its release checks the flag again.
        if self._is_closed and self._pid == os.getpid() and self._mutex.acquire(blocking=False):
            try:
                reader, self._reader = self._reader, None
                if reader is not None:
                    reader.close()
            finally:
                self._mutex.release()
