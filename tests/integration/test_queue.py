"""Queues: what is stored, what is handed out and in which order, and what each method answers."""

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import honker
import pytest
from honker import (
    HonkerError,
    InvalidArgumentError,
    InvalidPayloadError,
    MalformedRowError,
    QueueConflictError,
)

from ..support.locking import ask
from ..support.waiting import wait_until


def stored(path, columns="*"):
    return ask(path, f"SELECT {columns} FROM _honker_live ORDER BY id")


def dead(path, columns="id, last_error"):
    return ask(path, f"SELECT {columns} FROM _honker_dead ORDER BY id")


def edit(path, assignments, job_id):
    """Changes a row as time, or somebody with a SQL prompt, would."""
    ask(path, f"UPDATE _honker_live SET {assignments} WHERE id = ?", job_id)


# ------------------------------------------------------------------------------------------------------------- handles


def test_a_queue_of_a_name_is_one_object(db):
    assert db.queue("a") is db.queue("a")
    assert db.queue("a") is not db.queue("b")


def test_a_queue_has_defaults(db):
    queue = db.queue("a")
    assert (queue.db, queue.name, queue.visibility_timeout_s, queue.max_attempts) == (db, "a", 300, 3)
    assert "'a'" in repr(queue)


def test_a_queue_keeps_its_options(db):
    queue = db.queue("a", visibility_timeout_s=60, max_attempts=5)
    assert db.queue("a") is queue
    assert db.queue("a", visibility_timeout_s=60, max_attempts=5) is queue
    assert (queue.visibility_timeout_s, queue.max_attempts) == (60, 5)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"max_attempts": 5}),
        ({}, {"visibility_timeout_s": 60}),
        ({"max_attempts": 5}, {"max_attempts": 3}),
        ({"max_attempts": 5}, {"visibility_timeout_s": 300}),
        ({"max_attempts": 5, "visibility_timeout_s": 60}, {"max_attempts": 5}),
        ({"visibility_timeout_s": 0.5}, {"visibility_timeout_s": 0.25}),
    ],
)
def test_a_queue_opened_with_other_options_is_a_conflict(db, first, second):
    queue = db.queue("a", **first)
    with pytest.raises(QueueConflictError, match="already opened") as caught:
        db.queue("a", **second)
    assert isinstance(caught.value, ValueError)
    assert db.queue("a") is queue


@pytest.mark.parametrize(
    "options", [{"max_attempts": 3}, {"visibility_timeout_s": 300}, {"visibility_timeout_s": 300.0}]
)
def test_an_option_that_is_not_given_counts_as_its_default(db, options):
    assert db.queue("a") is db.queue("a", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"visibility_timeout_s": 0},
        {"visibility_timeout_s": -1},
        {"visibility_timeout_s": "60"},
        {"visibility_timeout_s": float("nan")},
        {"visibility_timeout_s": True},
        {"max_attempts": 0},
        {"max_attempts": -1},
    ],
    ids=repr,
)
def test_an_option_that_is_impossible_is_refused_and_nothing_is_kept(db, options):
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        db.queue("a", **options)
    assert db.queue("a").max_attempts == 3


@pytest.mark.parametrize("value", ["many", object(), [3]], ids=lambda value: type(value).__name__)
def test_attempts_that_are_no_number_are_refused(db, value):
    with pytest.raises(InvalidArgumentError, match="max_attempts"):
        db.queue("a", max_attempts=value)


def test_a_visibility_timeout_may_be_a_span(db):
    assert db.queue("a", visibility_timeout_s=timedelta(minutes=1)).visibility_timeout_s == 60
    assert db.queue("b", visibility_timeout_s=Decimal("0.5")).visibility_timeout_s == 0.5


def test_threads_that_ask_for_one_queue_get_one_object(db):
    queues = []
    threads = [threading.Thread(target=lambda: queues.append(db.queue("a"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, queues))) == 1


# ----------------------------------------------------------------------------------------------------------- enqueueing


@pytest.mark.parametrize(
    ("payload", "text"),
    [({"n": 1}, '{"n": 1}'), ("fresh-3", '"fresh-3"'), (None, "null"), ("ä", '"\\u00e4"'), ([], "[]")],
)
def test_a_payload_is_stored_as_json_dumps_writes_it(queue, path, payload, text):
    queue.enqueue(payload)
    assert stored(path, "payload") == [(text,)]
    assert queue.claim_one("w").payload == payload


@pytest.mark.parametrize("payload", [object(), {1, 2}, float("nan"), float("inf"), b"x"], ids=repr)
def test_a_payload_without_a_json_form_is_refused_and_nothing_is_written(db, queue, path, payload):
    for write in (
        lambda: queue.enqueue(payload),
        lambda: asyncio.run(queue.aenqueue(payload)),
        lambda: queue.save_result(1, payload),
    ):
        with pytest.raises(InvalidPayloadError) as caught:
            write()
        assert isinstance(caught.value, TypeError)
    with db.transaction() as tx, pytest.raises(InvalidPayloadError):
        queue.enqueue(payload, tx=tx)
    assert stored(path) == []
    assert ask(path, "SELECT * FROM _honker_results") == []


def test_enqueueing_answers_the_id_of_the_job(queue, db):
    first, second = queue.enqueue(1), db.queue("other").enqueue(2)
    assert second > first
    assert queue.get_job(first)["id"] == first


def test_the_id_of_a_job_is_never_used_again(queue):
    first = queue.enqueue(1)
    assert queue.cancel(first)
    assert queue.enqueue(2) > first


def test_enqueueing_leaves_notifications_untouched(queue, path):
    job_id = queue.enqueue(1)
    queue.claim_one("w")
    queue.retry(job_id, "w", 0, "")
    assert ask(path, "SELECT * FROM _honker_notifications") == []


def test_a_job_has_the_properties_it_was_given(queue, path):
    run_at = time.time() + 1000
    queue.enqueue(1, None, run_at, None, 7, 2000, 9)
    ((priority, stored_run_at, max_attempts, expires_at),) = stored(path, "priority, run_at, max_attempts, expires_at")
    assert (priority, max_attempts) == (7, 9)
    assert stored_run_at == pytest.approx(run_at, abs=0.002)
    assert expires_at == pytest.approx(time.time() + 2000, abs=5)


@pytest.mark.parametrize("span", [60, 60.0, Decimal(60), timedelta(minutes=1)], ids=lambda value: type(value).__name__)
def test_a_delay_may_be_any_span(queue, span):
    before = time.time()
    queue.enqueue(1, delay=span)
    assert before + 59.99 <= queue.next_claim_at() <= time.time() + 61


@pytest.mark.parametrize(
    "instant",
    [1_900_000_000, 1_900_000_000.0, Decimal(1_900_000_000), datetime.fromtimestamp(1_900_000_000, UTC)],
    ids=lambda value: type(value).__name__,
)
def test_a_run_at_may_be_any_instant(queue, instant):
    queue.enqueue(1, run_at=instant)
    assert queue.next_claim_at() == 1_900_000_000


@pytest.mark.parametrize("options", [{"delay": 0}, {"delay": -5}, {"run_at": 5}, {}], ids=repr)
def test_a_job_whose_time_is_past_is_due_at_once(queue, options):
    queue.enqueue(1, **options)
    assert queue.claim_one("w").payload == 1


@pytest.mark.parametrize("expires", [0, -5])
def test_a_job_that_expires_at_once_is_dead_when_it_is_met(queue, path, expires):
    job_id = queue.enqueue(1, expires=expires)
    wait_until(lambda: time.time() >= queue.get_job(job_id)["expires_at"])  # the next millisecond
    assert queue.claim_one("w") is None
    assert dead(path) == [(job_id, "expired")]


def test_a_delay_wins_over_a_run_at(queue):
    queue.enqueue(1, run_at=1_900_000_000, delay=0)
    assert queue.is_claimable()


@pytest.mark.parametrize(
    "options",
    [
        {"run_at": "tomorrow"},
        {"run_at": True},
        {"run_at": 10**12},
        {"run_at": float("inf")},
        {"delay": "5"},
        {"delay": True},
        {"delay": float("nan")},
        {"delay": 10**12},
        {"priority": 2**53},
        {"priority": -(2**53)},
        {"priority": 1.5},
        {"priority": "high"},
        {"priority": None},
        {"expires": "soon"},
        {"max_attempts": 0},
        {"max_attempts": 10**9},
        {"max_attempts": 2.5},
        {"max_attempts": "3"},
    ],
    ids=repr,
)
def test_an_argument_of_enqueue_that_is_impossible_is_refused_by_name(queue, path, options):
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        queue.enqueue(1, **options)
    assert stored(path) == []


def test_a_number_that_sql_cannot_hold_is_refused_by_value(queue, path):
    with pytest.raises(InvalidArgumentError, match=str(2**70)):
        queue.enqueue(1, priority=2**70)
    assert stored(path) == []


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", 5, None, b"q", "\ud800"], ids=repr)
def test_a_name_that_is_impossible_is_refused(db, path, name):
    with pytest.raises(HonkerError):
        db.queue(name).enqueue(1)
    assert stored(path) == []


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "with space", "'; DROP TABLE _honker_live; --", "_outbox:a"])
def test_a_name_may_be_any_text(db, name):
    db.queue(name).enqueue(1)
    assert db.queue(name).claim_one("w").queue_name == name


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
def test_an_id_that_is_impossible_is_an_error_of_honker(db, queue, job, job_id):
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


# --------------------------------------------------------------------------------------------------------- single jobs


def test_a_job_can_be_looked_at(queue):
    job_id = queue.enqueue({"n": 1}, priority=3)
    row = queue.get_job(job_id)
    assert (row["id"], row["queue"], row["payload"], row["state"]) == (job_id, "q", '{"n": 1}', "pending")
    assert (row["priority"], row["worker_id"], row["attempts"], row["max_attempts"]) == (3, None, 0, 3)
    queue.claim_one("w")
    row = queue.get_job(job_id)
    assert (row["state"], row["worker_id"], row["attempts"]) == ("processing", "w", 1)
    assert json.loads(row["payload"]) == {"n": 1}


def test_a_job_that_is_not_there_is_none(queue, db):
    assert queue.get_job(999) is None
    assert db.get_job(999) is None


def test_a_queue_knows_its_own_jobs_and_the_database_all(db, queue):
    job_id = db.queue("other").enqueue(1)
    assert queue.get_job(job_id) is None
    assert queue.cancel(job_id) is False
    assert db.get_job(job_id)["queue"] == "other"
    assert db.cancel(job_id) is True
    assert db.cancel(job_id) is False


def test_a_cancelled_job_is_gone_and_its_lease_lost(queue):
    waiting = queue.enqueue(1, delay=100)
    leased = queue.enqueue(2)
    job = queue.claim_one("w")
    assert queue.cancel(waiting)
    assert queue.cancel(leased)
    assert not job.ack()
    assert queue.claim_one("w") is None


def test_expired_jobs_are_swept_unless_somebody_is_at_work_on_them(queue, path):
    leased, waiting, fresh = queue.enqueue(1, expires=50), queue.enqueue(2, expires=50), queue.enqueue(3, expires=500)
    job = queue.claim_one("w")
    ask(path, "UPDATE _honker_live SET expires_at = 1 WHERE id <> ?", fresh)
    assert queue.sweep_expired() == 1
    assert queue.sweep_expired() == 0
    assert dead(path) == [(waiting, "expired")]
    assert job.id == leased
    assert job.ack()


def test_a_payload_that_somebody_broke_is_an_error_when_it_is_asked_for(queue, path):
    edit(path, "payload = '{broken'", queue.enqueue(1))
    job = queue.claim_one("w")
    with pytest.raises(json.JSONDecodeError):
        _ = job.payload
    assert job.fail("broken")


def test_a_row_that_somebody_broke_is_a_typed_error_or_passed_over(queue, path):
    edit(path, "payload = x'ff', attempts = 'many'", queue.enqueue(1))
    alive = queue.enqueue(2)
    try:
        jobs = queue.claim_batch("w", 5)
    except MalformedRowError:
        return
    assert alive in [job.id for job in jobs]


# -------------------------------------------------------------------------------------------------------------- threads


def test_threads_enqueue_and_claim_every_job_once(db):
    """Four threads add, four take; none is lost, none is handed out twice."""
    queue, seen, lock = db.queue("q"), [], threading.Lock()

    def add(number):
        for step in range(50):
            queue.enqueue([number, step])

    def take(number):
        while len(seen) < 200:
            for job in queue.claim_batch(f"w{number}", 3):
                with lock:
                    seen.append(tuple(job.payload))
                assert job.ack()

    threads = [threading.Thread(target=work, args=[number]) for work in (add, take) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(number, step) for number in range(4) for step in range(50)]
    assert db.query("SELECT * FROM _honker_jobs") == []
