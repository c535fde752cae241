"""Rows that a clock wrote which was ahead."""

import pytest

from .clock import advance
from .database import call, call_json, claimed_ids, enqueue, value

YEARS_AHEAD = 20 * 365 * 86_400


@pytest.fixture
def now(conn):
    return value(conn, "SELECT unixepoch()")


def test_a_lease_that_ends_later_than_any_lease_may_counts_as_lapsed(conn, now):
    enqueue(conn)
    assert claimed_ids(conn) == [1]
    conn.execute("UPDATE _honker_live SET claim_expires_at = ?", (now + YEARS_AHEAD,))
    assert claimed_ids(conn, worker="other") == [1]


def test_the_longest_lease_is_held(conn):
    enqueue(conn)
    longest = call_json(conn, "honker_limits")["lease_max_s"]
    assert claimed_ids(conn, timeout_s=longest) == [1]
    assert claimed_ids(conn, worker="other") == []


def test_events_of_a_clock_that_was_ahead_do_not_stop_retention(conn, now):
    call(conn, "honker_retention_set", "stream", "t", 86_400, None)
    row = (now + YEARS_AHEAD,)
    for _ in range(300):
        conn.execute("INSERT INTO _honker_stream (topic, payload, created_at) VALUES ('t', '1', ?)", row)
    for _ in range(500):
        call(conn, "honker_stream_publish", "t", None, "1")
    assert value(conn, f"SELECT count(*) FROM _honker_stream WHERE created_at > {now + 86_400}") == 0
    assert value(conn, "SELECT count(*) FROM _honker_stream") == 500


def test_notifications_of_a_clock_that_was_ahead_do_not_stop_pruning(conn, now):
    for _ in range(300):
        conn.execute(
            "INSERT INTO _honker_notifications (channel, payload, created_at) VALUES ('c', '1', ?)",
            (now + YEARS_AHEAD,),
        )
    for _ in range(500):
        call(conn, "notify", "c", "1")
    assert value(conn, "SELECT count(*) FROM _honker_notifications") == 500


def test_dead_letters_of_a_clock_that_was_ahead_are_pruned(conn, now):
    enqueue(conn)
    claimed_ids(conn)
    call(conn, "honker_fail", 1, "w", "e", 1)
    conn.execute("UPDATE _honker_dead SET died_at = ?", (now + YEARS_AHEAD,))
    assert call(conn, "honker_dead_prune", "q", 3_600, None) == 1


def test_rows_that_are_ahead_by_less_than_a_day_stay(conn, now):
    conn.execute("INSERT INTO _honker_stream (topic, payload, created_at) VALUES ('t', '1', ?)", (now + 3_600,))
    assert call(conn, "honker_stream_prune", "t", 60, None) == 0


@pytest.mark.parametrize("ahead", [YEARS_AHEAD, 400 * 86_400])
def test_a_lock_that_ends_later_than_any_lock_may_is_free(conn, now, ahead):
    assert call(conn, "honker_lock_acquire", "l", "a", 60) == 1
    first = call(conn, "honker_lock_token", "l", "a")
    conn.execute("UPDATE _honker_locks SET expires_at = ?", (now + ahead,))
    assert call(conn, "honker_lock_expires_at", "l") is None
    assert call(conn, "honker_lock_token", "l", "a") is None
    assert call(conn, "honker_lock_renew", "l", "a", 60) == 0
    assert call(conn, "honker_lock_acquire", "l", "b", 60) == 1
    assert call(conn, "honker_lock_token", "l", "b") > first


@pytest.mark.parametrize("set_back", [0, 3_600])
def test_the_longest_lock_is_held(conn, set_back):
    longest = call_json(conn, "honker_limits")["lease_max_s"]
    assert call(conn, "honker_lock_acquire", "l", "a", longest) == 1
    conn.execute("UPDATE _honker_locks SET expires_at = expires_at + ?", (set_back,))
    assert call(conn, "honker_lock_acquire", "l", "b", 60) == 0
    assert call(conn, "honker_lock_token", "l", "a") == 1


def test_a_lock_is_held_for_its_length_after_the_clock_was_set_back_and_no_longer(conn, now):
    assert call(conn, "honker_lock_acquire", "l", "a", 60) == 1
    advance(conn, -3_600)
    assert call(conn, "honker_lock_acquire", "l", "b", 10) == 0
    assert now + 60 <= call(conn, "honker_lock_expires_at", "l") <= now + 65
    assert call(conn, "honker_lock_token", "l", "a") == 1
    advance(conn, 50)
    assert call(conn, "honker_lock_acquire", "l", "b", 10) == 0
    advance(conn, 15)
    assert call(conn, "honker_lock_acquire", "l", "b", 10) == 1


def test_a_small_correction_of_the_clock_ends_no_lock_early(conn, now):
    """The holder still counts on its whole time."""
    assert call(conn, "honker_lock_acquire", "l", "a", 60) == 1
    advance(conn, -2)
    assert call(conn, "honker_lock_acquire", "l", "b", 10) == 0
    assert call(conn, "honker_lock_expires_at", "l") >= now + 60


def test_a_lock_that_is_extended_after_the_clock_was_set_back_lasts_from_then(conn, now):
    call(conn, "honker_lock_acquire", "l", "a", 60)
    advance(conn, -3_600)
    assert call(conn, "honker_lock_renew", "l", "a", 30) == 1
    assert now + 30 <= call(conn, "honker_lock_expires_at", "l") <= now + 35
    assert call(conn, "honker_lock_acquire", "l", "b", 10) == 0
    assert now + 30 <= call(conn, "honker_lock_expires_at", "l") <= now + 35


@pytest.mark.parametrize("taken_at", [None, "yesterday", 7_200, -10])
def test_a_lock_whose_length_is_not_known_ends_when_its_row_says(conn, now, taken_at):
    """The row of another writer; also one that has changed only the end, to before the time that is kept."""
    call(conn, "honker_lock_acquire", "l", "a", 60)
    stored = now + taken_at if isinstance(taken_at, int) else taken_at
    conn.execute("UPDATE _honker_locks SET expires_at = ?, taken_at = ?", (now + 3_660, stored))
    assert call(conn, "honker_lock_acquire", "l", "b", 10) == 0
    assert call(conn, "honker_lock_expires_at", "l") == now + 3_660


def test_a_lock_of_whole_seconds_is_measured_again_in_whole_seconds(conn, now):
    call(conn, "honker_file_share", 1)
    call(conn, "honker_lock_acquire", "l", "a", 1.5)
    advance(conn, -3_600)
    assert call(conn, "honker_lock_acquire", "l", "b", 10) == 0
    end = call(conn, "honker_lock_expires_at", "l")
    assert isinstance(end, int)
    assert now + 2 <= end <= now + 8


def test_the_next_claim_is_now_for_a_lease_beyond_the_longest(conn, now):
    enqueue(conn)
    enqueue(conn, delay=50)
    assert claimed_ids(conn) == [1]
    assert call(conn, "honker_queue_next_claim_at", "q") > now + 40
    conn.execute("UPDATE _honker_live SET claim_expires_at = ? WHERE id = 1", (now + YEARS_AHEAD,))
    assert call(conn, "honker_queue_next_claim_at", "q") <= now + 5


@pytest.mark.parametrize("expression", ["@every 60s", "*/5 * * * *", "* * * * * *"])
def test_a_tick_sets_back_a_schedule_that_a_clock_ahead_has_moved(conn, now, expression):
    register(conn, expression)
    conn.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = ?", (now + 3_600,))
    assert now - 1 <= call(conn, "honker_scheduler_soonest") <= now + 5
    assert call_json(conn, "honker_scheduler_tick", now) == []
    assert now < next_fire_at(conn) <= now + 310
    assert call(conn, "honker_scheduler_soonest") == next_fire_at(conn)


def test_registering_sets_back_a_schedule_that_a_clock_ahead_has_moved(conn, now):
    register(conn, "@every 60s")
    conn.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = ?", (now + 3_600,))
    register(conn, "@every 60s")
    assert now < next_fire_at(conn) <= now + 70


def test_a_clock_that_is_set_back_by_less_than_an_interval_fires_nothing_twice(conn, now):
    register(conn, "@every 60s")
    conn.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = ?", (now + 110,))
    register(conn, "@every 60s")
    call(conn, "honker_scheduler_tick", now)
    assert next_fire_at(conn) == now + 110
    assert call(conn, "honker_scheduler_soonest") == now + 110


def test_a_schedule_that_is_ahead_and_cannot_be_understood_is_left_alone(conn, now):
    register(conn, "@every 60s")
    conn.execute("UPDATE _honker_scheduler_tasks SET cron_expr = 'soon', next_fire_at = ?", (now + 3_600,))
    assert call_json(conn, "honker_scheduler_tick", now) == []
    assert next_fire_at(conn) == now + 3_600


def register(conn, expression):
    call(conn, "honker_scheduler_register", "s", "q", expression, "{}", 0, None)


def next_fire_at(conn):
    return value(conn, "SELECT next_fire_at FROM _honker_scheduler_tasks")
