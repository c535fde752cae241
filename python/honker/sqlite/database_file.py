"""The identity of a database file: comparison with other connections, and with the file that is at the path now."""

from __future__ import annotations

import os
from typing import Final

from honker.clock import monotonic
from honker.errors import DatabaseReplacedError, InvalidArgumentError
from honker.sqlite.fork import identity_of
from honker.sqlite.path import file_of

#: Seconds between two comparisons with the file at the path.
CHECK_INTERVAL_S: Final = 0.5

Identity = tuple[int, int]


class DatabaseFile:
    """The files that a handle has open: the database, its ``-wal`` and its ``-shm``.

    SQLite goes on reading and writing a file that was deleted or replaced, and other processes never see the commits.
    So the handle compares, at most every `CHECK_INTERVAL_S`, the files that it opened with those at their paths.

    The ``-wal`` and ``-shm`` are compared because another process makes new ones after they are deleted: the two
    processes then overwrite each other. SQLite itself deletes them only when the last connection is closed, so it
    never does while the handle's writing connection is open.

    Args:
        path: The path or URI as the application gave it: a link in it may later lead elsewhere.
        real_path: The path as SQLite knows it: the ``-wal`` and ``-shm`` are beside it.
    """

    def __init__(self, path: str, real_path: str) -> None:
        self.real_path = real_path
        self.identity = identity_of(real_path)
        self._check_at = 0.0
        self._database = str(file_of(path))
        self._expected: dict[str, Identity] = {}
        self._remember(self._database, real_path)

    def remember_wal(self) -> None:
        """Note which ``-wal`` and ``-shm`` are in use; called after the first transaction, which creates them."""
        self._remember(self.real_path + "-wal", self.real_path + "-shm")

    def forget(self) -> None:
        """Compare nothing any more: the handle is closed, and says so itself."""
        self._expected = {}

    def _remember(self, *names: str) -> None:
        # Only files that are there: without WAL mode, or with a VFS that keeps its index in memory, some are not.
        self._expected |= {name: found for name in names if (found := identity_of(name)) is not None}

    def check(self) -> None:
        """Compare, unless that was done a moment ago.

        Raises:
            DatabaseReplacedError: The files at the paths are not those that were opened.

        Cost: a reading of the clock, and three calls of ``stat`` every `CHECK_INTERVAL_S`.
        """
        if monotonic() >= self._check_at:
            self.check_now()

    def check_now(self) -> None:
        """Compare; see `check`."""
        self._check_at = 0.0  # After a failure, look each time: a file that comes back is the same file.
        for name, expected in self._expected.items():
            try:
                found = os.stat(name)
            except (FileNotFoundError, NotADirectoryError):
                raise _replaced(name, "is gone") from None
            except OSError:
                continue  # The process may no longer look there; that says nothing about the file.
            if (found.st_dev, found.st_ino) != expected:
                raise _replaced(name, "is another file now")
        self._check_at = monotonic() + CHECK_INTERVAL_S

    def check_same(self, path: str) -> None:
        """Check that a path, as SQLite knows it, is that of this file.

        A path through another mount is accepted. A hard link is not: SQLite names the ``-wal`` after the path, and two
        connections that write into different ones destroy the file.

        Raises:
            InvalidArgumentError: It is another file, or another hard link of this one.
        """
        if path == self.real_path:
            return
        if not path:
            raise InvalidArgumentError(
                f"tx is a connection to a temporary or in-memory database, and this handle is on {self.real_path!r}; "
                "pass a transaction of that file"
            )
        if self.identity is None or identity_of(path) != self.identity:
            raise InvalidArgumentError(
                f"tx is a transaction of {path!r}, and this handle is on {self.real_path!r}; "
                "pass a transaction of that file, or use the handle of the other one"
            )
        if identity_of(path + "-wal") != identity_of(self.real_path + "-wal"):
            raise InvalidArgumentError(
                f"tx is a connection to {path!r}, a hard link of {self.real_path!r}; SQLite keeps a -wal file for each "
                "name, and loses commits when two are in use; open the file under one name"
            )


def _replaced(name: str, change: str) -> DatabaseReplacedError:
    return DatabaseReplacedError(
        f"database file replaced: {name} {change}, and writes would go into the deleted file; "
        "close this handle and open the file again"
    )
