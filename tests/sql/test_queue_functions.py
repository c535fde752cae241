"""Queues: jobs are enqueued, read, removed unclaimed, and paused."""

import sqlite3
import time

import pytest

from .clock import advance, early_in_a_second
from .database import call, call_json, claim, claimed_ids, enqueue, refused, rows, value
from .jobs import count, lease_ending, live, put, states

# ----------------------------------------------------------------------------------------------------------- enqueueing


def test_an_enqueued_job_waits_with_what_it_was_given(conn):
    second = early_in_a_second()
    job_id = enqueue(conn, "emails", '{"to":"ünï"}', priority=-7, max_attempts=9)
    assert call_json(conn, "honker_get_job", job_id) == {
        "id": 1, "queue": "emails", "payload": '{"to":"ünï"}', "state": "pending", "priority": -7, "run_at": second,
        "worker_id": None, "claim_expires_at": None, "attempts": 0, "max_attempts": 9, "created_at": second,
        "expires_at": None, "unknown_since": None, "cancel_requested_at": None,
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


# ---------------------------------------------------------------------------------------- cancelling, reading, sweeping


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
