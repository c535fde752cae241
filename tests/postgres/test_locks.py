"""Locks of several sessions: one holder at a time, and tokens that grow from holder to holder."""

import pytest

from .sessions import advance, call, together
from .waiting_sessions import open_sessions

ACQUIRE = "SELECT honker.honker_lock_acquire('n', %s, 60)"
RELEASE = "SELECT honker.honker_lock_release('n', %s)"
DAY_S = 86_400


@pytest.fixture
def sessions(url):
    with open_sessions(url, 3) as opened:
        yield opened


def token(conn, owner):
    return call(conn, "honker_lock_token", "n", owner)


def test_four_sessions_hold_a_lock_one_after_the_other(conn, url):
    conn.execute("CREATE TABLE held (place bigint GENERATED ALWAYS AS IDENTITY, owner text, token bigint)")

    def work(session, number):
        owner, turns = f"o{number}", 0
        while turns < 25:
            if call(session, "honker_lock_acquire", "n", owner, 60):
                held = session.execute("SELECT owner, token FROM locks").fetchall()
                assert held == [(owner, token(session, owner))]
                session.execute("INSERT INTO held (owner, token) VALUES (%s, %s)", held[0])
                assert call(session, "honker_lock_release", "n", owner) == 1
                turns += 1

    together(url, 4, work)
    tokens = [row[0] for row in conn.execute("SELECT token FROM held ORDER BY place").fetchall()]
    assert len(tokens) == 100
    assert tokens == sorted(set(tokens))


def test_of_two_sessions_that_take_a_free_lock_one_gets_it(sessions):
    first, second, _ = sessions
    first.one("BEGIN")
    assert first.one(ACQUIRE, "a") == 1
    waiting = second.begin(ACQUIRE, "b")
    first.one("COMMIT")
    assert waiting.result(30) == 0


def test_a_lock_whose_taker_is_killed_goes_to_the_one_that_waits(sessions):
    first, second, reader = sessions
    first.one("BEGIN")
    first.one(ACQUIRE, "a")
    waiting = second.begin(ACQUIRE, "b")
    first.kill()
    assert waiting.result(30) == 1
    assert reader.one("SELECT honker.honker_lock_token('n', 'b')") >= 1


def test_the_token_is_drawn_after_the_wait_for_an_earlier_holder(sessions):
    """A token drawn before the wait would be smaller than that of the holder in between."""
    first, second, reader = sessions
    first.one("BEGIN")
    first.one(ACQUIRE, "a")
    waiting = second.begin(ACQUIRE, "b")
    # Both are of the first transaction: its holder gives the lock up, and takes it again under a larger token.
    first.one(RELEASE, "a")
    first.one(ACQUIRE, "a")
    last = first.one("SELECT honker.honker_lock_token('n', 'a')")
    first.one(RELEASE, "a")
    first.one("COMMIT")
    assert waiting.result(30) == 1
    assert reader.one("SELECT honker.honker_lock_token('n', 'b')") > last


def test_an_attempt_that_fails_waits_for_nothing(conn, sessions):
    first, second, _ = sessions
    call(conn, "honker_lock_acquire", "n", "a", 60)
    first.one("BEGIN")
    first.one("SELECT honker.honker_lock_renew('n', 'a', 120)")
    assert second.one(ACQUIRE, "b") == 0
    first.one("ROLLBACK")


def test_a_clock_that_is_set_back_keeps_a_lock_for_no_longer_than_its_length(conn):
    call(conn, "honker_lock_acquire", "n", "a", 60)
    advance(conn, -365 * DAY_S)
    assert call(conn, "honker_lock_acquire", "n", "b", 60) == 0
    advance(conn, 59)
    assert call(conn, "honker_lock_acquire", "n", "b", 60) == 0
    advance(conn, 2)
    assert call(conn, "honker_lock_acquire", "n", "b", 60) == 1


def test_a_lock_that_ends_later_than_any_lock_may_is_free(conn):
    advance(conn, 3 * 365 * DAY_S)
    call(conn, "honker_lock_acquire", "n", "a", 60)
    before = token(conn, "a")
    advance(conn, -3 * 365 * DAY_S)
    assert call(conn, "honker_lock_expires_at", "n") is None
    assert call(conn, "honker_lock_renew", "n", "a", 60) == 0
    assert call(conn, "honker_lock_acquire", "n", "b", 60) == 1
    assert token(conn, "b") > before
