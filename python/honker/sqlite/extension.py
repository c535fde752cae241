"""Finding and loading ``libhonker_ext``, the engine, into SQLite connections.

The engine runs inside the SQLite that Python's ``sqlite3`` is linked to; honker never loads a second copy, because two
copies of SQLite on one file in one process drop each other's locks and lose commits. Many Pythons are built without
``Connection.enable_load_extension``; there ``sqlite3_auto_extension`` of the same library loads the engine.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from honker.errors import ExtensionNotFoundError, ExtensionUnsupportedError

EXTENSION_ENTRYPOINT: Final = "sqlite3_honkerext_init"

_PATH_VARIABLE: Final = "HONKER_EXTENSION_PATH"
_FILE_NAMES: Final = {"win32": "honker_ext.dll", "darwin": "libhonker_ext.dylib"}

# Auto-extensions apply to the process: any connection that opens while ours is registered loads it.
_auto_extension_lock = threading.Lock()


def extension_info() -> tuple[str, str]:
    """The path of the engine's library, and its entry point.

    Checks the environment variable ``HONKER_EXTENSION_PATH``, then the package, then, in a checkout, ``target/release``
    in the parent folders.

    Returns:
        The path and the name of the entry point, for any host that can load SQLite extensions.

    Raises:
        ExtensionNotFoundError: The library is in none of these places.
    """
    chosen = os.environ.get(_PATH_VARIABLE)
    if chosen:
        if not os.path.isfile(chosen):
            raise ExtensionNotFoundError(f"{_PATH_VARIABLE} names {chosen!r}, which is not a file; correct or unset it")
        return chosen, EXTENSION_ENTRYPOINT
    name = _FILE_NAMES.get(sys.platform, "libhonker_ext.so")
    package = Path(__file__).resolve().parent
    candidates = [package / "_lib" / name, *(folder / "target" / "release" / name for folder in package.parents)]
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate), EXTENSION_ENTRYPOINT
    raise ExtensionNotFoundError(
        f"{name} is neither in {package / '_lib'} nor in a target/release above it; "
        f"reinstall honker, run `cargo build --release`, or set {_PATH_VARIABLE}"
    )


def load_extension(conn: Any) -> None:
    """Load the engine into a connection that is already open.

    Args:
        conn: A ``sqlite3.Connection`` or a compatible object.

    Raises:
        ExtensionUnsupportedError: The connection cannot load extensions; open it with `honker.connect` instead.
        ExtensionNotFoundError: The library is missing.
    """
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
    with _auto_extension(sqlite3):
        return sqlite3.connect(os.fspath(path), **options)


@contextmanager
def _auto_extension(module: ModuleType) -> Generator[None]:
    """Load the engine into the connections that `module` opens in the block."""
    path, entrypoint = extension_info()
    sqlite = _sqlite_library(module)
    init = ctypes.cast(getattr(ctypes.CDLL(path), entrypoint), ctypes.c_void_p)
    with _auto_extension_lock:
        sqlite.sqlite3_auto_extension(init)
        try:
            yield
        finally:
            sqlite.sqlite3_cancel_auto_extension(init)


def _sqlite_library(module: ModuleType) -> ctypes.CDLL:
    """The SQLite library that a DB-API module calls, found through the symbols of its C extension."""
    native = sys.modules.get("_sqlite3" if module is sqlite3 else f"{module.__name__}._sqlite3")
    file = getattr(native, "__file__", None)
    library = ctypes.CDLL(file)
    try:
        for name in ("sqlite3_auto_extension", "sqlite3_cancel_auto_extension"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
    except AttributeError as error:
        raise ExtensionUnsupportedError(
            f"{module.__name__} has no enable_load_extension(), and its SQLite ({file or 'built in'}) hides "
            "sqlite3_auto_extension(); use a Python built with --enable-loadable-sqlite-extensions, or install "
            "pysqlite3 and call honker.open(path, sqlite3=pysqlite3)"
        ) from error
    return library
