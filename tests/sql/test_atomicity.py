"""Operations with several writes: all or nothing, in any calling context.

A trigger on honker's own tables rejects one of the inner writes after others have been made. For every position of the
call, no write may stay, the connection keeps its state (autocommit or the caller's transaction), and the error reaches
the caller under its code.
"""

import sqlite3
import threading
from dataclasses import dataclass, field

import pytest

from .clock import advance
from .contract import functions, ordinary_arguments
from .database import call, claim, dump, enqueue, refused, rows, value


@dataclass(frozen=True)
class Story:
    """A call with several writes, and the place where the last of them can be rejected."""

    call: str
    refused: str  # the inner write that fails: "verb table" or with a condition, "verb table WHEN ..."
    prepare: list = field(default_factory=list)
    age_s: int = 0


def sql_enqueue(queue="q", max_attempts=3, expires="NULL"):
    return f"SELECT honker_enqueue('{queue}', '{{}}', NULL, NULL, 0, {max_attempts}, {expires})"


CLAIM = "SELECT honker_claim_batch('q', 'w', 9, 60)"
KEEP = """SELECT honker_queue_configure('q', '{"keep_finished_s": 3600}')"""
PAUSE_KEY = "SELECT honker_key_pause('q', 'k')"
KEYED = """SELECT honker_enqueue('q', '{}', '{"key": "k"}')"""
BEAT = "SELECT honker_scheduler_register('beat', 'q', '@every 60s', '{}', 0, NULL)"
RUN_CLOCK = "SELECT honker_test_clock_run(0)"

REPORT = (
    '{"name": "w1", "started_at": 5, "host": "h", "pid": 7, "version": "1", "slots": 1, "busy": 0, "queues": [], '
    '"worker_ids": [], "running": []}'
)

RECORD = """SELECT honker_file_configure('{"counters": true, "events": true}')"""

STORIES = {
    "file-configure": Story(
        """honker_file_configure('{"counters": true, "events": true}')""", "INSERT _honker_retention"
    ),
    "retry-counts": Story("honker_retry(1, 'w', 0, 'x')", "UPDATE _honker_counters", [RECORD, sql_enqueue(), CLAIM]),
    "retry-publishes": Story("honker_retry(1, 'w', 0, 'x')", "INSERT _honker_stream", [RECORD, sql_enqueue(), CLAIM]),
    "work-counts": Story(
        """honker_work('q', 'w', 1, 60, '[{"id":1,"attempt":1,"do":"ack","task":"t"}]')""",
        "INSERT _honker_counters WHEN NEW.task = 't'",
        [RECORD, sql_enqueue(), CLAIM, sql_enqueue()],
    ),
    "enqueue-many-publishes": Story(
        "honker_enqueue_many('q', '[1, 2]', NULL, NULL, 0, 3, NULL)", "INSERT _honker_stream", [RECORD]
    ),
    "cancel-publishes": Story("honker_cancel(1)", "INSERT _honker_stream", [RECORD, sql_enqueue()]),
    "worker-report": Story(
        f"honker_worker_report('{REPORT}')",
        "DELETE _honker_workers",
        [f"SELECT honker_worker_report('{REPORT.replace('w1', 'lost')}')"],
        age_s=3700,
    ),
    "work-reports": Story(
        f"""honker_work('q', 'w', 1, 60, '[{{"id":1,"attempt":1,"do":"ack"}}]', '{REPORT}')""",
        "INSERT _honker_workers",
        [sql_enqueue(), CLAIM, sql_enqueue()],
    ),
    "claim-leases": Story(
        "honker_claim_batch('q', 'w', 9, 60)", "UPDATE _honker_live WHEN NEW.id = 3", [sql_enqueue()] * 3
    ),
    "claim-requeues-and-leases": Story(
        "honker_claim_batch('q', 'w2', 9, 60)",
        "UPDATE _honker_live WHEN NEW.worker_id = 'w2'",
        [sql_enqueue(), CLAIM],
        age_s=62,
    ),
    "claim-dead-letters-exhausted": Story(
        "honker_claim_batch('q', 'w2', 9, 60)",
        "DELETE _honker_live",
        [sql_enqueue(), sql_enqueue(max_attempts=1), CLAIM],
        age_s=62,
    ),
    "claim-dead-letters-expired": Story(
        "honker_claim_batch('q', 'w', 9, 60)", "INSERT _honker_dead WHEN NEW.id = 2", [sql_enqueue(expires=-1)] * 2
    ),
    "ack-batch": Story(
        "honker_ack_batch('[1,2,3]', 'w')", "DELETE _honker_live WHEN OLD.id = 3", [sql_enqueue()] * 3 + [CLAIM]
    ),
    "heartbeat-batch": Story(
        "honker_heartbeat_batch('[[1,1],[2,1]]', 'w', 90)",
        "UPDATE _honker_live WHEN NEW.id = 2",
        [sql_enqueue()] * 2 + [CLAIM],
    ),
    "work": Story(
        """honker_work('q', 'w', 1, 60, '[{"id":1,"attempt":1,"do":"ack","result":"1"}]')""",
        "UPDATE _honker_live WHEN NEW.id = 2",
        [sql_enqueue(), CLAIM, sql_enqueue()],
    ),
    "cancel": Story("honker_cancel(1)", "INSERT _honker_results", [sql_enqueue()]),
    "retry-dead-letters": Story(
        "honker_retry(1, 'w', 0, 'x')", "DELETE _honker_live", [sql_enqueue(max_attempts=1), CLAIM]
    ),
    "retry-reschedules": Story(
        "honker_retry(1, 'w', 0, 'x')", "UPDATE _honker_live", [sql_enqueue(), CLAIM]
    ),
    "jobs-apply-cancels": Story(
        "honker_jobs_apply('cancel', NULL, NULL, 9)", "DELETE _honker_live WHEN OLD.id = 1", [sql_enqueue()] * 3
    ),
    "jobs-apply-requeues": Story(
        "honker_jobs_apply('requeue', NULL, NULL, 9)",
        "DELETE _honker_dead WHEN OLD.id = 1",
        [sql_enqueue(), sql_enqueue(), CLAIM, "SELECT honker_fail(1, 'w', 'x')", "SELECT honker_fail(2, 'w', 'x')"],
    ),
    "jobs-apply-deletes": Story(
        "honker_jobs_apply('delete', NULL, NULL, 9)",
        "DELETE _honker_attempts",
        [sql_enqueue(), CLAIM, "SELECT honker_fail(1, 'w', 'x')"],
    ),
    "jobs-apply-hastens": Story(
        "honker_jobs_apply('run_now', NULL, NULL, 9)",
        "UPDATE _honker_live WHEN NEW.id = 1",
        ["SELECT honker_enqueue('q', '{}', NULL, 600, 0, 3, NULL)"] * 2,
    ),
    "requeue": Story(
        "honker_requeue(1)", "DELETE _honker_dead", [sql_enqueue(), CLAIM, "SELECT honker_fail(1, 'w', 'x')"]
    ),
    "retry-records": Story("honker_retry(1, 'w', 0, 'x')", "INSERT _honker_attempts", [sql_enqueue(), CLAIM]),
    "fail-ties": Story("honker_fail(1, 'w', 'x')", "UPDATE _honker_live", [sql_enqueue(), CLAIM]),
    "claim-records-the-lost": Story(
        "honker_claim_batch('q', 'w2', 9, 60)",
        "UPDATE _honker_live WHEN NEW.worker_id IS NULL",
        [sql_enqueue(), CLAIM],
        age_s=62,
    ),
    "ack-keeps": Story("honker_ack_batch('[1]', 'w')", "DELETE _honker_live", [KEEP, sql_enqueue(), CLAIM]),
    "ack-forgets-finished": Story(
        "honker_ack_batch('[2]', 'w')",
        "DELETE _honker_finished",
        [
            KEEP, sql_enqueue(), sql_enqueue(), "SELECT honker_claim_batch('q', 'w', 9, 86400)",
            "SELECT honker_ack(1, 'w')",
        ],
        age_s=3700,
    ),
    "ack-forgets-attempts": Story(
        "honker_ack_batch('[1]', 'w')",
        "DELETE _honker_attempts",
        [sql_enqueue(), CLAIM, "SELECT honker_retry(1, 'w', 0, 'x')", CLAIM],
    ),
    "ack-forgets-progress": Story(
        "honker_ack_batch('[1]', 'w')",
        "DELETE _honker_progress",
        [sql_enqueue(), CLAIM, "SELECT honker_progress(1, 'w', 1)"],
    ),
    "snooze": Story("honker_snooze(1, 'w', 5)", "UPDATE _honker_live WHEN NEW.snoozes = 1", [sql_enqueue(), CLAIM]),
    "snooze-holds-queue": Story(
        """honker_work('q', 'w', 0, 60, '[{"id": 1, "attempt": 1, "do": "snooze", "delay_s": 5, "hold": "queue"}]')""",
        "INSERT _honker_queues",
        [sql_enqueue(), CLAIM],
    ),
    "snooze-holds-key": Story(
        """honker_work('q', 'w', 0, 60, '[{"id": 1, "attempt": 1, "do": "snooze", "delay_s": 5, "hold": "key"}]')""",
        "INSERT _honker_keys",
        [KEYED, CLAIM],
    ),
    "cancel-request": Story("honker_cancel_request(1)", "INSERT _honker_results", [sql_enqueue()]),
    "cancel-requested-ends": Story(
        "honker_retry(1, 'w', 0, 'x')",
        "INSERT _honker_results",
        [sql_enqueue(), CLAIM, "SELECT honker_cancel_request(1)"],
    ),
    "cancel-held": Story("honker_cancel_held(1, 'w')", "INSERT _honker_results", [sql_enqueue(), CLAIM]),
    "progress": Story("honker_progress(1, 'w', 1)", "UPDATE _honker_live", [sql_enqueue(), CLAIM]),
    "queue-configure": Story(
        """honker_queue_configure('q', '{"concurrency": 3}')""", "INSERT _honker_queues"
    ),
    "ack-promotes": Story(
        "honker_ack_batch('[1]', 'w')",
        "UPDATE _honker_live WHEN NEW.state = 'pending' AND OLD.state = 'blocked'",
        ["""SELECT honker_queue_configure('q', '{"concurrency_per_key": 1}')""", KEYED, KEYED, CLAIM],
    ),
    "queue-pause": Story("honker_queue_pause('q', unixepoch() + 60)", "INSERT _honker_queues"),
    "key-pause": Story("honker_key_pause('q', 'k')", "INSERT _honker_queues"),
    "key-resume": Story("honker_key_resume('q', 'k')", "UPDATE _honker_live", [PAUSE_KEY, KEYED]),
    "claim-ends-the-pause-of-a-key": Story(
        "honker_claim_batch('q', 'w', 9, 60)",
        "UPDATE _honker_live WHEN NEW.worker_id = 'w'",
        ["SELECT honker_key_pause('q', 'k', unixepoch() + 60)", KEYED],
        age_s=61,
    ),
    "dead-prune": Story(
        "honker_dead_prune('q', NULL, 0)",
        "DELETE _honker_dead",
        [sql_enqueue(), CLAIM, "SELECT honker_fail(1, 'w', 'x')"],
    ),
    "fail-prunes": Story(
        "honker_fail(2, 'w', 'x')",
        "DELETE _honker_dead",
        [
            sql_enqueue(), sql_enqueue(), "SELECT honker_retention_set('dead', 'q', 60, NULL)",
            "SELECT honker_claim_batch('q', 'w', 9, 86400)", "SELECT honker_fail(1, 'w', 'x')",
        ],
        age_s=3600,
    ),
    "fail": Story("honker_fail(1, 'w', 'x')", "DELETE _honker_live", [sql_enqueue(), CLAIM]),
    "fail-at-the-dead-letter": Story(
        "honker_fail(1, 'w', 'x')", "INSERT _honker_dead", [sql_enqueue(), CLAIM]
    ),
    "sweep": Story(
        "honker_sweep_expired('q')", "DELETE _honker_live WHEN OLD.id = 2", [sql_enqueue(expires=-1)] * 2
    ),
    "lock-taken": Story("honker_lock_acquire('l', 'a', 60)", "INSERT _honker_locks"),
    "lock-taken-over": Story(
        "honker_lock_acquire('l', 'b', 60)",
        "INSERT _honker_locks WHEN NEW.owner = 'b'",
        ["SELECT honker_lock_acquire('l', 'a', 60)"],
        age_s=61,
    ),
    "rate-limit": Story(
        "honker_rate_limit_try('r', 1, 600)",
        "DELETE _honker_rate_limits",
        ["SELECT honker_rate_limit_try('r', 1, 600)"],
        age_s=1200,
    ),
    "token-bucket": Story(
        "honker_token_bucket_take('new', 1, 1, 1)",
        "DELETE _honker_token_buckets",
        ["SELECT honker_token_bucket_take('old', 1, 1, 1)"],
        age_s=60,
    ),
    "result": Story(
        "honker_result_save(2, '2', 60)",
        "DELETE _honker_results",
        ["SELECT honker_result_save(1, '1', 60)"],
        age_s=61,
    ),
    "notify": Story(
        "notify('c', 'x')",
        "DELETE _honker_notifications",
        ["SELECT notify('c', 'x')"] * 63,
        age_s=90_000,
    ),
    "enqueue-many": Story(
        "honker_enqueue_many('q', '[1, 2, 3]', NULL, NULL, 0, 3, NULL)", "INSERT _honker_live WHEN NEW.payload = '3'"
    ),
    "enqueue-unique": Story(
        """honker_enqueue_unique('q', '{}', '{"unique_key": "k", "on_conflict": "rerun"}')""",
        "INSERT _honker_live WHEN NEW.state <> 'processing'",
        ["""SELECT honker_enqueue('q', '{}', '{"unique_key": "k"}')""", CLAIM],
    ),
    "publish-many": Story(
        "honker_stream_publish_many('t', '[[null, 1], [null, 2]]')", "INSERT _honker_stream WHEN NEW.payload = '2'"
    ),
    "tick": Story(
        "honker_scheduler_tick(unixepoch() + 300)",
        "INSERT _honker_live WHEN (SELECT count(*) FROM _honker_live) = 2",
        [BEAT],
    ),
    "tick-at-the-schedule": Story(
        "honker_scheduler_tick(unixepoch() + 300)", "UPDATE _honker_scheduler_tasks", [BEAT]
    ),
    "register": Story(
        "honker_scheduler_register('beat', 'q', '@every 90s', 'new', 5, NULL)", "UPDATE _honker_scheduler_tasks", [BEAT]
    ),
    "share": Story(
        "honker_file_share(1)",
        "UPDATE _honker_live",
        ["SELECT honker_enqueue('q', 'x', 1.5, NULL, 0, 3, NULL)"],
    ),
    "test-clock-run": Story("honker_test_clock_run(60)", "INSERT _honker_meta"),
    "test-clock-stop": Story("honker_test_clock_stop(1800000000)", "INSERT _honker_meta", [RUN_CLOCK]),
    "test-clock-advance": Story("honker_test_clock_advance(60)", "INSERT _honker_meta", [RUN_CLOCK]),
    "update": Story(
        "honker_scheduler_update('beat', '@every 90s', 'new', 5, NULL, 1)",
        "UPDATE _honker_scheduler_tasks",
        [BEAT],
    ),
}  # fmt: skip


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
