"""Pauses of queues and keys, with and without an end."""

import json
import time

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, enqueue, refused, rows, value
from .jobs import count


def stats(conn, queue="q"):
    return call_json(conn, "honker_queue_stats", queue)


def keyed(conn, key="k", number=1):
    return [call(conn, "honker_enqueue", "q", "{}", json.dumps({"key": key})) for _ in range(number)]


def paused_keys(conn):
    return value(conn, "SELECT paused_keys FROM _honker_queues WHERE name = 'q'")


def exact(conn):
    """True if the counter is the number of paused keys."""
    return (paused_keys(conn) or 0) == value(conn, "SELECT count(*) FROM _honker_keys WHERE paused_at IS NOT NULL")


# --------------------------------------------------------------------------------------------------------------- queues


def test_a_pause_ends_at_its_time_without_a_process(conn):
    enqueue(conn)
    until = int(time.time()) + 60
    assert call(conn, "honker_queue_pause", "q", until, "deploy") == 1
    assert (stats(conn)["paused_until"], stats(conn)["pause_reason"]) == (until, "deploy")
    assert claim(conn) == []
    assert call(conn, "honker_queue_next_claim_at", "q") == until
    advance(conn, 61)
    assert stats(conn)["paused_at"] is stats(conn)["paused_until"] is stats(conn)["pause_reason"] is None
    assert claimed_ids(conn) == [1]


def test_a_pause_with_a_fraction_of_a_second_ends_no_earlier(conn):
    until = int(time.time()) + 60.25
    call(conn, "honker_queue_pause", "q", until)
    assert stats(conn)["paused_until"] == until


def test_a_pause_in_a_shared_file_ends_at_the_next_whole_second(conn):
    call(conn, "honker_file_share", 1)
    until = int(time.time()) + 60.25
    call(conn, "honker_queue_pause", "q", until)
    call(conn, "honker_key_pause", "q", "k", until)
    stored = until - 0.25 + 1
    assert stats(conn)["paused_until"] == stored
    assert rows(conn, "SELECT paused_until, typeof(paused_until) FROM _honker_keys") == [(stored, "integer")]


@pytest.mark.parametrize("function", [["honker_queue_pause", "q"], ["honker_key_pause", "q", "k"]])
def test_an_end_that_has_passed_is_refused(conn, function):
    with refused("HONKER_INVALID_ARGUMENT", "until"):
        call(conn, *function, time.time() - 1)
    assert count(conn, "_honker_queues") == count(conn, "_honker_keys") == 0


@pytest.mark.parametrize("function", [["honker_queue_pause", "q"], ["honker_key_pause", "q", "k"]])
def test_a_long_reason_is_refused(conn, function):
    with refused("HONKER_INVALID_ARGUMENT", "reason"):
        call(conn, *function, None, "x" * 1_001)


def test_a_second_pause_changes_the_terms_and_keeps_the_beginning(conn):
    until = int(time.time()) + 60
    assert call(conn, "honker_queue_pause", "q", until, "a") == 1
    advance(conn, 5)
    began = stats(conn)["paused_at"]
    assert call(conn, "honker_queue_pause", "q", until + 60, "b") == 0
    seen = stats(conn)
    assert (seen["paused_at"], seen["paused_until"], seen["pause_reason"]) == (began, until + 60, "b")
    assert call(conn, "honker_queue_pause", "q") == 0
    assert (stats(conn)["paused_at"], stats(conn)["paused_until"]) == (began, None)


def test_a_pause_after_one_that_has_ended_is_a_new_one(conn):
    call(conn, "honker_queue_pause", "q", int(time.time()) + 60)
    advance(conn, 120)
    now = int(time.time())
    assert call(conn, "honker_queue_pause", "q") == 1
    assert stats(conn)["paused_at"] >= now


def test_a_resume_clears_everything(conn):
    call(conn, "honker_queue_pause", "q", int(time.time()) + 60, "deploy")
    assert call(conn, "honker_queue_resume", "q") == 1
    assert call(conn, "honker_queue_resume", "q") == 0
    assert rows(conn, "SELECT paused_at, paused_until, pause_reason FROM _honker_queues") == [(None, None, None)]


def test_a_pause_that_has_ended_is_not_resumed_and_not_listed(conn):
    call(conn, "honker_queue_pause", "q", int(time.time()) + 60)
    assert [each["queue"] for each in call_json(conn, "honker_queue_list", None, 9)] == ["q"]
    advance(conn, 61)
    assert call_json(conn, "honker_queue_list", None, 9) == []
    assert call(conn, "honker_queue_resume", "q") == 0


# ----------------------------------------------------------------------------------------------------------------- keys


def test_a_paused_key_delays_no_other(conn):
    keyed(conn, "a", 2)
    keyed(conn, "b", 2)
    assert call(conn, "honker_key_pause", "q", "a") == 1
    assert claimed_ids(conn, n=9) == [3, 4]
    assert stats(conn)["blocked"] == 2
    assert call(conn, "honker_queue_next_claim_at", "q") > time.time()  # of the leases


def test_a_job_of_a_paused_key_is_accepted(conn):
    call(conn, "honker_key_pause", "q", "k", None, "disputed")
    keyed(conn)
    assert claim(conn) == []
    assert stats(conn)["blocked"] == 1
    assert call(conn, "honker_queue_next_claim_at", "q") == 0


def test_a_resumed_key_goes_on_at_once(conn):
    call(conn, "honker_key_pause", "q", "k")
    keyed(conn, number=3)
    assert claim(conn) == []
    assert call(conn, "honker_key_resume", "q", "k") == 1
    assert call(conn, "honker_key_resume", "q", "k") == 0
    assert claimed_ids(conn, n=9) == [1, 2, 3]
    assert count(conn, "_honker_keys") == 0
    assert paused_keys(conn) == 0


def test_a_resumed_key_keeps_to_its_limit(conn):
    call(conn, "honker_queue_configure", "q", '{"concurrency_per_key": 2}')
    call(conn, "honker_key_pause", "q", "k")
    keyed(conn, number=5)
    call(conn, "honker_key_resume", "q", "k")
    assert claimed_ids(conn, n=9) == [1, 2]


def test_a_key_in_flight_goes_on_when_it_is_paused(conn):
    keyed(conn)
    claim(conn)
    call(conn, "honker_key_pause", "q", "k")
    assert call(conn, "honker_ack", 1, "w") == 1


def test_the_pause_of_a_key_ends_at_its_time(conn):
    until = int(time.time()) + 60
    call(conn, "honker_key_pause", "q", "k", until)
    keyed(conn, number=2)
    assert claim(conn) == []
    assert call(conn, "honker_queue_next_claim_at", "q") == until
    advance(conn, 61)
    assert call(conn, "honker_queue_next_claim_at", "q") <= time.time()
    assert claimed_ids(conn, n=9) == [1, 2]
    assert paused_keys(conn) == 0
    assert exact(conn)


def test_a_busy_queue_goes_on_with_a_key_whose_pause_has_ended(conn):
    call(conn, "honker_key_pause", "q", "k", int(time.time()) + 60)
    keyed(conn)
    for _ in range(50):
        enqueue(conn)
    advance(conn, 61)
    assert 1 in claimed_ids(conn, n=51)


def test_a_pause_that_ends_is_found_among_many_keys(conn):
    until = int(time.time()) + 60
    for number in range(200):
        call(conn, "honker_key_pause", "q", f"a{number:03}")
        keyed(conn, f"a{number:03}")
    call(conn, "honker_key_pause", "q", "z", until)
    (last,) = keyed(conn, "z")
    for number in range(40):
        call(conn, "honker_key_pause", "q", f"empty{number:03}", until + 60)
    assert call(conn, "honker_queue_next_claim_at", "q") == until
    advance(conn, 61)
    assert claimed_ids(conn, n=9) == [last]
    assert paused_keys(conn) == 240


def test_many_pauses_that_end_at_once_are_digested_in_steps(conn):
    until = int(time.time()) + 60
    for number in range(50):
        call(conn, "honker_key_pause", "q", f"k{number}", until)
        keyed(conn, f"k{number}")
    advance(conn, 61)
    seen = []
    while found := claimed_ids(conn, n=100):
        seen += found
        assert exact(conn)
    assert sorted(seen) == list(range(1, 51))
    assert paused_keys(conn) == 0


def test_the_pauses_of_keys_are_no_longer_looked_at_after_the_last_has_ended(conn):
    call(conn, "honker_key_pause", "q", "k", int(time.time()) + 60)
    advance(conn, 61)
    assert claim(conn) == []
    assert paused_keys(conn) == 0
    assert count(conn, "_honker_keys") == 0


def test_a_second_pause_of_a_key_changes_the_terms(conn):
    until = int(time.time()) + 60
    assert call(conn, "honker_key_pause", "q", "k", until, "a") == 1
    assert call(conn, "honker_key_pause", "q", "k", until + 60, "b") == 0
    assert rows(conn, "SELECT paused_until, pause_reason FROM _honker_keys") == [(until + 60, "b")]
    assert paused_keys(conn) == 1


def test_a_configured_queue_keeps_its_settings_with_paused_keys(conn):
    call(conn, "honker_queue_configure", "q", '{"concurrency": 1}')
    call(conn, "honker_key_pause", "q", "k")
    call(conn, "honker_queue_configure", "q", '{"concurrency": 2}')
    assert paused_keys(conn) == 1
    assert call_json(conn, "honker_queue_settings", "q")["concurrency"] == 2


# ---------------------------------------------------------------------------------------------------------------- stats


def test_a_queue_with_blocked_jobs_only_is_listed(conn):
    call(conn, "honker_key_pause", "q", "k")
    keyed(conn)
    assert [(each["queue"], each["blocked"]) for each in call_json(conn, "honker_queue_list", None, 9)] == [("q", 1)]
