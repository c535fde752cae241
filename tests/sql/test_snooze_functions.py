"""Snooze: a held job waits until later, with the attempt uncharged."""

import json
import time

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, enqueue, refused, rows, value
from .jobs import count, live


def snooze(conn, job_id=1, delay_s=60, *attempt):
    return call(conn, "honker_snooze", job_id, "w", delay_s, *attempt)


def test_a_snoozed_job_waits_for_the_delay_and_keeps_its_attempt(conn):
    enqueue(conn, max_attempts=1)
    claim(conn)
    assert snooze(conn, 1, 60, 1) == 1
    assert live(conn, "state", 1) == "pending"
    assert live(conn, "run_at", 1) >= time.time() + 59
    assert claim(conn) == []
    advance(conn, 61)
    (job,) = call_json(conn, "honker_claim_batch", "q", "w", 1, 60, 1)
    assert (job["attempts"], job["snoozes"], job["last_error"]) == (1, 1, None)


def test_the_error_of_the_attempt_before_stays(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, "broken")
    claim(conn)
    snooze(conn)
    assert live(conn, "last_error", 1) == "broken"
    assert live(conn, "attempts", 1) == 1


def test_only_the_holder_snoozes(conn):
    enqueue(conn)
    assert snooze(conn) == 0
    claim(conn)
    assert call(conn, "honker_snooze", 1, "another", 5) == snooze(conn, 1, 5, 2) == snooze(conn, 2) == 0
    advance(conn, 62)
    assert snooze(conn) == 0
    assert live(conn, "snoozes", 1) is None


@pytest.mark.parametrize("delay_s", [-1, None, "5", 3_155_760_001])
def test_a_delay_out_of_range_is_refused(conn, delay_s):
    with refused("HONKER_INVALID_ARGUMENT", "delay_s"):
        snooze(conn, 1, delay_s)


def test_a_round_of_a_worker_snoozes(conn):
    enqueue(conn)
    claim(conn)
    settlements = json.dumps([{"id": 1, "attempt": 1, "do": "snooze", "delay_s": 60, "run_s": 0.5}])
    assert call_json(conn, "honker_work", "q", "w", 1, 60, settlements) == {"settled": [1], "jobs": []}
    (attempt,) = call_json(conn, "honker_job_attempts", 1)
    assert (attempt["outcome"], attempt["run_s"]) == ("snoozed", 0.5)


def test_a_thousand_snoozes_leave_one_attempt_and_a_small_row(conn):
    enqueue(conn, max_attempts=1)
    for _ in range(1_000):
        assert claimed_ids(conn) == [1]
        assert snooze(conn, 1, 0, 1) == 1
    assert live(conn, "snoozes", 1) == 1_000
    assert [each["number"] for each in call_json(conn, "honker_job_attempts", 1)] == [1]
    assert value(conn, "SELECT sum(payload) FROM dbstat WHERE name = '_honker_live'") < 200


def test_another_end_of_an_attempt_ends_a_run_of_snoozes(conn):
    enqueue(conn, max_attempts=9)
    for verb in ("snooze", "snooze", "retry", "snooze", "snooze"):
        claim(conn)
        snooze(conn, 1, 0) if verb == "snooze" else call(conn, "honker_retry", 1, "w", 0, "x")
    assert [each["outcome"] for each in call_json(conn, "honker_job_attempts", 1)] == ["snoozed", "failed", "snoozed"]


def test_the_slot_of_a_key_is_free_and_the_unique_key_is_kept(conn):
    call(conn, "honker_queue_configure", "q", '{"concurrency_per_key": 1}')
    for unique in ("a", "b"):
        call(conn, "honker_enqueue", "q", "{}", json.dumps({"key": "k", "unique_key": unique}))
    assert claimed_ids(conn, n=2) == [1]
    snooze(conn)
    assert claimed_ids(conn, n=2) == [2]
    assert call_json(conn, "honker_enqueue_unique", "q", "{}", '{"unique_key": "a"}') == {"id": 1, "is_duplicate": True}


def test_a_start_of_a_rate_stays_spent(conn):
    call(conn, "honker_queue_configure", "q", '{"rate": [1, 3600]}')
    enqueue(conn)
    assert claimed_ids(conn) == [1]
    snooze(conn, 1, 0)
    assert claim(conn) == []


def test_each_start_of_a_key_takes_a_start_of_its_rate(conn):
    call(conn, "honker_queue_configure", "q", '{"rate_per_key": [1, 60]}')
    for _ in range(2):
        call(conn, "honker_enqueue", "q", "{}", '{"key": "k"}')
    assert claimed_ids(conn, n=2) == [1]
    conn.execute("UPDATE _honker_live SET run_at = 5 WHERE id = 2")  # the start that it was given
    conn.execute("UPDATE _honker_keys SET next_start_ms = next_start_ms + 60000")
    assert claimed_ids(conn, n=2) == [2]
    snooze(conn, 2, 0)
    assert claim(conn) == []


def test_a_snooze_is_no_end_of_an_unknown_task(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_release", 1, "w", 1, 0, 1)
    claim(conn)
    snooze(conn, 1, 0)
    assert live(conn, "unknown_since", 1) is None


def test_a_snoozed_job_that_succeeds_leaves_nothing(conn):
    enqueue(conn)
    claim(conn)
    snooze(conn, 1, 0)
    claim(conn)
    assert call(conn, "honker_ack", 1, "w") == 1
    assert count(conn, "_honker_attempts") == 0
    assert rows(conn, "SELECT * FROM _honker_live") == []


def snooze_in_a_round(conn, job_id=1, **fields):
    settlement = {"id": job_id, "attempt": 1, "do": "snooze", "delay_s": 60} | fields
    return call_json(conn, "honker_work", "q", "w", 0, 60, json.dumps([settlement]))["settled"]


def pause(conn, queue="q"):
    stats = call_json(conn, "honker_queue_stats", queue)
    return stats["paused_at"] is not None, stats["paused_until"], stats["pause_reason"]


def test_a_snooze_with_an_error_keeps_it(conn):
    enqueue(conn)
    claim(conn)
    assert snooze_in_a_round(conn, error="no token") == [1]
    assert live(conn, "last_error", 1) == "no token"


def test_a_snooze_may_hold_its_queue_for_its_delay(conn):
    enqueue(conn)
    claim(conn)
    assert snooze_in_a_round(conn, hold="queue") == [1]
    is_paused, until, reason = pause(conn)
    assert (is_paused, reason) == (True, "rate limited")
    assert until == live(conn, "run_at", 1)


def test_a_snooze_may_hold_its_key(conn):
    call(conn, "honker_enqueue", "q", "{}", '{"key": "acme"}')
    call(conn, "honker_enqueue", "q", "{}", '{"key": "acme"}')
    other = call(conn, "honker_enqueue", "q", "{}", '{"key": "other"}')
    claim(conn)
    assert snooze_in_a_round(conn, hold="key") == [1]
    assert pause(conn) == (False, None, None)
    assert [job["id"] for job in call_json(conn, "honker_claim_batch", "q", "w", 9, 60)] == [other]


def test_a_job_without_a_key_holds_no_key(conn):
    enqueue(conn)
    claim(conn)
    assert snooze_in_a_round(conn, hold="key") == [1]
    assert pause(conn) == (False, None, None)


@pytest.mark.parametrize("delay_s", [0, 5])
@pytest.mark.parametrize("until_s", [None, 1000])
def test_a_hold_does_not_shorten_a_pause(conn, delay_s, until_s):
    enqueue(conn)
    claim(conn)
    until = None if until_s is None else time.time() + until_s
    call(conn, "honker_queue_pause", "q", until, "disputed")
    before = pause(conn)
    assert snooze_in_a_round(conn, delay_s=delay_s, hold="queue") == [1]
    assert pause(conn) == before
    assert before[2] == "disputed"


def test_a_hold_extends_a_shorter_pause(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_queue_pause", "q", time.time() + 5, "short")
    assert snooze_in_a_round(conn, delay_s=500, hold="queue") == [1]
    assert pause(conn)[1] > time.time() + 400


def test_a_claim_that_is_lost_holds_nothing(conn):
    enqueue(conn)
    claim(conn)
    assert snooze_in_a_round(conn, attempt=2, hold="queue") == [0]
    assert pause(conn) == (False, None, None)


def test_a_job_that_was_asked_to_end_holds_nothing(conn):
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_cancel_request", 1) == "requested"
    assert snooze_in_a_round(conn, hold="queue") == [1]
    assert pause(conn) == (False, None, None)
    assert call_json(conn, "honker_job_outcome", 1)["state"] == "cancelled"


def test_a_hold_has_two_forms(conn):
    enqueue(conn)
    claim(conn)
    with refused("HONKER_INVALID_ARGUMENT", "settlements_json"):
        snooze_in_a_round(conn, hold="file")
