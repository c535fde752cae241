"""Load the extension with only the standard library, as any host would.

Some Pythons are built without ``Connection.enable_load_extension``. They load the extension through
``sqlite3_auto_extension`` of the same library that ``_sqlite3`` is linked to: a second copy of SQLite in one process
would drop the first one's locks on the file.
"""

import _sqlite3
import ctypes
import os
import sqlite3
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARY_NAME = "libhonker_ext.dylib" if sys.platform == "darwin" else "libhonker_ext.so"
LIBRARY = Path(os.environ.get("HONKER_EXTENSION_PATH") or ROOT / "target" / "release" / LIBRARY_NAME)
ENTRY_POINT = "sqlite3_honkerext_init"

# Symbols are searched in the module and its dependencies: this is Python's own copy of SQLite. A built-in module has no
# file; its symbols are searched in the program.
SQLITE = ctypes.CDLL(getattr(_sqlite3, "__file__", None))

# While an automatic extension is registered, every new connection of any thread gets it.
_auto_extension_lock = threading.Lock()


def connect(path, *, library=LIBRARY, **options):
    """A connection in autocommit mode with the extension loaded; the file is otherwise untouched."""
    if not library.exists():
        raise FileNotFoundError(f"{library} is missing; run `make build` first")
    options.setdefault("isolation_level", None)
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        return _connect_with_auto_extension(path, library, options)
    conn = sqlite3.connect(path, **options)
    conn.enable_load_extension(True)
    conn.load_extension(str(library))
    conn.enable_load_extension(False)
    return conn


def _connect_with_auto_extension(path, library, options):
    entry_point = ctypes.CDLL(str(library))[ENTRY_POINT]
    with _auto_extension_lock:
        SQLITE.sqlite3_auto_extension(entry_point)
        try:
            return sqlite3.connect(path, **options)
        finally:
            SQLITE.sqlite3_cancel_auto_extension(entry_point)
