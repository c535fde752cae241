"""Boundaries that a schedule passes over: its last job has not ended, or its queue is paused."""

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, enqueue, refused, rows, value

FAR = 4_000_000_000  # long after the tests, so that no boundary moves while they run


def register(conn, *, overlap="skip", when_paused="enqueue", expires_s=None, misfire="catch_up"):
    options = (0, expires_s, 3, None, misfire, overlap, when_paused)
    call(conn, "honker_scheduler_register", "s", "q", "@every 60s", "{}", *options)
    conn.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = ?", (FAR,))


def fired(conn, until):
    """The jobs that a tick enqueues."""
    return [fire["job_id"] for fire in call_json(conn, "honker_scheduler_tick", until)]


def schedule(conn):
    return call_json(conn, "honker_scheduler_list")[0]


def end(conn, move):
    """Claim job 1 and end its attempt."""
    assert claimed_ids(conn) == [1]
    return call(conn, f"honker_{move}", 1, "w", *{"ack": (), "fail": ("e",), "retry": (0, "e")}[move])


@pytest.mark.parametrize(("overlap", "jobs"), [("skip", []), ("queue", [2])])
def test_a_boundary_finds_the_last_job_pending(conn, overlap, jobs):
    register(conn, overlap=overlap)
    assert fired(conn, FAR) == [1]
    assert schedule(conn)["last_job_id"] == 1
    assert fired(conn, FAR + 60) == jobs
    assert schedule(conn)["next_fire_at"] == FAR + 120


def test_a_boundary_is_passed_over_while_the_last_job_is_processing(conn):
    register(conn)
    fired(conn, FAR)
    claim(conn)
    assert fired(conn, FAR + 60) == []


def test_a_boundary_is_passed_over_while_the_last_job_waits_for_its_next_attempt(conn):
    register(conn)
    fired(conn, FAR)
    end(conn, "retry")
    assert fired(conn, FAR + 60) == []


@pytest.mark.parametrize("state", ["blocked", "waiting"])
def test_a_boundary_is_passed_over_while_the_last_job_is_kept_from_running(conn, state):
    register(conn)
    fired(conn, FAR)
    conn.execute("UPDATE _honker_live SET state = ?", (state,))
    assert fired(conn, FAR + 60) == []


@pytest.mark.parametrize("move", ["ack", "fail"])
def test_a_boundary_fires_after_the_last_job_has_ended(conn, move):
    register(conn)
    fired(conn, FAR)
    assert end(conn, move) == 1
    assert fired(conn, FAR + 60) == [2]
    assert schedule(conn)["last_job_id"] == 2


def test_a_boundary_fires_after_the_last_job_was_cancelled(conn):
    register(conn)
    fired(conn, FAR)
    call(conn, "honker_cancel", 1)
    assert fired(conn, FAR + 60) == [2]


def test_a_dead_job_that_is_requeued_counts_again(conn):
    register(conn)
    fired(conn, FAR)
    end(conn, "fail")
    call(conn, "honker_requeue", 1)
    assert fired(conn, FAR + 60) == []


def test_other_jobs_of_the_queue_do_not_count(conn):
    register(conn)
    enqueue(conn)
    assert fired(conn, FAR) == [2]
    call(conn, "honker_cancel", 2)
    assert fired(conn, FAR + 60) == [3]


def test_a_job_that_expired_before_a_worker_took_it_has_ended(conn):
    """Its row stays until a claim meets it, and without a worker that may be for ever."""
    conn.execute("SELECT honker_scheduler_register('s', 'q', '@every 60s', '{}', 0, 30, 3, NULL, 'once', 'skip', NULL)")
    now = value(conn, "SELECT unixepoch()")
    conn.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = ?", (now,))
    assert fired(conn, now) == [1]
    advance(conn, 29)
    assert fired(conn, now + 60) == []
    advance(conn, 60)
    assert fired(conn, now + 120) == [2]
    assert rows(conn, "SELECT id FROM _honker_live") == [(1,), (2,)]


def test_a_job_at_work_that_would_have_expired_has_not_ended(conn):
    register(conn, expires_s=30)
    fired(conn, FAR)
    claim(conn)
    conn.execute("UPDATE _honker_live SET expires_at = 1000")
    assert fired(conn, FAR + 60) == []


def test_boundaries_that_were_missed_become_one_job(conn):
    register(conn)
    assert fired(conn, FAR + 600) == [1]
    assert schedule(conn)["next_fire_at"] == FAR + 660


def test_a_rolled_back_tick_leaves_the_last_job_as_it_was(conn):
    register(conn)
    conn.execute("BEGIN")
    assert fired(conn, FAR) == [1]
    conn.execute("ROLLBACK")
    assert schedule(conn)["last_job_id"] is None
    assert fired(conn, FAR) == [1]


def test_registering_again_and_updating_keep_the_last_job(conn):
    register(conn)
    fired(conn, FAR)
    call(conn, "honker_scheduler_update", "s", "@every 30s", None, None, None, 0)
    register(conn)
    assert schedule(conn)["last_job_id"] == 1
    assert fired(conn, FAR) == []


def test_a_schedule_that_is_removed_and_registered_again_has_no_last_job(conn):
    register(conn)
    fired(conn, FAR)
    call(conn, "honker_scheduler_unregister", "s")
    register(conn)
    assert fired(conn, FAR) == [2]


# -------------------------------------------------------------------------------------------------------- paused queues


@pytest.mark.parametrize(("when_paused", "jobs"), [("skip", []), ("enqueue", [1])])
def test_a_boundary_comes_while_the_queue_is_paused(conn, when_paused, jobs):
    register(conn, overlap="queue", when_paused=when_paused)
    call(conn, "honker_queue_pause", "q")
    assert fired(conn, FAR) == jobs
    assert schedule(conn)["next_fire_at"] == FAR + 60
    call(conn, "honker_queue_resume", "q")
    assert fired(conn, FAR + 60) == [len(jobs) + 1]


def test_a_pause_that_has_ended_by_time_is_none(conn):
    register(conn, when_paused="skip")
    call(conn, "honker_queue_pause", "q", value(conn, "SELECT unixepoch()") + 30, None)
    assert fired(conn, FAR) == []
    advance(conn, 40)
    assert fired(conn, FAR + 60) == [1]


def test_the_pause_of_another_queue_does_not_count(conn):
    register(conn, when_paused="skip")
    call(conn, "honker_queue_pause", "other")
    assert fired(conn, FAR) == [1]


@pytest.mark.parametrize("argument", ["overlap", "when_paused"])
def test_an_unknown_policy_is_refused(conn, argument):
    with refused("HONKER_INVALID_ARGUMENT", argument):
        register(conn, **{argument: "sometimes"})
