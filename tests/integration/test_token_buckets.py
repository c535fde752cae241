"""Token buckets: a rate over all processes that allows bursts."""

import asyncio
import contextlib
import time

import pytest
from honker import InvalidArgumentError

from ..support.processes import several
from ..support.waiting import wait_until

SLOW = 1e-6  # tokens per second: no token returns during a test

TAKER = """
import sys
import honker
with honker.open(sys.argv[1]) as db:
    bucket = db.token_bucket("api", 50, 1e-6)
    sys.stdin.readline()
    print(sum(bucket.try_take() for _ in range(40)))
"""


def test_a_bucket_gives_what_it_holds(db):
    bucket = db.token_bucket("api", 3, SLOW)
    assert [bucket.try_take() for _ in range(4)] == [True, True, True, False]
    assert "'api'" in repr(bucket)


def test_a_refusal_says_how_long_to_wait(db):
    bucket = db.token_bucket("api", 2, 0.01)
    assert bucket.take(2) == 0
    assert 90 < bucket.take() <= 100
    assert 190 < bucket.take(2) <= 200


def test_whoever_waits_as_long_as_it_says_gets_the_token(db):
    bucket = db.token_bucket("api", 1, 20)
    bucket.take()
    if wait_s := bucket.take():
        until = time.time() + wait_s
        wait_until(lambda: time.time() >= until)
        assert bucket.try_take()


def test_a_bucket_is_shared_by_its_name(db):
    assert db.token_bucket("a", 1, SLOW).try_take()
    assert not db.token_bucket("a", 1, SLOW).try_take()
    assert db.token_bucket("b", 1, SLOW).try_take()


def test_tokens_taken_in_a_transaction_that_fails_are_back(db):
    bucket = db.token_bucket("api", 1, SLOW)
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        assert bucket.try_take(tx=tx)
        raise ZeroDivisionError
    assert bucket.try_take()


def test_it_works_in_a_coroutine(db):
    bucket = db.token_bucket("api", 1, SLOW)
    assert asyncio.run(bucket.atake()) == 0
    assert asyncio.run(bucket.atake()) > 0


@pytest.mark.parametrize(("capacity", "refill", "tokens"), [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 2), (1, -1, 1)])
def test_numbers_that_make_no_bucket_are_refused(db, capacity, refill, tokens):
    with pytest.raises(InvalidArgumentError):
        db.token_bucket("api", capacity, refill).take(tokens)


def test_processes_share_a_bucket(path):
    with several(3, TAKER, path) as takers:
        for taker in takers:
            taker.say()
        taken = sum(int(taker.line()) for taker in takers)
    assert taken == 50
