"""The clock that tests set: not there unless a connection asks for it by its entry point."""

import ctypes
import sqlite3

import pytest

from . import loading
from .database import call, claim, enqueue, refused, value

ENTRY_POINT = "sqlite3_honkertesting_init"
START = 1_800_000_000


@pytest.fixture
def stopped():
    """A connection with the clock stopped at START. The clock is that of the process and runs again afterwards."""
    testing = ctypes.CDLL(str(loading.LIBRARY))[ENTRY_POINT]
    loading.SQLITE.sqlite3_auto_extension(testing)
    try:
        conn = sqlite3.connect(":memory:", isolation_level=None)
    finally:
        loading.SQLITE.sqlite3_cancel_auto_extension(testing)
    call(conn, "honker_bootstrap")
    assert call(conn, "honker_clock_set", START) == START
    yield conn
    call(conn, "honker_clock_set", None)
    conn.close()


def test_a_connection_that_did_not_ask_has_no_such_function(conn):
    with pytest.raises(sqlite3.OperationalError, match="no such function: honker_clock_set"):
        conn.execute("SELECT honker_clock_set(0)")


def test_time_moves_when_the_test_moves_it(stopped):
    enqueue(stopped, delay=60)
    assert value(stopped, "SELECT run_at FROM _honker_live") == START + 60
    assert claim(stopped) == []
    call(stopped, "honker_clock_set", START + 60)
    assert len(claim(stopped)) == 1


def test_every_connection_of_the_process_reads_it(stopped, conn):
    enqueue(conn)
    assert value(conn, "SELECT created_at FROM _honker_live") == START


def test_an_instant_is_checked(stopped):
    with refused("HONKER_INVALID_ARGUMENT", "unix_s"):
        call(stopped, "honker_clock_set", "tomorrow")


def test_the_schema_of_a_file_cannot_set_it(stopped):
    stopped.execute("CREATE VIEW v AS SELECT honker_clock_set(0)")
    with pytest.raises(sqlite3.OperationalError, match=r"unsafe use of honker_clock_set\(\)"):
        stopped.execute("SELECT * FROM v").fetchone()
    stopped.execute("CREATE TABLE t (x CHECK (honker_clock_set(0) IS NOT NULL))")
    with pytest.raises(sqlite3.OperationalError, match=r"unsafe use of honker_clock_set\(\)"):
        stopped.execute("INSERT INTO t VALUES (1)")
