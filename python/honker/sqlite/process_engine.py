"""An engine that each process opens for itself: at its first use, and again in a forked child.

A child must not use the connections that it inherited, because SQLite's locks belong to the process that took them. It
must not close them either. SQLite would roll back the parent's transaction in the shared memory of the WAL index. And
closing a descriptor of a file drops every lock of the process on that file, also those of connections that the child
has opened itself. So the child keeps the inherited engine untouched for ever, and opens its own.

`honker.sqlite.fork` makes that safe before the hook of this module runs, or records that it is not, because the parent
was using the file at the fork. Then opening raises `ForkError`, and so does every use of the handle in that child.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from honker.engine import Engine
from honker.engine.forwarding import ForwardingEngine
from honker.errors import DatabaseClosedError, DatabaseReplacedError
from honker.sqlite.fork import make_immortal


class ReopenedEngine(Engine, Protocol):
    """An engine that a forked child opens for itself."""

    @property
    def file_identity(self) -> tuple[int, int] | None:
        """Device and inode of its file; None if it has none."""
        ...


#: Opens the database at a path or URL; creates it only if asked to.
Open: TypeAlias = "Callable[[str, bool], ReopenedEngine]"
#: The path of the database, found at the moment of opening.
PathFinder: TypeAlias = Callable[[], str]


@dataclass(slots=True, eq=False)
class _SetAside:
    """The path and the engine that a block of `using` has set aside."""

    find_path: PathFinder
    engine: ReopenedEngine | None


_engines: weakref.WeakSet[ProcessEngine] = weakref.WeakSet()


class ProcessEngine(ForwardingEngine[ReopenedEngine]):
    """The engine of a handle in whatever process uses it; see the module.

    Args:
        find_path: Finds the path at each opening.
        open_engine: Opens it.
    """

    def __init__(self, find_path: PathFinder, open_engine: Open) -> None:
        self._find_path = find_path
        self._open_engine = open_engine
        self._engine = None
        # The innermost block of `using` is the last.
        self._aside: list[_SetAside] = []
        # Guards the fields above. Reentrant: a signal handler may interrupt the opening and need the engine.
        self._mutex = threading.RLock()
        _engines.add(self)

    @property
    def path(self) -> str:
        """The database file: an absolute path, or a ``file:`` URI with one."""
        return self._find_path() if self._engine is None else self._engine.path

    @property
    def location(self) -> str:
        """The path or the URL by which it opens the database; a URL with its password."""
        return self._find_path()

    @property
    def is_closed(self) -> bool:
        """False: a closed database is opened again at its next use."""
        return False

    def _find(self) -> ReopenedEngine:
        with self._mutex:
            if self._engine is None:
                opened = self._open()
                # An interrupted opening may have been completed by the signal handler.
                if self._engine is None:
                    self._engine = opened
                else:
                    opened.close()
            return self._engine

    def _open(self) -> ReopenedEngine:
        return self._open_engine(self._find_path(), True)

    def close(self) -> None:
        """Close every connection of this process; the next use opens the database again."""
        with self._mutex:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    @contextmanager
    def using(self, path: str) -> Generator[None]:
        """Use another file in the block, in all threads, and close it at the end."""
        with self._mutex:
            aside = _SetAside(self._find_path, self._engine)
            self._aside.append(aside)
            self._find_path, self._engine = lambda: path, None
        try:
            yield
        finally:
            with self._mutex:
                used = self._end_block(aside)
            if used is not None:
                used.close()

    def _end_block(self, aside: _SetAside) -> ReopenedEngine | None:
        """End a block of `using`, and return its engine. A later block of another thread goes on with its own file."""
        position = self._aside.index(aside)
        del self._aside[position]
        if position == len(self._aside):
            used, self._find_path, self._engine = self._engine, aside.find_path, aside.engine
            return used
        later = self._aside[position]
        used, later.find_path, later.engine = later.engine, aside.find_path, aside.engine
        return used

    def leave_to_parent(self) -> None:
        """Forget the inherited engines; the first step of a forked child."""
        self._mutex = threading.RLock()  # Another thread of the parent may have held it.
        for engine in (self._engine, *(aside.engine for aside in self._aside)):
            if engine is not None:
                make_immortal(engine)
        self._engine = None
        for aside in self._aside:
            aside.engine = None


class HandleEngine(ProcessEngine):
    """The engine of `honker.open`: open from the start, bound to one file, and never opened again after `close`."""

    def __init__(self, path: str, open_engine: Open) -> None:
        super().__init__(lambda: path, open_engine)
        self._is_closed = False
        #: The parent's file, by device and inode, which a child must find at the path.
        self._inherited: tuple[int, int] | None = None
        self._engine = open_engine(path, True)

    @property
    def is_closed(self) -> bool:
        """True once it is closed."""
        return self._is_closed

    def _open(self) -> ReopenedEngine:
        if self._is_closed:
            raise DatabaseClosedError("Database is closed")
        opened = self._open_engine(self._find_path(), False)
        if opened.file_identity != self._inherited:
            opened.close()
            raise DatabaseReplacedError(
                f"database file replaced: {opened.path} is not the file that was open when process {os.getpid()} was "
                "forked; call honker.open() again"
            )
        return opened

    def close(self) -> None:
        """Close every connection of this process. Idempotent. An open transaction may still end."""
        self._is_closed = True
        if self._engine is not None:
            self._engine.close()

    def leave_to_parent(self) -> None:
        """Forget the inherited engine, but not its file."""
        if self._engine is not None:
            self._inherited = self._engine.file_identity
        super().leave_to_parent()


def _leave_to_parent() -> None:
    for engine in list(_engines):
        engine.leave_to_parent()


# After the hook of `honker.sqlite.connection`, which that module registered when it was imported above.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
