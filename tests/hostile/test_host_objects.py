"""Objects of the host that come between honker and its tables: ignoring triggers, temporary and attached tables."""

import sqlite3

import pytest

from ..sql.database import call, call_json, dump, enqueue, rows, value

TABLES = ("_honker_live", "_honker_dead", "_honker_stream", "_honker_notifications", "_honker_results", "_honker_locks",
          "_honker_token_buckets", "_honker_scheduler_tasks")  # fmt: skip
CALLS = [
    (("honker_enqueue", "q", "{}", None, None, 0, 3, None), "INSERT", "_honker_live"),
    (("honker_enqueue_many", "q", "[1, 2]", None, None, 0, 3, None), "INSERT", "_honker_live"),
    (("honker_stream_publish", "t", None, "{}"), "INSERT", "_honker_stream"),
    (("honker_stream_publish_many", "t", "[[null, 1]]"), "INSERT", "_honker_stream"),
    (("notify", "c", "{}"), "INSERT", "_honker_notifications"),
    (("honker_result_save", 1, "1", 60), "INSERT", "_honker_results"),
    (("honker_lock_acquire", "l", "o", 60), "INSERT", "_honker_locks"),
    (("honker_token_bucket_take", "b", 5, 1, 1), "INSERT", "_honker_token_buckets"),
    (("honker_scheduler_register", "s", "q", "@every 1h", "{}", 0, None), "INSERT", "_honker_scheduler_tasks"),
    (("honker_scheduler_tick", 4_000_000_000), "UPDATE", "_honker_scheduler_tasks"),
    (("honker_fail", 1, "w", "e", 1), "INSERT", "_honker_dead"),
    (("honker_fail", 1, "w", "e", 1), "DELETE", "_honker_live"),
    (("honker_claim_batch", "q", "w", 1, 60), "UPDATE", "_honker_live"),
    (("honker_requeue", 2), "DELETE", "_honker_dead"),
]


@pytest.fixture
def conn(connect):
    conn = connect()
    call(conn, "honker_bootstrap")
    return conn


def contents(conn):
    """All rows but SQLite's own counters, which a skipped row leaves a trace in."""
    return {table: content for table, content in dump(conn).items() if table != "sqlite_sequence"}


@pytest.mark.parametrize(
    ("arguments", "event", "table"), CALLS, ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_a_trigger_that_ignores_a_row_makes_the_call_fail(conn, arguments, event, table):
    for _ in range(3):
        enqueue(conn)
    call(conn, "honker_claim_batch", "q", "w", 2, 600)
    call(conn, "honker_fail", 2, "w", "e", 1)
    if arguments[0] != "honker_scheduler_register":
        call(conn, "honker_scheduler_register", "s", "q", "@every 1h", "{}", 0, None)
    conn.execute(f"CREATE TRIGGER ignoring BEFORE {event} ON {table} BEGIN SELECT RAISE(IGNORE); END")
    before = contents(conn)
    with pytest.raises(sqlite3.IntegrityError, match=r"HONKER_CONSTRAINT.*RAISE"):
        call(conn, *arguments)
    assert contents(conn) == before


@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_temporary_objects_do_not_shadow_the_tables(conn, kind):
    for table in TABLES:
        conn.execute(f"CREATE TEMP {kind} {table} AS SELECT * FROM main.{table} WHERE 0")
    job = enqueue(conn)
    assert value(conn, "SELECT count(*) FROM main._honker_live") == 1
    assert [claimed["id"] for claimed in call_json(conn, "honker_claim_batch", "q", "w", 1, 60)] == [job]
    assert call(conn, "honker_fail", job, "w", "e", 1) == 1
    assert call(conn, "honker_result_save", job, "1", 60) == 1
    assert call(conn, "honker_result_get", job) == "1"
    call(conn, "honker_stream_publish", "t", None, "1")
    assert len(call_json(conn, "honker_stream_read_since", "t", 0, 9)) == 1
    assert rows(conn, "SELECT id FROM main._honker_dead") == [(job,)]


def test_an_attached_file_is_not_used_instead_of_main(connect, tmp_path):
    other = tmp_path / "other.db"
    call(connect(other), "honker_bootstrap")
    conn = connect()
    conn.execute("ATTACH ? AS other", (str(other),))
    with pytest.raises(sqlite3.Error, match="HONKER_NOT_BOOTSTRAPPED"):
        enqueue(conn)
    assert value(conn, "SELECT count(*) FROM other._honker_live") == 0


def test_bootstrapping_ignores_temporary_tables(connect):
    conn = connect()
    conn.execute("CREATE TEMP TABLE _honker_live (id)")
    conn.execute("CREATE TEMP TABLE _honker_scheduler_tasks (enabled, max_attempts)")
    call(conn, "honker_bootstrap")
    assert enqueue(conn) == 1
    call(conn, "honker_scheduler_register", "s", "q", "@every 1h", "{}", 0, None)
    assert len(call_json(conn, "honker_scheduler_list")) == 1
