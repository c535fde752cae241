"""An untrusted database file: its schema calls our functions, or differs from ours.

SQLite runs the expressions of a file's views, triggers, generated columns, CHECK constraints and indexes with the
functions of the process that opened it (https://sqlite.org/security.html, "Untrusted SQLite Database Files"). So no
function of ours may act outside the database from there, and no such file may crash, hang or exhaust the process; an
error is enough.
"""

import contextlib
import json
import os
import resource
import sqlite3
import sys
import threading

import pytest

from ..sql.contract import code_of, functions, ordinary_arguments
from ..sql.database import call, call_json, claim, enqueue, refused, value
from ..sql.loading import ROOT
from ..support.processes import run

OUTSIDE = sorted(name for name, function in functions().items() if function["effect"] == "outside")
INSIDE = sorted(set(functions()) - set(OUTSIDE))


def call_of(name):
    """A call of the function as SQL that needs no parameters."""
    literals = [
        repr(v) if not isinstance(v, str) else "'" + v.replace("'", "''") + "'" for v in ordinary_arguments(name)
    ]
    return f"{name}({', '.join(literals)})"


def descriptors():
    return set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()


@contextlib.contextmanager
def nothing_started():
    threads, files = threading.active_count(), descriptors()
    native = set(os.listdir("/proc/self/task")) if sys.platform == "linux" else set()
    yield
    assert threading.active_count() == threads
    assert descriptors() - files == set()
    if native:
        assert set(os.listdir("/proc/self/task")) - native == set()


# Each makes the schema of the file call the function, and then uses it as an unsuspecting application would.
PLACES = {
    "view": ("CREATE VIEW trap AS SELECT {call} AS x", "SELECT * FROM trap"),
    "trigger": (
        "CREATE TABLE app (x); CREATE TRIGGER trap AFTER INSERT ON app BEGIN SELECT {call}; END",
        "INSERT INTO app VALUES (1)",
    ),
    "view-trigger": (
        "CREATE VIEW app AS SELECT 1 AS x; CREATE TRIGGER trap INSTEAD OF INSERT ON app BEGIN SELECT {call}; END",
        "INSERT INTO app VALUES (1)",
    ),
}
# SQLite lets these call a function even if it is DIRECTONLY.
UNGUARDED_PLACES = {
    "check": ("CREATE TABLE app (x CHECK ({call} IS NOT 7))", "INSERT INTO app VALUES (1)"),
    "check-of-update": (
        "CREATE TABLE app (x CHECK (x IS NULL OR {call} IS NOT 7)); INSERT INTO app VALUES (NULL)",
        "UPDATE app SET x = 1",
    ),
    "check-by-pragma": (
        "CREATE TABLE app (x CHECK (x IS NULL OR {call} IS NOT 7)); INSERT INTO app VALUES (NULL);"
        "PRAGMA ignore_check_constraints = ON; UPDATE app SET x = 1; PRAGMA ignore_check_constraints = OFF",
        "PRAGMA integrity_check",
    ),
    "default": ("CREATE TABLE app (x, y DEFAULT ({call}))", "INSERT INTO app (x) VALUES (1)"),
}
# SQLite admits only deterministic functions to these, and ours are not: such a file cannot even be made.
DETERMINISTIC_PLACES = {
    "generated-column": "CREATE TABLE app (x, y AS ({call}))",
    "index": "CREATE TABLE app (x); CREATE INDEX trap ON app ({call})",
    "partial-index": "CREATE TABLE app (x); CREATE INDEX trap ON app (x) WHERE {call}",
}


@pytest.mark.parametrize("trusted", ["ON", "OFF"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_schema_gets_a_function_to_act_outside_the_database(conn, name, place, trusted):
    conn.execute(f"PRAGMA trusted_schema = {trusted}")
    setup, use = PLACES[place]
    with nothing_started(), pytest.raises(sqlite3.OperationalError, match="unsafe use of"):
        conn.executescript(f"{setup.format(call=call_of(name))}; {use}")


@pytest.mark.parametrize("trusted", ["ON", "OFF"])
@pytest.mark.parametrize("place", UNGUARDED_PLACES)
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_constraint_or_default_gets_a_function_to_act_outside_the_database(conn, path, name, place, trusted):
    """SQLite's DIRECTONLY has no effect here: a CHECK could start a watcher, even with trusted_schema off."""
    conn.execute(f"PRAGMA trusted_schema = {trusted}")
    setup, use = UNGUARDED_PLACES[place]
    expression = call_of(name).replace("/nowhere/app.db", str(path))
    # A newer SQLite rejects the schema, an older one its use, and 3.40 neither.
    with nothing_started(), pytest.raises(sqlite3.OperationalError, match="unsafe use of"):
        conn.executescript(f"{setup.format(call=expression)}; {use}")
    conn.rollback()
    assert call(conn, "honker_update_watcher_fd", 1) is None


@pytest.mark.parametrize("name", OUTSIDE)
def test_the_application_itself_may_call_what_acts_outside(conn, path, name):
    expression = call_of(name).replace("/nowhere/app.db", str(path))
    for sql in (f"SELECT {expression}", f"select\n{expression.upper().replace(str(path).upper(), str(path))}"):
        opened = value(conn, sql.replace("'POLLING'", "'polling'"))
        if name == "honker_update_watcher_open":
            call(conn, "honker_update_watcher_close", opened)


@pytest.mark.parametrize("place", DETERMINISTIC_PLACES)
@pytest.mark.parametrize("name", sorted(functions()))
def test_no_function_is_taken_for_deterministic(conn, name, place):
    with pytest.raises(sqlite3.OperationalError, match=r"non-deterministic|prohibited|unsafe use of"):
        conn.executescript(DETERMINISTIC_PLACES[place].format(call=call_of(name)))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", INSIDE)
def test_a_schema_that_is_not_trusted_calls_no_function_at_all(conn, name, place):
    """With `PRAGMA trusted_schema = OFF` an application marks the file as untrusted."""
    setup, use = PLACES[place]
    conn.executescript(setup.format(call=call_of(name)))
    conn.execute("PRAGMA trusted_schema = OFF")
    with pytest.raises(sqlite3.OperationalError, match="unsafe use of"):
        conn.execute(use).fetchall()


@pytest.mark.parametrize("name", ["honker_enqueue", "notify", "honker_stream_publish"])
def test_the_functions_for_triggers_work_in_a_trusted_schema(conn, name):
    setup, use = PLACES["trigger"]
    conn.executescript(setup.format(call=call_of(name)))
    conn.execute(use)
    assert conn.in_transaction is False


# ----------------------------------------------------------------------------------------------------------- our tables

REPLACED = {
    "view": "DROP TABLE {table}; CREATE VIEW {table} AS SELECT 1 AS id, 'q' AS queue, '{{}}' AS payload",
    "endless-view": """
        DROP TABLE {table};
        CREATE VIEW {table} AS
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id FROM n""",
    "virtual": "DROP TABLE {table}; CREATE VIRTUAL TABLE {table} USING fts5 (queue, payload)",
    "no-columns": "DROP TABLE {table}; CREATE TABLE {table} (x)",
    "without-rowid": "DROP TABLE {table}; CREATE TABLE {table} (id PRIMARY KEY, queue, payload) WITHOUT ROWID",
    "gone": "DROP TABLE {table}",
}
TABLES = ("_honker_live", "_honker_dead", "_honker_locks", "_honker_scheduler_tasks", "_honker_stream", "_honker_meta")


def usable(conn, script):
    try:
        conn.executescript(script)
    except sqlite3.OperationalError as error:
        if "no such module" in str(error):
            pytest.skip("this SQLite has no fts5")
        raise


def outcomes(conn, functions=INSIDE):
    """Call functions as usual. Returns the codes of those that failed."""
    codes = set()
    for name in functions:
        try:
            call(conn, name, *ordinary_arguments(name))
        except sqlite3.Error as error:
            codes.add(code_of(error))
        assert conn.in_transaction is False, name
    return codes


@pytest.mark.parametrize("replacement", REPLACED)
@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_is_not_what_we_made_is_a_clear_error(conn, table, replacement):
    usable(conn, REPLACED[replacement].format(table=table))
    # Bootstrapping makes a dropped table again.
    codes = outcomes(conn, [name for name in INSIDE if name not in {"honker_bootstrap", "notify"}])
    assert codes
    assert all(code.startswith("HONKER_") for code in codes), codes
    assert "HONKER_INTERNAL" not in codes
    assert value(conn, "PRAGMA integrity_check") == "ok"


@pytest.mark.parametrize(
    "column",
    ["x", "surprise TEXT NOT NULL DEFAULT 'x'", "made AS (hex(payload))"],
)
def test_a_column_that_somebody_added_is_no_trouble(conn, column):
    conn.execute(f"ALTER TABLE _honker_live ADD COLUMN {column}")
    enqueue(conn)
    assert [job["id"] for job in claim(conn)] == [1]
    assert call(conn, "honker_retry", 1, "w", 0, "again") == 1


TRIGGERS = {
    "raises": "AFTER UPDATE ON _honker_live BEGIN SELECT raise(ABORT, 'no'); END",
    "raises-rollback": "AFTER UPDATE ON _honker_live BEGIN SELECT raise(ROLLBACK, 'no'); END",
    "ignores": "BEFORE UPDATE ON _honker_live BEGIN SELECT raise(IGNORE); END",
    "deletes": "AFTER UPDATE ON _honker_live BEGIN DELETE FROM _honker_live; END",
    "claims-again": "AFTER UPDATE ON _honker_live BEGIN SELECT honker_claim_batch('q', 'thief', 10, 60); END",
    "enqueues-again": "AFTER INSERT ON _honker_live BEGIN SELECT honker_enqueue('q', '{}', 0, 0, 0, 3, 0); END",
    "notifies-again": "AFTER INSERT ON _honker_notifications BEGIN SELECT notify('c', '{}'); END",
}


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_trigger_on_our_tables_is_an_error_at_worst(conn, trigger, recursive):
    enqueue(conn)
    enqueue(conn)
    conn.execute(f"PRAGMA recursive_triggers = {recursive}")
    conn.execute(f"CREATE TRIGGER trap {TRIGGERS[trigger]}")
    codes = outcomes(conn)
    assert all(code.startswith("HONKER_") for code in codes), codes
    assert "HONKER_INTERNAL" not in codes
    assert value(conn, "PRAGMA integrity_check") == "ok"


def test_a_function_that_enqueues_within_its_own_insert_ends(conn):
    """Recursion through our function is not the recursion that SQLite's recursive_triggers forbids."""
    conn.execute(f"CREATE TRIGGER trap {TRIGGERS['enqueues-again']}")
    with pytest.raises(sqlite3.Error) as caught:
        enqueue(conn)
    assert code_of(caught.value).startswith("HONKER_")
    assert value(conn, "SELECT count(*) FROM _honker_live") == 0
    conn.execute("DROP TRIGGER trap")
    assert enqueue(conn) == 1


# --------------------------------------------------------------------------------------------------------------- memory

BOMBS = """
import json, resource, sqlite3, sys
sys.path.insert(0, sys.argv[2])
from tests.sql.loading import connect

conn = connect(sys.argv[1])
conn.execute("PRAGMA journal_mode = WAL").fetchone()
conn.execute("SELECT honker_bootstrap()").fetchone()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
codes = []
for bomb in json.loads(sys.argv[3]):
    try:
        conn.execute(bomb).fetchone()
        codes.append("")
    except (sqlite3.Error, MemoryError) as error:
        codes.append(str(error).partition(":")[0])
print(json.dumps([codes, peak() - before]))
"""

MANY = """INSERT INTO _honker_live (queue, payload)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT 'q', {payload} FROM n"""


def explode(path, *bombs):
    """Run the statements in a separate process. Returns their codes, and its growth in MiB."""
    (line,) = run(BOMBS, path, ROOT, json.dumps(bombs))
    return json.loads(line)


def test_a_claim_of_huge_payloads_takes_them_a_few_at_a_time(path):
    codes, grown = explode(
        path,
        MANY.format(count=40, payload="hex(zeroblob(8000000))"),
        "SELECT length(honker_claim_batch('q', 'w', 10000, 60))",
        "SELECT length(honker_work('q', 'w', 10000, 60, '[]'))",
    )
    assert codes == ["", "", ""]
    assert grown < 600  # 640 MB wait; a claim stops at 64 MiB, and copies each byte a few times on the way out


def test_a_blob_for_a_payload_is_buried_without_being_read(path):
    codes, grown = explode(
        path, MANY.format(count=12, payload="zeroblob(50000000)"), "SELECT honker_claim_batch('q', 'w', 10000, 60)"
    )
    assert codes == ["", ""]
    assert grown < 400  # 600 MB of them


def test_values_that_are_too_long_are_refused_before_they_are_copied(path):
    codes, grown = explode(
        path,
        "SELECT honker_enqueue('q', CAST(zeroblob(110000000) AS TEXT), NULL, NULL, 0, 3, NULL)",
        "SELECT honker_enqueue(hex(zeroblob(20000000)), '{}', NULL, NULL, 0, 3, NULL)",
        "SELECT honker_ack_batch('[' || replace(hex(zeroblob(5000000)), '00', '1,') || '1]', 'w')",
        "SELECT honker_ack_batch('[' || replace(hex(zeroblob(10000000)), '0', '[') || ']', 'w')",
        "SELECT honker_cron_next_after(hex(zeroblob(20000000)), 0)",
        "SELECT honker_cron_next_after('* * * * *', 0, hex(zeroblob(20000000)))",
    )
    assert codes == ["HONKER_INVALID_ARGUMENT"] * 6
    assert grown < 700


@pytest.mark.parametrize("n", [10_001, 2**63 - 1, -1])
def test_a_claim_of_too_many_is_refused(conn, n):
    enqueue(conn)
    for arguments in (("honker_claim_batch", "q", "w", n, 60), ("honker_work", "q", "w", n, 60, "[]")):
        with refused("HONKER_INVALID_ARGUMENT", "n "):
            call(conn, *arguments)


def test_a_million_malformed_rows_are_shown_as_many_at_a_time_as_were_asked_for(conn):
    conn.execute(MANY.format(count=50_000, payload="x'ff'"))
    assert len(call_json(conn, "honker_malformed_rows", 10)) == 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4_000_000
