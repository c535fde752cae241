"""Settling: the right to end or extend a claim, its duration, and the effect on the job."""

import time

import pytest

from .clock import advance, early_in_a_second
from .database import call, claim, claimed_ids, enqueue, rows, value
from .jobs import count, lease_ending, live, states

# ------------------------------------------------------------------------------------------------------ leases, fencing

SETTLING = {
    "ack": ("honker_ack", ()),
    "retry": ("honker_retry", (0, "again")),
    "fail": ("honker_fail", ("broken",)),
    "heartbeat": ("honker_heartbeat", (60,)),
}
settling = pytest.mark.parametrize(("function", "more"), SETTLING.values(), ids=list(SETTLING))


@settling
def test_a_lease_that_ends_in_this_second_still_holds(conn, function, more):
    job_id = lease_ending(conn, early_in_a_second())
    assert claim(conn, worker="other") == []
    assert call(conn, function, job_id, "w", *more) == 1


@settling
def test_a_lease_that_ended_in_the_second_before_has_lapsed(conn, function, more):
    job_id = lease_ending(conn, int(time.time()) - 1)
    assert call(conn, function, job_id, "w", *more) == 0
    assert claimed_ids(conn, worker="other") == [job_id]


@settling
def test_a_lease_with_a_fraction_ends_exactly_there(conn, function, more):
    job_id = lease_ending(conn, early_in_a_second() + 5.5)
    conn.execute("BEGIN")
    assert call(conn, function, job_id, "w", *more) == 1
    conn.execute("ROLLBACK")
    conn.execute("UPDATE _honker_live SET claim_expires_at = ?", (int(time.time()) - 0.001,))
    assert call(conn, function, job_id, "w", *more) == 0


def test_a_lease_with_a_fraction_lapses_within_its_second(conn):
    early_in_a_second()
    ended = time.time() - 0.002
    if ended % 1 < 0.001:  # a whole second would be stored as INTEGER, and last through all of it
        ended -= 0.001
    job_id = lease_ending(conn, round(ended, 3))
    assert claimed_ids(conn, worker="other") == [job_id]


@pytest.mark.parametrize(("timeout_s", "storage"), [(1, "integer"), (60.0, "integer"), (31_536_000, "integer")])
def test_a_lease_in_whole_seconds_is_stored_as_its_last_second(conn, timeout_s, storage):
    second = early_in_a_second()
    enqueue(conn)
    job = claim(conn, timeout_s=timeout_s)[0]
    assert job["claim_expires_at"] == second + timeout_s
    assert live(conn, "typeof(claim_expires_at)", 1) == storage


@pytest.mark.parametrize("timeout_s", [0.05, 0.5, 1.5, 60.001])
def test_a_lease_with_a_fraction_is_exact_to_the_millisecond(conn, timeout_s):
    before = time.time()
    enqueue(conn)
    job = claim(conn, timeout_s=timeout_s)[0]
    assert before + timeout_s - 1e-6 <= job["claim_expires_at"] <= time.time() + timeout_s + 0.002
    assert live(conn, "claim_expires_at", 1) == job["claim_expires_at"]


@settling
def test_only_the_holder_settles(conn, function, more):
    enqueue(conn)
    claim(conn)
    assert call(conn, function, 1, "somebody else", *more) == 0
    assert call(conn, function, 2, "w", *more) == 0
    assert live(conn, "state", 1) == "processing"
    assert call(conn, function, 1, "w", *more) == 1


@settling
def test_a_job_that_waits_cannot_be_settled(conn, function, more):
    enqueue(conn)
    assert call(conn, function, 1, "w", *more) == 0
    assert live(conn, "state", 1) == "pending"


@settling
def test_a_stale_handler_with_a_reused_name_cannot_settle_a_later_attempt(conn, function, more):
    enqueue(conn)
    stale = claim(conn)[0]
    advance(conn, 62)
    fresh = claim(conn)[0]
    assert fresh["worker_id"] == stale["worker_id"]
    assert call(conn, function, 1, "w", *more, stale["attempts"]) == 0
    assert (live(conn, "state", 1), live(conn, "attempts", 1)) == ("processing", 2)
    assert call(conn, function, 1, "w", *more, fresh["attempts"]) == 1


@settling
def test_an_attempt_that_is_not_given_fences_by_name_alone(conn, function, more):
    enqueue(conn)
    claim(conn)
    assert call(conn, function, 1, "w", *more, None) == 1


@pytest.mark.parametrize("verb", ["ack", "retry", "fail"])
def test_settling_twice_does_nothing_the_second_time(conn, verb):
    function, more = SETTLING[verb]
    enqueue(conn)
    claim(conn)
    assert call(conn, function, 1, "w", *more, 1) == 1
    assert call(conn, function, 1, "w", *more, 1) == 0


# ------------------------------------------------------------------------------------------------------------- settling


def test_an_acked_job_leaves_nothing(conn):
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_ack", 1, "w") == 1
    assert (count(conn, "_honker_live"), count(conn, "_honker_dead")) == (0, 0)


def test_ack_batch_counts_the_claims_that_were_held(conn):
    for worker in ("a", "a", "b", "a"):
        enqueue(conn)
        claim(conn, worker=worker)
    assert call(conn, "honker_ack_batch", "[4, 1, 3, 2, 1, 99]", "a") == 3
    assert rows(conn, "SELECT id FROM _honker_live") == [(3,)]


def test_ack_batch_fences_each_job_by_its_own_attempt(conn):
    enqueue(conn)
    enqueue(conn)
    claim(conn, n=2)
    advance(conn, 62)
    claim(conn, n=1)
    claim(conn, n=1)
    assert call(conn, "honker_ack_batch", "[1, 2]", "w", "[2, 1]") == 1
    assert rows(conn, "SELECT id FROM _honker_live") == [(2,)]


def test_ack_batch_of_nothing_acks_nothing(conn):
    assert call(conn, "honker_ack_batch", "[]", "w") == 0


def test_a_retried_job_waits_for_its_delay(conn):
    enqueue(conn)
    claim(conn)
    before = time.time()
    assert call(conn, "honker_retry", 1, "w", 30, "timed out") == 1
    assert before + 30 <= live(conn, "run_at", 1) <= time.time() + 30.002
    assert rows(conn, "SELECT state, worker_id, claim_expires_at, attempts, last_error FROM _honker_live") == [
        ("pending", None, None, 1, "timed out")
    ]
    assert claim(conn) == []
    advance(conn, 31)
    assert claim(conn)[0]["attempts"] == 2


def test_a_retry_without_delay_is_due_at_once_and_stored_whole(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, "again")
    assert live(conn, "typeof(run_at)", 1) == "integer"
    assert claim(conn)[0]["attempts"] == 2


@pytest.mark.parametrize("delay", [0.001, 0.05, 1.2345])
def test_a_retry_is_never_early(conn, delay):
    enqueue(conn)
    claim(conn)
    before = time.time()
    call(conn, "honker_retry", 1, "w", delay, "again")
    assert before + delay - 1e-6 <= live(conn, "run_at", 1) <= time.time() + delay + 0.002


def test_the_last_retry_dead_letters_with_its_error(conn):
    enqueue(conn, max_attempts=2)
    for error in ("first", "second"):
        claim(conn)
        assert call(conn, "honker_retry", 1, "w", 0, error) == 1
    assert states(conn) == {1: ("dead", "second")}
    assert value(conn, "SELECT attempts FROM _honker_dead") == 2


def test_an_error_that_is_null_reads_as_empty(conn):
    for _ in range(2):
        enqueue(conn)
        claim(conn)
    call(conn, "honker_retry", 1, "w", 0, None)
    call(conn, "honker_fail", 2, "w", None)
    assert states(conn) == {1: ("pending", ""), 2: ("dead", "")}


def test_a_failed_job_is_dead_whatever_attempts_it_has_left(conn):
    enqueue(conn, max_attempts=100)
    claim(conn)
    assert call(conn, "honker_fail", 1, "w", "bad address") == 1
    assert states(conn) == {1: ("dead", "bad address")}


def test_a_heartbeat_counts_from_now(conn):
    enqueue(conn)
    claim(conn, timeout_s=600)
    second = early_in_a_second()
    assert call(conn, "honker_heartbeat", 1, "w", 30) == 1
    assert live(conn, "claim_expires_at", 1) == second + 30


def test_a_heartbeat_does_not_revive_a_lapsed_lease(conn):
    enqueue(conn)
    claim(conn)
    advance(conn, 62)
    assert call(conn, "honker_heartbeat", 1, "w", 60) == 0
    assert claimed_ids(conn, worker="other") == [1]


def test_a_heartbeat_charges_no_attempt(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_heartbeat", 1, "w", 60)
    assert live(conn, "attempts", 1) == 1
