"""Workers survive errors of jobs, unknown tasks and a database that fails."""

import asyncio
import re
import threading
from itertools import pairwise

import honker
import pytest
from honker.task.message import envelope
from honker.worker import runner, worker
from honker.worker.unknown_task import delay_until_next, final_error

from ..support.locking import ask, write_lock_elsewhere
from ..support.triggers import allow, refuse
from ..support.waiting import until
from ..support.workers import dead, live, run_for, run_until, working

# ------------------------------------------------------------------------------------------------------------- failures


def test_a_handler_that_fails_is_tried_again_and_then_dead(db, queue, path, caplog):
    attempts = []

    @queue.task(name="t", retries=3, retry_delay_s=0.001)
    def task(job: honker.Job):
        attempts.append((job.attempts, job.last_error))
        raise ValueError("broken")

    task()
    run_until(db, lambda: dead(path))
    assert [number for number, _ in attempts] == [1, 2, 3]
    assert attempts[1][1].startswith("broken\nTraceback")
    ((count, error),) = dead(path)
    assert (count, error.splitlines()[0]) == (3, "broken")
    logged = [(record.levelname, record.message.splitlines()[0]) for record in caplog.records]
    assert [level for level, _ in logged] == ["WARNING", "WARNING", "ERROR"]
    assert "attempt 2" in logged[1][1]
    assert logged[2][1].endswith("failed for good: broken")


@pytest.mark.parametrize(
    "error", ["SystemExit(1)", "StopIteration()", "asyncio.CancelledError()", "ValueError(chr(0xd800))"]
)
@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_a_handler_raises_is_its_own_failure(db, queue, path, error, is_async):
    def fail():
        raise eval(error)

    async def afail():
        fail()

    queue.task(name="t", retries=1)(afail if is_async else fail)()
    run_until(db, lambda: dead(path))
    assert dead(path)[0][0] == 1


def test_the_delay_before_an_attempt_grows_by_the_backoff(path):
    delay_s = worker.retry_delays(60, 2.0)
    assert [delay_s(attempt) for attempt in (1, 2, 4)] == [60, 120, 480]
    assert delay_s(10**6) == float("inf")


@pytest.mark.parametrize(
    ("delay_s", "least", "most"),
    [(1000, 999, 1001), (-5, -1, 1), (float("nan"), 59, 67), (1e300, 3.1e9, 3.2e9)],  # NaN: the task's delay
)
def test_a_handler_chooses_its_delay_and_cannot_hinder_others_with_it(db, queue, path, delay_s, least, most):
    @queue.task(name="t")
    async def task(job: honker.Job):
        if job.attempts == 1:
            raise honker.Retryable("later", delay_s)
        await asyncio.Event().wait()

    task()
    sql = "SELECT run_at - unixepoch(), last_error FROM _honker_live WHERE last_error IS NOT NULL"
    run_until(db, lambda: ask(path, sql), grace_s=0)
    ((delay, error),) = ask(path, sql)
    assert error.splitlines()[0] == "later"
    assert least <= delay <= most


@pytest.mark.parametrize("is_async", [False, True])
def test_a_handler_that_takes_too_long_is_given_up(db, queue, path, is_async):
    proceed = threading.Event()

    async def aslow():
        await asyncio.Event().wait()

    queue.task(name="t", retries=1, timeout_s=0.05)(aslow if is_async else lambda: proceed.wait(10))()
    run_until(db, lambda: dead(path))
    proceed.set()
    goes_on = "" if is_async else "; its thread goes on and keeps its slot"
    assert dead(path) == [(1, f"timeout after 0.05s{goes_on}")]


def test_the_time_out_of_a_handler_itself_is_told_from_ours(db, queue, path):
    @queue.task(name="t", retries=1, timeout_s=60)
    async def task():
        raise TimeoutError("mine")

    task()
    run_until(db, lambda: dead(path))
    assert dead(path)[0][1].startswith("mine\nTraceback")


def test_a_thread_that_was_given_up_keeps_its_slot_until_it_ends(db, queue, path):
    proceed = threading.Event()
    queue.task(name="stuck", retries=1, timeout_s=0.02)(lambda: proceed.wait(10))()
    quick = queue.task(name="quick")(lambda: 1)

    async def main():
        async with working(db, concurrency=1):
            await until(lambda: dead(path))
            result = quick()
            with pytest.raises(TimeoutError):
                await result.aget(0.05)
            assert db.get_job(result.id)["attempts"] == 0
            proceed.set()
            return await result.aget(10)

    assert asyncio.run(main()) == 1


# ------------------------------------------------------------------------------------------------------ poison, unknown


def test_what_is_no_call_is_a_dead_letter_and_the_worker_goes_on(db, queue, path):
    task = queue.task(name="t")(lambda: 1)
    queue.enqueue("poison")
    ask(path, "UPDATE _honker_live SET payload = '{'")
    queue.enqueue({"to": "alice"})
    assert run_for(db, task(), concurrency=1) == 1
    assert [error for _, error in dead(path)][1:] == ["raw (non-decorated) payload on a decorated-task queue"]
    assert "not JSON" in dead(path)[0][1]


def unknown(queue, **options):
    return queue.enqueue(envelope("unknown"), **({"max_attempts": 1} | options))


def put_back_since(path):
    """The instant since which the only live job waits for a worker that knows its task; None if there is none."""
    found = ask(path, "SELECT unknown_since FROM _honker_live WHERE state = 'pending'")
    return found[0][0] if found else None


DEAD_OF_UNKNOWN = "unknown task: 'unknown'. Registered tasks: ['known']"


def test_an_unknown_task_is_put_back_uncharged_and_later_each_time(db, queue, path):
    queue.task(name="known")(lambda: 1)
    unknown(queue)
    seen = []

    def is_put_back_often():
        (row,) = ask(path, "SELECT state, attempts, last_error, unknown_since, run_at FROM _honker_live")
        if row[0] == "pending" and row[3] is not None and (not seen or row[4] != seen[-1][4]):
            seen.append(row)
        return len(seen) >= 4

    run_until(db, is_put_back_often)
    (since,) = {row[3] for row in seen}
    assert {row[1:3] for row in seen} == {(0, None)}
    for sooner, later in pairwise(seen):
        # It waits for as long as it had waited when it was claimed, at the earliest when it was due.
        assert later[4] - sooner[4] >= max(sooner[4] - since, 0.1) - 0.002
    assert seen[0][4] - since == pytest.approx(0.1, abs=0.01)


def test_an_unknown_task_is_dead_when_its_time_is_over(db, queue, path):
    known = queue.task(name="known")(lambda: 1)
    unknown(queue)
    assert run_for(db, known(), concurrency=1, unknown_task_s=0.3) == 1
    run_until(db, lambda: dead(path), unknown_task_s=0.3)
    ((attempts, error),) = dead(path)
    assert attempts == 1
    assert re.fullmatch(
        rf"{re.escape(DEAD_OF_UNKNOWN)}\. Put back for other workers since 2\S+, for more than 0.3 s", error
    )


def test_an_unknown_task_is_dead_at_once_if_nobody_is_to_be_waited_for(db, queue, path):
    queue.task(name="known")(lambda: 1)
    unknown(queue)
    run_until(db, lambda: dead(path), unknown_task_s=0)
    assert dead(path) == [(1, DEAD_OF_UNKNOWN)]


def test_the_time_of_an_unknown_task_goes_on_over_restarts_and_ends(db, queue, path):
    queue.task(name="known")(lambda: 1)
    job_id = unknown(queue)
    run_until(db, lambda: put_back_since(path))
    ask(path, "UPDATE _honker_live SET unknown_since = unknown_since - 7200, run_at = 0")
    run_until(db, lambda: dead(path))
    assert dead(path)[0][1].startswith(f"{DEAD_OF_UNKNOWN}. Put back for other workers since 2")
    assert queue.requeue(job_id)
    assert queue.get_job(job_id).unknown_since is None


def test_a_job_of_an_unknown_task_keeps_the_error_of_its_last_attempt(db, queue, path):
    queue.task(name="known")(lambda: 1)
    job_id = unknown(queue, max_attempts=5)
    queue.claim_one("w").retry(0, "broken\nTraceback")
    run_until(db, lambda: put_back_since(path))
    assert live(path) == [("pending", 1, "broken\nTraceback")]
    assert queue.get_job(job_id).unknown_since == put_back_since(path)
    seen = []

    @queue.task(name="unknown")
    def task(job: honker.Job):
        seen.append((job.attempts, job.last_error, job.unknown_since))
        raise ValueError

    since = put_back_since(path)
    run_until(db, lambda: seen and live(path)[0][0] == "pending")
    assert seen == [(2, "broken\nTraceback", since)]
    assert queue.get_job(job_id).unknown_since is None


def test_a_line_of_an_older_release_in_the_error_changes_nothing(db, queue, path):
    queue.task(name="known")(lambda: 1)
    unknown(queue)
    line = "unknown task: 'unknown', put back 3 times since 2020-11-20T00:00:00+00:00"
    ask(path, "UPDATE _honker_live SET last_error = ?", line)
    run_until(db, lambda: put_back_since(path))
    assert live(path) == [("pending", 0, line)]


@pytest.mark.parametrize(
    ("waited_s", "limit_s", "delay_s"),
    [
        (None, 3600, 0.1),
        (None, 0.05, 0.05),
        (None, 0, None),
        (0, 3600, 0.1),
        (-1000, 3600, 0.1),  # the clock was set back
        (0.4, 3600, 0.4),
        (51, 3600, 51),
        (100, 3600, 60),
        (100, 110, 10),
        (100, 100, None),
        (1e300, 3600, None),
    ],
)
def test_the_delays_of_an_unknown_task_grow_to_a_minute_and_stay_within_its_time(waited_s, limit_s, delay_s):
    since = None if waited_s is None else 1000 - waited_s
    assert delay_until_next(since, limit_s, 1000) == (delay_s if delay_s is None else pytest.approx(delay_s))


@pytest.mark.parametrize("since", [-1e300, 1e300, float("-inf")])
def test_a_dead_letter_names_any_instant(since):
    assert final_error("unknown task: 'x'", since, 1).endswith(", for more than 1 s")


@pytest.mark.parametrize("limit_s", [-1, float("nan"), 10**10])
def test_the_time_of_unknown_tasks_has_a_range(queue, limit_s):
    with pytest.raises(honker.InvalidArgumentError, match="unknown_task_s"):
        honker.Worker(queue, unknown_task_s=limit_s)


# ------------------------------------------------------------------------------------------------------------- database


@pytest.mark.sqlite_only("the busy timeout")
def test_a_busy_database_is_waited_for(db, queue, path, monkeypatch, caplog, impatient):
    monkeypatch.setattr(runner, "_BACK_OFF_S", (0.001, 0.01))
    result = queue.task(name="t")(lambda: 1)()

    async def main():
        with write_lock_elsewhere(path) as release:
            async with working(db):
                await until(lambda: "locked" in caplog.text)
                release()
                return await result.aget(10)

    assert asyncio.run(main()) == 1


def test_a_database_that_refuses_is_tried_again(db, queue, path, monkeypatch, caplog):
    monkeypatch.setattr(runner, "_BACK_OFF_S", (0.001, 0.01))
    task = queue.task(name="t")(lambda: 1)
    refuse(path, "UPDATE", "_honker_live", "full moon")

    async def main():
        async with working(db):
            result = task()
            await until(lambda: caplog.text.count("full moon") > 2)
            allow(path, "_honker_live")
            return await result.aget(10)

    assert asyncio.run(main()) == 1


def test_a_closed_database_ends_a_worker(path):
    db = honker.open(path)
    db.task(name="t")(lambda: None)

    async def main():
        workers = asyncio.ensure_future(db.run_workers())
        await asyncio.sleep(0)
        db.close()
        with pytest.raises(honker.DatabaseClosedError):
            await asyncio.wait_for(workers, 10)

    asyncio.run(main())
