"""Making a database safe to open in a forked child.

SQLite keeps in memory, per process and file, which locks the process holds. A fork copies that memory but not the
locks, which belong to the parent. A child that opened the file again would believe that it holds the lock that keeps
others from deleting the WAL, and its commits could be lost without an error.

So a child, before it runs anything else, takes for itself the locks that an idle connection in WAL mode holds: then
the memory it inherited is true. Where that cannot be done, because the parent was in the middle of a statement or has
closed the file already, opening that file in the child is refused.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from honker.errors import ForkError

try:
    import fcntl
except ImportError:  # no fork without it
    fcntl = None

# Where SQLite's locks are, see os_unix.c and https://www.sqlite.org/walformat.html, section 2.3: the shared range of
# the database, and the byte of the WAL index that says that somebody is there.
_SHARED_FIRST: Final = 0x40000000 + 2
_SHARED_SIZE: Final = 510
_DEAD_MAN_SWITCH: Final = 128

#: Files that cannot be made safe in this process, by device and inode.
_unsafe: Final[set[tuple[int, int]]] = set()

# Never closed: closing any descriptor of a file drops every lock that the process holds on it.
_descriptors: Final[list[int]] = []


class Held(NamedTuple):
    """What an open connection holds on to."""

    path: str
    identity: tuple[int, int]
    #: None outside WAL mode, where an idle connection holds no lock.
    index_identity: tuple[int, int] | None


def forked(parent_pid: int) -> ForkError:
    """The error of every use of an inherited object in a forked child."""
    return ForkError(
        f"this database was opened in process {parent_pid} and is used in its child {os.getpid()}; "
        "call honker.open() again after the fork"
    )


def identity_of(path: str) -> tuple[int, int] | None:
    """Device and inode of the file at a path; None while there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_unsafe(path: str) -> bool:
    """Whether opening the file in this process could lose commits."""
    return bool(_unsafe) and identity_of(path) in _unsafe


def inherit(held: Held, *, was_idle: bool) -> None:
    """Make a file that the parent had open safe to open here, or remember that it is not. Called in the child."""
    if held.identity in _unsafe:
        return
    if not was_idle or not (held.index_identity is None or _take_locks(held)):
        _unsafe.add(held.identity)


def _take_locks(held: Held) -> bool:
    index = held.path + "-shm"
    try:
        _lock(held.path, _SHARED_FIRST, _SHARED_SIZE)
        _lock(index, _DEAD_MAN_SWITCH, 1)
    except OSError:
        return False
    # Had the parent been the last to close before the locks were taken, the WAL and its index would be gone or new.
    return identity_of(held.path) == held.identity and identity_of(index) == held.index_identity


def _lock(path: str, start: int, length: int) -> None:
    assert fcntl is not None
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    _descriptors.append(descriptor)
    fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, length, start)
