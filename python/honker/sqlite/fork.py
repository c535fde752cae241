"""Making a database safe to open in a forked child.

For each file, SQLite records in memory the locks that the process holds. A fork copies that record but not the locks,
which belong to the parent. The record in the child would claim a lock that the child does not hold: the lock that
prevents other processes from deleting the WAL. Commits of the child could be lost without an error.

So a child first takes the locks that an idle connection in WAL mode holds, which makes the inherited record correct. If
that is impossible, because the parent was running a statement or has closed the file, the child cannot open that file.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, Final, NamedTuple

from honker.errors import ForkError

try:
    import fcntl
except ImportError:  # a platform without fork
    fcntl = None

# Positions of SQLite's locks, from os_unix.c and https://www.sqlite.org/walformat.html, section 2.3: the shared range
# of the database, and the byte of the WAL index that marks it as in use.
_SHARED_FIRST: Final = 0x40000000 + 2
_SHARED_SIZE: Final = 510
_DEAD_MAN_SWITCH: Final = 128

#: Files that are unsafe to open in this process, by device and inode, and the process that had them open.
_unsafe: Final[dict[tuple[int, int], int]] = {}

# Never closed: closing any descriptor of a file drops every lock that the process holds on it.
_descriptors: Final[list[int]] = []


class Held(NamedTuple):
    """The files of an open connection."""

    path: str
    identity: tuple[int, int]
    #: As it was right before the fork. None without an index, when an idle connection holds no lock.
    index_identity: tuple[int, int] | None = None


def identity_of(path: str) -> tuple[int, int] | None:
    """Device and inode of the file at a path; None if the file is missing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def check_inherited(path: str) -> None:
    """Refuse to open a file if that could lose commits in this process.

    Raises:
        ForkError: The file was in use by the parent when this process was forked.
    """
    identity = identity_of(path) if _unsafe else None
    if identity in _unsafe:
        raise ForkError(
            f"{path!r} was in use by process {_unsafe[identity]} when its child {os.getpid()} was forked, and opening "
            "it here could lose commits; before the fork, end its transactions and statements, or close it; or start "
            "the child with 'spawn'"
        )


def inherit(held: Held, *, parent_pid: int, was_idle: bool) -> None:
    """Make a file of the parent safe to open in this child, or record that it is unsafe."""
    if held.identity in _unsafe:
        return
    if not was_idle or not (held.index_identity is None or _take_locks(held)):
        _unsafe[held.identity] = parent_pid


def inherit_half_open(path: str, *, parent_pid: int) -> None:
    """Record that a file is unsafe: a thread of the parent was opening or closing it, and its locks are not known."""
    identity = identity_of(path)
    if identity is not None:  # A file that is not there was not open either.
        _unsafe[identity] = parent_pid


def make_immortal(inherited: Any) -> None:
    """Prevent an inherited object from ever being finalised, even at the end of the interpreter."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


def _take_locks(held: Held) -> bool:
    index = held.path + "-shm"
    try:
        _lock(held.path, _SHARED_FIRST, _SHARED_SIZE)
        _lock(index, _DEAD_MAN_SWITCH, 1)
    except OSError:
        return False
    # If the parent closed the last connection before the locks were taken, the WAL and its index are gone or new.
    return identity_of(held.path) == held.identity and identity_of(index) == held.index_identity


def _lock(path: str, start: int, length: int) -> None:
    assert fcntl is not None
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    _descriptors.append(descriptor)
    fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, length, start)
