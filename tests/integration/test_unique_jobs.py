"""Unique keys: one job of a key, and each way to deal with another."""

import asyncio
import threading
import time

import honker
import pytest
from honker.errors import UniqueKeyTakenError
from honker.queue.producing import UniqueJob


def test_a_second_job_of_a_unique_key_is_the_first(queue):
    first = queue.enqueue_unique({"n": 1}, "welcome-7")
    again = queue.enqueue_unique({"n": 2}, "welcome-7")
    assert (first.is_duplicate, again) == (False, UniqueJob(id=first.id, is_duplicate=True))
    assert queue.enqueue({"n": 3}, unique_key="welcome-7") == first.id
    assert [job.payload for job in queue.claim_batch("w", 9)] == [{"n": 1}]


def test_a_unique_key_belongs_to_one_queue(db, queue):
    queue.enqueue(1, unique_key="a")
    assert not db.queue("another").enqueue_unique(1, "a").is_duplicate


def test_a_retry_keeps_the_unique_key_and_the_end_frees_it(queue):
    queue.enqueue_unique(1, "a")
    queue.claim_one("w").retry(0)
    assert queue.enqueue_unique(2, "a").is_duplicate
    queue.claim_one("w").ack()
    assert not queue.enqueue_unique(3, "a").is_duplicate


@pytest.mark.parametrize("end", [lambda job: job.ack(), lambda job: job.fail(), lambda job: job.cancel()], ids=range(3))
def test_each_end_frees_the_unique_key(queue, end):
    queue.enqueue_unique(1, "a")
    assert end(queue.claim_one("w"))
    assert not queue.enqueue_unique(2, "a").is_duplicate


def test_a_key_until_the_start_is_free_while_the_job_runs(queue):
    queue.enqueue_unique(1, "a", unique_until="started")
    assert queue.enqueue_unique(2, "a").is_duplicate
    queue.claim_one("w")
    assert not queue.enqueue_unique(3, "a").is_duplicate


def test_a_key_may_stay_taken_after_success(queue):
    job_id = queue.enqueue(1, unique_key="a", unique_for_s=3600)
    queue.claim_one("w").ack()
    assert queue.enqueue_unique(2, "a") == {"id": job_id, "is_duplicate": True}


def test_replacing_changes_the_job_that_has_not_started(queue):
    first = queue.enqueue(1, unique_key="a")
    assert queue.enqueue(2, unique_key="a", on_conflict="replace", priority=5) == first
    job = queue.claim_one("w")
    assert (job.id, job.payload, job.priority) == (first, 2, 5)


def test_a_rerun_follows_the_running_job(queue):
    queue.enqueue(1, unique_key="a")
    running = queue.claim_one("w")
    queue.enqueue(2, unique_key="a", on_conflict="rerun")
    assert queue.claim_one("w") is None
    running.ack()
    assert queue.claim_one("w").payload == 2


def test_a_conflict_may_be_an_error(queue):
    queue.enqueue(1, unique_key="a")
    for call in (
        lambda: queue.enqueue(2, unique_key="a", on_conflict="raise"),
        lambda: queue.enqueue_unique(2, "a", on_conflict="raise"),
        lambda: queue.enqueue_many([2, 3], unique_key=["b", "a"], on_conflict="raise"),
    ):
        with pytest.raises(UniqueKeyTakenError):
            call()
    assert queue.stats().ready == 1


def test_the_requeue_of_a_dead_letter_whose_key_is_taken_is_an_error(queue):
    dead = queue.enqueue(1, unique_key="a")
    queue.claim_one("w").fail("broken")
    queue.enqueue(2, unique_key="a")
    with pytest.raises(UniqueKeyTakenError):
        queue.requeue(dead)


def test_debouncing_delays_the_job_and_keeps_the_last_payload(queue):
    first = queue.enqueue(1, unique_key="a", debounce_s=3600)
    assert queue.enqueue(2, unique_key="a", debounce_s=7200, debounce_max_s=9000) == first
    job = queue.get_job(first)
    assert job.payload == "2"
    assert 7100 < job.run_at - time.time() < 7300


def test_many_jobs_keep_their_shape(queue):
    first, second, third, fourth = queue.enqueue_many([1, 2, 3, 4], unique_key=["a", None, "a", "b"])
    assert (first, len({first, second, fourth})) == (third, 3)
    assert queue.enqueue_many([5, 6], unique_key="b") == [fourth, fourth]
    assert [job.payload for job in queue.claim_batch("w", 9)] == [1, 2, 4]


def test_the_key_of_a_transaction_that_rolls_back_stays_free(db, queue):
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012 - the transaction is rolled back
        queue.enqueue(1, unique_key="a", tx=tx)
        assert queue.enqueue_unique(2, "a", tx=tx).is_duplicate
        raise ZeroDivisionError
    assert not queue.enqueue_unique(3, "a").is_duplicate


def test_threads_that_race_for_a_unique_key_make_one_job(db, queue):
    made = []
    threads = [
        threading.Thread(target=lambda n=n: made.append(queue.enqueue_unique(n, "a").is_duplicate)) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] + [True] * 7


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"on_conflict": "replace"}, "on_conflict"),
        ({"unique_for_s": 5}, "unique_for_s"),
        ({"debounce_s": 5}, "debounce_s"),
        ({"unique_key": "a", "on_conflict": "ignore"}, "on_conflict"),
        ({"unique_key": "a", "unique_until": "later"}, "unique_until"),
        ({"unique_key": "a", "unique_for_s": 0}, "unique_for_s"),
        ({"unique_key": "a", "unique_for_s": "1 h"}, "unique_for_s"),
        ({"unique_key": "a", "debounce_max_s": 5}, "debounce_max_s"),
        ({"unique_key": "a", "debounce_s": 5, "on_conflict": "raise"}, "on_conflict"),
        ({"unique_key": "", "on_conflict": "raise"}, "unique_key"),
        ({"on_parent_failure": "run"}, "on_parent_failure"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused_by_their_names(queue, options, name):
    with pytest.raises(honker.InvalidArgumentError, match=name):
        queue.enqueue(1, **options)
    with pytest.raises(honker.InvalidArgumentError, match=name):
        queue.enqueue_many([1], **options)
    assert queue.stats().ready == 0


def test_a_unique_job_needs_its_key(queue):
    for key in (None, "", 7):
        with pytest.raises(honker.InvalidArgumentError, match="unique_key"):
            queue.enqueue_unique(1, key)


def test_the_twins_do_the_same(db, queue):
    async def main():
        first = await queue.aenqueue_unique(1, "a")
        async with db.transaction() as tx:
            assert await queue.aenqueue(2, unique_key="a", tx=tx) == first.id
        assert await queue.aenqueue_many([3], unique_key="a") == [first.id]
        assert (await queue.aenqueue_unique(4, "a", on_conflict="replace")).is_duplicate

    asyncio.run(main())
    assert queue.claim_one("w").payload == 4
