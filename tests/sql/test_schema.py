"""The tables: their creation, files of the reference included, and the behaviour of a file without them."""

import shutil
import sqlite3
import threading
import time

import pytest

from .clock import advance
from .contract import functions, ordinary_arguments, outcome
from .database import call, call_json, claim, claimed_ids, dump, enqueue, refused, rows, value
from .loading import ROOT

REFERENCE_FILE = ROOT / "tests" / "fixtures" / "reference-0.5.1.db"
WRITTEN_AT = 1_795_171_624  # when the reference wrote the file

# Indexes that the reference makes and needs, but our engine does not.
REFERENCE_INDEXES = {"_honker_live_claim", "_honker_live_pending_deadline"}

# Columns of each table as the reference makes it; it never looks at others.
REFERENCE_COLUMNS = {
    "_honker_live": "id, queue, payload, state, priority, run_at, worker_id, claim_expires_at, attempts, max_attempts, "
    "created_at, expires_at",
    "_honker_dead": "id, queue, payload, priority, run_at, attempts, max_attempts, last_error, created_at, died_at",
    "_honker_locks": "name, owner, expires_at",
    "_honker_rate_limits": "name, window_start, count",
    "_honker_scheduler_tasks": "name, queue, cron_expr, payload, priority, expires_s, next_fire_at, enabled, "
    "max_attempts",
    "_honker_results": "job_id, value, created_at, expires_at",
    "_honker_stream": "offset, topic, key, payload, created_at",
    "_honker_stream_consumers": "name, topic, offset",
    "_honker_notifications": "id, channel, payload, created_at",
}


@pytest.fixture
def reference_file(path):
    """A copy of the reference's file."""
    shutil.copy(REFERENCE_FILE, path)
    return path


@pytest.fixture
def upgraded(reference_file, connect):
    """That copy, upgraded, and as recent as if the reference had written it just now."""
    conn = connect(reference_file)
    call(conn, "honker_bootstrap")
    advance(conn, WRITTEN_AT - int(time.time()))
    return conn


def schema(conn):
    """Each object of the schema by name, its SQL without white space."""
    objects = rows(conn, "SELECT name, sql FROM sqlite_master WHERE name LIKE '\\_honker%' ESCAPE '\\'")
    return {name: "".join(sql.split()) for name, sql in objects}


def file_contents(path):
    """The bytes of the database and of its log."""
    return [file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")) if not file.name.endswith("-shm")]


# -------------------------------------------------------------------------------------------------------- bootstrapping


def test_bootstrap_makes_the_tables_of_the_reference_with_their_columns_in_order(conn):
    for table, columns in REFERENCE_COLUMNS.items():
        names = [name for (name,) in rows(conn, "SELECT name FROM pragma_table_info(?)", table)]
        expected = columns.split(", ")
        assert names[: len(expected)] == expected


def test_bootstrap_makes_everything_at_once(conn):
    kinds = dict(rows(conn, "SELECT name, type FROM sqlite_master"))
    assert kinds["_honker_notifications"] == "table"
    assert kinds["_honker_jobs"] == "view"
    assert kinds.keys() >= REFERENCE_COLUMNS.keys()


def test_columns_of_ours_can_be_left_out_by_those_who_do_not_know_them(conn):
    """The reference still inserts rows that name only its own columns."""
    for table, columns in REFERENCE_COLUMNS.items():
        for name, is_required, default in rows(
            conn, 'SELECT name, "notnull", dflt_value FROM pragma_table_info(?)', table
        ):
            assert name in columns.split(", ") or not is_required or default is not None, f"{table}.{name}"


def test_a_second_bootstrap_writes_nothing(conn, connect, path):
    other = connect()
    version = value(other, "PRAGMA data_version")
    before, changes = file_contents(path), conn.total_changes
    assert call(conn, "honker_bootstrap") == 1
    assert file_contents(path) == before
    assert conn.total_changes == changes
    assert value(other, "PRAGMA data_version") == version


def test_bootstrapping_a_current_file_needs_no_write_lock(conn, connect):
    holder = connect()
    holder.execute("BEGIN IMMEDIATE")
    conn.execute("PRAGMA busy_timeout = 0")
    assert call(conn, "honker_bootstrap") == 1


def test_bootstrapping_a_current_read_only_file_succeeds(conn, connect, path):
    enqueue(conn)
    reader = connect(f"file:{path}?mode=ro", uri=True)
    assert call(reader, "honker_bootstrap") == 1


def test_bootstrapping_a_read_only_file_without_tables_is_refused(connect, path):
    connect().execute("CREATE TABLE app (x)")
    reader = connect(f"file:{path}?mode=ro", uri=True)
    with refused("HONKER_READ_ONLY"):
        call(reader, "honker_bootstrap")
    assert not reader.in_transaction


@pytest.mark.parametrize("journal_mode", ["delete", "wal", "truncate", "persist", "memory"])
def test_bootstrap_works_in_every_journal_mode(connect, journal_mode):
    conn = connect()
    assert value(conn, f"PRAGMA journal_mode = {journal_mode}") == journal_mode
    call(conn, "honker_bootstrap")
    enqueue(conn)
    assert claimed_ids(conn) == [1]


def test_bootstrap_in_a_transaction_is_part_of_it(connect):
    conn = connect()
    conn.execute("BEGIN")
    call(conn, "honker_bootstrap")
    assert enqueue(conn) == 1
    conn.execute("ROLLBACK")
    assert rows(conn, "SELECT * FROM sqlite_master") == []
    call(conn, "honker_bootstrap")
    assert enqueue(conn) == 1


def test_bootstrap_inside_a_write_statement_is_whole_or_not_at_all(connect):
    conn = connect()
    conn.execute("CREATE TABLE app (x)")
    before = dump(conn)
    try:
        conn.execute("INSERT INTO app SELECT honker_bootstrap()")
    except sqlite3.Error:
        assert dump(conn) == before
    else:
        assert enqueue(conn) == 1
    assert not conn.in_transaction


def test_many_connections_may_bootstrap_one_new_file_at_once(connect):
    connections = [connect(check_same_thread=False, timeout=30) for _ in range(8)]
    barrier = threading.Barrier(len(connections))
    results = []

    def bootstrap(conn):
        barrier.wait()
        results.append(call(conn, "honker_bootstrap"))

    threads = [threading.Thread(target=bootstrap, args=[conn]) for conn in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1] * len(connections)
    assert [enqueue(conn) for conn in connections] == list(range(1, len(connections) + 1))


def test_a_file_of_a_newer_honker_is_refused_and_left_alone(conn):
    conn.execute("UPDATE _honker_meta SET value = 99 WHERE key = 'schema_version'")
    before = dump(conn)
    with refused("HONKER_SCHEMA_TOO_NEW", "99") as caught:
        call(conn, "honker_bootstrap")
    assert "upgrade honker" in str(caught.value)
    assert dump(conn) == before


def test_tables_of_the_application_are_left_alone(connect):
    conn = connect()
    conn.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, name)")
    conn.execute("INSERT INTO jobs VALUES (1, 'mine')")
    call(conn, "honker_bootstrap")
    assert rows(conn, "SELECT * FROM jobs") == [(1, "mine")]


# --------------------------------------------------------------------------------------------------- without the tables


NEED_TABLES = [
    name
    for name, function in functions().items()
    if function["effect"] != "outside"
    and name not in {"honker_bootstrap", "honker_cron_next_after", "honker_has_additions", "honker_limits", "notify"}
    and name not in {"honker_clock", "honker_database_file"}
]


@pytest.mark.parametrize("name", NEED_TABLES)
def test_a_function_on_a_file_without_tables_tells_what_to_do(connect, name):
    conn = connect()
    arguments = ordinary_arguments(name)
    with refused("HONKER_NOT_BOOTSTRAPPED", "honker_bootstrap()"):
        call(conn, name, *arguments)
    assert not conn.in_transaction
    call(conn, "honker_bootstrap")
    call(conn, name, *arguments)


def test_a_claim_from_a_file_that_was_not_upgraded_tells_what_to_do(reference_file, connect):
    conn = connect(reference_file)
    with refused("HONKER_NOT_BOOTSTRAPPED", "honker_bootstrap()"):
        claim(conn, "emails")
    call(conn, "honker_bootstrap")
    assert claim(conn, "emails")


ADDITIONS = {
    "CREATE TRIGGER mine AFTER INSERT ON _honker_live BEGIN SELECT 1; END": 1,
    "CREATE TRIGGER mine AFTER INSERT ON _HONKER_STREAM BEGIN SELECT 1; END": 1,
    "CREATE TEMP TRIGGER mine AFTER INSERT ON main._honker_live BEGIN SELECT 1; END": 1,
    "CREATE TRIGGER _honker_mine AFTER INSERT ON orders BEGIN SELECT honker_enqueue('q', '1', 0, 0, 0, 3, 9); END": 0,
    "CREATE TEMP TRIGGER mine AFTER INSERT ON main.orders BEGIN SELECT 1; END": 0,
    "CREATE INDEX _honker_index ON _honker_live (payload)": 0,
    "create  unique\tindex once ON _Honker_Live (payload)": 1,
    "CREATE UNIQUE INDEX IF NOT EXISTS _honker_once ON orders (n)": 0,
    "ALTER TABLE _honker_results ADD COLUMN note": 0,
}


@pytest.mark.parametrize("statement", ADDITIONS)
def test_additions_to_the_tables_are_told_from_other_things(conn, statement):
    conn.execute("CREATE TABLE orders (n)")
    assert call(conn, "honker_has_additions") == 0
    conn.execute(statement)
    assert call(conn, "honker_has_additions") == ADDITIONS[statement]


def test_a_broken_trigger_of_the_application_is_not_mistaken_for_a_missing_table(conn):
    conn.execute("CREATE TABLE log (line)")
    conn.execute("CREATE TRIGGER logged AFTER INSERT ON _honker_live BEGIN INSERT INTO log (text) VALUES ('x'); END")
    with refused("HONKER_SQLITE", "no column named text"):
        enqueue(conn)


# ----------------------------------------------------------------------------------------------- files of the reference


def test_an_upgraded_file_has_the_schema_of_a_fresh_one(conn, reference_file, connect, tmp_path):
    shutil.copy(REFERENCE_FILE, tmp_path / "other.db")
    upgraded = connect(tmp_path / "other.db")
    call(upgraded, "honker_bootstrap")
    expected = schema(conn)
    seen = schema(upgraded)
    assert seen.keys() - expected.keys() == REFERENCE_INDEXES
    assert {name: sql for name, sql in seen.items() if name not in REFERENCE_INDEXES} == expected
    facts = rows(conn, "SELECT * FROM _honker_meta")
    assert sorted(rows(upgraded, "SELECT * FROM _honker_meta")) == sorted([*facts, ("shared", 1)])


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_a_file_of_an_earlier_version_gets_the_schema_of_a_fresh_one(conn, connect, tmp_path, version):
    older = connect(tmp_path / "older.db")
    for migration in sorted((ROOT / "crates/honker-domain/src/schema").glob("*.sql"))[:version]:
        older.executescript(migration.read_text("utf-8"))
    if version > 1:
        older.execute("INSERT INTO _honker_meta (key, value) VALUES ('schema_version', ?)", (version,))
    call(older, "honker_bootstrap")
    assert schema(older) == schema(conn)
    assert claimed_ids(older) == []


def test_the_index_of_keys_gets_its_other_columns_and_its_rows(conn, connect, tmp_path):
    fresh = connect(tmp_path / "fresh.db")
    call(fresh, "honker_bootstrap")
    call(conn, "honker_bootstrap")
    call(conn, "honker_queue_configure", "q", '{"concurrency_per_key":1}')
    ids = [call(conn, "honker_enqueue", "q", "null", '{"key":"k"}') for _ in range(2)]
    conn.execute("DROP INDEX _honker_index_live_line")
    conn.execute(
        "CREATE INDEX _honker_index_live_key ON _honker_live (queue, state, key, priority DESC, run_at)"
        " WHERE key IS NOT NULL"
    )
    conn.execute("UPDATE _honker_meta SET value = 10 WHERE key = 'schema_version'")
    call(conn, "honker_bootstrap")
    assert schema(conn) == schema(fresh)
    assert claimed_ids(conn, "q") == ids[:1]


def test_an_upgrade_keeps_every_row(reference_file, connect):
    tables = REFERENCE_COLUMNS | {"orders": "*", "sqlite_sequence": "*"}
    plain = sqlite3.connect(reference_file)
    before = {table: rows(plain, f"SELECT {columns} FROM {table}") for table, columns in tables.items()}
    plain.close()
    conn = connect(reference_file)
    call(conn, "honker_bootstrap")
    after = {table: rows(conn, f"SELECT {columns} FROM {table}") for table, columns in tables.items()}
    assert after == before
    assert {table: len(contents) for table, contents in before.items()} == {
        "_honker_live": 25, "_honker_dead": 1, "_honker_locks": 1, "_honker_rate_limits": 1, "_honker_results": 2,
        "_honker_scheduler_tasks": 2, "_honker_stream": 30, "_honker_stream_consumers": 1, "_honker_notifications": 4,
        "orders": 1, "sqlite_sequence": 3,
    }  # fmt: skip
    assert rows(conn, "PRAGMA integrity_check") == [("ok",)]


def test_an_upgraded_file_needs_no_second_upgrade(upgraded, reference_file):
    before = file_contents(reference_file)
    call(upgraded, "honker_bootstrap")
    assert file_contents(reference_file) == before


def test_an_exhausted_job_of_the_reference_is_dead_lettered_by_the_next_claim(upgraded):
    advance(upgraded, 5)
    assert claim(upgraded, "images") == []
    assert rows(upgraded, "SELECT queue, payload, attempts, last_error FROM _honker_dead WHERE id = 27") == [
        ("images", '{"path":"été/日本.png"}', 1, "max attempts exceeded")
    ]


def test_waiting_jobs_of_the_reference_are_claimed_in_order(upgraded):
    in_order = [9, *(id_ for id_ in range(1, 21) if id_ % 3 == 2), *(id_ for id_ in range(1, 21) if id_ % 3 == 1)]
    jobs = claim(upgraded, "emails", n=100)
    assert [job["id"] for job in jobs] == in_order
    assert {job["id"]: job["attempts"] for job in jobs}[9] == 2
    assert rows(upgraded, "SELECT last_error FROM _honker_dead WHERE id = 26") == [("expired",)]


def test_leases_of_the_reference_hold_for_their_holder(upgraded):
    advance(upgraded, 290)
    assert not {12, 15, 18} & set(claimed_ids(upgraded, "emails", n=100))
    assert call(upgraded, "honker_heartbeat", 12, "worker-1", 60) == 1
    assert call(upgraded, "honker_retry", 15, "worker-1", 0, "again") == 1
    assert call(upgraded, "honker_ack", 18, "worker-1", 1) == 1


def test_leases_of_the_reference_lapse(upgraded):
    advance(upgraded, 310)
    assert {12, 15, 18} <= set(claimed_ids(upgraded, "emails", n=100))


def test_jobs_of_the_reference_for_the_year_2100_wait(reference_file, connect):
    conn = connect(reference_file)
    call(conn, "honker_bootstrap")
    conn.execute("DELETE FROM _honker_live WHERE priority < 9")
    assert claim(conn, "emails") == []
    assert call(conn, "honker_queue_next_claim_at", "emails") == 4_102_444_800


def test_results_streams_and_notifications_of_the_reference_are_read(upgraded):
    assert [call(upgraded, "honker_result_get", job_id) for job_id in (3, 9999, 4)] == ['{"ok":true}', "null", None]
    assert len(call_json(upgraded, "honker_stream_read_since", "audit", 0, -1)) == 10
    offset = call(upgraded, "honker_stream_get_offset", "email-worker", "orders")
    assert offset == 14
    events = call_json(upgraded, "honker_stream_read_since", "orders", offset, 2)
    assert [(event["offset"], event["key"], event["payload"]) for event in events] == [
        (16, None, '{"id":16}'), (17, "k17", '{"id":17}'),
    ]  # fmt: skip
    assert call(upgraded, "honker_stream_publish", "orders", None, "{}") == 31
    assert call(upgraded, "notify", "orders", "{}") == 5
    assert enqueue(upgraded, "emails") == 28


def test_schedules_of_the_reference_are_kept(upgraded):
    beat, nightly = call_json(upgraded, "honker_scheduler_list")
    assert (nightly["cron_expr"], nightly["expires_s"], nightly["max_attempts"], nightly["enabled"]) == (
        "0 3 * * *", 3600, 5, True,
    )  # fmt: skip
    assert (beat["name"], beat["priority"], beat["enabled"]) == ("beat", 2, False)
    assert {(schedule["time_zone"], schedule["misfire"]) for schedule in (beat, nightly)} == {(None, "catch_up")}


def test_locks_of_the_reference_hold_and_can_be_renewed(upgraded):
    upgraded.execute("UPDATE _honker_locks SET expires_at = unixepoch() + 3600")  # the file must not grow old
    assert call(upgraded, "honker_lock_acquire", "migrations", "host-b", 60) == 0
    assert call(upgraded, "honker_lock_token", "migrations", "host-a") == 0
    assert call(upgraded, "honker_lock_renew", "migrations", "host-a", 60) == 1
    advance(upgraded, 61)
    assert call(upgraded, "honker_lock_acquire", "migrations", "host-b", 60) == 1
    assert call(upgraded, "honker_lock_token", "migrations", "host-b") > 0


def test_a_rate_limit_window_of_the_reference_is_swept(upgraded):
    advance(upgraded, 3600)
    assert call(upgraded, "honker_rate_limit_sweep", 1800) == 1


def test_columns_that_early_releases_of_the_reference_lack_are_added(connect):
    conn = connect()
    conn.execute("""
        CREATE TABLE _honker_scheduler_tasks (
          name TEXT PRIMARY KEY, queue TEXT NOT NULL, cron_expr TEXT NOT NULL, payload TEXT NOT NULL,
          priority INTEGER NOT NULL DEFAULT 0, expires_s INTEGER, next_fire_at INTEGER NOT NULL)
    """)
    conn.execute(
        "INSERT INTO _honker_scheduler_tasks VALUES ('beat', 'ticks', '@every 30s', '{}', 0, NULL, 4000000000)"
    )
    call(conn, "honker_bootstrap")
    schedule = call_json(conn, "honker_scheduler_list")[0]
    assert (schedule["enabled"], schedule["max_attempts"], schedule["next_fire_at"]) == (True, 3, 4_000_000_000)


def test_legacy_tables_with_rows_are_left_alone(reference_file, connect):
    conn = connect(reference_file)
    for table in ("_honker_pending", "_honker_processing", "_honker_scheduler_state"):
        conn.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, payload TEXT)")
        conn.execute(f"INSERT INTO {table} VALUES (1, 'kept')")
    call(conn, "honker_bootstrap")
    for table in ("_honker_pending", "_honker_processing", "_honker_scheduler_state"):
        assert rows(conn, f"SELECT * FROM {table}") == [(1, "kept")]


def test_the_view_of_the_reference_is_replaced_and_may_come_back(reference_file, connect):
    conn = connect(reference_file)
    conn.execute("CREATE VIEW _honker_jobs AS SELECT id, queue FROM _honker_live")
    call(conn, "honker_bootstrap")
    assert value(conn, "SELECT state FROM _honker_jobs WHERE id = 6") == "dead"
    conn.execute("DROP VIEW _honker_jobs")
    conn.execute("CREATE VIEW _honker_jobs AS SELECT id, queue FROM _honker_live")
    call(conn, "honker_bootstrap")
    assert claim(conn, "emails")


# ------------------------------------------------------------------------------------------------- interrupted upgrades


class Refusal:
    """An authorizer that rejects the n-th change of the schema."""

    CHANGES = (
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_ALTER_TABLE,
    )

    def __init__(self, n):
        self.left = n

    def __call__(self, action, *_):
        if action in self.CHANGES:
            self.left -= 1
            if self.left == 0:
                return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK


@pytest.mark.parametrize("begin", [None, "BEGIN", "SAVEPOINT mine"])
def test_an_upgrade_that_fails_anywhere_leaves_the_file_as_it_was(reference_file, connect, begin):
    conn = connect(reference_file)
    before = dump(conn)
    failures = 0
    while True:
        refusal = Refusal(failures + 1)
        if begin:
            conn.execute(begin)
        conn.set_authorizer(refusal)
        _, problem = outcome(conn, "SELECT honker_bootstrap()")
        conn.set_authorizer(None)
        assert problem in {None, "HONKER_SQLITE"}
        if refusal.left > 0:
            break
        failures += 1
        assert conn.in_transaction == bool(begin)
        assert dump(conn) == before
        if begin:
            conn.execute("ROLLBACK")
    assert failures >= 15
    assert claim(conn, "emails")


# ----------------------------------------------------------------------------- statements of the reference on our files


def test_jobs_that_the_reference_enqueues_and_claims_are_ours_too(upgraded):
    now = int(time.time())
    upgraded.execute(
        "INSERT INTO _honker_live (queue, payload, run_at, priority, max_attempts, expires_at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        ("shared", "{}", now, 0, 3, None),
    )
    job_id = claimed_ids(upgraded, "shared")[0]
    assert value(upgraded, "SELECT typeof(claim_expires_at) FROM _honker_live WHERE id = ?", job_id) == "integer"
    advance(upgraded, 62)
    taken = upgraded.execute(
        "UPDATE _honker_live SET state = 'processing', worker_id = 'theirs', claim_expires_at = unixepoch() + 30, "
        "attempts = attempts + 1 WHERE id = ? AND claim_expires_at < unixepoch() RETURNING attempts",
        (job_id,),
    ).fetchall()
    assert taken == [(2,)]
    assert claim(upgraded, "shared") == []
    assert call(upgraded, "honker_ack", job_id, "w", 1) == 0
    assert call(upgraded, "honker_ack", job_id, "theirs", 2) == 1


def test_rows_that_the_reference_inserts_elsewhere_are_ours_too(upgraded):
    upgraded.executescript("""
        INSERT INTO _honker_locks (name, owner, expires_at) VALUES ('theirs', 'host-c', unixepoch() + 60);
        INSERT INTO _honker_results (job_id, value, expires_at) VALUES (50, '"theirs"', unixepoch() + 60);
        INSERT INTO _honker_stream (topic, key, payload) VALUES ('theirs', NULL, '{}');
        INSERT INTO _honker_stream_consumers (name, topic, offset) VALUES ('theirs', 'theirs', 7);
        INSERT INTO _honker_notifications (channel, payload) VALUES ('theirs', '{}');
        INSERT INTO _honker_dead (id, queue, payload, priority, run_at, max_attempts, attempts, last_error, created_at)
          VALUES (51, 'q', '{}', 0, 1, 3, 3, 'theirs', 1);
        INSERT INTO _honker_scheduler_tasks (name, queue, cron_expr, payload, priority, expires_s, next_fire_at)
          VALUES ('theirs', 'their-queue', '@every 60s', '{}', 0, NULL, unixepoch() - 1);
        INSERT INTO _honker_rate_limits (name, window_start, count) VALUES ('theirs', unixepoch() / 86400 * 86400, 1);
    """)
    assert call(upgraded, "honker_lock_acquire", "theirs", "host-d", 60) == 0
    assert call(upgraded, "honker_result_get", 50) == '"theirs"'
    assert len(call_json(upgraded, "honker_stream_read_since", "theirs", 0, 9)) == 1
    assert call(upgraded, "honker_stream_get_offset", "theirs", "theirs") == 7
    assert [fire["name"] for fire in call_json(upgraded, "honker_scheduler_tick", int(time.time()))] == ["theirs"]
    assert call(upgraded, "honker_rate_limit_try", "theirs", 1, 86_400) == 0


def test_whole_seconds_are_stored_in_the_types_that_the_reference_reads(conn):
    """The reference rejects a whole claim if one row has a REAL, so only requests for fractions may produce them."""
    call(conn, "honker_scheduler_register", "beat", "q", "@every 60s", "{}", 0, 3600)
    call(conn, "honker_scheduler_tick", int(time.time()) + 90)
    for options in ({}, {"delay": 0}, {"run_at": 5}, {"run_at": 1e9}, {"delay": 0.0}):
        enqueue(conn, **options)
    for job in claim(conn, n=3, timeout_s=60):
        call(conn, "honker_heartbeat", job["id"], "w", 90)
    call(conn, "honker_fail", 1, "w", "x")
    call(conn, "honker_retry", 4, "w", 0, "x")
    call(conn, "notify", "c", "{}")
    call(conn, "honker_stream_publish", "t", None, "{}")
    call(conn, "honker_stream_save_offset", "c", "t", 1)
    call(conn, "honker_result_save", 1, "1", 0)
    call(conn, "honker_rate_limit_try", "r", 1, 60)
    for table, columns in REFERENCE_COLUMNS.items():
        for column in columns.split(", "):
            types = {kind for (kind,) in rows(conn, f"SELECT DISTINCT typeof({column}) FROM {table}")}
            assert types <= {"integer", "text", "null"}, f"{table}.{column}"
