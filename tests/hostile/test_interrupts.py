"""Interrupts at any moment, and authorizers that forbid ROLLBACK.

An interrupt stays in force until all statements of the connection have ended, so the ROLLBACK of a function is
interrupted as well. Before, the function's transaction stayed open, or its writes were committed by the host.
"""

import json
import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..sql.database import call, dump, enqueue, rows

SETTLEMENT = json.dumps([{"id": 1, "attempt": 1, "do": "fail", "error": "e", "result": "1", "result_ttl_s": 60}])
CALLS = {
    "enqueue": ("honker_enqueue", "q", "{}", None, None, 0, 3, None),
    "enqueue_many": ("honker_enqueue_many", "q", json.dumps(list(range(50))), None, None, 0, 3, None),
    "claim": ("honker_claim_batch", "q", "other", 20, 60),
    "work": ("honker_work", "q", "w", 5, 60, SETTLEMENT),
    "fail": ("honker_fail", 1, "w", "e", 1),
    "retry": ("honker_retry", 1, "w", 0, "e", 1),
    "ack_batch": ("honker_ack_batch", "[1, 2, 3]", "w"),
    "heartbeat_batch": ("honker_heartbeat_batch", "[[1, 1], [2, 1], [3, 1]]", "w", 99),
    "cancel": ("honker_cancel", 2),
    "requeue": ("honker_requeue", 4),
    "sweep": ("honker_sweep_expired", "q"),
    "publish": ("honker_stream_publish", "t", None, "{}"),
    "publish_many": ("honker_stream_publish_many", "t", json.dumps([[None, n] for n in range(50)])),
    "notify": ("notify", "c", "{}"),
    "lock": ("honker_lock_acquire", "l", "o", 60),
    "rate_limit": ("honker_rate_limit_try", "r", 5, 60),
    "token_bucket": ("honker_token_bucket_take", "b", 5, 1, 1),
    "result": ("honker_result_save", 1, "1", 60),
    "tick": ("honker_scheduler_tick", 4_000_000_000),
    "stats": ("honker_queue_stats", "q"),
    "list": ("honker_queue_list", None, 10),
    "bootstrap": ("honker_bootstrap",),
}
AROUND = {"autocommit": None, "transaction": "BEGIN IMMEDIATE", "savepoint": "SAVEPOINT host"}
END = {"transaction": "COMMIT", "savepoint": "RELEASE host"}


@pytest.fixture
def prepared(connect):
    conn = connect()
    conn.execute("PRAGMA journal_mode = WAL")
    call(conn, "honker_bootstrap")
    for _ in range(4):
        enqueue(conn)
    call(conn, "honker_claim_batch", "q", "w", 4, 3600)
    call(conn, "honker_fail", 4, "w", "e", 1)
    for _ in range(20):
        enqueue(conn)
    for _ in range(5):
        enqueue(conn, expires=-1)
    call(conn, "honker_retention_set", "dead", "q", None, 3)
    call(conn, "honker_scheduler_register", "s", "q", "@every 1h", "{}", 0, None)
    return conn


def begin(conn, around):
    if AROUND[around] is not None:
        conn.execute(AROUND[around])


def check_outcome(conn, around, before, failed, after_call):
    """After a failure nothing is kept, and no transaction is open that the host did not begin."""
    if around == "autocommit":
        assert not conn.in_transaction
    elif conn.in_transaction:
        conn.execute(END[around])
    if failed:
        assert dump(conn) == before, after_call


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", CALLS)
def test_an_interrupt_at_each_statement_keeps_nothing_and_leaves_nothing_open(prepared, connect, name, around):
    conn, other = prepared, connect()
    other.execute("PRAGMA busy_timeout = 0")
    conn.execute("SAVEPOINT rehearsal")
    steps = []
    conn.set_trace_callback(steps.append)
    call(conn, *CALLS[name])
    conn.set_trace_callback(None)
    conn.execute("ROLLBACK TO rehearsal")
    conn.execute("RELEASE rehearsal")
    for chosen in range(min(len(steps) + 4, 40)):
        # Of whatever came through before, the next interrupt must keep nothing.
        before = dump(conn)
        begin(conn, around)
        seen = 0

        def interrupt(_sql, chosen=chosen):
            nonlocal seen
            if seen == chosen:
                conn.interrupt()
            seen += 1

        conn.set_trace_callback(interrupt)
        failed = False
        try:
            call(conn, *CALLS[name])
        except sqlite3.Error:
            failed = True
        conn.set_trace_callback(None)
        check_outcome(conn, around, before, failed, (name, chosen))
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")


@pytest.mark.parametrize("changed", ["bootstrapped", "table added", "authorizer set"])
@pytest.mark.parametrize("name", ["claim", "stats", "list", "work"])
def test_an_interrupt_right_after_a_change_of_the_schema_leaves_nothing_open(connect, name, changed):
    """SQLite has to prepare every statement again then, which it does not do in the middle of an interrupt."""
    conn = connect()
    call(conn, "honker_bootstrap")
    enqueue(conn)
    if changed != "bootstrapped":
        call(conn, *CALLS[name])
        conn.execute("CREATE TABLE own (n)")
        if changed == "authorizer set":
            conn.set_authorizer(lambda *_: sqlite3.SQLITE_OK)
    conn.set_trace_callback(lambda sql: conn.interrupt() if "_honker_live" in sql and "SELECT" in sql else None)
    arguments = CALLS[name] if name != "work" else ("honker_work", "q", "w", 5, 60, "[]")
    with pytest.raises(sqlite3.OperationalError, match="HONKER_INTERRUPTED"):
        call(conn, *arguments)
    conn.set_trace_callback(None)
    assert not conn.in_transaction


@pytest.mark.parametrize("way", ["interrupt", "close"])
def test_a_wait_for_commits_ends_when_it_is_interrupted_or_closed(connect, path, way):
    conn, other = connect(path, check_same_thread=False), connect()
    call(conn, "honker_bootstrap")
    watcher = call(conn, "honker_update_watcher_open", str(path), None)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(call, conn, "honker_update_watcher_wait", watcher, 60_000)
        while not waiting.done():
            if way == "interrupt":
                conn.interrupt()
            else:
                call(other, "honker_update_watcher_close", watcher)
        if way == "interrupt":
            with pytest.raises(sqlite3.OperationalError, match="interrupted"):
                waiting.result()
            call(other, "honker_update_watcher_close", watcher)
        else:
            assert waiting.result() == -1


@pytest.mark.parametrize("around", AROUND)
def test_interrupts_of_another_thread_keep_nothing_and_leave_nothing_open(prepared, connect, path, around):
    prepared.close()
    conn = connect(path, check_same_thread=False)
    stop, chance, interrupted = threading.Event(), random.Random(7), 0

    def interrupt():
        while not stop.wait(chance.random() / 5_000):
            conn.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        for round_number in range(600):
            name = chance.choice(list(CALLS))
            failed = False
            try:
                begin(conn, around)
                call(conn, *CALLS[name])
            except sqlite3.Error:
                failed = True
                interrupted += 1
            if around == "autocommit":
                assert not conn.in_transaction, (round_number, name)
            while conn.in_transaction:
                try:
                    conn.execute("ROLLBACK" if failed else END[around])
                except sqlite3.Error:
                    continue
    finally:
        stop.set()
        thread.join()
    assert interrupted > 0
    assert rows(conn, "PRAGMA integrity_check") == [("ok",)]
    doubled = "SELECT id FROM _honker_live WHERE id IN (SELECT id FROM _honker_dead)"
    assert rows(conn, doubled) == []


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", ["fail", "work", "claim", "enqueue_many"])
def test_an_authorizer_that_denies_rollback_leaves_nothing_behind(prepared, name, around):
    conn = prepared
    conn.execute("CREATE TABLE own (n)")
    for table in ("_honker_dead", "_honker_live"):
        conn.execute(f"CREATE TRIGGER no_{table} AFTER INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END")
    conn.execute("CREATE TRIGGER no_claim AFTER UPDATE ON _honker_live BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = dump(conn)
    begin(conn, around)

    def deny(action, operation, *_):
        is_rollback = action in {22, 32} and operation == "ROLLBACK"  # SQLITE_TRANSACTION, SQLITE_SAVEPOINT
        return sqlite3.SQLITE_DENY if is_rollback else sqlite3.SQLITE_OK

    conn.set_authorizer(deny)
    with pytest.raises(sqlite3.Error):
        call(conn, *CALLS[name])
    conn.set_authorizer(None)
    check_outcome(conn, around, before, True, name)
