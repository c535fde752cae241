"""A SQLite that is too old for the engine: loading fails with a helpful message, and changes nothing.

The supported versions run the whole suite: `scripts/test_sqlite_versions.py`.
"""

import ctypes
import sqlite3
import sys

import honker
import pytest

from ..sql.loading import ENTRY_POINT, LIBRARY, ROOT, SQLITE
from ..support.processes import run

OLD = 3_037_002
TOO_OLD = ROOT / "target" / "sqlite" / "3.37.0"  # `scripts/test_sqlite_versions.py` builds it

EntryPoint = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p))
VersionNumber = ctypes.CFUNCTYPE(ctypes.c_int)
# Entries of SQLite's API table that certainly exist: it only grows.
ENTRIES = 240


def aged(api, number):
    """A copy of the API table that reports another version of SQLite."""
    address = ctypes.cast(SQLITE.sqlite3_libversion_number, ctypes.c_void_p).value
    copy = (ctypes.c_void_p * ENTRIES)(*api[:ENTRIES])
    (index,) = (index for index, entry in enumerate(copy) if entry == address)
    copy[index] = ctypes.cast(number, ctypes.c_void_p).value
    return copy


@pytest.fixture
def load_into_an_old_one():
    """Open a connection and try to load the engine with a SQLite that reports version 3.37."""
    initialise = EntryPoint((ENTRY_POINT, ctypes.CDLL(str(LIBRARY))))
    number = VersionNumber(lambda: OLD)
    kept = []

    def load(db, message, api):
        kept.append(aged(api, number))
        return initialise(db, message, ctypes.cast(kept[-1], ctypes.POINTER(ctypes.c_void_p)))

    callback = EntryPoint(load)

    def opened(path):
        SQLITE.sqlite3_auto_extension(callback)
        try:
            return sqlite3.connect(path)
        finally:
            SQLITE.sqlite3_cancel_auto_extension(callback)

    return opened


def test_a_sqlite_that_is_too_old_is_refused_in_words(path, load_into_an_old_one):
    with pytest.raises(sqlite3.OperationalError) as caught:
        load_into_an_old_one(path)
    assert "HONKER_SQLITE_TOO_OLD: honker needs SQLite 3.38 or newer, and this process has 3.37" in str(caught.value)


def test_a_refusal_leaves_the_process_as_it_was(path, load_into_an_old_one):
    with pytest.raises(sqlite3.OperationalError):
        load_into_an_old_one(path)
    with honker.open(path) as db:
        db.queue("q").enqueue(1)


OPEN = """
import sqlite3, sys
import honker
try:
    honker.open(sys.argv[1])
except honker.DatabaseError as error:
    print(sqlite3.sqlite_version, type(error).__name__, error, sep="|")
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
"""


@pytest.mark.skipif(not TOO_OLD.exists(), reason="scripts/test_sqlite_versions.py has not built SQLite 3.37")
@pytest.mark.skipif(sys.platform != "linux", reason="puts another library in the place of Python's")
def test_a_real_sqlite_that_is_too_old_is_an_error_of_its_own(path):
    told, tables = run(OPEN, path, environment={"LD_LIBRARY_PATH": str(TOO_OLD)})
    version, kind, message = told.split("|")
    assert (version, kind) == ("3.37.0", "SQLiteTooOldError")
    assert "needs SQLite 3.38 or newer, and this process has 3.37" in message
    assert tables == "0"
