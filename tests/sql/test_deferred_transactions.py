"""Writing functions as the first statement of a transaction that the host began by a plain BEGIN or SAVEPOINT.

A function reads before it writes. If the read fixes the snapshot of the transaction, SQLite fails the write at once
when another connection writes or has written since: no busy timeout helps. So a function that may write takes the
write lock before it reads, and waits for it as a plain INSERT does.
"""

import json
import sqlite3
import threading
import time

import pytest

from .contract import functions, ordinary_arguments
from .database import call, enqueue, refused, rows, value
from .loading import connect as load

TIMEOUT_S = 0.05
#: A function that does not wait fails within microseconds.
WAIT_S = 0.8 * TIMEOUT_S

#: One statement that begins a transaction and takes no lock.
BEGINNINGS = ("BEGIN", "SAVEPOINT s")

WRITING = [name for name, function in functions().items() if function["write_lock"] != "never"]
READING = [
    name
    for name, function in functions().items()
    if function["write_lock"] == "never" and name != "honker_update_watcher_open"
]


@pytest.fixture
def other(conn, connect):
    """Another connection to a file in which most functions find something."""
    enqueue(conn, "n")
    call(conn, "notify", "n", "{}")
    call(conn, "honker_stream_publish", "n", None, "{}")
    call(conn, "honker_lock_acquire", "n", "n", 60)
    call(conn, "honker_scheduler_register", "n", "n", "@every 60s", "{}", 0, None)
    return connect()


def set_timeout(conn, seconds):
    conn.execute(f"PRAGMA busy_timeout = {int(1_000 * seconds)}").fetchall()


@pytest.mark.parametrize("name", WRITING)
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_writing_function_waits_for_the_lock(conn, other, beginning, name):
    set_timeout(conn, TIMEOUT_S)
    other.execute("BEGIN IMMEDIATE")
    conn.execute(beginning)
    began = time.monotonic()
    with refused("HONKER_BUSY"):
        call(conn, name, *ordinary_arguments(name))
    assert time.monotonic() - began >= WAIT_S
    assert conn.in_transaction
    other.execute("ROLLBACK")
    call(conn, "honker_enqueue", "n", "{}", None)
    conn.execute("ROLLBACK")


@pytest.mark.parametrize("name", READING)
def test_a_reading_function_takes_no_lock(conn, other, name):
    set_timeout(other, 0)
    conn.execute("BEGIN")
    call(conn, name, *ordinary_arguments(name))
    other.execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_no_call_fails_while_others_commit_all_the_time(path, connect, beginning, mode):
    conn = connect()
    conn.execute(f"PRAGMA journal_mode = {mode}").fetchall()
    conn.execute("PRAGMA synchronous = OFF")
    value(conn, "SELECT honker_bootstrap()")
    set_timeout(conn, 30)
    is_over = threading.Event()
    writers = [threading.Thread(target=commit_until, args=(path, is_over)) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        for number in range(100):
            conn.execute(beginning)
            enqueue(conn, payload=str(number))
            (job,) = json.loads(call(conn, "honker_claim_batch", "q", "w", 1, 60))
            call(conn, "honker_ack", job["id"], "w", job["attempts"])
            conn.execute("COMMIT")
    finally:
        is_over.set()
        for writer in writers:
            writer.join()
    assert value(conn, "SELECT count(*) FROM _honker_live WHERE queue = 'q'") == 0


def commit_until(path, is_over):
    conn = load(path, timeout=60)
    conn.execute("PRAGMA synchronous = OFF")
    while not is_over.is_set():
        call(conn, "notify", "others", "{}")
    conn.close()


def test_a_transaction_that_the_host_has_read_in_keeps_its_snapshot(conn, other):
    """The rule of SQLite, which a function of ours cannot change."""
    conn.execute("BEGIN")
    rows(conn, "SELECT count(*) FROM _honker_live")
    enqueue(other)
    with pytest.raises(sqlite3.OperationalError) as caught:
        enqueue(conn)
    assert caught.value.sqlite_errorname == "SQLITE_BUSY_SNAPSHOT"


def test_a_claim_that_finds_nothing_works_where_nothing_may_be_written(conn):
    conn.execute("PRAGMA query_only = ON")
    conn.execute("BEGIN")
    assert call(conn, "honker_claim_batch", "q", "w", 1, 60) == "[]"


def test_functions_that_make_their_table_work_first_in_a_transaction(connect):
    conn = connect()
    conn.execute("BEGIN")
    call(conn, "notify", "n", "{}")
    call(conn, "honker_bootstrap")
    conn.execute("COMMIT")
    assert enqueue(conn) == 1
