"""Testing files: new databases whose clock can be moved."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from honker.database import Database
from honker.testing.followed_clock import RUN


class UsesFiles(Protocol):
    """An app that can be pointed at another file: `honker.App`."""

    def using(self, path: Any) -> Any:
        """Use another file in a ``with`` block."""
        ...


A = TypeVar("A", bound=UsesFiles)


def new_file(path: str | os.PathLike[str]) -> Path:
    """Make a testing file with honker's tables and no jobs.

    Args:
        path: The path, at which no file is.

    Returns:
        The path.

    Raises:
        FileExistsError: There is a file.

    Cost: the copy of a small file, once a process has made the first one.
    """
    target = Path(path)
    with target.open("xb") as file:
        file.write(_template())
    return target


@functools.cache
def _template() -> bytes:
    """The contents of a testing file that no connection has open: SQLite's locks are not touched by reading it."""
    with tempfile.TemporaryDirectory(prefix="honker-") as folder:
        path = Path(folder) / "template.db"
        with Database(path) as db:
            db.engine.call(RUN, 0)
        return path.read_bytes()


@contextmanager
def temporary_file() -> Generator[Path]:
    """Make a testing file in a folder that is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="honker-") as folder:
        yield new_file(Path(folder) / "test.db")


@contextmanager
def temporary_database(**options: Any) -> Generator[Database]:
    """Open a testing file that is deleted at the end.

    Args:
        **options: The options of `honker.open`.
    """
    with temporary_file() as path, Database(path, **options) as db:
        yield db


@contextmanager
def temporary_app(app: A) -> Generator[A]:
    """Point an app at a testing file that is deleted at the end.

    Args:
        app: The app. Its queues and tasks use the file as well.
    """
    with temporary_file() as path, app.using(path):
        yield app
