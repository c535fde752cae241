"""Locks: one holder at a time, for the requested time, with a token that orders the holders."""

import time

import pytest

from .clock import advance
from .database import call, refused, rows, value


def acquire(conn, owner="a", ttl=60, name="l"):
    return call(conn, "honker_lock_acquire", name, owner, ttl)


def renew(conn, owner="a", ttl=60, name="l"):
    return call(conn, "honker_lock_renew", name, owner, ttl)


def token(conn, owner="a", name="l"):
    return call(conn, "honker_lock_token", name, owner)


def expires_at(conn, name="l"):
    return value(conn, "SELECT expires_at FROM _honker_locks WHERE name = ?", name)


def test_a_lock_has_one_holder(conn):
    assert acquire(conn, "a") == 1
    assert acquire(conn, "b") == 0
    assert rows(conn, "SELECT owner FROM _honker_locks") == [("a",)]


def test_locks_of_different_names_are_different_locks(conn):
    assert [acquire(conn, "a", name="x"), acquire(conn, "b", name="y"), acquire(conn, "b", name="X")] == [1, 1, 1]


def test_a_lock_lapses_after_its_ttl(conn):
    acquire(conn, "a", 60)
    advance(conn, 58)
    assert acquire(conn, "b") == 0
    advance(conn, 3)
    assert acquire(conn, "b") == 1


@pytest.mark.parametrize("ttl", [0.001, 0.0505, 1, 1.5, 3600])
def test_a_ttl_is_exact_to_the_millisecond_and_never_short(conn, ttl):
    before = time.time()
    acquire(conn, ttl=ttl)
    assert before + ttl - 1e-6 <= expires_at(conn) <= time.time() + ttl + 0.002


@pytest.mark.parametrize("ttl", [1e-6, 1e-9, 5e-324])
def test_a_ttl_below_a_millisecond_rounds_up_to_one(conn, ttl):
    for _ in range(50):
        before = time.time()
        acquire(conn, ttl=ttl)
        assert expires_at(conn) >= before + 0.001


def test_anybody_may_ask_when_a_lock_lapses(conn):
    assert call(conn, "honker_lock_expires_at", "l") is None
    acquire(conn, "a", 60)
    assert call(conn, "honker_lock_expires_at", "l") == expires_at(conn)
    assert call(conn, "honker_lock_expires_at", "another") is None
    advance(conn, 61)
    assert call(conn, "honker_lock_expires_at", "l") is None
    assert rows(conn, "SELECT owner FROM _honker_locks") == [("a",)]


def test_acquiring_again_extends_the_lease(conn):
    acquire(conn, ttl=60)
    advance(conn, 50)
    assert acquire(conn, ttl=60) == 1
    advance(conn, 50)
    assert acquire(conn, "b") == 0


def test_acquiring_again_does_not_count_one_release_frees_the_lock(conn):
    acquire(conn)
    acquire(conn)
    assert call(conn, "honker_lock_release", "l", "a") == 1
    assert acquire(conn, "b") == 1


def test_an_attempt_of_another_changes_nothing(conn):
    acquire(conn, "a", 60)
    end = expires_at(conn)
    acquire(conn, "b", 3600)
    assert expires_at(conn) == end
    assert token(conn, "a") == 1


def test_a_renewed_lock_ends_a_ttl_from_now_sooner_too(conn):
    acquire(conn, ttl=3600)
    assert renew(conn, ttl=30) == 1
    assert expires_at(conn) == pytest.approx(time.time() + 30, abs=1)


def test_a_lapsed_lock_is_not_revived(conn):
    acquire(conn, ttl=60)
    advance(conn, 61)
    assert renew(conn) == 0
    assert token(conn) is None
    assert acquire(conn, "b") == 1


def test_only_the_holder_renews(conn):
    assert renew(conn) == 0
    acquire(conn, "a")
    assert renew(conn, "b") == 0


def test_only_the_holder_releases(conn):
    acquire(conn, "a")
    assert call(conn, "honker_lock_release", "l", "b") == 0
    assert call(conn, "honker_lock_release", "l", "a") == 1
    assert call(conn, "honker_lock_release", "l", "a") == 0


def test_a_lapsed_lock_can_be_released_unless_somebody_took_it(conn):
    acquire(conn, "a")
    advance(conn, 61)
    assert call(conn, "honker_lock_release", "l", "a") == 1
    acquire(conn, "a")
    advance(conn, 61)
    acquire(conn, "b")
    assert call(conn, "honker_lock_release", "l", "a") == 0


@pytest.mark.parametrize("ttl", [0, -1, -0.5, 0.0])
@pytest.mark.parametrize("function", ["honker_lock_acquire", "honker_lock_renew"])
def test_a_ttl_of_nothing_is_refused(conn, function, ttl):
    with refused("HONKER_INVALID_ARGUMENT", "ttl_s must be positive"):
        call(conn, function, "l", "a", ttl)


# ------------------------------------------------------------------------------------------------------- fencing tokens


def test_a_later_holder_has_a_larger_token(conn):
    tokens = []
    for owner in ("a", "b", "a", "c"):
        acquire(conn, owner)
        tokens.append(token(conn, owner))
        advance(conn, 61)
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 4


def test_the_token_grows_over_a_release_and_over_other_locks(conn):
    acquire(conn, "a")
    first = token(conn, "a")
    call(conn, "honker_lock_release", "l", "a")
    acquire(conn, "x", name="another")
    acquire(conn, "a")
    assert token(conn, "a") > token(conn, "x", name="another") > first


def test_extending_keeps_the_token(conn):
    acquire(conn)
    first = token(conn)
    acquire(conn)
    renew(conn)
    assert token(conn) == first


def test_who_does_not_hold_the_lock_has_no_token(conn):
    assert token(conn) is None
    acquire(conn, "a")
    assert token(conn, "b") is None


def test_a_failed_attempt_draws_no_token(conn):
    acquire(conn, "a")
    acquire(conn, "b")
    advance(conn, 61)
    acquire(conn, "b")
    assert token(conn, "b") == 2
