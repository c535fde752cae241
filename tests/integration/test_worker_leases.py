"""Workers and leases: renewal, loss and the end of a worker."""

import asyncio
import threading

import honker
import pytest

from ..support.locking import ask
from ..support.waiting import until
from ..support.workers import live, run_for, working

# --------------------------------------------------------------------------------------------------------------- leases


def test_a_lease_is_renewed_while_the_handler_lives(path):
    with honker.open(path) as db:
        queue = db.queue("q", visibility_timeout_s=0.3)
        renewals = []

        @queue.task(name="t")
        async def task(job: honker.Job):
            await until(lambda: db.get_job(job.id)["claim_expires_at"] > job.claim_expires_at + 0.4)
            renewals.append(job.attempts)

        run_for(db, task())
        assert renewals == [1]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_lost_lease_cancels_the_handler_and_drops_its_outcome(path, is_async):
    proceed = threading.Event()
    with honker.open(path) as db:
        queue = db.queue("q", visibility_timeout_s=0.15)
        seen, cancelled = [], []

        async def atask(job: honker.Job):
            seen.append(job.id)
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(job.id)

        def task(job: honker.Job):
            seen.append(job.id)
            proceed.wait(10)

        calls = queue.task(name="t")(atask if is_async else task)

        async def main():
            async with working(db):
                result = calls()
                await until(lambda: seen)
                db.cancel(result.id)
                await until(lambda: cancelled or not is_async)
                proceed.set()
                with pytest.raises(honker.JobCancelledError):
                    await result.aget(10)

        asyncio.run(main())
        assert ask(path, "SELECT value FROM _honker_results") == [(None,)]


# ------------------------------------------------------------------------------------------------------------- stopping


def test_a_stop_lets_handlers_end(db, queue, path):
    entered, proceed = asyncio.Event(), asyncio.Event()

    @queue.task(name="t")
    async def task():
        entered.set()
        await proceed.wait()
        return 1

    async def main():
        stop = asyncio.Event()
        workers = asyncio.ensure_future(db.run_workers(concurrency=1, stop_event=stop))
        result, waiting = task(), task()
        await entered.wait()
        stop.set()
        proceed.set()
        await asyncio.wait_for(workers, 10)
        assert await result.aget(0) == 1
        assert db.get_job(waiting.id)["attempts"] == 0

    asyncio.run(main())


@pytest.mark.parametrize("how", ["stopped", "cancelled"])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_does_not_end_in_time_is_given_back_uncharged(db, queue, path, how, is_async):
    entered, proceed = threading.Event(), threading.Event()

    def task():
        entered.set()
        proceed.wait(10)

    async def atask():
        entered.set()
        await asyncio.Event().wait()

    queue.task(name="t")(atask if is_async else task)()

    async def main():
        stop = asyncio.Event()
        workers = asyncio.ensure_future(db.run_workers(stop_event=stop, grace_s=0.01))
        await until(entered.is_set)
        stop.set() if how == "stopped" else workers.cancel()
        await asyncio.wait([workers], timeout=5)
        assert workers.done()
        assert workers.cancelled() is (how == "cancelled")

    asyncio.run(main())
    proceed.set()
    assert live(path) == [("pending", 0, None)]
