"""The engine's clock: that of the system, or that of a testing file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Final

from honker.errors import DatabaseClosedError
from honker.sqlite.connection import Connection
from honker.sqlite.extension import connect

_CLOCK: Final = "SELECT honker_clock()"

#: The identities of the files that are known to be testing files. Files of an application are none of them.
_testing_files: set[str] = set()


def note_testing_file(identity: str) -> None:
    """Let every handle of this process read the time of a file from the file, see ``honker_test_clock_run``.

    Args:
        identity: The path of the file with links resolved.
    """
    _testing_files.add(identity)


class EngineClock:
    """The clock by which the engine decides what is due.

    A test may freeze the clocks of Python, and another test may stop the clock of the engine. So waits read the
    clock of the engine, on a connection in memory: it waits for no lock, and an event loop may use it. A testing file
    has a clock of its own, which is read on a connection to the file.

    Args:
        module: The ``sqlite3`` module.
        identity: The path of the file with links resolved.
        open_reader: Opens a reading connection to the file.
    """

    def __init__(self, module: ModuleType, identity: str, open_reader: Callable[[], Connection]) -> None:
        self._module = module
        self._identity = identity
        self._open_reader = open_reader
        # Guards the fields below.
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._raw: sqlite3.Connection | None = None
        self._reader: Connection | None = None
        self._is_closed = False

    def now(self) -> float:
        """Unix seconds, as a SQL function that is called now would read them.

        Raises:
            DatabaseClosedError: It is closed.

        Cost: a few microseconds; the first call opens the connection.
        Source: SQL ``honker_clock``.
        """
        if self._pid != os.getpid():
            # A forked child: another thread of the parent may have held the lock for ever.
            self.__init__(self._module, self._identity, self._open_reader)
        with self._lock:
            if self._is_closed:
                raise DatabaseClosedError("Database is closed")
            if self._identity in _testing_files:
                if self._reader is None:
                    self._reader = self._open_reader()
                return self._reader.scalar(_CLOCK, ())
            if self._raw is None:
                self._raw = connect(":memory:", sqlite3=self._module, check_same_thread=False)
            seconds: float = self._raw.execute(_CLOCK).fetchall()[0][0]
            return seconds

    def close(self) -> None:
        """Close the connections. Idempotent."""
        with self._lock:
            self._is_closed = True
            if self._raw is not None:
                self._raw.close()
                self._raw = None
            if self._reader is not None:
                self._reader.close()
                self._reader = None
