"""The catalogue of errors: each code is provoked, and its documented properties are checked."""

import os
import sqlite3
import subprocess
import sys

import pytest

from .contract import code_of, error_codes
from .database import call, dump, enqueue, refused, rows, value
from .loading import ROOT


def invalid_argument(conn, _connect):
    call(conn, "honker_get_job", "one")


def not_bootstrapped(_conn, connect):
    enqueue(connect(":memory:"))


def schema_too_new(conn, _connect):
    conn.execute("UPDATE _honker_meta SET value = 99 WHERE key = 'schema_version'")
    call(conn, "honker_bootstrap")


def malformed_row(conn, _connect):
    conn.execute("INSERT INTO _honker_live (queue, payload, attempts) VALUES ('q', '{}', 'many')")
    call(conn, "honker_get_job", 1)


def unique_key_taken(conn, _connect):
    for _ in range(2):
        call(conn, "honker_enqueue", "q", "{}", '{"unique_key": "k", "on_conflict": "raise"}')


def unknown_parent(conn, _connect):
    call(conn, "honker_enqueue", "q", "{}", '{"after": [99]}')


def busy(conn, connect):
    conn.execute("PRAGMA busy_timeout = 0")
    connect().execute("BEGIN IMMEDIATE")
    enqueue(conn)


def read_only(conn, _connect):
    conn.execute("PRAGMA query_only = ON")
    enqueue(conn)


def full(conn, _connect):
    conn.execute(f"PRAGMA max_page_count = {value(conn, 'PRAGMA page_count')}")
    enqueue(conn, payload="x" * 100_000)


def corrupt(conn, connect):
    """Corrupt the first page of the jobs: of the table or of an index, depending on which is read first."""
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    page_size = value(conn, "PRAGMA page_size")
    roots = [root for (root,) in rows(conn, "SELECT rootpage FROM sqlite_master WHERE tbl_name = '_honker_live'")]
    path = value(conn, "SELECT file FROM pragma_database_list")
    conn.close()
    with open(path, "r+b") as file:
        for root in filter(None, roots):
            file.seek((root - 1) * page_size)
            file.write(b"\xff" * page_size)
    enqueue(connect(path))


def constraint(conn, _connect):
    conn.execute("CREATE TRIGGER no AFTER INSERT ON _honker_live BEGIN SELECT RAISE(ABORT, 'no jobs today'); END")
    enqueue(conn)


def interrupted(conn, _connect):
    for _ in range(200):
        enqueue(conn)
    conn.set_progress_handler(lambda: 1, 100)
    try:
        call(conn, "honker_claim_batch", "q", "w", 200, 60)
    finally:
        conn.set_progress_handler(None, 0)


def denied(conn, _connect):
    conn.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_INSERT else sqlite3.SQLITE_OK
    )
    try:
        enqueue(conn)
    finally:
        conn.set_authorizer(None)


def watcher(conn, _connect):
    call(conn, "honker_update_watcher_open", "/nowhere/app.db", None)


CAUSES = {
    "HONKER_INVALID_ARGUMENT": invalid_argument,
    "HONKER_NOT_BOOTSTRAPPED": not_bootstrapped,
    "HONKER_SCHEMA_TOO_NEW": schema_too_new,
    "HONKER_MALFORMED_ROW": malformed_row,
    "HONKER_UNKNOWN_PARENT": unknown_parent,
    "HONKER_BUSY": busy,
    "HONKER_UNIQUE_KEY_TAKEN": unique_key_taken,
    "HONKER_READ_ONLY": read_only,
    "HONKER_FULL": full,
    "HONKER_CORRUPT": corrupt,
    "HONKER_CONSTRAINT": constraint,
    "HONKER_INTERRUPTED": interrupted,
    "HONKER_SQLITE": denied,
    "HONKER_WATCHER": watcher,
}
# Provoked in separate tests and processes: below, by tests/hostile/test_loading.py, and by the failing disk in
# tests/crash.
ELSEWHERE = {"HONKER_IO", "HONKER_CANTOPEN", "HONKER_NAME_TAKEN", "HONKER_TWO_SQLITES"}
# Codes that no host here can provoke: a bug of ours, and a SQLite that this Python does not have.
UNREACHABLE = {"HONKER_INTERNAL", "HONKER_SQLITE_TOO_OLD"}


def test_every_error_of_the_catalogue_is_brought_about():
    assert CAUSES.keys() | ELSEWHERE | UNREACHABLE == error_codes().keys()


@pytest.mark.parametrize("code", list(CAUSES))
def test_the_error_begins_with_its_code_and_has_its_result_code(conn, connect, code):
    with pytest.raises(sqlite3.Error) as caught:
        CAUSES[code](conn, connect)
    assert code_of(caught.value) == code, caught.value
    promised = error_codes()[code]["sqlite_code"]
    primary = caught.value.sqlite_errorcode & 0xFF
    known = [name for name in promised.split(" or ") if name.startswith("SQLITE_")]
    assert not known or primary in {getattr(sqlite3, name) for name in known}
    assert len(str(caught.value)) > len(f"{code}: ")


def test_an_interrupted_claim_leaves_no_lease(conn):
    for _ in range(200):
        enqueue(conn)
    before = dump(conn)
    conn.set_progress_handler(lambda: 1, 1000)
    with refused("HONKER_INTERRUPTED"):
        call(conn, "honker_claim_batch", "q", "w", 200, 60)
    conn.set_progress_handler(None, 0)
    assert not conn.in_transaction
    assert dump(conn) == before


IO_FAILURE = """
import resource, signal, sqlite3, sys
from tests.sql.loading import connect
conn = connect(sys.argv[1])
conn.execute("SELECT honker_bootstrap()").fetchone()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    conn.execute("SELECT honker_enqueue('q', hex(zeroblob(100000)), NULL, NULL, 0, 3, NULL)").fetchone()
except sqlite3.Error as error:
    print(error.sqlite_errorname, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(conn.in_transaction, conn.execute("SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL)").fetchone())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no resource limits here")
def test_a_failing_disk_is_an_io_error_and_leaves_no_job(path):
    """The commit itself fails: an earlier answer of the function would have been wrong."""
    done = subprocess.run(
        [sys.executable, "-c", IO_FAILURE, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    error, after = done.stdout.splitlines()
    assert error.startswith("SQLITE_IOERR")
    assert " HONKER_IO: " in error
    assert after == "False (1,)"
