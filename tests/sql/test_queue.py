"""Queues: what a claim hands out and in which order, who may settle it, and where jobs that are over go."""

import json
import sqlite3
import time

import pytest

from .clock import advance, early_in_a_second
from .database import call, call_json, claim, claimed_ids, enqueue, refused, rows, value


def live(conn, column, job_id):
    return value(conn, f"SELECT {column} FROM _honker_live WHERE id = ?", job_id)


def states(conn):
    """State and error of every job, by id."""
    return {job: (state, error) for job, state, error in rows(conn, "SELECT id, state, last_error FROM _honker_jobs")}


def count(conn, table):
    return value(conn, f"SELECT count(*) FROM {table}")


def put(conn, **columns):
    """A row as another program or a hand writes it."""
    columns = {"queue": "q", "payload": "{}"} | columns
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    sql = f"INSERT INTO _honker_live ({names}) VALUES ({marks}) RETURNING id"
    return conn.execute(sql, list(columns.values())).fetchall()[0][0]


# ----------------------------------------------------------------------------------------------------------- enqueueing


def test_an_enqueued_job_waits_with_what_it_was_given(conn):
    second = early_in_a_second()
    job_id = enqueue(conn, "emails", '{"to":"ünï"}', priority=-7, max_attempts=9)
    assert call_json(conn, "honker_get_job", job_id) == {
        "id": 1, "queue": "emails", "payload": '{"to":"ünï"}', "state": "pending", "priority": -7, "run_at": second,
        "worker_id": None, "claim_expires_at": None, "attempts": 0, "max_attempts": 9, "created_at": second,
        "expires_at": None,
    }  # fmt: skip


def test_a_payload_is_stored_byte_by_byte(conn):
    payload = '  {"n" : 1,\n "ü":"\\u00fc 🚀"}\t'
    enqueue(conn, payload=payload)
    assert value(conn, "SELECT payload FROM _honker_live") == payload
    assert claim(conn)[0]["payload"] == payload


def test_ids_are_never_used_again(conn):
    first = enqueue(conn)
    call(conn, "honker_cancel", first)
    second = enqueue(conn)
    claim(conn)
    call(conn, "honker_ack", second, "w")
    assert enqueue(conn) == 3


def test_ids_are_unique_over_all_queues(conn):
    assert [enqueue(conn, queue) for queue in ("a", "b", "a")] == [1, 2, 3]


def test_a_delay_wins_over_run_at(conn):
    job_id = enqueue(conn, run_at=1, delay=100)
    assert live(conn, "run_at", job_id) > time.time() + 98


@pytest.mark.parametrize("run_at", [0, -5, 1_000_000_000, 1_000_000_000.25, 4_102_444_800])
def test_run_at_is_stored_as_given(conn, run_at):
    assert live(conn, "run_at", enqueue(conn, run_at=run_at)) == run_at


def test_a_job_without_run_at_is_due_in_the_second_that_has_begun(conn):
    second = early_in_a_second()
    for options in ({}, {"delay": 0}, {"delay": 0.0, "run_at": 4_102_444_800}):
        job_id = enqueue(conn, **options)
        assert rows(conn, "SELECT run_at, typeof(run_at) FROM _honker_live WHERE id = ?", job_id) == [
            (second, "integer")
        ]


@pytest.mark.parametrize("delay", [0.001, 0.0494, 0.5, 1, 2.75, 3600])
def test_a_delay_is_exact_to_the_millisecond_and_never_early(conn, delay):
    before = time.time()
    run_at = live(conn, "run_at", enqueue(conn, delay=delay))
    assert before + delay - 1e-6 <= run_at <= time.time() + delay + 0.002


def test_a_negative_delay_makes_a_job_that_is_overdue(conn):
    enqueue(conn, delay=-60)
    assert claimed_ids(conn) == [1]


@pytest.mark.parametrize(("seconds", "storage"), [(1_000_000_000, "integer"), (1e9, "integer"), (1e9 + 0.5, "real")])
def test_a_whole_second_is_stored_as_an_integer(conn, seconds, storage):
    assert live(conn, "typeof(run_at)", enqueue(conn, run_at=seconds)) == storage


def test_enqueue_leaves_notifications_untouched(conn):
    job_id = enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", job_id, "w", 0, "again")
    assert count(conn, "_honker_notifications") == 0
    assert rows(conn, "SELECT * FROM sqlite_sequence WHERE name = '_honker_notifications'") == []


def test_a_rolled_back_enqueue_leaves_no_job(conn):
    conn.execute("BEGIN")
    enqueue(conn)
    conn.execute("ROLLBACK")
    assert claim(conn) == []


def test_enqueue_works_in_triggers(conn):
    conn.executescript("""
        CREATE TABLE orders (id INTEGER PRIMARY KEY, total);
        CREATE TRIGGER ordered AFTER INSERT ON orders BEGIN
          SELECT honker_enqueue('bills', json_object('order', NEW.id), NULL, NULL, 0, 3, NULL);
        END;
    """)
    conn.execute("INSERT INTO orders (total) VALUES (100), (200)")
    assert [job["payload"] for job in claim(conn, "bills", n=9)] == ['{"order":1}', '{"order":2}']


def test_enqueue_works_for_each_row_of_a_select(conn):
    conn.execute("CREATE TABLE numbers AS SELECT value AS n FROM json_each('[1,2,3]')")
    jobs = rows(conn, "SELECT honker_enqueue('q', CAST(n AS TEXT), NULL, NULL, 0, 3, NULL) FROM numbers")
    assert jobs == [(1,), (2,), (3,)]
    assert count(conn, "_honker_live") == 3


def test_a_bare_insert_is_claimable(conn):
    conn.execute("INSERT INTO _honker_live (queue, payload) VALUES ('q', '{}')")
    assert claim(conn)[0]["attempts"] == 1
    assert live(conn, "max_attempts", 1) == 3


# ------------------------------------------------------------------------------------------------------------- claiming


def test_a_claim_leases_the_job_to_the_worker(conn):
    second = early_in_a_second()
    enqueue(conn, payload="[1]")
    assert claim(conn, worker="w-1", timeout_s=60) == [
        {"id": 1, "queue": "q", "payload": "[1]", "worker_id": "w-1", "attempts": 1, "claim_expires_at": second + 60}
    ]
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
        "priority": 4, "run_at": 1000, "max_attempts": 5, "created_at": second, "last_error": None,
    }  # fmt: skip


def test_a_detailed_claim_tells_why_the_attempt_before_was_retried(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, "timed out")
    assert call_json(conn, "honker_claim_batch", "q", "w", 1, 60, 1)[0]["last_error"] == "timed out"


@pytest.mark.parametrize("plain", [0, None])
def test_a_claim_is_detailed_only_when_asked(conn, plain):
    enqueue(conn)
    assert call_json(conn, "honker_claim_batch", "q", "w", 1, 60, plain)[0].keys() == {
        "id", "queue", "payload", "worker_id", "attempts", "claim_expires_at",
    }  # fmt: skip


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
    """Each commit wakes every idle worker; they must not queue up behind the one that works."""
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


# -------------------------------------------------------------------------------------------------------- jobs that die


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
    """A busy queue must not put off telling that a job is lost."""
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
    assert before + 0.05 - 0.001 <= live(conn, "expires_at", 1) <= time.time() + 0.05 + 1e-6


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
    "lease-without-end": {"state": "processing", "worker_id": "w", "attempts": 1},
    "lease-end-text": {"state": "processing", "worker_id": "w", "claim_expires_at": "soon", "attempts": 1},
    "unknown-state": {"state": "paused"},
}


@pytest.mark.parametrize("columns", STRANDED.values(), ids=list(STRANDED))
def test_a_row_that_no_claim_can_meet_holds_up_nothing(conn, columns):
    put(conn, **columns)
    good = [enqueue(conn, priority=9), enqueue(conn, priority=-9)]
    assert claimed_ids(conn, n=10) == good


@pytest.mark.parametrize("columns", STRANDED.values(), ids=list(STRANDED))
def test_a_row_that_no_claim_can_meet_is_not_waited_for(conn, columns):
    """A worker that is told "now" and finds nothing would ask again at once, for good."""
    put(conn, **columns)
    assert claim(conn) == []
    assert call(conn, "honker_queue_next_claim_at", "q") == 0


def test_a_dead_letter_of_the_same_id_does_not_block_the_queue(conn):
    """After a restore or a merge of files, a live id may be among the dead already."""
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


# ------------------------------------------------------------------------------------------------------ leases, fencing


def lease_ending(conn, end):
    """A claimed job whose lease is stored as ending at `end`."""
    job_id = enqueue(conn)
    claim(conn)
    conn.execute("UPDATE _honker_live SET claim_expires_at = ? WHERE id = ?", (end, job_id))
    return job_id


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
    if ended % 1 < 0.001:  # a whole second would be stored as INTEGER, and mean all of it
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


# ---------------------------------------------------------------------------------------- cancelling, looking, sweeping


@pytest.mark.parametrize("is_claimed", [False, True])
def test_a_cancelled_job_is_gone_and_so_is_its_claim(conn, is_claimed):
    enqueue(conn)
    if is_claimed:
        claim(conn)
    assert call(conn, "honker_cancel", 1) == 1
    assert call(conn, "honker_cancel", 1) == 0
    assert call(conn, "honker_ack", 1, "w") == 0
    assert states(conn) == {}


def test_cancel_can_be_limited_to_a_queue(conn):
    enqueue(conn, "a")
    assert call(conn, "honker_cancel", 1, "b") == 0
    assert call(conn, "honker_cancel", 1, "a") == 1


def test_get_job_can_be_limited_to_a_queue(conn):
    enqueue(conn, "a")
    assert call(conn, "honker_get_job", 1, "b") == ""
    assert call_json(conn, "honker_get_job", 1, "a")["id"] == 1
    assert call_json(conn, "honker_get_job", 1, None)["id"] == 1


def test_get_job_tells_who_holds_a_job(conn):
    enqueue(conn)
    claimed = claim(conn, worker="w-1", timeout_s=0.75)[0]
    job = call_json(conn, "honker_get_job", 1)
    assert (job["state"], job["worker_id"], job["attempts"]) == ("processing", "w-1", 1)
    assert job["claim_expires_at"] == claimed["claim_expires_at"]


def test_get_job_does_not_look_among_the_dead(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_fail", 1, "w", "x")
    assert call(conn, "honker_get_job", 1) == ""


def test_get_job_refuses_a_row_that_it_cannot_read(conn):
    put(conn, attempts="many")
    with refused("HONKER_MALFORMED_ROW", "attempts"):
        call(conn, "honker_get_job", 1)


def test_a_sweep_dead_letters_what_expired_unclaimed(conn):
    enqueue(conn, expires=10)
    enqueue(conn, expires=100)
    enqueue(conn)
    enqueue(conn, delay=1000, expires=20)
    enqueue(conn, "other", expires=10)
    advance(conn, 50)
    assert call(conn, "honker_sweep_expired", "q") == 2
    assert {job for job, (state, error) in states(conn).items() if (state, error) == ("dead", "expired")} == {1, 4}
    assert call(conn, "honker_sweep_expired", "q") == 0


def test_a_sweep_leaves_leased_jobs_to_their_holders(conn):
    enqueue(conn, expires=10)
    claim(conn, timeout_s=60)
    advance(conn, 20)
    assert call(conn, "honker_sweep_expired", "q") == 0
    assert call(conn, "honker_ack", 1, "w") == 1


def test_a_sweep_takes_expired_jobs_whose_lease_has_lapsed(conn):
    enqueue(conn, expires=10)
    claim(conn, timeout_s=60)
    advance(conn, 62)
    assert call(conn, "honker_sweep_expired", "q") == 1
    assert states(conn) == {1: ("dead", "expired")}


def test_a_sweep_respects_a_lease_that_ends_in_this_second(conn):
    job_id = lease_ending(conn, early_in_a_second())
    conn.execute("UPDATE _honker_live SET expires_at = 1 WHERE id = ?", (job_id,))
    assert call(conn, "honker_sweep_expired", "q") == 0


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


def test_next_claim_at_of_a_lapsed_lease_is_now(conn):
    lease_ending(conn, 1000)
    assert is_now(next_claim_at(conn))


def test_next_claim_at_is_the_earlier_of_lease_and_delay(conn):
    lease_ending(conn, 4_000_000_000)
    enqueue(conn, run_at=4_000_000_100)
    assert next_claim_at(conn) == 4_000_000_001
    enqueue(conn, run_at=3_999_999_999)
    assert next_claim_at(conn) == 3_999_999_999


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


# -------------------------------------------------------------------------------------------------------------- pausing


def test_a_paused_queue_takes_jobs_in_and_gives_none_out(conn):
    enqueue(conn)
    assert call(conn, "honker_queue_pause", "q") == 1
    enqueue(conn)
    assert claim(conn, n=10) == []
    assert call(conn, "honker_queue_resume", "q") == 1
    assert claimed_ids(conn, n=10) == [1, 2]


def test_pausing_a_queue_leaves_claims_to_their_holders(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_queue_pause", "q")
    assert call(conn, "honker_heartbeat", 1, "w", 60, 1) == 1
    assert call(conn, "honker_ack", 1, "w", 1) == 1


def test_pausing_holds_back_one_queue_only(conn):
    enqueue(conn, "other")
    call(conn, "honker_queue_pause", "q")
    assert claimed_ids(conn, "other") == [1]


def test_pause_and_resume_tell_whether_they_changed_anything(conn):
    results = [
        call(conn, f"honker_queue_{verb}", "q") for verb in ("resume", "pause", "pause", "resume", "resume", "pause")
    ]
    assert results == [0, 1, 0, 1, 0, 1]


# ------------------------------------------------------------------------------------------------------------- the view


def test_the_view_of_jobs_shows_the_live_and_the_dead(conn):
    enqueue(conn, priority=2)
    enqueue(conn)
    claim(conn, worker="w-1")
    call(conn, "honker_fail", 1, "w-1", "bad")
    cursor = conn.execute("SELECT * FROM _honker_jobs ORDER BY id")
    assert [column[0] for column in cursor.description] == [
        "id", "queue", "payload", "state", "priority", "run_at", "worker_id", "claim_expires_at", "attempts",
        "max_attempts", "last_error", "created_at",
    ]  # fmt: skip
    dead, waiting = cursor.fetchall()
    assert (dead[3], dead[6], dead[7], dead[10]) == ("dead", None, None, "bad")
    assert (waiting[3], waiting[10]) == ("pending", None)


def test_edits_by_hand_are_respected(conn):
    """Operators release, postpone and refill jobs with SQL."""
    enqueue(conn, max_attempts=1)
    claim(conn)
    conn.execute("UPDATE _honker_live SET claim_expires_at = unixepoch() - 10, attempts = 0")
    assert claim(conn, worker="other")[0]["attempts"] == 1
    conn.execute("UPDATE _honker_live SET state = 'pending', attempts = 0, run_at = unixepoch() + 60")
    assert claim(conn) == []
    with pytest.raises(sqlite3.IntegrityError):
        conn.execute("UPDATE _honker_live SET payload = NULL")
