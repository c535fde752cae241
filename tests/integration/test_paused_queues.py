"""Pauses and workers: running handlers finish, waiting jobs wait, and a pause with an end ends by itself."""

import asyncio
import time

import honker
import pytest

from ..support.locking import ask
from ..support.waiting import until
from ..support.workers import dead, run_until, working


@pytest.fixture(params=["queue", "key"])
def pauses(request, queue):
    """The pause and the resume of the queue, or of the key of all its jobs."""
    if request.param == "queue":
        return queue.pause, queue.resume
    return lambda **terms: queue.pause_key("k", **terms), lambda: queue.resume_key("k")


def test_a_running_handler_finishes_and_the_next_job_waits_for_the_resume(db, queue, pauses):
    pause, resume = pauses
    begun, go = [], asyncio.Event()

    @queue.task(name="t", key="k")
    async def task(number):
        begun.append(number)
        await go.wait()
        return number

    @queue.task(name="witness", key="other")
    async def witness():
        return "seen"

    async def main():
        async with working(db, concurrency=2):
            first = task(1)
            await until(lambda: begun == [1])
            pause()
            second = task(2)
            go.set()
            assert await first.aget(10) == 1
            if queue.stats().paused_at is None:  # of a key: another one goes on, so the worker has looked
                assert await witness().aget(10) == "seen"
            assert begun == [1]
            assert (await db.aget_job(second.id)).state in {"pending", "blocked"}
            resume()
            assert await second.aget(10) == 2

    asyncio.run(main())


def test_an_idle_worker_goes_on_when_the_pause_ends_by_itself(db, queue, pauses):
    pause, _ = pauses
    times = []
    queue.task(name="t", key="k")(lambda: times.append(time.time()))()
    end = time.time() + 1.2
    pause(until=end)
    run_until(db, lambda: times)
    assert times[0] >= end


def test_a_job_that_expires_during_a_pause_never_runs(db, queue, path, pauses):
    pause, resume = pauses
    ran = []
    task = queue.task(name="t", key="k")(ran.append)
    pause()
    expiring = task.enqueue_with(expires=0.05)(1)
    patient = task(2)
    expires_at = queue.get_job(expiring.id).expires_at
    run_until(db, lambda: time.time() > expires_at + 1)
    assert ran == []
    resume()
    run_until(db, lambda: ran and dead(path))
    assert ran == [2]
    assert ask(path, "SELECT id, last_error FROM _honker_dead") == [(expiring.id, "expired")]
    assert queue.get_job(patient.id) is None


def test_a_job_that_fails_or_is_put_off_during_a_pause_waits_for_the_resume(db, queue, pauses):
    pause, resume = pauses
    wishes = iter([ValueError("broken"), honker.Snooze(0)])
    attempts, go = [], asyncio.Event()

    @queue.task(name="t", key="k", retry_delay_s=0)
    async def task():
        attempts.append(1)
        await go.wait()
        if (wish := next(wishes, None)) is not None:
            raise wish
        return len(attempts)

    async def main():
        async with working(db, concurrency=1):
            result = task()
            for number in (1, 2):
                await until(lambda number=number: len(attempts) == number)
                pause()
                go.set()
                job = await until(lambda: (found := db.get_job(result.id)).state != "processing" and found)
                assert job.state in {"pending", "blocked"}
                assert len(attempts) == number
                go.clear()
                resume()
            await until(lambda: len(attempts) == 3)
            go.set()
            return await result.aget(10)

    assert asyncio.run(main()) == 3
