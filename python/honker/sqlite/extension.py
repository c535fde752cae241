"""Loading ``libhonker_ext``, the engine, into SQLite connections.

The engine runs inside the SQLite that Python's ``sqlite3`` is linked to; honker never loads a second copy, because two
copies of SQLite on one file in one process drop each other's locks and lose commits. Many Pythons are built without
``Connection.enable_load_extension``; there ``sqlite3_auto_extension`` of the same library loads the engine.
"""

from __future__ import annotations

import os
import sqlite3
from types import ModuleType
from typing import Any

from honker.engine.drivers import is_asynchronous
from honker.errors import ExtensionUnsupportedError, InvalidArgumentError
from honker.sqlite.auto_extension import auto_extension
from honker.sqlite.extension_file import extension_info


def load_extension(conn: Any) -> None:
    """Load the engine into a connection that is already open.

    Args:
        conn: A ``sqlite3.Connection`` or a compatible object.

    Raises:
        InvalidArgumentError: The connection is asynchronous; call `register_auto_extension` before it is opened.
        ExtensionUnsupportedError: The connection cannot load extensions; open it with `honker.connect` instead.
        ExtensionNotFoundError: The library is missing.
    """
    if is_asynchronous(conn):
        raise InvalidArgumentError(
            f"{type(conn).__module__}.{type(conn).__name__} is asynchronous, so the engine cannot be loaded into it "
            "here; call honker.register_auto_extension() once, before the application opens connections"
        )
    path, entrypoint = extension_info()
    can_switch = hasattr(conn, "enable_load_extension")
    if can_switch:
        conn.enable_load_extension(True)
    try:
        _load(conn, path, entrypoint)
    except Exception as error:
        if can_switch:
            raise
        raise ExtensionUnsupportedError(
            "this connection has no enable_load_extension(), so the engine cannot be loaded into it "
            f"({error}); open it with honker.connect(path) instead"
        ) from error
    finally:
        if can_switch:
            conn.enable_load_extension(False)


def _load(conn: Any, path: str, entrypoint: str) -> None:
    if hasattr(conn, "load_extension"):
        try:
            conn.load_extension(path, entrypoint=entrypoint)
        except TypeError:  # Before Python 3.12, the method has no such parameter.
            pass
        else:
            return
    conn.execute("SELECT load_extension(?, ?)", (path, entrypoint))


def connect(path: str | os.PathLike[str], *, sqlite3: ModuleType = sqlite3, **options: Any) -> sqlite3.Connection:
    """Open a plain ``sqlite3`` connection with the engine loaded.

    For code that manages its own connections, such as an ORM's connection factory. `honker.open` needs no such call.
    Creates no table and changes no setting.

    Args:
        path: The database file, or a ``file:`` URI with ``uri=True``.
        sqlite3: A compatible DB-API module, such as ``pysqlite3``.
        **options: Passed on to ``sqlite3.connect``.

    Raises:
        ExtensionUnsupportedError: This module cannot load the engine.
        ExtensionNotFoundError: The library is missing.
        sqlite3.Error: The file cannot be opened.
    """
    if hasattr(sqlite3.Connection, "enable_load_extension"):
        conn = sqlite3.connect(os.fspath(path), **options)
        try:
            load_extension(conn)
        except BaseException:
            conn.close()
            raise
        return conn
    with auto_extension(sqlite3):
        return sqlite3.connect(os.fspath(path), **options)
