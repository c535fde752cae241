"""Objects of honker that someone has dropped."""

import contextlib
import sqlite3

import pytest

from .database import call, claimed_ids, enqueue, refused, rows

OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE name LIKE '\\_honker\\_%' ESCAPE '\\' ORDER BY name"


def objects(conn):
    return {name: (kind, sql) for kind, name, sql in rows(conn, OBJECTS)}


def test_bootstrapping_makes_each_dropped_object_again(conn):
    whole = objects(conn)
    assert len(whole) > 20
    for name, (kind, _) in whole.items():
        conn.execute(f"DROP {kind} {name}")
        assert call(conn, "honker_bootstrap") == 1
        assert objects(conn) == whole, name


def droppable(conn):
    """Columns that SQLite lets a person drop, tried in a transaction that is rolled back."""
    found = []
    for (table,) in rows(
        conn, "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '\\_honker%' ESCAPE '\\'"
    ):
        for (column,) in rows(conn, "SELECT name FROM pragma_table_info(?)", table):
            conn.execute("BEGIN")
            with contextlib.suppress(sqlite3.OperationalError):
                conn.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
                found.append((table, column))
            conn.execute("ROLLBACK")
    return found


def columns(conn):
    """The type of each column of each table."""
    sql = "SELECT t.name, c.name, c.type FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
    return {(table, column): kind for table, column, kind in rows(conn, sql)}


def test_bootstrapping_adds_each_dropped_column_again(conn):
    conn.execute("DROP VIEW _honker_jobs")
    found = droppable(conn)
    call(conn, "honker_bootstrap")
    assert {("_honker_live", "slack"), ("_honker_locks", "token"), ("_honker_scheduler_tasks", "misfire")} <= {*found}
    whole = columns(conn)
    for table, column in found:
        conn.execute("DROP VIEW _honker_jobs")
        conn.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        assert call(conn, "honker_bootstrap") == 1
        assert columns(conn) == whole, (table, column)
    assert enqueue(conn) == 1


def test_jobs_go_on_after_their_columns_are_back(conn):
    job = enqueue(conn)
    conn.execute("ALTER TABLE _honker_live DROP COLUMN slack")
    conn.execute("ALTER TABLE _honker_live DROP COLUMN unknown_since")
    call(conn, "honker_bootstrap")
    assert claimed_ids(conn) == [job]
    assert call(conn, "honker_ack", job, "w") == 1


def test_a_column_whose_values_are_needed_is_named(conn):
    call(conn, "honker_scheduler_register", "s", "q", "@every 60s", "{}", 0, None)
    conn.execute("ALTER TABLE _honker_scheduler_tasks DROP COLUMN cron_expr")
    with refused("HONKER_MALFORMED_ROW", "column cron_expr of _honker_scheduler_tasks is gone") as caught:
        call(conn, "honker_bootstrap")
    assert "backup" in str(caught.value)
    conn.execute("DROP TABLE _honker_scheduler_tasks")
    assert call(conn, "honker_bootstrap") == 1


def test_the_table_of_the_version_comes_back_and_rows_stay(conn):
    job, facts = enqueue(conn), dict(rows(conn, "SELECT key, value FROM _honker_meta"))
    for owner in "ab":
        call(conn, "honker_lock_acquire", "l", owner, 60)
        last_token = call(conn, "honker_lock_token", "l", owner)
        call(conn, "honker_lock_release", "l", owner)
    conn.execute("DROP TABLE _honker_meta")
    with refused("HONKER_NOT_BOOTSTRAPPED", "honker_bootstrap"):
        call(conn, "honker_claim_batch", "q", "w", 1, 60)
    assert call(conn, "honker_bootstrap") == 1
    restored = dict(rows(conn, "SELECT key, value FROM _honker_meta"))
    assert restored | {"lock_token": 0} == facts
    assert claimed_ids(conn) == [job]
    call(conn, "honker_lock_acquire", "l", "c", 60)
    assert call(conn, "honker_lock_token", "l", "c") > last_token


def test_the_mark_of_a_file_that_the_reference_made_comes_back(conn):
    conn.execute("CREATE INDEX _honker_live_claim ON _honker_live (queue, priority DESC, run_at, id)")
    conn.execute("DROP TABLE _honker_meta")
    call(conn, "honker_bootstrap")
    assert call(conn, "honker_file_is_shared") == 1


def test_a_file_of_a_newer_honker_without_its_version_is_left_alone(conn):
    conn.execute("CREATE INDEX _honker_index_of_tomorrow ON _honker_live (queue)")
    conn.execute("DROP TABLE _honker_meta")
    before = objects(conn)
    with refused("HONKER_MALFORMED_ROW", "_honker_index_of_tomorrow"):
        call(conn, "honker_bootstrap")
    assert objects(conn) == before


def test_an_index_comes_back_with_its_rows(conn):
    job = enqueue(conn)
    conn.execute("DROP INDEX _honker_index_live_ready")
    with refused("HONKER_NOT_BOOTSTRAPPED", "honker_bootstrap"):
        call(conn, "honker_claim_batch", "q", "w", 1, 60)
    call(conn, "honker_bootstrap")
    assert f'"id":{job}' in call(conn, "honker_claim_batch", "q", "w", 1, 60)
    assert rows(conn, "PRAGMA integrity_check") == [("ok",)]


def test_a_whole_file_is_only_read(conn, connect):
    connect().execute("BEGIN IMMEDIATE")
    conn.execute("PRAGMA busy_timeout = 0")
    assert call(conn, "honker_bootstrap") == 1


@pytest.mark.parametrize("query", ["nolock=1", "immutable=1", "vfs=unix-dotfile", "vfs=unix-none", "mode=ro&nolock=on"])
def test_a_watcher_refuses_a_uri_without_common_locks(conn, path, query):
    with refused("HONKER_WATCHER", query.rpartition("&")[2]):
        call(conn, "honker_update_watcher_open", f"file:{path}?{query}", None)


@pytest.mark.parametrize("query", ["nolock=0", "mode=rw", "cache=private", "vfs=unix"])
def test_a_watcher_takes_other_uris(conn, path, query):
    watcher = call(conn, "honker_update_watcher_open", f"file:{path}?{query}", None)
    call(conn, "honker_update_watcher_close", watcher)
