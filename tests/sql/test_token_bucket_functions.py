"""Token buckets: bursts up to the capacity, an even rate over time, and a clock that may be wrong."""

import time

import pytest

from ..support.waiting import wait_until
from .clock import advance
from .database import call, dump, refused, rows, value

SLOW = 1e-6  # tokens per second: no token returns during a test


def take(conn, tokens=1, *, capacity=3, refill_per_s=SLOW, name="api"):
    return call(conn, "honker_token_bucket_take", name, capacity, refill_per_s, tokens)


def take_all(conn, **options):
    """The number of single tokens that the bucket gives."""
    count = 0
    while take(conn, **options) == 0:
        count += 1
    return count


def set_clock(conn, seconds):
    """Simulate a clock set ahead, or back if `seconds` is negative, since the bucket was counted."""
    advance(conn, seconds)


def test_a_new_bucket_is_full(conn):
    assert take_all(conn) == 3


def test_several_tokens_are_taken_together_or_not_at_all(conn):
    assert take(conn, 2) == 0
    assert take(conn, 2) > 0
    assert take(conn, 1) == 0


def test_a_refusal_changes_nothing(conn):
    take(conn, 3)
    before = dump(conn)
    assert take(conn) > 0
    assert dump(conn) == before


@pytest.mark.parametrize(("tokens", "wait_s"), [(1, 2), (2, 4), (1.5, 3), (3, 6)])
def test_the_wait_is_until_there_are_enough_tokens(conn, tokens, wait_s):
    take(conn, 3, refill_per_s=0.5)
    assert wait_s - 1 < take(conn, tokens, refill_per_s=0.5) <= wait_s
    advance(conn, wait_s)
    assert take(conn, tokens, refill_per_s=0.5) == 0


def test_the_wait_suffices_to_the_millisecond(conn):
    """At exactly the instant named by the refusal, not one try later."""
    assert take(conn, 1, capacity=1, refill_per_s=30) == 0
    wait_s = take(conn, 1, capacity=1, refill_per_s=30)
    if wait_s:
        until = time.time() + wait_s
        wait_until(lambda: time.time() >= until)
        assert take(conn, 1, capacity=1, refill_per_s=30) == 0


def test_a_bucket_gains_tokens_at_its_rate_and_never_more_than_it_holds(conn):
    take(conn, 3, refill_per_s=0.1)
    advance(conn, 20)
    assert take_all(conn, refill_per_s=0.1) == 2
    advance(conn, 1_000_000)
    assert take_all(conn, refill_per_s=0.1) == 3


def test_a_rate_below_one_holds_over_time(conn):
    taken = 0
    for _ in range(100):
        taken += take_all(conn, capacity=2, refill_per_s=0.25)
        advance(conn, 2)
    assert 50 <= taken <= 53  # the tokens of 198 seconds, the initial two, and those that return during the test


def test_names_have_buckets_of_their_own(conn):
    assert [take(conn, 3, name=name) == 0 for name in ("a", "b", "a")] == [True, True, False]


def test_a_smaller_capacity_counts_at_once(conn):
    assert take_all(conn, capacity=9) == 9
    assert take(conn, 1, capacity=2, refill_per_s=0.5) == pytest.approx(2, abs=0.5)


# ------------------------------------------------------------------------------------------------------------ the clock


def test_a_clock_set_back_mints_no_tokens(conn):
    assert take_all(conn, refill_per_s=0.005) == 3
    set_clock(conn, -3600)
    assert take(conn, refill_per_s=0.005) > 0


def test_a_clock_set_back_withholds_no_tokens(conn):
    """Refilling continues from the new time after the next call; it does not wait until the clock has caught up."""
    take(conn, 3, refill_per_s=0.1)
    set_clock(conn, -3600)
    assert 0 < take(conn, 1, refill_per_s=0.1) <= 10
    advance(conn, 10)
    assert take(conn, 1, refill_per_s=0.1) == 0


def test_a_clock_set_back_leaves_what_was_there(conn):
    take(conn, 1)
    set_clock(conn, -3600)
    assert take_all(conn) == 2


def test_a_clock_that_jumps_to_and_fro_mints_at_most_a_bucket(conn):
    take(conn, 3)
    set_clock(conn, -3600)
    take(conn)
    set_clock(conn, 3600)
    assert take(conn) > 0


# ----------------------------------------------------------------------------------------------------------------- rows


def buckets(conn):
    return value(conn, "SELECT count(*) FROM _honker_token_buckets")


def test_a_row_says_when_the_bucket_will_be_full(conn):
    before = time.time()
    take(conn, 2, refill_per_s=0.1)
    missing, counted_at, full_at = rows(conn, "SELECT missing, counted_at, full_at FROM _honker_token_buckets")[0]
    assert missing == 2
    assert before - 0.001 <= counted_at <= time.time()
    assert full_at == pytest.approx(counted_at + 20, abs=0.002)


def test_full_buckets_are_deleted_in_passing_a_few_for_each_new_one(conn):
    for n in range(50):
        take(conn, name=f"old-{n}", refill_per_s=1)
    advance(conn, 60)
    take(conn, name="new")
    assert 40 <= buckets(conn) < 51
    for n in range(20):
        take(conn, name=f"new-{n}")
    assert buckets(conn) == 21


def test_a_bucket_that_is_not_full_is_never_deleted_in_passing(conn):
    for n in range(50):
        take(conn, name=f"n-{n}")
    assert buckets(conn) == 50


def test_more_tokens_than_the_bucket_holds_are_refused_for_good(conn):
    with refused("HONKER_INVALID_ARGUMENT", "tokens is 4; the bucket never holds more than 3"):
        take(conn, 4)
    assert buckets(conn) == 0


@pytest.mark.parametrize("argument", ["capacity", "refill_per_s", "tokens"])
@pytest.mark.parametrize("number", [0, -1, 0.0, -0.5, 1e10, float("inf")])
def test_a_number_that_makes_no_bucket_is_refused(conn, argument, number):
    options = {"capacity": 3, "refill_per_s": 1, "tokens": 1} | {argument: number}
    with refused("HONKER_INVALID_ARGUMENT", f"{argument} is"):
        take(conn, **options)


@pytest.mark.parametrize(("capacity", "refill_per_s"), [(1e9, 1e-300), (1e9, 1e9), (1e-300, 1e-300)])
def test_extreme_buckets_do_not_break_the_arithmetic(conn, capacity, refill_per_s):
    assert take(conn, capacity, capacity=capacity, refill_per_s=refill_per_s) == 0
    assert take(conn, capacity, capacity=capacity, refill_per_s=refill_per_s) >= 0
