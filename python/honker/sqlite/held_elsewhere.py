"""Transactions of other libraries that hold the write lock here, so that a wait for it would never end.

SQLite does not tell one connection which other one holds the lock. A library that begins transactions on the
application's connections may know it, such as SQLAlchemy with `honker.contrib.sqlalchemy`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from honker.errors import NestedTransactionError

#: Takes the path of a file as SQLite knows it, and true if the caller blocks its thread until the lock is free. Returns
#: the name of the object to pass as ``tx=``, if a transaction of this thread or task has written to the file.
Probe: TypeAlias = Callable[[str, bool], "str | None"]

_probes: Final[list[Probe]] = []


def add_probe(probe: Probe) -> None:
    """Ask a library before each wait for a write lock."""
    _probes.append(probe)


def endless_wait(path: str, *, is_blocking: bool) -> NestedTransactionError | None:
    """The error to raise instead of waiting for a lock that this thread or task holds itself; None if it may wait.

    Args:
        path: The file.
        is_blocking: True if the wait blocks the thread.
    """
    for probe in _probes:
        name = probe(path, is_blocking)
        if name is not None:
            waiter = "thread" if is_blocking else "task"
            return NestedTransactionError(
                f"database is locked: this {waiter} has written in a transaction on a {name} that has not ended; pass "
                "that, or its session, as tx=, or commit it before"
            )
    return None
