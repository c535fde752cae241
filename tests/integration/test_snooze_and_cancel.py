"""Putting jobs off, asking them to end, their progress and their history."""

import asyncio
import time

import honker
import pytest
from honker.errors import JobCancelledError
from honker.job import progress

from ..support.waiting import wait_until


@pytest.fixture
def job(queue):
    queue.enqueue(1)
    return queue.claim_one("w")


def test_a_snooze_is_counted_and_not_charged(queue):
    queue.enqueue(1, max_attempts=1)
    for count in range(3):
        job = queue.claim_one("w")
        assert (job.attempts, job.snoozes) == (1, count)
        assert job.snooze(0)
        assert job.is_released
    [record] = queue.attempts(job.id)
    assert (record.outcome, record.attempt, record.worker_id) == ("snoozed", 1, "w")


def test_a_snooze_frees_the_slot_of_its_key_and_keeps_its_unique_key(queue):
    queue.configure(concurrency_per_key=1)
    queue.enqueue(1, key="k", unique_key="a")
    queue.enqueue(2, key="k")
    queue.claim_one("w").snooze(3600)
    assert queue.claim_one("w").payload == 2
    assert queue.enqueue_unique(3, "a").is_duplicate


# ------------------------------------------------------------------------------------------------------ cancellation


def test_a_waiting_job_is_removed(queue):
    job_id = queue.enqueue(1)
    assert queue.request_cancel(job_id) == "cancelled"
    assert queue.request_cancel(job_id) == "gone"
    assert queue.claim_one("w") is None


def test_a_running_job_is_asked_and_sees_it(queue, job, monkeypatch):
    monkeypatch.setattr("honker.job._LOOK_S", 0.0)
    assert not job.is_cancelled
    job.check_cancelled()
    assert queue.request_cancel(job.id) == "requested"
    assert queue.get_job(job.id).cancel_requested_at is not None
    assert job.is_cancelled
    with pytest.raises(JobCancelledError) as caught:
        job.check_cancelled()
    assert caught.value.job_id == job.id


def test_the_file_is_read_at_most_every_tenth_of_a_second(queue, job):
    looks = []
    engine = queue.db.engine
    ask = engine.ask
    engine.ask = lambda *args, **kwargs: looks.append(args) or ask(*args, **kwargs)
    started = time.monotonic()
    while time.monotonic() - started < 0.25:
        assert not job.is_cancelled
    assert 1 <= len(looks) <= 4


def test_a_job_that_lost_its_lease_is_cancelled_for_its_handler(queue, job):
    queue.cancel(job.id)
    assert job.is_cancelled


def test_a_worker_may_tell_the_job_itself(job):
    job.note_cancelled()
    assert job.is_cancelled


def test_the_request_reaches_only_jobs_of_its_queue(db, queue, job):
    assert db.queue("another").request_cancel(job.id) == "gone"
    assert db.request_cancel(job.id) == "requested"


def test_success_wins_over_a_request_and_every_other_end_is_a_cancellation(queue):
    done, failed = queue.enqueue_many([1, 2])
    first, second = queue.claim_batch("w", 2)
    queue.request_cancel(done)
    queue.request_cancel(failed)
    assert first.ack()
    assert second.retry(0)
    assert queue.stats().ready == 0
    with pytest.raises(JobCancelledError):
        asyncio.run(queue.wait_result(failed, 5))


def test_a_handler_ends_its_job_as_cancelled(queue, job):
    assert job.cancel()
    assert not job.cancel()
    with pytest.raises(JobCancelledError):
        asyncio.run(queue.wait_result(job.id, 5))


# ---------------------------------------------------------------------------------------------------------- progress


def shown(queue, job):
    found = queue.progress(job.id)
    return found and (found.done, found.total, found.note)


def test_the_first_report_is_written_at_once_and_the_last_one_within_a_second(queue, job):
    assert shown(queue, job) is None
    assert job.progress(1, 10, "first page")
    assert shown(queue, job) == (1, 10, "first page")
    for page in range(2, 10):
        assert job.progress(page, 10)
        assert shown(queue, job) == (1, 10, "first page")
    assert wait_until(lambda: shown(queue, job) == (9, 10, None))


def test_many_reports_are_few_writes(queue, job):
    writes = []
    engine = queue.db.engine
    call = engine.call
    engine.call = lambda sql, *args, **kwargs: writes.append(sql) or call(sql, *args, **kwargs)
    for part in range(1_000):
        job.progress(part / 1_000)
    assert len(writes) == 1


def test_progress_is_forgotten_with_the_claim_and_a_lost_lease_is_told(queue, job):
    job.progress(0.5)
    job.retry(0)
    assert shown(queue, job) is None
    late = honker.Job(queue, row_of(queue.claim_one("other")) | {"worker_id": "w", "attempts": 1})
    assert not late.progress(0.9)
    assert shown(queue, job) is None


def row_of(job):
    slots = ("id", "worker_id", "attempts", "max_attempts", "claim_expires_at", "priority", "run_at", "created_at")
    slots += ("expires_at", "last_error", "unknown_since", "key", "snoozes", "has_dependents", "has_parents")
    return {name: getattr(job, name) for name in slots} | {"payload": "1"}


def test_a_report_that_waits_is_dropped_when_the_job_is_put_off(queue, job):
    job.progress(0.1)
    job.progress(0.2)
    job.snooze(0)
    again = queue.claim_one("w")
    assert again.attempts == job.attempts
    until = time.monotonic() + 1.5 * progress.INTERVAL_S
    wait_until(lambda: time.monotonic() > until)
    assert shown(queue, again) is None


def test_a_report_in_the_transaction_of_the_handler_is_written_after_it(db, queue, job):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE page (n INTEGER)")
        assert job.progress(0.5)
    assert wait_until(lambda: shown(queue, job) == (0.5, 1, None))


def test_a_report_that_meets_a_closed_database_ends_quietly(path):
    db = honker.open(path)
    queue = db.queue("q")
    queue.enqueue(1)
    job = queue.claim_one("w")
    job.progress(0.1)
    job.progress(0.2)
    timer = job._reporter._timer
    db.close()
    timer.join(5)
    assert not timer.is_alive()


@pytest.mark.parametrize(
    ("report", "name"),
    [
        ((-1,), "done"),
        (("half",), "done"),
        ((True,), "done"),
        ((float("nan"),), "done"),
        ((1, 0), "total"),
        ((1, 1e16), "total"),
        ((1, 1, 7), "note"),
        ((1, 1, "ä" * 501), "note"),
    ],
    ids=str,
)
def test_a_report_outside_its_range_is_refused(queue, job, report, name):
    with pytest.raises(honker.InvalidArgumentError, match=name):
        job.progress(*report)
    assert shown(queue, job) is None


# ----------------------------------------------------------------------------------------------------------- history


def test_attempts_are_kept_through_death_and_requeue(queue):
    job_id = queue.enqueue(1)
    queue.claim_one("w").retry(0, "timed out")
    queue.claim_one("v").fail("no such address")
    queue.requeue(job_id)
    queue.claim_one("w").retry(0, "again")
    told = [(each.number, each.attempt, each.outcome, each.worker_id, each.error) for each in queue.attempts(job_id)]
    assert told == [
        (1, 1, "failed", "w", "timed out"),
        (2, 2, "failed", "v", "no such address"),
        (3, 1, "failed", "w", "again"),
    ]
    assert queue.attempts(99) == []


def test_the_twins_do_the_same(queue, job, monkeypatch):
    monkeypatch.setattr("honker.job._LOOK_S", 0.0)

    async def main():
        assert await job.aprogress(1, 2, "half")
        assert (await queue.aprogress(job.id)).note == "half"
        await job.acheck_cancelled()
        assert await queue.db.arequest_cancel(job.id) == "requested"
        assert await queue.arequest_cancel(job.id) == "requested"
        with pytest.raises(JobCancelledError):
            await job.acheck_cancelled()
        assert await job.acancel()
        queue.enqueue(2)
        other = await queue.aclaim_one("w")
        await other.aretry(0, "late")
        assert [each.error for each in await queue.aattempts(other.id)] == ["late"]

    asyncio.run(main())
