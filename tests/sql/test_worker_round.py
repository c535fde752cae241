"""The round of a worker: settling and claiming in one transaction, and the outcome of a job for waiters."""

import json
import sqlite3

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, dump, enqueue, refused, rows, value


def settlement(job_id, do="ack", attempt=1, **more):
    return {"id": job_id, "attempt": attempt, "do": do, **more}


def work(conn, n=0, *settlements, queue="q", worker="w", timeout_s=60):
    return call_json(conn, "honker_work", queue, worker, n, timeout_s, json.dumps(settlements))


def outcome(conn, job_id=1):
    return call_json(conn, "honker_job_outcome", job_id)


def live(conn):
    return rows(conn, "SELECT id, state, attempts FROM _honker_live ORDER BY id")


# ------------------------------------------------------------------------------------------------------------ releasing


def test_a_released_job_waits_at_its_old_place_with_its_attempt_uncharged(conn):
    for _ in range(2):
        enqueue(conn)
    before = value(conn, "SELECT run_at FROM _honker_live WHERE id = 1")
    assert claimed_ids(conn, n=1) == [1]
    assert call(conn, "honker_release", 1, "w", 1) == 1
    columns = "run_at, state, attempts, worker_id, claim_expires_at"
    assert rows(conn, f"SELECT {columns} FROM _honker_live WHERE id = 1") == [(before, "pending", 0, None, None)]
    assert claimed_ids(conn, n=1) == [1]


@pytest.mark.parametrize("arguments", [(1, "another"), (1, "w", 2), (2, "w")])
def test_only_the_holder_of_the_claim_releases(conn, arguments):
    enqueue(conn)
    claim(conn)
    before = dump(conn)
    assert call(conn, "honker_release", *arguments) == 0
    assert dump(conn) == before


def test_a_release_may_say_why_and_else_leaves_the_error_of_the_last_attempt(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, "broken")
    for said, kept in [({}, "broken"), ({"error": "not mine"}, "not mine"), ({"error": ""}, "")]:
        (job,) = work(conn, 1)["jobs"]
        assert work(conn, 0, settlement(1, "release", attempt=job["attempts"], **said))["settled"] == [1]
        assert rows(conn, "SELECT attempts, last_error FROM _honker_live") == [(1, kept)]


def test_a_release_may_be_delayed_without_a_round(conn):
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_release", 1, "w", 1, 100, 0) == 1
    assert claimed_ids(conn) == []
    advance(conn, 101)
    assert claimed_ids(conn) == [1]


def test_a_lapsed_claim_cannot_be_released(conn):
    enqueue(conn)
    claim(conn, timeout_s=60)
    advance(conn, 62)
    assert call(conn, "honker_release", 1, "w") == 0


# -------------------------------------------------------------------------------------------------------- unknown tasks


def unknown_since(conn, job_id=1):
    return call_json(conn, "honker_get_job", job_id)["unknown_since"]


def release_unknown(conn, how, job_id=1):
    """Claim a job and release it as one of an unknown task. The attempt of the claim is 1."""
    (job,) = work(conn, 1)["jobs"]
    if how == "function":
        assert call(conn, "honker_release", job_id, "w", job["attempts"], None, 1) == 1
    else:
        assert work(conn, 0, settlement(job_id, "release", attempt=job["attempts"], is_unknown=True))["settled"] == [1]
    return job


@pytest.mark.parametrize("how", ["function", "round"])
def test_the_first_release_of_an_unknown_task_is_dated_and_the_next_ones_keep_the_date(conn, how):
    now = int(call_json(conn, "honker_get_job", enqueue(conn))["created_at"])
    assert release_unknown(conn, how)["unknown_since"] is None
    since = unknown_since(conn)
    assert since == pytest.approx(now, abs=2)
    for _ in range(2):
        advance(conn, 100)
        assert release_unknown(conn, how)["unknown_since"] == pytest.approx(since - 100, abs=0.001)
        since -= 100  # the test ages the data
        assert unknown_since(conn) == pytest.approx(since, abs=0.001)
    assert live(conn) == [(1, "pending", 0)]


def test_only_the_holder_of_the_claim_says_that_a_task_is_unknown(conn):
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_release", 1, "another", 1, None, 1) == 0
    assert unknown_since(conn) is None


@pytest.mark.parametrize("move", ["retry", "release", "lapse", "requeue"])
def test_every_other_end_of_a_claim_forgets_that_the_task_was_unknown(conn, move):
    enqueue(conn, max_attempts=9)
    release_unknown(conn, "round")
    (job,) = work(conn, 1)["jobs"]
    assert unknown_since(conn) == job["unknown_since"] is not None
    if move in {"retry", "release"}:
        assert work(conn, 0, settlement(1, move, attempt=job["attempts"]))["settled"] == [1]
    elif move == "lapse":
        advance(conn, 62)
        assert work(conn, 1)["jobs"][0]["unknown_since"] is None
    else:
        call(conn, "honker_fail", 1, "w", "unknown task", 1)
        assert call(conn, "honker_requeue", 1) == 1
    assert unknown_since(conn) is None


def test_a_heartbeat_keeps_the_date(conn):
    enqueue(conn)
    release_unknown(conn, "function")
    claim(conn)
    call(conn, "honker_heartbeat", 1, "w", 100)
    assert unknown_since(conn) is not None


@pytest.mark.parametrize("written", ["'soon'", "x'00'", "253402300799", "1e300"])
def test_a_date_that_was_written_by_hand_or_lies_in_the_future_begins_anew(conn, written):
    enqueue(conn)
    release_unknown(conn, "round")
    since = unknown_since(conn)
    conn.execute(f"UPDATE _honker_live SET unknown_since = {written}")
    release_unknown(conn, "round")
    assert unknown_since(conn) == pytest.approx(since, abs=2)


def test_a_date_that_is_no_number_is_listed_among_malformed_rows(conn):
    enqueue(conn)
    conn.execute("UPDATE _honker_live SET unknown_since = 'soon'")
    assert call_json(conn, "honker_malformed_rows", 9) == [
        {"table": "_honker_live", "row": 1, "problem": "unknown_since is text"}
    ]


@pytest.mark.parametrize("flag", [1, "true", [], {}])
def test_a_round_takes_only_a_boolean_for_an_unknown_task(conn, flag):
    enqueue(conn)
    claim(conn)
    with refused("HONKER_INVALID_ARGUMENT", "settlements_json"):
        work(conn, 0, settlement(1, "release", is_unknown=flag))


# ------------------------------------------------------------------------------------------------------------- renewing


def test_several_leases_are_renewed_at_once_and_the_lost_ones_are_named(conn):
    for _ in range(4):
        enqueue(conn)
    claim(conn, n=3)
    call(conn, "honker_ack", 2, "w")
    advance(conn, 50)
    assert call_json(conn, "honker_heartbeat_batch", "[[1,1],[2,1],[3,2],[4,1]]", "w", 60) == [2, 3, 4]
    advance(conn, 50)
    assert call(conn, "honker_ack", 1, "w", 1) == 1
    assert call(conn, "honker_ack", 3, "w", 1) == 0


@pytest.mark.parametrize("claims", ["", "{}", "[1]", "[[1]]", "[[1,null]]", '[["1",1]]', "[[1,1,1]]"])
def test_claims_that_are_no_pairs_are_refused(conn, claims):
    with refused("HONKER_INVALID_ARGUMENT", "claims_json"):
        call(conn, "honker_heartbeat_batch", claims, "w", 60)


# --------------------------------------------------------------------------------------------------------------- rounds


def test_a_round_settles_in_order_and_then_claims(conn):
    for number in range(6):
        enqueue(conn, payload=str(number), max_attempts=2)
    claim(conn, n=4)
    done = work(
        conn,
        10,
        settlement(1),
        settlement(2, "retry", delay_s=1000, error="later"),
        settlement(3, "fail", error="never"),
        settlement(4, "release"),
        settlement(4),
    )
    assert done["settled"] == [1, 1, 1, 1, 0]
    assert [(job["id"], job["attempts"]) for job in done["jobs"]] == [(4, 1), (5, 1), (6, 1)]
    assert rows(conn, "SELECT id, last_error FROM _honker_dead") == [(3, "never")]
    assert rows(conn, "SELECT last_error FROM _honker_live WHERE id = 2") == [("later",)]


def test_a_round_of_many_acks_tells_for_each_if_its_claim_was_held(conn):
    """Several plain jobs are one statement, without those with ties, of another attempt, lost or named twice."""
    for _ in range(40):
        enqueue(conn)
    call(conn, "honker_enqueue", "q", "{}", '{"key": "k"}')
    assert len(claimed_ids(conn, n=41)) == 41
    call(conn, "honker_retry", 5, "w", 0, "broken")
    assert claimed_ids(conn, n=1) == [5]
    call(conn, "honker_cancel", 7)
    call(conn, "honker_release", 9, "w")
    acks = [settlement(job_id) for job_id in (*range(1, 42), 3, 41)]
    acks[4] = settlement(5, attempt=2)
    settled = work(conn, 0, *acks)["settled"]
    assert [ack["id"] for ack, is_held in zip(acks, settled, strict=True) if not is_held] == [7, 9, 3, 41]
    assert live(conn) == [(9, "pending", 0)]


def test_many_acks_of_one_attempt_leave_a_job_under_another(conn):
    """The second attempt of a program that writes no ties; ours have the tie of their history."""
    for _ in range(20):
        enqueue(conn)
    claim(conn, n=20)
    conn.execute("UPDATE _honker_live SET attempts = 2 WHERE id = 5")
    assert work(conn, 0, *map(settlement, range(1, 21)))["settled"] == [1] * 4 + [0] + [1] * 15
    assert live(conn) == [(5, "processing", 2)]


def test_a_parent_among_many_acks_lets_its_child_run(conn):
    for _ in range(20):
        enqueue(conn)
    child = call(conn, "honker_enqueue", "q", "{}", '{"after": [10]}')
    assert len(claimed_ids(conn, n=20)) == 20
    assert live(conn)[-1] == (child, "waiting", 0)
    assert work(conn, 0, *map(settlement, range(1, 21)))["settled"] == [1] * 20
    assert live(conn) == [(child, "pending", 0)]


def test_many_acks_in_one_call_are_counted_each_once(conn):
    for _ in range(20):
        enqueue(conn)
    claim(conn, n=20)
    call(conn, "honker_cancel", 2)
    assert call(conn, "honker_ack_batch", json.dumps([*range(1, 21), 1, 99]), "w") == 19
    assert live(conn) == []


def test_acks_in_one_round_are_only_those_of_leases_that_hold(conn):
    for _ in range(20):
        enqueue(conn)
    claim(conn, n=20, timeout_s=60)
    advance(conn, 62)
    assert work(conn, 0, *map(settlement, range(1, 21)))["settled"] == [0] * 20
    assert len(live(conn)) == 20


@pytest.mark.parametrize("event", ["UPDATE", "DELETE"])
def test_a_row_that_a_trigger_skips_refuses_the_round(conn, event):
    """Otherwise a round would hand out a job that it has not leased, or report one as done that runs again."""
    for _ in range(20):
        enqueue(conn)
    if event == "DELETE":
        claim(conn, n=20)
    conn.execute(f"CREATE TRIGGER skip BEFORE {event} ON _honker_live WHEN OLD.id = 2 BEGIN SELECT RAISE(IGNORE); END")
    before = dump(conn)
    acks = [settlement(job_id) for job_id in range(1, 21)] if event == "DELETE" else []
    with pytest.raises(sqlite3.Error, match="skipped"):
        work(conn, 20, *acks)
    assert dump(conn) == before


def test_a_round_leases_each_of_many_jobs_once(conn):
    ids = [enqueue(conn) for _ in range(50)]
    assert [job["id"] for job in work(conn, 33)["jobs"]] == ids[:33]
    assert [job["id"] for job in work(conn, 17)["jobs"]] == ids[33:]
    assert {state for _, state, _ in live(conn)} == {"processing"}
    assert value(conn, "SELECT count(DISTINCT attempts) + count(DISTINCT worker_id) FROM _honker_live") == 2


def test_a_round_claims_in_the_detailed_shape(conn):
    enqueue(conn, priority=7)
    (job,) = work(conn, 1)["jobs"]
    assert job.keys() == {
        *("id", "queue", "payload", "state", "worker_id", "attempts", "claim_expires_at"),
        *("priority", "run_at", "max_attempts", "created_at", "expires_at", "last_error", "unknown_since"),
    }  # fmt: skip
    assert (job["priority"], job["worker_id"]) == (7, "w")


def test_what_a_round_puts_back_to_run_at_once_it_may_claim_itself(conn):
    enqueue(conn)
    claim(conn)
    assert [job["attempts"] for job in work(conn, 1, settlement(1, "retry", error="x"))["jobs"]] == [2]


def test_a_retry_of_the_last_attempt_is_a_dead_letter(conn):
    enqueue(conn, max_attempts=1)
    claim(conn)
    assert work(conn, 0, settlement(1, "retry", delay_s=5, error="last"))["settled"] == [1]
    assert rows(conn, "SELECT id, last_error FROM _honker_dead") == [(1, "last")]


def test_a_release_may_be_delayed(conn):
    enqueue(conn)
    claim(conn)
    assert work(conn, 1, settlement(1, "release", delay_s=100)) == {"settled": [1], "jobs": []}
    assert live(conn) == [(1, "pending", 0)]
    advance(conn, 101)
    assert claimed_ids(conn) == [1]


def test_a_result_is_kept_if_the_claim_was_held(conn):
    for _ in range(2):
        enqueue(conn)
    claim(conn, n=2)
    done = work(conn, 0, settlement(1, result='"ü"', result_ttl_s=60), settlement(2, attempt=2, result="2"))
    assert done["settled"] == [1, 0]
    assert rows(conn, "SELECT job_id, value FROM _honker_results") == [(1, '"ü"')]
    advance(conn, 61)
    assert call(conn, "honker_result_get", 1) is None


def test_a_result_without_a_time_to_live_is_kept_for_good(conn):
    enqueue(conn)
    claim(conn)
    work(conn, 0, settlement(1, result="1"))
    assert rows(conn, "SELECT value, expires_at FROM _honker_results") == [("1", None)]


def test_a_round_with_nothing_to_do_takes_no_write_lock(conn, connect):
    enqueue(conn, delay=1000)
    other = connect(timeout=0, isolation_level=None)
    conn.execute("BEGIN IMMEDIATE")
    assert work(other, 10) == {"settled": [], "jobs": []}
    assert work(other, 0) == {"settled": [], "jobs": []}
    conn.execute("ROLLBACK")


def test_a_paused_queue_is_settled_and_not_claimed_from(conn):
    for _ in range(2):
        enqueue(conn)
    claim(conn)
    call(conn, "honker_queue_pause", "q")
    assert work(conn, 5, settlement(1)) == {"settled": [1], "jobs": []}


@pytest.mark.parametrize(
    "bad",
    [
        {"id": 1, "attempt": 1},
        {"id": 1, "attempt": 1, "do": "delete"},
        {"id": 1, "attempt": None, "do": "ack"},
        {"id": 1, "attempt": 1, "do": "ack", "more": 1},
        {"id": 1, "attempt": 1, "do": "retry", "delay_s": -1},
        {"id": 1, "attempt": 1, "do": "retry", "delay_s": 1e300},
        {"id": 1, "attempt": 1, "do": "ack", "result": {"a": 1}},
        {"id": 1, "attempt": 1, "do": "ack", "result": "1", "result_ttl_s": 1e300},
        [],
    ],
    ids=str,
)
def test_a_settlement_that_cannot_be_understood_refuses_the_round(conn, bad):
    for _ in range(3):
        enqueue(conn)
    claim(conn, n=2)
    before = dump(conn)
    with refused("HONKER_INVALID_ARGUMENT", "settlements_json"):
        work(conn, 1, settlement(2), bad)
    assert dump(conn) == before


@pytest.mark.parametrize(
    "write",
    ["UPDATE ON _honker_live WHEN NEW.id = 3", "INSERT ON _honker_results", "DELETE ON _honker_live WHEN OLD.id = 2"],
)
@pytest.mark.parametrize("is_in_transaction", [False, True])
def test_a_round_that_fails_half_way_has_not_happened(conn, write, is_in_transaction):
    for _ in range(3):
        enqueue(conn)
    claim(conn, n=2)
    event, _, condition = write.partition(" WHEN ")
    when = f"WHEN {condition}" if condition else ""
    conn.execute(f"CREATE TRIGGER no BEFORE {event} {when} BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = dump(conn)
    conn.isolation_level = None
    if is_in_transaction:
        conn.execute("BEGIN")
    with refused("HONKER_CONSTRAINT"):
        work(conn, 1, settlement(1, result="1"), settlement(2))
    assert conn.in_transaction is is_in_transaction
    assert dump(conn) == before


def test_a_round_whose_commit_fails_has_not_happened(conn):
    conn.isolation_level = None
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    conn.execute("CREATE TABLE child (id REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    conn.execute("CREATE TRIGGER orphan AFTER DELETE ON _honker_live BEGIN INSERT INTO child VALUES (7); END")
    enqueue(conn)
    claim(conn)
    before = dump(conn)
    with refused("HONKER_CONSTRAINT"):
        work(conn, 1, settlement(1, result="1"))
    assert not conn.in_transaction
    assert dump(conn) == before


def test_a_round_works_inside_a_transaction_of_the_caller(conn):
    conn.isolation_level = None
    enqueue(conn)
    claim(conn)
    conn.execute("BEGIN IMMEDIATE")
    assert work(conn, 0, settlement(1))["settled"] == [1]
    conn.execute("ROLLBACK")
    assert live(conn) == [(1, "processing", 1)]


# ------------------------------------------------------------------------------------------------------------- outcomes


def test_the_outcome_follows_the_life_of_a_job(conn):
    enqueue(conn, max_attempts=2)
    assert outcome(conn) == {"state": "pending", "error": None}
    claim(conn)
    assert outcome(conn) == {"state": "processing", "error": None}
    call(conn, "honker_retry", 1, "w", 0, "once")
    assert outcome(conn) == {"state": "pending", "error": "once"}
    claim(conn)
    call(conn, "honker_fail", 1, "w", "twice")
    assert outcome(conn) == {"state": "dead", "error": "twice"}


def test_an_acknowledged_job_is_gone(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_ack", 1, "w")
    assert outcome(conn) == {"state": "gone", "error": None}


def test_a_job_that_was_never_committed_is_unknown(conn):
    assert outcome(conn) == {"state": "unknown", "error": None}
    enqueue(conn)
    conn.execute("BEGIN")
    enqueue(conn)
    assert outcome(conn, 2)["state"] == "pending"
    conn.execute("ROLLBACK")
    assert [outcome(conn, job_id)["state"] for job_id in (1, 2)] == ["pending", "unknown"]


@pytest.mark.parametrize("is_claimed", [False, True])
def test_a_cancelled_job_is_known_as_such_for_a_day(conn, is_claimed):
    enqueue(conn)
    if is_claimed:
        claim(conn)
    assert call(conn, "honker_cancel", 1) == 1
    assert outcome(conn) == {"state": "cancelled", "error": None}
    assert call(conn, "honker_result_get", 1) is None
    advance(conn, 86_390)
    assert outcome(conn)["state"] == "cancelled"
    advance(conn, 20)
    assert outcome(conn)["state"] == "gone"
    assert call(conn, "honker_result_sweep") == 1


def test_cancelling_nothing_leaves_no_trace(conn):
    assert call(conn, "honker_cancel", 1) == 0
    assert outcome(conn)["state"] == "unknown"
    assert rows(conn, "SELECT * FROM _honker_results") == []


def test_a_result_that_was_saved_before_the_cancelling_stays(conn):
    enqueue(conn)
    call(conn, "honker_result_save", 1, "42", 0)
    call(conn, "honker_cancel", 1)
    assert call(conn, "honker_result_get", 1) == "42"


def test_a_result_that_is_saved_after_the_cancelling_counts(conn):
    enqueue(conn)
    call(conn, "honker_cancel", 1)
    call(conn, "honker_result_save", 1, "42", 0)
    assert call(conn, "honker_result_get", 1) == "42"
    assert outcome(conn)["state"] == "gone"


def test_a_cancelling_that_cannot_be_remembered_has_not_happened(conn):
    enqueue(conn)
    conn.execute("CREATE TRIGGER no BEFORE INSERT ON _honker_results BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = dump(conn)
    with refused("HONKER_CONSTRAINT"):
        call(conn, "honker_cancel", 1)
    assert dump(conn) == before


def test_traces_of_cancelled_jobs_are_deleted_in_passing(conn):
    for _ in range(40):
        enqueue(conn)
    for job_id in range(1, 31):
        call(conn, "honker_cancel", job_id)
    advance(conn, 86_401)
    for job_id in range(31, 41):
        call(conn, "honker_cancel", job_id)
    assert value(conn, "SELECT count(*) FROM _honker_results") == 10


def test_the_reading_functions_work_on_a_connection_that_may_not_write(conn, connect):
    enqueue(conn)
    reader = connect(isolation_level=None)
    reader.execute("PRAGMA query_only = ON")
    assert outcome(reader)["state"] == "pending"
    with pytest.raises(sqlite3.OperationalError):
        work(reader, 1)


# --------------------------------------------------------------------------------------------------- withheld results


def test_a_withheld_result_is_asked_for_if_a_job_has_begun_to_wait_since_the_claim(conn):
    enqueue(conn)
    claim(conn)
    child = call(conn, "honker_enqueue", "children", '"c"', '{"after": [1]}')
    before = dump(conn)
    assert work(conn, 0, settlement(1, withholds_result=True))["settled"] == [2]
    assert dump(conn) == before
    told = settlement(1, result="41", result_ttl_s=60)
    assert work(conn, 0, told, settlement(1, withholds_result=True))["settled"] == [1, 2]
    assert call_json(conn, "honker_job_parents", child)[0]["result"] == "41"


def test_a_withheld_result_of_a_job_without_children_is_not_asked_for(conn):
    for _ in range(2):
        enqueue(conn)
    claim(conn, n=2)
    call(conn, "honker_enqueue", "children", '"c"', '{"after": [1]}')
    done = work(conn, 0, settlement(2, withholds_result=True), settlement(9, withholds_result=True))
    assert done["settled"] == [1, 0]
    assert [row[0] for row in live(conn)] == [1, 3]
