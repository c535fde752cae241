"""Loading the engine into every connection that this process opens from now on.

SQLite calls the registered entry point in each connection that it opens, for every library and framework of the
process that uses the same SQLite library. So connections of SQLAlchemy, Django, aiosqlite and others have honker's
functions without a hook in each of them. The registration belongs to the process: a forked child inherits it.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

from honker.errors import ExtensionUnsupportedError
from honker.sqlite.extension_file import extension_info

# The usual entry point returns a code that is a failure of an automatic extension, see `include/honker.h`.
_ENTRY_POINT: Final = "sqlite3_honkerauto_init"

# Auto-extensions apply to the process: any connection that opens while ours is registered loads it. Guards the set, and
# the registrations that last for the opening of one connection.
_lock: Final = threading.RLock()
#: The modules whose SQLite library loads the engine until `unregister_auto_extension`, by name.
_registered: Final[set[str]] = set()


def register_auto_extension(*, sqlite3: ModuleType = sqlite3) -> None:
    """Give honker's functions to every connection that this process opens from now on. Idempotent.

    Call it once, before the application opens its connections. Connections that are open already do not change.

    Args:
        sqlite3: The DB-API module whose SQLite library opens the connections, such as ``pysqlite3``.

    Raises:
        ExtensionUnsupportedError: This SQLite library does not offer ``sqlite3_auto_extension``.
        ExtensionNotFoundError: The engine's library is missing.

    Source: ``sqlite3_auto_extension`` of SQLite.
    """
    library, entry_point = _sqlite_library(sqlite3), _entry_point()
    with _lock:
        library.sqlite3_auto_extension(entry_point)
        _registered.add(sqlite3.__name__)


def unregister_auto_extension(*, sqlite3: ModuleType = sqlite3) -> None:
    """End `register_auto_extension`: connections opened from now on have no functions of honker. Idempotent.

    Open connections keep them.

    Args:
        sqlite3: As for `register_auto_extension`.
    """
    library, entry_point = _sqlite_library(sqlite3), _entry_point()
    with _lock:
        library.sqlite3_cancel_auto_extension(entry_point)
        _registered.discard(sqlite3.__name__)


# So that a child inherits neither the lock of another thread nor a registration that was to last for one connection.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@contextmanager
def auto_extension(module: ModuleType) -> Generator[None]:
    """Load the engine into the connections that `module` opens in the block."""
    library, entry_point = _sqlite_library(module), _entry_point()
    with _lock:
        library.sqlite3_auto_extension(entry_point)
        try:
            yield
        finally:
            if module.__name__ not in _registered:
                library.sqlite3_cancel_auto_extension(entry_point)


def _entry_point() -> ctypes.c_void_p:
    path, _ = extension_info()
    return ctypes.cast(getattr(ctypes.CDLL(path), _ENTRY_POINT), ctypes.c_void_p)


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
            f"the SQLite of {module.__name__} ({file or 'built in'}) hides sqlite3_auto_extension(); load the engine "
            "into each connection with honker.load_extension(). If that fails too, use a Python built with "
            "--enable-loadable-sqlite-extensions, or install pysqlite3 and call honker.open(path, sqlite3=pysqlite3)"
        ) from error
    return library
