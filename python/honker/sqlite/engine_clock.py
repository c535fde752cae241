"""The engine's clock, read without the database file."""

from __future__ import annotations

import os
import sqlite3
import threading
from types import ModuleType

from honker.errors import DatabaseClosedError
from honker.sqlite.extension import connect


class EngineClock:
    """The clock by which the engine decides what is due.

    A test may freeze the clocks of Python, and another test may stop the clock of the engine. So waits read the
    clock of the engine, on a connection in memory: it waits for no lock, and an event loop may use it.
    """

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        # Guards the fields below.
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._raw: sqlite3.Connection | None = None
        self._is_closed = False

    def now(self) -> float:
        """Unix seconds, as a SQL function that is called now would read them.

        Raises:
            DatabaseClosedError: It is closed.

        Cost: a few microseconds; the first call opens the connection.
        Source: SQL ``honker_clock``.
        """
        if self._pid != os.getpid():
            self.__init__(self._module)  # A forked child: another thread of the parent may have held the lock for ever.
        with self._lock:
            if self._is_closed:
                raise DatabaseClosedError("Database is closed")
            if self._raw is None:
                self._raw = connect(":memory:", sqlite3=self._module, check_same_thread=False)
            seconds: float = self._raw.execute("SELECT honker_clock()").fetchall()[0][0]
            return seconds

    def close(self) -> None:
        """Close the connection. Idempotent."""
        with self._lock:
            self._is_closed = True
            if self._raw is not None:
                self._raw.close()
                self._raw = None
