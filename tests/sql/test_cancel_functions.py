"""Asking for the end of a job that runs: one outcome, whatever its holder does."""

import json
import time

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, enqueue, rows, value
from .jobs import count, live, put


def outcome(conn, job_id=1):
    return call_json(conn, "honker_job_outcome", job_id)["state"]


def request(conn, job_id=1, *queue):
    return call(conn, "honker_cancel_request", job_id, *queue)


def requests(conn, *claims, worker="w"):
    return call_json(conn, "honker_cancel_requests", json.dumps(claims), worker)


def requested(conn, **options):
    enqueue(conn, **options)
    claim(conn)
    assert request(conn) == "requested"


@pytest.mark.parametrize("state", ["pending", "blocked", "waiting", "scheduled"])
def test_a_job_that_waits_is_removed_at_once(conn, state):
    put(conn, state=state)
    assert request(conn) == "cancelled"
    assert outcome(conn) == "cancelled"
    assert request(conn) == "gone"


def test_a_job_whose_lease_has_lapsed_is_removed_at_once(conn):
    enqueue(conn)
    claim(conn)
    advance(conn, 62)
    assert request(conn) == "cancelled"
    assert outcome(conn) == "cancelled"


def test_the_worker_of_a_job_is_asked(conn):
    enqueue(conn)
    claim(conn)
    before = time.time()
    assert request(conn) == "requested"
    job = call_json(conn, "honker_get_job", 1)
    assert job["state"] == "processing"
    assert before - 0.01 <= job["cancel_requested_at"] <= time.time()


def test_the_first_request_stays(conn):
    requested(conn)
    advance(conn, 10)
    first = live(conn, "cancel_requested_at", 1)
    assert request(conn) == "requested"
    assert live(conn, "cancel_requested_at", 1) == first


def test_a_job_of_another_queue_is_gone(conn):
    enqueue(conn)
    assert request(conn, 1, "another") == request(conn, 2) == "gone"
    assert call(conn, "honker_cancel_request", "q", 1) == "cancelled"


def test_a_dead_letter_is_gone(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_fail", 1, "w", "x")
    assert request(conn) == "gone"
    assert outcome(conn) == "dead"


def test_an_ack_wins(conn):
    requested(conn)
    assert call(conn, "honker_ack", 1, "w", 1) == 1
    assert outcome(conn) == "gone"
    assert request(conn) == "gone"


ENDS = [
    "honker_retry(1, 'w', 0, 'x', 1)",
    "honker_fail(1, 'w', 'x', 1)",
    "honker_release(1, 'w', 1)",
    "honker_release(1, 'w', 1, 5, 0)",
    "honker_snooze(1, 'w', 5, 1)",
    "honker_cancel_held(1, 'w', 1)",
]


@pytest.mark.parametrize("end", ENDS)
def test_every_other_end_of_a_job_that_is_asked_to_end_cancels_it(conn, end):
    requested(conn)
    assert value(conn, f"SELECT {end}") == 1
    assert outcome(conn) == "cancelled"
    for table in ("_honker_live", "_honker_dead", "_honker_attempts"):
        assert count(conn, table) == 0


@pytest.mark.parametrize("verb", ["retry", "fail", "release", "snooze", "cancel"])
def test_every_settlement_but_an_ack_cancels_it_too(conn, verb):
    requested(conn)
    settlements = json.dumps([{"id": 1, "attempt": 1, "do": verb}])
    assert call_json(conn, "honker_work", "q", "w", 1, 60, settlements) == {"settled": [1], "jobs": []}
    assert outcome(conn) == "cancelled"


@pytest.mark.parametrize("options", [{}, {"max_attempts": 1}, {"expires": 30}])
def test_a_lease_that_lapses_cancels_it(conn, options):
    requested(conn, **options)
    advance(conn, 62)
    assert claim(conn) == []
    assert outcome(conn) == "cancelled"


def test_a_sweep_cancels_an_expired_one_whose_lease_has_lapsed(conn):
    requested(conn, expires=30)
    advance(conn, 62)
    call(conn, "honker_sweep_expired", "q")
    assert outcome(conn) == "cancelled"


def test_the_holder_keeps_its_claim_until_then(conn):
    requested(conn)
    assert call(conn, "honker_heartbeat", 1, "w", 60, 1) == 1
    assert call(conn, "honker_progress", 1, "w", 1) == 1


def test_the_children_of_a_job_that_is_cancelled_and_its_key_go_on(conn):
    call(conn, "honker_queue_configure", "q", '{"concurrency_per_key": 1}')
    for _ in range(2):
        call(conn, "honker_enqueue", "q", "{}", '{"key": "k"}')
    assert claimed_ids(conn, n=2) == [1]
    assert request(conn) == "requested"
    assert call(conn, "honker_retry", 1, "w", 0, "x") == 1
    assert claimed_ids(conn) == [2]


def test_a_held_job_is_cancelled_by_its_holder_alone(conn):
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_cancel_held", 1, "another") == call(conn, "honker_cancel_held", 1, "w", 2) == 0
    assert call(conn, "honker_cancel_held", 1, "w") == 1
    assert outcome(conn) == "cancelled"
    enqueue(conn)
    assert call(conn, "honker_cancel_held", 2, "w") == 0


def test_a_holder_reads_the_requests_among_its_claims(conn):
    for _ in range(5):
        enqueue(conn)
    claim(conn, n=4)
    assert requests(conn, [1, 1], [2, 1], [3, 1]) == []
    request(conn, 2)
    call(conn, "honker_cancel", 3)
    assert requests(conn, [1, 1], [2, 1], [3, 1], [4, 2], [5, 1], [99, 1]) == [2, 3, 4, 5, 99]
    assert requests(conn, [1, 1], worker="another") == [1]
    advance(conn, 62)
    assert requests(conn, [1, 1]) == [1]


def test_reading_requests_takes_no_lock(conn, connect):
    enqueue(conn)
    claim(conn)
    reader = connect()
    reader.execute("PRAGMA query_only = ON")
    conn.execute("BEGIN IMMEDIATE")
    assert requests(reader, [1, 1]) == []
    assert not reader.in_transaction
    conn.execute("ROLLBACK")


def test_a_cancelled_job_that_is_kept_tells_its_last_attempt(conn):
    call(conn, "honker_queue_configure", "q", '{"keep_finished_s": 60}')
    requested(conn)
    settlements = json.dumps([{"id": 1, "attempt": 1, "do": "cancel", "run_s": 2}])
    call(conn, "honker_work", "q", "w", 0, 60, settlements)
    assert [job["state"] for job in call_json(conn, "honker_finished_list", "q", None, 9)] == ["cancelled"]
    assert [(each["outcome"], each["run_s"]) for each in call_json(conn, "honker_job_attempts", 1)] == [
        ("cancelled", 2)
    ]


def test_a_request_is_a_commit(conn, connect):
    """Watchers wake on commits."""
    enqueue(conn)
    claim(conn)
    other = connect()
    seen = value(other, "PRAGMA data_version")
    assert request(conn) == "requested"
    assert value(other, "PRAGMA data_version") != seen


def test_a_cancelled_job_leaves_nothing_behind(conn):
    requested(conn)
    call(conn, "honker_progress", 1, "w", 1)
    call(conn, "honker_cancel_held", 1, "w")
    assert rows(conn, "SELECT 1 FROM _honker_live UNION ALL SELECT 1 FROM _honker_progress") == []
