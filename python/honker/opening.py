"""The options of `honker.open`, and the engine that they open on a file or a URL."""

from __future__ import annotations

import os
import sqlite3
from types import ModuleType
from typing import Any, Final, TypedDict

from honker.postgres.location import is_postgres
from honker.sqlite.connection import SYNCHRONOUS
from honker.sqlite.engine import SQLiteEngine
from honker.sqlite.path import database_path
from honker.sqlite.process_engine import Open

MAX_READERS: Final = 8


class OpenOptions(TypedDict, total=False):
    """The options of `open`, see there."""

    max_readers: int
    watcher_backend: str | None
    watcher_poll_interval_ms: int | None
    synchronous: str
    foreign_keys: bool | None
    sqlite3: ModuleType


def opener(options: OpenOptions) -> Open:
    """Make the function that opens a path or a URL with the options of `open`."""

    def open_engine(path: str, creates: bool) -> Any:
        if is_postgres(path):
            # Its driver is an extra.
            from honker.postgres.driver import open_engine as open_postgres  # noqa: PLC0415

            return open_postgres(path, options, installs=creates)
        return SQLiteEngine(
            path,
            options.get("max_readers", MAX_READERS),
            options.get("watcher_backend"),
            options.get("watcher_poll_interval_ms"),
            options.get("sqlite3", sqlite3),
            synchronous=options.get("synchronous", SYNCHRONOUS[0]),
            foreign_keys=options.get("foreign_keys"),
            creates=creates,
        )

    return open_engine


def database_location(path: str | os.PathLike[str]) -> str:
    """The absolute path of a file, or the URL of a PostgreSQL database.

    Raises:
        InvalidArgumentError: It is neither, or a file that several connections cannot share.
    """
    return path if isinstance(path, str) and is_postgres(path) else database_path(path)
