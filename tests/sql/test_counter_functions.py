"""Counters by minute and events: each move is recorded in its transaction, once, and only if the file says so."""

import itertools
import json
import sqlite3

import pytest

from ..support.waiting import wait_until
from .clock import advance
from .database import call, call_json, claim, dump, enqueue, refused, rows, value

CALL = '{"__honker_task__": {"task": "mail", "args": []}}'
SUMS = (
    "enqueued", "claimed", "done", "failed", "retried", "dead", "cancelled", "snoozed", "released", "lapsed", "runs",
)  # fmt: skip


@pytest.fixture
def counted(conn):
    configure(conn, counters=True)
    return conn


@pytest.fixture
def published(conn):
    configure(conn, events=True)
    return conn


def configure(conn, **settings):
    return call_json(conn, "honker_file_configure", json.dumps(settings))


def totals(conn):
    found = call_json(conn, "honker_counter_totals", None, None, 100)
    return {(row["queue"], row["task"]): {name: row[name] for name in SUMS if row[name]} for row in found}


def minutes(conn, queue="q", n=60):
    found = call_json(conn, "honker_counter_minutes", queue, n)
    assert found["is_complete"]
    return found["counters"]


def events(conn):
    """The moves in the stream: one list for each event."""
    found = call_json(conn, "honker_stream_read_since", "honker.events", 0, 1000)
    return [[(move["event"], move["id"]) for move in json.loads(event["payload"])] for event in found]


def let_minutes_pass(conn, n):
    conn.execute("UPDATE _honker_counters SET minute = minute - ?", [n])


# ------------------------------------------------------------------------------------------------------------ settings


def test_nothing_is_recorded_at_first(conn):
    enqueue(conn, "q")
    claim(conn, "q", "w")
    call(conn, "honker_ack", 1, "w", 1)
    assert rows(conn, "SELECT * FROM _honker_counters") == rows(conn, "SELECT * FROM _honker_stream") == []
    assert call_json(conn, "honker_file_settings") == {"counters": False, "events": False}


def test_a_setting_that_is_not_given_stays(conn):
    assert configure(conn, counters=True) == {"counters": True, "events": False}
    assert configure(conn, events=True) == {"counters": True, "events": True}
    assert configure(conn) == {"counters": True, "events": True}
    assert configure(conn, counters=False) == {"counters": False, "events": True}


@pytest.mark.parametrize("text", ["[]", '{"counters": 1}', '{"colour": true}', ""])
def test_wrong_settings_are_refused(conn, text):
    with refused("HONKER_INVALID_ARGUMENT", "settings_json"):
        call(conn, "honker_file_configure", text)


def test_events_get_a_policy_unless_they_have_one(conn):
    configure(conn, events=True)
    policies = call_json(conn, "honker_retention_list")
    assert [(one["name"], one["max_keep"]) for one in policies] == [("honker.events", 10_000)]
    call(conn, "honker_retention_set", "stream", "honker.events", 60, None)
    configure(conn, events=True)
    assert [one["max_keep"] for one in call_json(conn, "honker_retention_list")] == [None]


def test_another_connection_follows_within_a_second(conn, connect):
    other = connect()
    enqueue(other, "q")
    configure(conn, counters=True)
    wait_until(lambda: enqueue(other, "q") and totals(conn))


# --------------------------------------------------------------------------------------------------------------- moves


def held(conn, **options):
    job_id = enqueue(conn, "q", CALL, **options)
    claim(conn, "q", "w")
    return job_id


MOVES = {
    "ack": (lambda conn, id: call(conn, "honker_ack", id, "w", 1), {"done": 1}, "done"),
    "ack-batch": (lambda conn, id: call(conn, "honker_ack_batch", f"[{id}]", "w"), {"done": 1}, "done"),
    "retry": (lambda conn, id: call(conn, "honker_retry", id, "w", 0, "x"), {"failed": 1, "retried": 1}, "retried"),
    "fail": (lambda conn, id: call(conn, "honker_fail", id, "w", "x"), {"failed": 1, "dead": 1}, "dead"),
    "release": (lambda conn, id: call(conn, "honker_release", id, "w"), {"released": 1}, "released"),
    "snooze": (lambda conn, id: call(conn, "honker_snooze", id, "w", 5), {"snoozed": 1}, "snoozed"),
    "cancel": (lambda conn, id: call(conn, "honker_cancel", id), {"cancelled": 1}, "cancelled"),
    "cancel-held": (lambda conn, id: call(conn, "honker_cancel_held", id, "w"), {"cancelled": 1}, "cancelled"),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_move_of_a_claimed_job_is_counted_and_published_once(conn, move):
    configure(conn, counters=True, events=True)
    job_id = held(conn)
    act, sums, event = MOVES[move]
    assert act(conn, job_id) == 1
    assert totals(conn) == {("q", "mail"): {"enqueued": 1, "claimed": 1, **sums}}
    assert events(conn) == [[("enqueued", job_id)], [("claimed", job_id)], [(event, job_id)]]
    act(conn, job_id)  # The claim is gone: nothing moves.
    assert len(events(conn)) == 3


def test_a_last_retry_is_a_death(counted):
    job_id = held(counted, max_attempts=1)
    call(counted, "honker_retry", job_id, "w", 0, "x")
    assert totals(counted)["q", "mail"] == {"enqueued": 1, "claimed": 1, "failed": 1, "dead": 1}


def test_a_lapsed_lease_is_counted_by_the_claim_that_finds_it(counted):
    held(counted)
    advance(counted, 400)
    claim(counted, "q", "w2")
    assert totals(counted)["q", "mail"] == {"enqueued": 1, "claimed": 2, "lapsed": 1}


def test_a_job_that_the_reference_held_back_until_its_time_has_not_lapsed(counted):
    enqueue(counted, "q", CALL)
    counted.execute("UPDATE _honker_live SET state = 'scheduled', run_at = 1000")
    assert len(claim(counted, "q", "w")) == 1
    assert totals(counted)["q", "mail"] == {"enqueued": 1, "claimed": 1}


def test_the_moves_of_a_task_with_a_long_name_are_counted_under_one_name(counted):
    """A move that reads the payload again reads the whole name, which is longer as JSON."""
    name = "\x01" * 255
    job_id = enqueue(counted, "q", json.dumps({"__honker_encoded_task__": {"task": name, "codec": "c"}}))
    call(counted, "honker_cancel", job_id)
    assert totals(counted) == {("q", name): {"enqueued": 1, "cancelled": 1}}


def test_an_expired_job_is_dead_without_a_failed_attempt(counted):
    enqueue(counted, "q", CALL, expires=-1)
    claim(counted, "q", "w")
    assert totals(counted)["q", "mail"] == {"enqueued": 1, "dead": 1}


def test_a_requeue_is_published_and_not_counted_as_enqueued(conn):
    configure(conn, counters=True, events=True)
    job_id = held(conn)
    call(conn, "honker_fail", job_id, "w", "x")
    call(conn, "honker_requeue", job_id)
    assert totals(conn)["q", "mail"]["enqueued"] == 1
    assert events(conn)[-1] == [("requeued", job_id)]


def test_jobs_of_every_kind_of_enqueue_are_counted(counted):
    call(counted, "honker_enqueue", "q", CALL, "{}")
    call(counted, "honker_enqueue", "q", CALL, '{"key": "k"}')
    call(counted, "honker_enqueue", "q", CALL, '{"delay": 2.5}')
    call(counted, "honker_enqueue_unique", "q", CALL, '{"unique_key": "u"}')
    call(counted, "honker_enqueue_unique", "q", CALL, '{"unique_key": "u"}')  # a duplicate
    call(counted, "honker_enqueue_many", "q", f"[{CALL}, 5]", None, None, 0, 3, None)
    assert totals(counted) == {("q", ""): {"enqueued": 1}, ("q", "mail"): {"enqueued": 5}}


def test_the_end_of_a_parent_counts_its_children_too(counted):
    parent = held(counted)
    call(counted, "honker_enqueue", "r", "{}", json.dumps({"after": [parent]}))
    call(counted, "honker_fail", parent, "w", "x")
    assert totals(counted)["r", ""] == {"enqueued": 1, "dead": 1}


def test_a_round_is_one_event(published):
    jobs = [enqueue(published, "q") for _ in range(3)]
    claim(published, "q", "w")
    settle = json.dumps([{"id": jobs[0], "attempt": 1, "do": "ack"}])
    call(published, "honker_work", "q", "w", 1, 60, settle)
    assert events(published)[-1] == [("done", jobs[0]), ("claimed", jobs[1])]


def test_a_round_writes_one_row_of_counters(counted):
    for _ in range(10):
        enqueue(counted, "q", CALL)
    counted.execute("CREATE TABLE writes (x)")
    for verb in ("INSERT", "UPDATE"):
        counted.execute(
            f"CREATE TRIGGER log_{verb} AFTER {verb} ON _honker_counters BEGIN INSERT INTO writes VALUES (1); END"
        )
    call(counted, "honker_work", "q", "w", 5, 60, "[]")
    assert value(counted, "SELECT count(*) FROM writes") == 1
    settle = json.dumps([{"id": 1 + n, "attempt": 1, "do": "ack", "task": "mail", "run_s": n} for n in range(5)])
    call(counted, "honker_work", "q", "w", 5, 60, settle)
    assert value(counted, "SELECT count(*) FROM writes") == 2
    (row,) = minutes(counted)
    assert (row["runs"], row["run_s"], row["run_max_s"], row["done"], row["claimed"]) == (5, 10, 4, 5, 10)


def test_the_wait_counts_from_the_time_at_which_a_job_is_due(counted):
    enqueue(counted, "q", delay=100)
    advance(counted, 130)
    claim(counted, "q", "w")
    (row,) = minutes(counted)
    # The time at which it was due was rounded up to the millisecond.
    assert 29.99 < row["wait_s"] == row["wait_max_s"] < 32


def test_a_transaction_that_is_rolled_back_records_nothing(conn):
    configure(conn, counters=True, events=True)
    conn.execute("BEGIN")
    held(conn)
    conn.execute("ROLLBACK")
    assert totals(conn) == {}
    assert events(conn) == []


@pytest.mark.parametrize("move", ["honker_enqueue", "honker_ack", "honker_release"])
def test_a_move_is_refused_while_the_settings_cannot_be_read(conn, connect, move):
    """It would leave no record. The connection has read no settings before."""
    configure(conn, counters=True)
    job_id = held(conn)
    before = dump(conn)
    other = connect()

    def deny_meta(action, table, *_):
        is_denied = action == sqlite3.SQLITE_READ and table == "_honker_meta"
        return sqlite3.SQLITE_DENY if is_denied else sqlite3.SQLITE_OK

    other.set_authorizer(deny_meta)
    arguments = {"honker_enqueue": ("q", CALL, "{}")}.get(move, (job_id, "w", 1))
    with pytest.raises(sqlite3.DatabaseError, match="prohibited"):
        call(other, move, *arguments)
    other.set_authorizer(None)
    assert dump(conn) == before
    assert call(other, move, *arguments)
    assert sum(totals(conn)["q", "mail"].values()) == 3


# ------------------------------------------------------------------------------------------------------------- minutes


def test_each_minute_has_its_own_counts_and_the_total_all(counted):
    for count in (1, 2, 3):
        for _ in range(count):
            enqueue(counted, "q")
        let_minutes_pass(counted, 2)
    assert [row["enqueued"] for row in minutes(counted)] == [1, 2, 3]
    times = [row["minute"] for row in minutes(counted)]
    assert [late - early for early, late in itertools.pairwise(times)] == [120, 120]
    assert [row["enqueued"] for row in minutes(counted, n=3)] == [3]
    assert totals(counted)["q", ""] == {"enqueued": 6}


def test_a_minute_after_a_long_pause_does_not_count_the_time_before(counted):
    for _ in range(5):
        enqueue(counted, "q")
    let_minutes_pass(counted, 10_000)
    enqueue(counted, "q")
    let_minutes_pass(counted, 1)
    enqueue(counted, "q")
    assert [row["enqueued"] for row in minutes(counted)] == [1, 1]
    assert totals(counted)["q", ""] == {"enqueued": 7}


def test_old_minutes_are_deleted_and_the_sums_stay(counted):
    for _ in range(300):
        enqueue(counted, "q")
        let_minutes_pass(counted, 1)
    enqueue(counted, "q")
    assert 240 <= value(counted, "SELECT count(*) FROM _honker_counters") <= 242
    assert totals(counted)["q", ""] == {"enqueued": 301}
    assert [row["enqueued"] for row in minutes(counted, n=240)] == [1] * 240


@pytest.mark.parametrize("ahead", [30, 100_000])
def test_the_sums_go_on_after_the_clock_was_set_back(counted, ahead):
    enqueue(counted, "q")
    let_minutes_pass(counted, -ahead)
    enqueue(counted, "q")
    assert totals(counted)["q", ""] == {"enqueued": 2}
    assert value(counted, "SELECT count(*) FROM _honker_counters") == 1


def test_all_queues_and_tasks_are_listed_in_order(counted):
    for queue, payload in (("b", CALL), ("a", "{}"), ("b", "{}"), ("c", CALL)):
        enqueue(counted, queue, payload)
    everything = [(row["queue"], row["task"]) for row in minutes(counted, queue=None)]
    assert everything == [("a", ""), ("b", ""), ("b", "mail"), ("c", "mail")]
    assert [(row["queue"], row["task"]) for row in minutes(counted, queue="b")] == [("b", ""), ("b", "mail")]
    page = call_json(counted, "honker_counter_totals", "b", "", 1)
    assert [(row["queue"], row["task"]) for row in page] == [("b", "mail")]


def test_minutes_end_after_a_bounded_number_of_queues_that_were_not_used_lately(counted):
    """Without an index by minute they are passed one by one: 200,000 of them took 1.7 s."""
    enqueue(counted, "z")
    columns = [name for _, name, *_ in rows(counted, "PRAGMA table_info(_honker_counters)")]
    counted.execute(f"""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5001)
        INSERT INTO _honker_counters ({", ".join(columns)})
        SELECT printf('q%04d', i), '', 1{", 1" * (len(columns) - 3)} FROM n""")
    assert call_json(counted, "honker_counter_minutes", None, 60) == {"counters": [], "is_complete": False}
    assert [row["enqueued"] for row in minutes(counted, "z")] == [1]
    counted.execute("DELETE FROM _honker_counters WHERE queue IN ('q0001', 'q0002')")
    assert [row["queue"] for row in minutes(counted, None)] == ["z"]
