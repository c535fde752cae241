"""Loading the extension into a connection: functions appear, and neither connection nor file changes otherwise."""

import ctypes
import os
import sqlite3
import subprocess
import sys
from collections import Counter

import pytest

from .contract import signatures
from .database import refused, rows, value
from .loading import ENTRY_POINT, LIBRARY, SQLITE

SQLITE_OK_LOAD_PERMANENTLY = 256


def registered_functions(conn):
    return Counter(rows(conn, "SELECT name, narg FROM pragma_function_list"))


@pytest.fixture
def plain():
    conn = sqlite3.connect(":memory:")
    yield conn
    conn.close()


def test_loading_registers_exactly_the_functions_of_the_reference(connect, plain):
    added = registered_functions(connect(":memory:")) - registered_functions(plain)
    promised = Counter((name, arity) for name, _, arities in signatures() for arity in arities)
    assert added == promised


def test_loading_takes_no_function_away(connect, plain):
    assert registered_functions(plain) - registered_functions(connect(":memory:")) == Counter()


@pytest.mark.parametrize(
    ("pragma", "added"),
    [("module_list", {("honker_statements",)}), ("collation_list", set()), ("database_list", set())],
)
def test_loading_registers_nothing_but_the_module_that_owns_the_statements(connect, plain, pragma, added):
    listing = f"SELECT name FROM pragma_{pragma}"
    assert set(rows(connect(":memory:"), listing)) - set(rows(plain, listing)) == added


def test_the_module_that_owns_the_statements_holds_no_rows(conn):
    assert rows(conn, "SELECT * FROM honker_statements") == []


def test_loading_writes_nothing_into_a_new_file(connect, path):
    conn = connect()
    assert rows(conn, "SELECT * FROM sqlite_master") == []
    assert path.stat().st_size == 0
    assert conn.total_changes == 0


def test_loading_leaves_an_existing_file_as_it_is(connect, path):
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE app (x)")
    plain.close()
    before = path.read_bytes()
    conn = connect()
    conn.close()
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path]


def test_loading_works_on_a_read_only_file(connect, path):
    writer = connect()
    writer.execute("SELECT honker_bootstrap()")
    writer.execute("SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL)").fetchone()
    writer.close()
    reader = connect(f"file:{path}?mode=ro", uri=True)
    assert value(reader, "SELECT honker_get_job(1)") != ""
    with refused("HONKER_READ_ONLY"):
        value(reader, "SELECT honker_cancel(1)")


def test_the_entry_point_asks_sqlite_to_keep_the_library_in_memory():
    """Functions of other connections point into the library, and SQLite would unload it with the first connection."""
    init = ctypes.CDLL(str(LIBRARY))[ENTRY_POINT]
    results = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    def recording_init(db, message, api):
        results.append(init(ctypes.c_void_p(db), ctypes.c_void_p(message), ctypes.c_void_p(api)))
        return 0

    SQLITE.sqlite3_auto_extension(recording_init)
    try:
        sqlite3.connect(":memory:").close()
    finally:
        SQLITE.sqlite3_cancel_auto_extension(recording_init)
    assert results == [SQLITE_OK_LOAD_PERMANENTLY]


SURVIVES_CLOSE = """
import _sqlite3, ctypes, os, sys
sqlite = ctypes.CDLL(_sqlite3.__file__)
db, message = ctypes.c_void_p(), ctypes.c_char_p()
assert sqlite.sqlite3_open(b":memory:", ctypes.byref(db)) == 0
sqlite.sqlite3_enable_load_extension(db, 1)
assert sqlite.sqlite3_load_extension(db, sys.argv[1].encode(), None, ctypes.byref(message)) == 0, message.value
assert sqlite.sqlite3_close(db) == 0
ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOLOAD)
"""


@pytest.mark.skipif(not hasattr(os, "RTLD_NOLOAD"), reason="this system cannot tell whether a library is loaded")
def test_the_library_outlives_the_connection_that_loaded_it():
    subprocess.run([sys.executable, "-c", SURVIVES_CLOSE, str(LIBRARY)], check=True, timeout=30)
