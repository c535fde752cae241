"""Rows that a clock wrote which was ahead."""

import pytest

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
