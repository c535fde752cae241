"""Rate limits: a number of uses of a name per window, and windows that do not accumulate."""

import time

import pytest

from ..support.waiting import wait_until
from .clock import advance
from .database import call, refused, rows, value

LONG = 86_400_000  # one window holds the whole test


def attempt(conn, limit=2, per=LONG, name="api"):
    return call(conn, "honker_rate_limit_try", name, limit, per)


def windows(conn):
    return value(conn, "SELECT count(*) FROM _honker_rate_limits")


def test_a_window_admits_its_limit(conn):
    assert [attempt(conn, limit=3) for _ in range(5)] == [1, 1, 1, 0, 0]


def test_refused_uses_are_not_counted(conn):
    for _ in range(5):
        attempt(conn, limit=2)
    assert attempt(conn, limit=3) == 1
    assert value(conn, "SELECT count FROM _honker_rate_limits") == 3


def test_the_next_window_starts_anew(conn):
    assert [attempt(conn, limit=1) for _ in range(2)] == [1, 0]
    advance(conn, LONG)
    assert [attempt(conn, limit=1) for _ in range(2)] == [1, 0]


def test_names_have_windows_of_their_own(conn):
    assert [attempt(conn, limit=1, name=name) for name in ("a", "b", "a")] == [1, 1, 0]


def test_windows_of_different_lengths_are_different_windows(conn):
    assert [attempt(conn, limit=1, per=per) for per in (LONG, LONG * 2 - 1, LONG)] == [1, 1, 0]


@pytest.mark.parametrize("per", [1, 7, 60, 3600])
def test_windows_begin_at_multiples_of_their_length(conn, per):
    before = time.time()
    attempt(conn, per=per)
    start, end = rows(conn, "SELECT window_start, expires_at FROM _honker_rate_limits")[0]
    assert before // per * per <= start <= time.time() // per * per
    assert (start % per, end) == (0, start + per)


def test_a_window_may_be_shorter_than_a_second(conn):
    assert attempt(conn, limit=1, per=0.02) == 1
    wait_until(lambda: attempt(conn, limit=1, per=0.02) == 1)


@pytest.mark.parametrize(("limit", "per"), [(0, 60), (-1, 60), (1, 0), (1, -60), (1, 0.0)])
def test_limit_and_per_must_be_positive(conn, limit, per):
    with refused("HONKER_INVALID_ARGUMENT", "limit and per must be positive"):
        attempt(conn, limit, per)


def test_a_window_below_a_millisecond_rounds_up_to_one(conn):
    assert attempt(conn, limit=1, per=1e-6) == 1


def test_windows_that_have_ended_are_deleted_in_passing(conn):
    for n in range(50):
        attempt(conn, name=f"old-{n}")
    advance(conn, LONG)
    for n in range(20):
        attempt(conn, name=f"new-{n}")
    assert windows(conn) == 20


def test_each_new_window_deletes_a_few_and_no_more(conn):
    for n in range(50):
        attempt(conn, name=f"old-{n}")
    advance(conn, LONG)
    attempt(conn, name="new")
    assert 40 <= windows(conn) < 50


def test_windows_in_force_are_never_deleted_in_passing(conn):
    for n in range(50):
        attempt(conn, name=f"n-{n}")
    assert windows(conn) == 50


def test_a_sweep_deletes_windows_by_their_beginning(conn):
    attempt(conn, per=60, name="old")
    advance(conn, 6000)
    conn.execute("INSERT INTO _honker_rate_limits (name, window_start, count) VALUES ('theirs', unixepoch() - 5000, 1)")
    conn.execute("INSERT INTO _honker_rate_limits (name, window_start, count) VALUES ('new', unixepoch() - 50, 1)")
    assert call(conn, "honker_rate_limit_sweep", 3600) == 2
    assert rows(conn, "SELECT name FROM _honker_rate_limits") == [("new",)]
    assert call(conn, "honker_rate_limit_sweep", 3600) == 0
