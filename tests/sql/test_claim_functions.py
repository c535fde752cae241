"""Claiming: the claimed jobs and their order, the jobs that a claim dead-letters, and the next claimable instant."""

import json
import time

import pytest

from .clock import advance, early_in_a_second
from .database import call, call_json, claim, claimed_ids, enqueue, rows, value
from .jobs import count, lease_ending, live, put, states

# ------------------------------------------------------------------------------------------------------------- claiming


def test_a_claim_leases_the_job_to_the_worker(conn):
    second = early_in_a_second()
    enqueue(conn, payload="[1]", priority=4, max_attempts=5, run_at=1000)
    assert claim(conn, worker="w-1", timeout_s=60) == [{
        "id": 1, "queue": "q", "payload": "[1]", "state": "processing", "worker_id": "w-1", "attempts": 1,
        "claim_expires_at": second + 60, "priority": 4, "run_at": 1000, "max_attempts": 5, "created_at": second,
        "expires_at": None,
    }]  # fmt: skip
    assert rows(conn, "SELECT state, worker_id, claim_expires_at, attempts FROM _honker_live") == [
        ("processing", "w-1", second + 60, 1)
    ]


def test_a_detailed_claim_tells_everything_about_the_job(conn):
    second = early_in_a_second()
    enqueue(conn, payload="[1]", priority=4, max_attempts=5, run_at=1000, expires=100)
    detailed = call_json(conn, "honker_claim_batch", "q", "w", 1, 60, 1)[0]
    assert detailed.pop("expires_at") == pytest.approx(second + 100, abs=1)
    assert detailed == {
        "id": 1, "queue": "q", "payload": "[1]", "worker_id": "w", "attempts": 1, "claim_expires_at": second + 60,
        "state": "processing",
        "priority": 4, "run_at": 1000, "max_attempts": 5, "created_at": second, "last_error": None,
        "unknown_since": None,
    }  # fmt: skip


def test_a_detailed_claim_tells_why_the_attempt_before_was_retried(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, "timed out")
    assert call_json(conn, "honker_claim_batch", "q", "w", 1, 60, 1)[0]["last_error"] == "timed out"


@pytest.mark.parametrize("plain", [0, None])
def test_a_claim_is_detailed_only_when_asked(conn, plain):
    enqueue(conn)
    job = call_json(conn, "honker_claim_batch", "q", "w", 1, 60, plain)[0]
    assert job | {"unknown_since": None, "cancel_requested_at": None} == call_json(conn, "honker_get_job", 1)
    assert "unknown_since" not in job


def scrambled_jobs(conn):
    """Jobs whose claim order is neither that of their ids nor that of one column alone."""
    keys = [(0, 50), (5, 70), (0, 10), (5, 60), (-3, 1), (5, 60), (9, 99.5), (9, 99), (0, 50)]
    ids = [enqueue(conn, priority=priority, run_at=run_at) for priority, run_at in keys]
    return [job_id for _, job_id in sorted(zip([(-priority, run_at) for priority, run_at in keys], ids, strict=True))]


@pytest.mark.parametrize("n", [1, 2, 3, 9, 100])
def test_jobs_are_claimed_by_priority_then_run_at_then_id(conn, n):
    expected = scrambled_jobs(conn)
    order = []
    while batch := claimed_ids(conn, n=n):
        assert len(batch) <= n
        order += batch
    assert order == expected


def test_jobs_whose_lease_lapsed_keep_their_place_in_the_order(conn):
    expected = scrambled_jobs(conn)
    assert claimed_ids(conn, n=4) == expected[:4]
    advance(conn, 62)
    assert claimed_ids(conn, n=100) == expected


def test_claim_skips_jobs_whose_run_at_is_in_the_future(conn):
    enqueue(conn, delay=30)
    assert claim(conn) == []
    advance(conn, 31)
    assert claimed_ids(conn) == [1]


def test_delayed_jobs_of_a_high_level_hide_nothing(conn):
    for priority in range(1, 60):
        enqueue(conn, priority=priority, delay=3600)
    due = [enqueue(conn, priority=0), enqueue(conn, priority=-5)]
    assert claimed_ids(conn, n=10) == due


def test_a_delayed_job_hides_no_due_job_of_its_own_level(conn):
    enqueue(conn, delay=3600)
    due = enqueue(conn)
    assert claimed_ids(conn, n=10) == [due]


def test_a_claim_takes_from_its_own_queue_only(conn):
    enqueue(conn, "a")
    enqueue(conn, "b")
    assert claimed_ids(conn, "b", n=10) == [2]
    assert claimed_ids(conn, "B", n=10) == []


def test_a_claim_of_nothing_takes_nothing(conn):
    enqueue(conn)
    assert claim(conn, n=0) == []
    assert live(conn, "state", 1) == "pending"


def test_a_claim_that_finds_nothing_needs_no_write_lock(conn, connect):
    """Each commit wakes every idle worker; they must not queue behind the busy one."""
    enqueue(conn, delay=60)
    enqueue(conn, "paused")
    call(conn, "honker_queue_pause", "paused")
    connect().execute("BEGIN IMMEDIATE")
    conn.execute("PRAGMA busy_timeout = 0")
    assert [claim(conn, queue) for queue in ("q", "paused", "empty")] == [[], [], []]


def test_a_claimed_job_is_not_claimed_again(conn):
    enqueue(conn)
    assert claimed_ids(conn, worker="a") == [1]
    assert claimed_ids(conn, worker="b") == []
    assert claimed_ids(conn, worker="a") == []


def test_a_lapsed_lease_is_claimed_again_under_the_next_attempt(conn):
    enqueue(conn)
    claim(conn, worker="a")
    advance(conn, 62)
    job = claim(conn, worker="b")[0]
    assert (job["id"], job["worker_id"], job["attempts"]) == (1, "b", 2)


def test_more_lapsed_leases_than_a_claim_digests_at_once_are_all_claimed_in_the_end(conn):
    for _ in range(250):
        enqueue(conn)
    claim(conn, n=250)
    advance(conn, 62)
    order = []
    while batch := claimed_ids(conn, worker="b", n=30):
        order += batch
    assert sorted(order) == list(range(1, 251))


def test_ten_thousand_jobs_are_claimed_and_acked_at_once(conn):
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        INSERT INTO _honker_live (queue, payload, priority) SELECT 'q', '{}', i % 7 FROM n
    """)
    jobs = claim(conn, n=10_000)
    assert len(jobs) == 10_000
    priorities = [job["id"] % 7 for job in jobs]
    assert priorities == sorted(priorities, reverse=True)
    ids, attempts = json.dumps([job["id"] for job in jobs]), json.dumps([job["attempts"] for job in jobs])
    assert call(conn, "honker_ack_batch", ids, "w", attempts) == 10_000
    assert count(conn, "_honker_jobs") == 0


def test_large_payloads_are_claimed_over_several_claims(conn):
    conn.execute("""
        INSERT INTO _honker_live (queue, payload)
        SELECT 'q', hex(zeroblob(10 * 1024 * 1024)) FROM json_each('[1,2,3,4,5]')
    """)
    sizes = rows(conn, "SELECT json_array_length(honker_claim_batch('q', 'w', 10, 60)) FROM json_each('[1,2]')")
    assert sizes == [(4,), (1,)]


# --------------------------------------------------------------------------------------------------------- dead letters


@pytest.mark.parametrize("n", [1, 10])
def test_an_exhausted_job_is_dead_lettered_when_a_claim_meets_it(conn, n):
    exhausted = put(conn, attempts=3, max_attempts=3)
    good = enqueue(conn)
    assert claimed_ids(conn, n=n) == [good]
    assert states(conn)[exhausted] == ("dead", "max attempts exceeded")


def test_the_last_attempt_of_a_dead_worker_is_dead_lettered(conn):
    enqueue(conn, max_attempts=1)
    claim(conn)
    advance(conn, 62)
    assert claim(conn) == []
    assert states(conn) == {1: ("dead", "max attempts exceeded")}


@pytest.mark.parametrize(
    ("more", "error"), [({"max_attempts": 1}, "max attempts exceeded"), ({"expires": 30}, "expired")]
)
def test_a_lapsed_lease_is_dead_lettered_also_when_there_is_other_work(conn, more, error):
    """A busy queue must not delay the report of a lost job."""
    lost = enqueue(conn, priority=0, **more)
    claim(conn)
    advance(conn, 62)
    urgent = [enqueue(conn, priority=9) for _ in range(5)]
    assert claimed_ids(conn, n=1) == urgent[:1]
    assert states(conn)[lost] == ("dead", error)


def test_a_lease_in_force_is_left_alone_even_on_the_last_attempt(conn):
    enqueue(conn, max_attempts=1)
    claim(conn)
    claim(conn, worker="other")
    assert call(conn, "honker_ack", 1, "w") == 1


@pytest.mark.parametrize("expires", [-1, -0.001, -3_155_760_000])
def test_a_job_that_has_expired_already_is_dead_lettered_unclaimed(conn, expires):
    enqueue(conn, expires=expires)
    assert claim(conn) == []
    assert states(conn) == {1: ("dead", "expired")}


@pytest.mark.parametrize("expires", [0, 0.0, -0.0005])
def test_a_job_that_expires_at_once_is_never_claimable(conn, expires):
    for _ in range(100):
        assert live(conn, "expires_at", enqueue(conn, expires=expires)) <= time.time()


def test_a_job_expires_at_its_instant(conn):
    enqueue(conn, expires=60)
    enqueue(conn, expires=50)
    advance(conn, 55)
    assert claimed_ids(conn, n=10) == [1]
    assert states(conn)[2] == ("dead", "expired")


def test_an_expiry_is_exact_to_the_millisecond(conn):
    before = time.time()
    enqueue(conn, expires=0.05)
    assert before + 0.05 - 0.001 <= live(conn, "expires_at", 1) <= time.time() + 0.052


def test_a_job_that_expired_while_its_worker_died_does_not_stay(conn):
    enqueue(conn, expires=30)
    claim(conn)
    advance(conn, 62)
    assert claim(conn) == []
    assert states(conn) == {1: ("dead", "expired")}


def test_a_job_that_expired_while_claimed_is_still_its_holders(conn):
    enqueue(conn, expires=30)
    claim(conn)
    advance(conn, 40)
    assert claim(conn, worker="other") == []
    assert call(conn, "honker_ack", 1, "w", 1) == 1


MALFORMED = {
    "attempts-text": {"attempts": "many"},
    "attempts-real": {"attempts": 0.5},
    "max-attempts-text": {"max_attempts": "few"},
    "payload-blob": {"payload": b"\x00\xff"},
    "priority-real": {"priority": 1.5},
    "priority-text": {"priority": "high"},
}


@pytest.mark.parametrize("columns", MALFORMED.values(), ids=list(MALFORMED))
def test_a_malformed_row_is_dead_lettered_and_holds_up_nothing(conn, columns):
    malformed = put(conn, **columns)
    good = [enqueue(conn, priority=9), enqueue(conn, priority=-9)]
    assert claimed_ids(conn, n=10) == good
    state, error = states(conn)[malformed]
    assert state == "dead"
    assert error.startswith("malformed row: ")


def test_a_malformed_payload_that_is_not_utf8_is_dead_lettered(conn):
    conn.execute("INSERT INTO _honker_live (queue, payload) VALUES ('q', CAST(x'ff' AS TEXT))")
    good = enqueue(conn)
    assert claimed_ids(conn, n=10) == [good]
    assert value(conn, "SELECT last_error FROM _honker_dead WHERE id = 1").startswith("malformed row: ")


STRANDED = {
    "run-at-text": {"run_at": "soon"},
    "run-at-blob": {"run_at": b"\x00"},
    "priority-blob": {"priority": b"\x01"},
    "lease-end-text": {"state": "processing", "worker_id": "w", "claim_expires_at": "soon", "attempts": 1},
    "unknown-state": {"state": "paused"},
}


@pytest.mark.parametrize("columns", STRANDED.values(), ids=list(STRANDED))
def test_a_row_that_no_claim_can_meet_holds_up_nothing(conn, columns):
    put(conn, **columns)
    good = [enqueue(conn, priority=9), enqueue(conn, priority=-9)]
    assert claimed_ids(conn, n=10) == good


def test_a_lease_without_an_end_has_lapsed(conn):
    """No worker can hold it: every settling call compares the end with now."""
    put(conn, state="processing", worker_id="w", attempts=1)
    assert call(conn, "honker_queue_next_claim_at", "q") > 0
    (job,) = claim(conn, n=10)
    assert job["attempts"] == 2


def test_a_lease_without_an_end_uses_up_its_attempts(conn):
    put(conn, state="processing", worker_id="w", attempts=3)
    assert claim(conn, n=10) == []
    assert states(conn) == {1: ("dead", "max attempts exceeded")}


@pytest.mark.parametrize("columns", STRANDED.values(), ids=list(STRANDED))
def test_a_row_that_no_claim_can_meet_is_reported_when_asked_for(conn, columns):
    enqueue(conn)
    row = put(conn, **columns)
    assert [found["row"] for found in call_json(conn, "honker_malformed_rows", -1)] == [row]


@pytest.mark.parametrize("columns", STRANDED.values(), ids=list(STRANDED))
def test_a_row_that_no_claim_can_meet_is_not_waited_for(conn, columns):
    """A worker that gets "now" and finds nothing would ask again at once, for ever."""
    put(conn, **columns)
    assert claim(conn) == []
    assert call(conn, "honker_queue_next_claim_at", "q") == 0


def test_a_dead_letter_of_the_same_id_does_not_block_the_queue(conn):
    """After a restore or a merge of files, a live id may also be a dead one."""
    conn.execute("INSERT INTO _honker_dead (id, queue, payload, last_error) VALUES (1, 'q', 'old', 'old')")
    put(conn, id=1, payload="new", attempts=3)
    good = enqueue(conn)
    assert claimed_ids(conn, n=10) == [good]
    assert rows(conn, "SELECT payload, last_error FROM _honker_dead") == [("new", "max attempts exceeded")]


def test_many_dead_rows_are_digested_over_several_claims(conn):
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
        INSERT INTO _honker_live (queue, payload, attempts) SELECT 'q', '{}', 3 FROM n
    """)
    good = enqueue(conn)
    claims = [claimed_ids(conn) for _ in range(3)]
    assert claims == [[], [], [good]]
    assert count(conn, "_honker_dead") == 2500


def test_next_claim_at_says_now_while_dead_rows_are_being_digested(conn):
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
        INSERT INTO _honker_live (queue, payload, attempts) SELECT 'q', '{}', 3 FROM n
    """)
    assert claim(conn) == []
    assert call(conn, "honker_queue_next_claim_at", "q") == pytest.approx(time.time(), abs=1.1)


def test_a_dead_letter_keeps_what_was_known_about_the_job(conn):
    before = time.time()
    enqueue(conn, "q", "[1]", priority=5, run_at=1000, max_attempts=7, expires=3600)
    conn.execute("UPDATE _honker_live SET created_at = 900")
    claim(conn, worker="w-1")
    expires_at = live(conn, "expires_at", 1)
    call(conn, "honker_fail", 1, "w-1", "bad address")
    columns = (
        "id, queue, payload, priority, run_at, attempts, max_attempts, last_error, created_at, worker_id, expires_at"
    )
    assert rows(conn, f"SELECT {columns} FROM _honker_dead") == [
        (1, "q", "[1]", 5, 1000, 1, 7, "bad address", 900, "w-1", expires_at)
    ]
    assert int(before) <= value(conn, "SELECT died_at FROM _honker_dead") <= time.time()
    assert value(conn, "SELECT typeof(died_at) FROM _honker_dead") == "integer"


# -------------------------------------------------------------------------------------------------------- next_claim_at


def next_claim_at(conn):
    return call(conn, "honker_queue_next_claim_at", "q")


def is_now(instant):
    return abs(instant - time.time()) < 1


def test_next_claim_at_of_an_empty_queue_is_zero(conn):
    enqueue(conn, "other")
    assert next_claim_at(conn) == 0


def test_next_claim_at_of_a_due_job_is_now(conn):
    enqueue(conn)
    assert is_now(next_claim_at(conn))


def test_next_claim_at_of_an_overdue_job_is_now(conn):
    enqueue(conn, run_at=1)
    assert is_now(next_claim_at(conn))


@pytest.mark.parametrize("run_at", [4_102_444_800, 4_102_444_800.25])
def test_next_claim_at_of_a_delayed_job_is_its_run_at(conn, run_at):
    enqueue(conn, run_at=run_at)
    assert next_claim_at(conn) == run_at


def test_next_claim_at_is_the_earliest_over_all_levels(conn):
    for priority, run_at in [(9, 4_000_000_300), (5, 4_000_000_100), (0, 4_000_000_200), (-1, 4_000_000_150)]:
        enqueue(conn, priority=priority, run_at=run_at)
    assert next_claim_at(conn) == 4_000_000_100


def test_next_claim_at_finds_due_work_below_delayed_levels(conn):
    for priority in range(1, 20):
        enqueue(conn, priority=priority, delay=3600)
    enqueue(conn, priority=0)
    assert is_now(next_claim_at(conn))


def test_next_claim_at_of_a_whole_lease_is_the_second_after_it(conn):
    end = int(time.time()) + 60
    lease_ending(conn, end)
    assert next_claim_at(conn) == end + 1


def test_next_claim_at_of_a_lease_with_a_fraction_is_the_millisecond_after_it(conn):
    end = int(time.time()) + 60.5
    lease_ending(conn, end)
    assert next_claim_at(conn) == end + 0.001


def test_next_claim_at_of_a_lease_that_ends_in_this_second_is_the_next_one(conn):
    second = early_in_a_second()
    lease_ending(conn, second)
    assert next_claim_at(conn) == second + 1


def test_next_claim_at_is_that_of_the_lease_that_lapses_first_not_of_the_one_that_ends_first(conn):
    """A lease that ends at a whole second lasts through all of it: one that ends within that second expires before."""
    second = int(time.time()) + 60
    lease_ending(conn, second)
    lease_ending(conn, second + 0.5)
    lease_ending(conn, second + 0.75)
    assert next_claim_at(conn) == second + 0.501


def test_next_claim_at_of_a_lapsed_lease_is_now(conn):
    lease_ending(conn, 1000)
    assert is_now(next_claim_at(conn))


def test_next_claim_at_is_the_earlier_of_lease_and_delay(conn):
    soon = int(time.time()) + 1000
    lease_ending(conn, soon)
    enqueue(conn, run_at=soon + 100)
    assert next_claim_at(conn) == soon + 1
    enqueue(conn, run_at=soon - 1)
    assert next_claim_at(conn) == soon - 1


def test_next_claim_at_of_a_paused_queue_is_zero(conn):
    enqueue(conn)
    call(conn, "honker_queue_pause", "q")
    assert next_claim_at(conn) == 0
    call(conn, "honker_queue_resume", "q")
    assert is_now(next_claim_at(conn))


def test_next_claim_at_is_a_promise_that_a_claim_keeps(conn):
    """A worker that sleeps until then finds the job: the boundary is neither early nor late."""
    enqueue(conn, delay=0.05)
    at = next_claim_at(conn)
    assert claim(conn) == [] or time.time() >= at
    while time.time() < at:
        assert next_claim_at(conn) == at or time.time() >= at
    assert claimed_ids(conn) == [1]


def test_next_claim_at_needs_no_write_lock(conn, connect):
    enqueue(conn)
    other = connect()
    other.execute("BEGIN IMMEDIATE")
    assert is_now(next_claim_at(conn))
