"""Operations with several writes: all or nothing, in any calling context.

A trigger on honker's own tables rejects one of the inner writes after others have been made. For every position of the
call, no write may stay, the connection keeps its state (autocommit or the caller's transaction), and the error reaches
the caller under its code.
"""

import sqlite3
import threading

import pytest

from .clock import advance
from .contract import functions, ordinary_arguments
from .database import call, claim, dump, enqueue, refused, rows, value
from .stories import BEAT, CLAIM, STORIES, sql_enqueue


def arrange(conn, story):
    for statement in story.prepare:
        conn.execute(statement).fetchall()
    if story.age_s:
        advance(conn, story.age_s)


def refuse(conn, where):
    write, _, condition = where.partition(" WHEN ")
    verb, table = write.split()
    when = f"WHEN {condition}" if condition else ""
    conn.execute(f"CREATE TRIGGER refusal BEFORE {verb} ON {table} {when} BEGIN SELECT RAISE(ABORT, 'refused'); END")


@pytest.fixture(params=list(STORIES))
def story(request, conn):
    story = STORIES[request.param]
    arrange(conn, story)
    return story


def test_every_transition_has_its_story():
    told = {story.call.partition("(")[0] for story in STORIES.values()}
    transitions = {name for name, function in functions().items() if function["effect"] == "transition"}
    assert told | {"honker_bootstrap"} == transitions


def test_the_call_succeeds_where_nothing_is_refused(conn, story):
    before = dump(conn)
    value(conn, f"SELECT {story.call}")
    assert not conn.in_transaction
    assert dump(conn) != before


def test_a_call_in_autocommit_is_undone_as_a_whole(conn, story):
    refuse(conn, story.refused)
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        value(conn, f"SELECT {story.call}")
    assert not conn.in_transaction
    assert dump(conn) == before


def test_a_call_in_a_transaction_is_undone_and_the_transaction_lives_on(conn, story):
    conn.execute("CREATE TABLE app (x)")
    refuse(conn, story.refused)
    conn.execute("BEGIN")
    conn.execute("INSERT INTO app VALUES ('before')")
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        value(conn, f"SELECT {story.call}")
    assert conn.in_transaction
    assert dump(conn) == before
    conn.execute("INSERT INTO app VALUES ('after')")
    conn.execute("COMMIT")
    assert rows(conn, "SELECT x FROM app") == [("before",), ("after",)]


def test_a_call_in_a_savepoint_is_undone_and_the_savepoint_lives_on(conn, story):
    refuse(conn, story.refused)
    conn.execute("SAVEPOINT honker")  # the name that the engine itself uses
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        value(conn, f"SELECT {story.call}")
    assert dump(conn) == before
    conn.execute("ROLLBACK TO honker")
    conn.execute("RELEASE honker")
    assert not conn.in_transaction


# Statements that write and also call a function, on a table `app` with one row.
WRITES = {
    "insert-select": "INSERT INTO app SELECT {call}",
    "insert-values": "INSERT INTO app VALUES ({call})",  # SQLite keeps no journal for so simple a statement
    "insert-of-several-rows": "INSERT INTO app VALUES (1), ({call})",
    "insert-returning": "INSERT INTO app VALUES (1) RETURNING {call}",
    "update": "UPDATE app SET x = {call}",
    "delete": "DELETE FROM app WHERE {call} IS NOT NULL",
    "trigger": "INSERT INTO app_with_trigger VALUES (1)",
    "create-table-as": "CREATE TABLE made AS SELECT {call} AS x",
}


def prepare_writes(conn, story):
    conn.executescript(f"""
        CREATE TABLE app (x);
        INSERT INTO app VALUES ('old');
        CREATE TABLE app_with_trigger (x);
        CREATE TRIGGER app_calls AFTER INSERT ON app_with_trigger BEGIN SELECT {story.call}; END;
    """)


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_a_call_inside_a_write_statement_succeeds_with_it(conn, story, write):
    prepare_writes(conn, story)
    before = dump(conn)
    conn.execute(write.format(call=story.call)).fetchall()
    assert not conn.in_transaction
    changed = {table for table, contents in dump(conn).items() if contents != before.get(table)}
    assert any(table.startswith("_honker") for table in changed)


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_a_call_inside_a_write_statement_in_autocommit_is_undone_with_it(conn, story, write):
    prepare_writes(conn, story)
    refuse(conn, story.refused)
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        conn.execute(write.format(call=story.call)).fetchall()
    assert not conn.in_transaction
    assert dump(conn) == before


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_a_call_inside_a_write_statement_of_a_transaction_is_undone_with_it(conn, story, write):
    prepare_writes(conn, story)
    refuse(conn, story.refused)
    conn.execute("BEGIN")
    conn.execute("INSERT INTO app VALUES ('before')")
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        conn.execute(write.format(call=story.call)).fetchall()
    assert conn.in_transaction
    after = dump(conn)
    if sqlite3.sqlite_version_info < (3, 40):
        # For any function, rows that the host's own statement inserted before one of its functions failed stay. So it
        # is for `INSERT INTO app VALUES (1), (abs(-9223372036854775808))`. No row of ours may stay.
        after, before = (only_ours(contents) for contents in (after, before))
    assert after == before
    conn.execute("ROLLBACK")


def only_ours(contents):
    return {table: rows for table, rows in contents.items() if not table.startswith("app")}


@pytest.mark.parametrize("write", ["INSERT INTO app VALUES (1), (2) RETURNING x", "DELETE FROM app RETURNING x"])
def test_a_call_while_the_host_has_suspended_a_write_is_undone(conn, story, write):
    """Neither BEGIN nor SAVEPOINT works then."""
    prepare_writes(conn, story)
    refuse(conn, story.refused)
    suspended = conn.execute(write)
    next(suspended)
    before = dump(conn)
    with refused("HONKER_CONSTRAINT"):
        value(conn, f"SELECT {story.call}")
    assert dump(conn) == before
    suspended.fetchall()
    assert not conn.in_transaction


def test_a_call_inside_a_write_to_another_database_waits_for_the_lock_and_says_so(conn, connect):
    """The statement around it writes a temporary table, and does not hold the lock that the call needs."""
    arrange(conn, STORIES["fail"])
    conn.execute("CREATE TEMP TABLE app (x)")
    conn.execute("PRAGMA busy_timeout = 0")
    other = connect()
    other.execute("BEGIN IMMEDIATE")
    with refused("HONKER_BUSY", "locked") as caught:
        conn.execute("INSERT INTO temp.app VALUES (honker_fail(1, 'w', 'x'))")
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
    other.execute("ROLLBACK")
    conn.execute("INSERT INTO temp.app VALUES (honker_fail(1, 'w', 'x'))")
    assert rows(conn, "SELECT x FROM temp.app") == [(1,)]
    assert value(conn, "SELECT count(*) FROM _honker_dead") == 1


# ---------------------------------------------------------------------------------------------------- commits that fail


def refuse_commits(conn, write):
    """Violate a deferred foreign key with the write: nothing fails until COMMIT."""
    verb, table = write.split()
    conn.executescript(f"""
        PRAGMA foreign_keys = ON;
        CREATE TABLE parent (id INTEGER PRIMARY KEY);
        CREATE TABLE child (parent_id REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER orphan AFTER {verb} ON {table} BEGIN INSERT INTO child VALUES (99); END;
    """)


COMMITS = {
    "transition": ("honker_fail(1, 'w', 'x')", "INSERT _honker_dead", [sql_enqueue(), CLAIM]),
    "claim": ("honker_claim_batch('q', 'w', 1, 60)", "UPDATE _honker_live", [sql_enqueue()]),
    "statement": ("honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL)", "INSERT _honker_live", []),
    "enqueue-many": ("honker_enqueue_many('q', '[1, 2]', NULL, NULL, 0, 3, NULL)", "INSERT _honker_live", []),
    "publish": ("honker_stream_publish('t', NULL, '{}')", "INSERT _honker_stream", []),
    "ack": ("honker_ack(1, 'w')", "DELETE _honker_live", [sql_enqueue(), CLAIM]),
    "heartbeat": ("honker_heartbeat(1, 'w', 60)", "UPDATE _honker_live", [sql_enqueue(), CLAIM]),
    "tick": ("honker_scheduler_tick(unixepoch() + 300)", "INSERT _honker_live", [BEAT]),
}


@pytest.mark.parametrize(("function_call", "write", "prepare"), COMMITS.values(), ids=list(COMMITS))
def test_a_commit_that_fails_is_the_functions_error_and_leaves_nothing(conn, function_call, write, prepare):
    for statement in prepare:
        conn.execute(statement).fetchall()
    refuse_commits(conn, write)
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "FOREIGN KEY") as caught:
        value(conn, f"SELECT {function_call}")
    assert caught.value.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CONSTRAINT
    assert not conn.in_transaction
    assert dump(conn) == before


def test_a_function_works_again_after_a_commit_that_failed(conn):
    refuse_commits(conn, "INSERT _honker_live")
    with refused("HONKER_CONSTRAINT"):
        enqueue(conn)
    conn.execute("DROP TRIGGER orphan")
    assert enqueue(conn) == 1


def test_a_commit_of_the_caller_that_fails_leaves_the_choice_to_the_caller(conn):
    arrange(conn, STORIES["fail"])
    refuse_commits(conn, "INSERT _honker_dead")
    conn.execute("BEGIN")
    assert call(conn, "honker_fail", 1, "w", "x") == 1
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        conn.execute("COMMIT")
    conn.execute("INSERT INTO parent VALUES (99)")
    conn.execute("COMMIT")
    assert value(conn, "SELECT count(*) FROM _honker_dead") == 1


# ---------------------------------------------------------------------------------------------------- other connections


def test_a_call_in_autocommit_commits_before_it_returns(conn, connect):
    enqueue(conn)
    claim(conn)
    other = connect()
    cursor = conn.execute("SELECT honker_fail(1, 'w', 'x')")
    assert cursor.fetchone() == (1,)
    assert rows(other, "SELECT id FROM _honker_jobs WHERE state = 'dead'") == [(1,)]


def test_a_call_works_while_the_outer_select_reads(conn):
    for _ in range(3):
        enqueue(conn)
    claim(conn, n=3)
    results = rows(conn, "SELECT id, honker_retry(id, 'w', 0, 'x') FROM (SELECT id FROM _honker_live ORDER BY id)")
    assert results == [(1, 1), (2, 1), (3, 1)]
    assert not conn.in_transaction


WRITING = [name for name, function in functions().items() if function["effect"] in {"statement", "transition"}]


@pytest.mark.parametrize("name", [name for name in WRITING if name != "honker_bootstrap"])
def test_a_call_that_cannot_have_the_write_lock_is_busy(conn, request, name):
    call(conn, "honker_enqueue", *ordinary_arguments("honker_enqueue"))  # without a job to claim, a claim only reads
    conn.execute("UPDATE _honker_live SET run_at = 1")
    call(conn, "notify", "n", "{}")
    request.getfixturevalue("write_lock_taken")
    before = dump(conn)
    with refused("HONKER_BUSY") as caught:
        call(conn, name, *ordinary_arguments(name))
    assert caught.value.sqlite_errorname == "SQLITE_BUSY"
    assert not conn.in_transaction
    assert dump(conn) == before


def test_a_call_in_a_transaction_that_cannot_have_the_write_lock_is_busy(conn, story, write_lock_taken):
    conn.execute("BEGIN")
    before = dump(conn)
    with refused("HONKER_BUSY"):
        value(conn, f"SELECT {story.call}")
    assert conn.in_transaction
    assert dump(conn) == before
    conn.execute("ROLLBACK")


@pytest.fixture
def write_lock_taken(conn, connect):
    """Another connection holds the write lock, and ours does not wait for it."""
    conn.execute("PRAGMA busy_timeout = 0")
    holder = connect()
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.execute("ROLLBACK")


def test_a_call_waits_for_the_write_lock_as_long_as_the_busy_timeout_says(conn, connect):
    """The host's busy handler is called, and once the lock is released the call succeeds."""
    holder = connect(check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    conn.execute("PRAGMA busy_timeout = 10000")
    timer = threading.Timer(0.05, holder.execute, ["COMMIT"])
    timer.start()
    assert enqueue(conn) == 1
    timer.join()


def test_a_transaction_that_has_read_too_early_is_told_to_begin_again(conn, connect):
    """A deferred transaction cannot write after another connection wrote. Waiting is no help, so it fails at once."""
    conn.execute("PRAGMA busy_timeout = 10000")
    enqueue(conn)
    conn.execute("BEGIN")
    rows(conn, "SELECT * FROM _honker_live")
    enqueue(connect())
    with refused("HONKER_BUSY"):
        claim(conn)
    conn.execute("ROLLBACK")
    assert claim(conn)[0]["id"] == 1


STALE = {
    "statement": "honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL)",
    "transition": "honker_retry(1, 'w', 0, 'x')",
    "claim": "honker_claim_batch('q', 'w', 1, 60)",
}


@pytest.mark.parametrize("kind", list(STALE))
def test_the_host_can_tell_a_stale_snapshot_from_a_held_lock(conn, connect, kind):
    """The first requires a new transaction, the second a wait. Extended codes may be switched off in the host."""
    enqueue(conn)
    claim(conn)
    enqueue(conn)
    conn.execute("BEGIN")
    rows(conn, "SELECT * FROM _honker_live")
    enqueue(connect())
    with refused("HONKER_BUSY") as caught:
        value(conn, f"SELECT {STALE[kind]}")
    assert caught.value.sqlite_errorname == "SQLITE_BUSY_SNAPSHOT"


@pytest.mark.parametrize("kind", ["statement", "transition"])
def test_the_host_can_tell_which_constraint_made_a_commit_fail(conn, kind):
    function_call, write, prepare = COMMITS[kind]
    for statement in prepare:
        conn.execute(statement).fetchall()
    refuse_commits(conn, write)
    with refused("HONKER_CONSTRAINT") as caught:
        value(conn, f"SELECT {function_call}")
    assert caught.value.sqlite_errorname == "SQLITE_CONSTRAINT_FOREIGNKEY"
