"""The progress of a running handler, seen by its callers."""

import asyncio
import threading

import honker
import pytest

from ..support.waiting import until, wait_until
from ..support.workers import working


@pytest.mark.parametrize("is_async", [False, True])
def test_a_caller_sees_the_progress_of_a_running_handler(db, queue, is_async):
    go = threading.Event()

    def plain(job: honker.Job):
        job.progress(3, 10, "resizing")
        assert go.wait(15)

    async def coroutine(job: honker.Job):
        await job.aprogress(3, 10, "resizing")
        await asyncio.to_thread(go.wait, 15)

    task = queue.task(name="t")(coroutine if is_async else plain)

    async def main():
        async with working(db):
            result = task()
            await until(result.progress)
            seen = await result.aprogress()
            assert (seen.done, seen.total, seen.note) == (3, 10, "resizing")
            assert result.progress().updated_at == seen.updated_at
            go.set()
            await result.aget(10)
            assert result.progress() is None

    asyncio.run(main())


def test_code_below_the_handler_reports_through_the_current_job(db, queue):
    go = threading.Event()

    def resize():
        honker.current_job().progress(0.4, note="below")

    @queue.task(name="t")
    def handler():
        resize()
        assert go.wait(15)

    async def main():
        async with working(db):
            result = handler()
            await until(result.progress)
            assert (result.progress().done, result.progress().note) == (0.4, "below")
            go.set()
            await result.aget(10)

    asyncio.run(main())


def test_a_waiting_job_has_no_progress(queue):
    task = queue.task(name="t")(lambda: 1)
    assert task().progress() is None


def test_the_last_of_many_reports_is_seen_without_another(db, queue):
    go = threading.Event()

    @queue.task(name="t")
    def handler(job: honker.Job):
        for step in range(1, 1001):
            job.progress(step, 1000)
        assert go.wait(15)

    async def main():
        async with working(db):
            result = handler()
            await until(lambda: (seen := result.progress()) is not None and seen.done == 1000)
            go.set()
            await result.aget(10)

    asyncio.run(main())


def test_a_report_that_is_not_written_is_dropped_with_the_end_of_the_handler(db, queue):
    """A later attempt under the same number must not show it."""
    seen = []

    @queue.task(name="t")
    def handler(job: honker.Job):
        job.progress(1, 10)
        job.progress(9, 10)  # waits for the next second
        seen.append(job)
        raise honker.Snooze(1000)

    async def main():
        async with working(db):
            result = handler()
            await until(lambda: seen and db.get_job(result.id)["state"] == "pending")

    asyncio.run(main())
    wait_until(lambda: not any(each.name == "honker-progress" for each in threading.enumerate()))
    assert seen[0]._reporter._is_closed
    job = queue.get_job(seen[0].id)
    assert job["state"] == "pending"
