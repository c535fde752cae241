"""Claiming and settling: which jobs are claimed in which order, the meaning of each answer, and fencing."""

import asyncio
import time
from datetime import timedelta
from decimal import Decimal

import honker
import pytest
from honker import HonkerError, InvalidArgumentError

from ..support.locking import ask
from ..support.rows import dead, edit, stored

# ------------------------------------------------------------------------------------------------------------- claiming


def test_nothing_is_claimed_from_an_empty_queue(queue):
    assert queue.claim_one("w") is None
    assert queue.claim_batch("w", 10) == []
    assert asyncio.run(queue.aclaim_batch("w", 10)) == []
    assert queue.claim_now("w") is None


def test_a_claimed_job_has_the_values_of_its_row(db):
    queue = db.queue("a", visibility_timeout_s=60, max_attempts=5)
    before = time.time()
    job_id = queue.enqueue({"to": "alice"}, priority=4, expires=500, max_attempts=7)
    job = queue.claim_one("worker-1")
    after = time.time()
    assert (job.id, job.queue, job.queue_name, job.worker_id) == (job_id, queue, "a", "worker-1")
    assert (job.payload, job.state, job.priority) == ({"to": "alice"}, "processing", 4)
    assert (job.attempts, job.max_attempts, job.last_error) == (1, 7, None)
    assert before - 1 < job.run_at <= after
    assert before - 1 < job.created_at <= after
    assert before + 499.9 <= job.expires_at <= after + 501
    assert before + 59 < job.claim_expires_at <= after + 61
    assert repr(job) == f"<honker.Job {job_id} of 'a', attempt 1, held by 'worker-1'>"


def test_a_batch_comes_in_order_of_priority_then_time_then_id(queue):
    late = time.time() - 10
    ids = {
        "low": queue.enqueue(1, priority=-1),
        "second": queue.enqueue(2, run_at=late),
        "third": queue.enqueue(3, run_at=late),
        "first": queue.enqueue(4, run_at=late - 5),
        "high": queue.enqueue(5, priority=9),
    }
    assert [job.id for job in queue.claim_batch("w", 10)] == [
        ids[name] for name in ("high", "first", "second", "third", "low")
    ]


def test_jobs_of_equal_rank_come_in_the_order_they_were_enqueued(queue):
    ids = [queue.enqueue(number) for number in range(5)]
    assert [queue.claim_one("w").id for _ in ids] == ids


def test_a_batch_is_at_most_as_large_as_asked(queue):
    for number in range(5):
        queue.enqueue(number)
    assert len(queue.claim_batch("w", 3)) == 3
    assert len(asyncio.run(queue.aclaim_batch("w", 1))) == 1
    assert len(queue.claim_batch("w", 3)) == 1


@pytest.mark.parametrize("n", [0, -1, -(2**70)])
def test_a_batch_of_nothing_does_not_touch_the_database(path, n):
    db = honker.open(path)
    queue = db.queue("q")
    db.close()
    assert queue.claim_batch("w", n) == []
    assert asyncio.run(queue.aclaim_batch("w", n)) == []
    assert queue.ack_batch([], "w") == 0


@pytest.mark.parametrize("n", [10_001, 2**62, 2**70, 2.5, "3"], ids=repr)
def test_a_batch_of_an_impossible_size_is_refused(queue, n):
    queue.enqueue(1)
    with pytest.raises((HonkerError, TypeError)):
        queue.claim_batch("w", n)
    assert queue.claim_one("w").attempts == 1


@pytest.mark.parametrize("worker_id", ["", "x" * 256, None, 5, b"w", "\ud800"], ids=repr)
def test_a_worker_id_that_is_impossible_is_refused(queue, worker_id):
    queue.enqueue(1)
    for claim in (lambda: queue.claim_one(worker_id), lambda: next(queue.claim(worker_id))):
        with pytest.raises(HonkerError):
            claim()
    assert queue.claim_one("w").attempts == 1


def test_a_job_is_leased_to_one_worker(queue):
    queue.enqueue(1)
    assert queue.claim_one("a") is not None
    assert queue.claim_one("b") is None
    assert queue.claim_one("a") is None


def test_a_job_of_another_queue_is_left_alone(db):
    db.queue("a").enqueue(1)
    assert db.queue("b").claim_one("w") is None


def test_a_delayed_job_is_not_claimed_before_its_time(queue, path):
    job_id = queue.enqueue(1, delay=100)
    assert queue.claim_one("w") is None
    assert not queue.is_claimable()
    edit(path, "run_at = run_at - 101", job_id)
    assert queue.is_claimable()
    assert queue.claim_one("w").id == job_id


def test_a_job_whose_lease_lapsed_is_claimed_again_as_the_next_attempt(queue, path):
    queue.enqueue(1)
    first = queue.claim_one("a")
    edit(path, "claim_expires_at = claim_expires_at - 302", first.id)
    second = queue.claim_one("b")
    assert (second.id, second.attempts) == (first.id, 2)
    assert not first.ack()
    assert second.ack()


def test_a_job_whose_attempts_are_used_up_is_dead(queue, path):
    job_id = queue.enqueue(1, max_attempts=1)
    queue.claim_one("w")
    edit(path, "claim_expires_at = claim_expires_at - 302", job_id)
    assert queue.claim_one("w") is None
    ((dead_id, error),) = dead(path)
    assert dead_id == job_id
    assert "max attempts exceeded" in error
    assert stored(path) == []


def test_dead_work_in_front_does_not_hide_live_work(queue, path):
    for number in range(150):
        queue.enqueue(number, expires=5)
    ask(path, "UPDATE _honker_live SET expires_at = 1")
    job_id = queue.enqueue("alive")
    assert queue.claim_one("w").id == job_id
    assert set(dead(path, "last_error")) == {("expired",)}


def test_a_paused_queue_hands_out_nothing_until_it_is_resumed(queue):
    queue.enqueue(1)
    assert queue.pause()
    assert not queue.pause()
    queue.enqueue(2)
    assert queue.claim_one("w") is None
    assert queue.next_claim_at() is None
    assert not queue.is_claimable()
    assert queue.resume()
    assert not queue.resume()
    assert len(queue.claim_batch("w", 5)) == 2


def test_the_next_claim_is_known(queue):
    assert queue.next_claim_at() is None
    queue.enqueue(1, run_at=1_900_000_000)
    assert queue.next_claim_at() == 1_900_000_000
    queue.enqueue(2)
    assert queue.next_claim_at() <= time.time()
    lease_ends = queue.claim_one("w").claim_expires_at
    assert lease_ends <= queue.next_claim_at() <= lease_ends + 1


# ------------------------------------------------------------------------------------------------------------- settling


@pytest.fixture
def job(queue):
    """A job in its first attempt, leased to `w`."""
    queue.enqueue({"n": 1})
    return queue.claim_one("w")


SETTLE = {
    "ack": lambda queue, job_id, worker_id: queue.ack(job_id, worker_id),
    "aack": lambda queue, job_id, worker_id: asyncio.run(queue.aack(job_id, worker_id)),
    "ack_batch": lambda queue, job_id, worker_id: queue.ack_batch([job_id], worker_id) == 1,
    "retry": lambda queue, job_id, worker_id: queue.retry(job_id, worker_id, 0, "e"),
    "aretry": lambda queue, job_id, worker_id: asyncio.run(queue.aretry(job_id, worker_id, 0, "e")),
    "fail": lambda queue, job_id, worker_id: queue.fail(job_id, worker_id, "e"),
    "afail": lambda queue, job_id, worker_id: asyncio.run(queue.afail(job_id, worker_id, "e")),
    "heartbeat": lambda queue, job_id, worker_id: queue.heartbeat(job_id, worker_id),
    "aheartbeat": lambda queue, job_id, worker_id: asyncio.run(queue.aheartbeat(job_id, worker_id)),
}


@pytest.mark.parametrize("name", sorted(SETTLE))
def test_a_lease_is_settled_by_its_holder_only(queue, job, path, name):
    before = stored(path)
    assert SETTLE[name](queue, job.id, "thief") is False
    assert SETTLE[name](queue, 999, "w") is False
    assert stored(path) == before
    assert dead(path) == []
    assert SETTLE[name](queue, job.id, "w") is True


@pytest.mark.parametrize("name", sorted(SETTLE))
def test_a_lease_that_lapsed_cannot_be_settled(queue, job, path, name):
    edit(path, "claim_expires_at = claim_expires_at - 302", job.id)
    assert SETTLE[name](queue, job.id, "w") is False
    assert queue.claim_one("w").attempts == 2


def test_an_acknowledged_job_is_gone(queue, job, path):
    assert job.ack() is True
    assert job.ack() is False
    assert stored(path) == []
    assert dead(path) == []


def test_a_retried_job_comes_back_with_its_error(queue, job, path):
    assert job.retry(0, "connection refused")
    again = queue.claim_one("v")
    assert (again.id, again.attempts, again.last_error) == (job.id, 2, "connection refused")


def test_a_retry_waits_a_minute_unless_told_otherwise(queue, job):
    before = time.time()
    assert job.retry()
    assert before + 59.99 <= queue.next_claim_at() <= time.time() + 61


@pytest.mark.parametrize(
    "delay", [0.5, Decimal("0.5"), timedelta(milliseconds=500)], ids=lambda value: type(value).__name__
)
def test_a_retry_may_wait_any_span(queue, job, delay):
    before = time.time()
    assert job.retry(delay)
    assert before + 0.499 <= queue.next_claim_at() <= time.time() + 0.51


def test_a_retry_of_the_last_attempt_is_the_end(queue, path):
    job_id = queue.enqueue(1, max_attempts=1)
    assert queue.claim_one("w").retry(0, "too much")
    assert dead(path) == [(job_id, "too much")]
    assert stored(path) == []


def test_a_failed_job_is_dead_whatever_it_has_left(queue, job, path):
    assert job.fail("no such customer")
    assert dead(path) == [(job.id, "no such customer")]
    assert queue.claim_one("w") is None


@pytest.mark.parametrize("error", [None, "", "ä" * 1000, "trace\nback"])
def test_an_error_is_any_text_and_none_is_an_empty_one(queue, job, path, error):
    assert job.fail(error)
    assert dead(path) == [(job.id, error or "")]


def test_a_heartbeat_moves_the_end_of_the_lease(queue, job):
    before = time.time()
    assert job.heartbeat(1000)
    assert before + 999 < queue.get_job(job.id)["claim_expires_at"] <= time.time() + 1001
    assert job.heartbeat()
    assert before + 299 < queue.get_job(job.id)["claim_expires_at"] <= time.time() + 301
    assert job.ack()


@pytest.mark.parametrize("extend_s", [0, -1, "60", float("nan"), True, 10**12], ids=repr)
def test_a_heartbeat_of_an_impossible_span_is_refused(queue, job, extend_s):
    with pytest.raises(InvalidArgumentError, match="extend_s"):
        job.heartbeat(extend_s)
    assert queue.get_job(job.id)["claim_expires_at"] == job.claim_expires_at


@pytest.mark.parametrize("delay_s", [-1, "60", float("nan"), True, None, 10**12], ids=repr)
def test_a_retry_after_an_impossible_span_is_refused(queue, job, delay_s):
    with pytest.raises(InvalidArgumentError, match="delay_s"):
        job.retry(delay_s)
    assert queue.get_job(job.id)["state"] == "processing"


@pytest.mark.parametrize("job_id", ["1", None, 1.5, 2**70, object(), b"1"], ids=lambda value: type(value).__name__)
def test_an_id_that_is_impossible_is_an_error_of_honker(engine, db, queue, job, job_id):
    if engine == "postgres" and job_id == "1":
        pytest.skip("PostgreSQL reads a text that is a number as one")
    for call in (
        lambda: queue.ack(job_id, "w"),
        lambda: queue.ack_batch([job_id], "w"),
        lambda: queue.cancel(job_id),
        lambda: queue.get_job(job_id),
        lambda: queue.get_result(job_id),
        lambda: db.cancel(job_id),
    ):
        with pytest.raises(HonkerError):
            call()
    assert job.ack()


def test_asynchronous_settling_is_the_same(queue, path):
    async def main():
        for number in range(4):
            await queue.aenqueue(number, priority=-number)
        acked, retried, failed, extended = await queue.aclaim_batch("w", 4)
        assert await acked.aack()
        assert await retried.aretry(0, "later")
        assert await failed.afail("never")
        before = time.time()
        assert await extended.aheartbeat(1000)
        assert queue.get_job(extended.id)["claim_expires_at"] > before + 998
        assert (await queue.aclaim_batch("w", 4))[0].last_error == "later"
        return failed.id

    assert dead(path) == []
    assert asyncio.run(main()) == dead(path)[0][0]


# -------------------------------------------------------------------------------------------------------------- fencing


def test_a_handler_that_overslept_cannot_settle_a_later_attempt_under_the_same_worker_id(queue, path):
    queue.enqueue(1)
    stale = queue.claim_one("w")
    edit(path, "claim_expires_at = claim_expires_at - 302", stale.id)
    current = queue.claim_one("w")
    assert current.attempts == 2
    before = stored(path)
    assert not stale.ack()
    assert not stale.retry(0, "e")
    assert not stale.fail("e")
    assert not stale.heartbeat()
    assert not asyncio.run(stale.aack())
    assert queue.ack_batch([stale], "w") == 0
    assert stored(path) == before
    assert current.ack()


def test_a_stale_handler_cannot_settle_an_attempt_after_a_retry_either(queue):
    queue.enqueue(1)
    stale = queue.claim_one("w")
    assert queue.retry(stale.id, "w", 0, "by somebody else")
    current = queue.claim_one("w")
    assert not stale.ack()
    assert current.ack()


def test_the_attempt_may_be_left_to_the_worker_id(queue, job):
    assert not queue.ack(job.id, "w", attempt=2)
    assert queue.ack(job.id, "w")


def test_a_batch_of_acks_counts_the_leases_that_were_held(queue):
    for number in range(5):
        queue.enqueue(number)
    jobs = queue.claim_batch("w", 4)
    assert queue.ack_batch([*jobs[:2], jobs[2].id, jobs[0], 999], "w") == 3
    assert queue.ack_batch((job for job in jobs), "w") == 1
    assert len(queue.claim_batch("w", 5)) == 1
