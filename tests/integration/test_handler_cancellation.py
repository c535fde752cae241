"""Requests to cancel: a running handler is asked to end, and the job has one outcome."""

import asyncio
import functools
import logging
import threading
import time

import honker
import pytest

from ..support.locking import ask
from ..support.waiting import until
from ..support.workers import working
from . import process_handlers


def outcome(db, job_id):
    return db.engine.ask("SELECT honker_job_outcome(?)", job_id)


def process_task(db, fn, **options):
    return db.task("q", executor="process", name=fn.__name__, **options)(fn)


async def cancelled(db, result, has_begun, **options):
    """Cancel a job once its handler runs, and return the seconds until its waiter knows."""
    async with working(db, **options):
        await until(has_begun)
        assert await result.acancel() == "requested"
        since = time.monotonic()
        with pytest.raises(honker.JobCancelledError) as caught:
            await result.aget(20)
        assert caught.value.job_id == result.id
        return time.monotonic() - since


def test_a_coroutine_is_cancelled_within_a_moment(db, queue, path):
    seen = []

    @queue.task(name="t")
    async def wait(job: honker.Job):
        seen.append("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append((str(error), job.is_cancelled))
            raise

    result = wait()
    assert asyncio.run(cancelled(db, result, lambda: seen)) < 5
    assert seen == ["begun", (f"job {result.id} was cancelled by request", True)]
    assert ask(path, "SELECT count(*) FROM _honker_live") == [(0,)]
    assert ask(path, "SELECT count(*) FROM _honker_dead") == [(0,)]


def test_a_worker_whose_slots_are_all_taken_sees_the_request(db, queue):
    begun = []

    @queue.task(name="t")
    async def wait():
        begun.append(1)
        await asyncio.Event().wait()

    assert asyncio.run(cancelled(db, wait(), lambda: begun, concurrency=1)) < 5


@pytest.mark.parametrize("notices", ["is_cancelled", "check_cancelled"])
def test_a_thread_that_asks_ends_as_cancelled(db, queue, notices):
    begun = []

    @queue.task(name="t", store_result=True)
    def wait(job: honker.Job):
        begun.append(1)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if notices == "check_cancelled":
                job.check_cancelled()
            elif job.is_cancelled:
                raise RuntimeError("interrupted")
            time.sleep(0.001)

    asyncio.run(cancelled(db, wait(), lambda: begun))


def test_code_that_a_handler_calls_finds_its_job(db, queue):
    found = []

    def deep():
        found.append(honker.current_job())

    @queue.task(name="thread")
    def in_a_thread(job: honker.Job):
        deep()
        return job.id

    @queue.task(name="loop")
    async def on_the_loop(job: honker.Job):
        await asyncio.to_thread(deep)
        return job.id

    async def main():
        async with working(db):
            return [await in_a_thread().aget(10), await on_the_loop().aget(10)]

    assert asyncio.run(main()) == [job.id for job in found]
    assert honker.current_job() is None


def test_a_deaf_thread_keeps_its_slot_and_its_success_wins(db, queue):
    begun, go = threading.Event(), threading.Event()

    @queue.task(name="deaf")
    def deaf():
        begun.set()
        assert go.wait(15)
        return "done"

    @queue.task(name="peer")
    def peer():
        return "peer"

    async def main():
        async with working(db, concurrency=1):
            result = deaf()
            await until(begun.is_set)
            assert await result.acancel() == "requested"
            other = peer()
            row = await db.aget_job(result.id)
            assert row["state"] == "processing"
            assert db.get_job(other.id)["state"] == "pending"
            go.set()
            return await result.aget(10), await other.aget(10), await result.acancel()

    assert asyncio.run(main()) == ("done", "peer", "gone")


def test_a_coroutine_that_swallows_the_request_and_returns_wins(db, queue):
    begun = []

    @queue.task(name="t")
    async def stubborn():
        begun.append(1)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "saved"

    async def main():
        async with working(db):
            result = stubborn()
            await until(lambda: begun)
            await result.acancel()
            return await result.aget(10)

    assert asyncio.run(main()) == "saved"


def test_a_handler_that_fails_while_it_is_cancelled_is_not_retried(db, queue, path):
    begun = []

    @queue.task(name="t", retry_delay_s=0)
    async def untidy():
        begun.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("in the clean-up")

    asyncio.run(cancelled(db, untidy(), lambda: begun))
    assert begun == [1]
    assert ask(path, "SELECT count(*) FROM _honker_live") == [(0,)]


def test_a_cancelled_handler_writes_nothing(db, queue, path):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE done (n INTEGER)")
    begun = []

    @queue.task(name="t")
    async def write(tx: honker.Transaction):
        begun.append(1)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            async with tx:
                tx.execute("INSERT INTO done VALUES (1)")
            raise

    asyncio.run(cancelled(db, write(), lambda: begun))
    assert ask(path, "SELECT count(*) FROM done") == [(0,)]


def test_a_waiting_job_is_removed_and_a_finished_one_is_gone(db, queue):
    @queue.task(name="t")
    def quick():
        return 1

    waiting = quick.enqueue_with(delay=1000)()
    assert waiting.cancel() == "cancelled"
    with pytest.raises(honker.JobCancelledError):
        waiting.get(1)

    async def main():
        async with working(db):
            result = quick()
            await result.aget(10)
            return result.cancel()

    assert asyncio.run(main()) == "gone"


def test_a_job_that_its_handler_has_settled_is_left_alone(db, queue):
    """A lost claim is no request: the handler goes on after its own ack, through commits of others."""
    begun, go = threading.Event(), threading.Event()
    ends = []

    @queue.task(name="t")
    async def settle(job: honker.Job):
        await job.aack()
        begun.set()
        try:
            await asyncio.to_thread(go.wait, 15)
            ends.append("went on")
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    async def main():
        async with working(db, queue="q"):
            settle()
            await until(begun.is_set)
            looked = 0
            engine = db.engine
            plain = type(engine).aask

            async def counting(self, sql, *params, **options):
                nonlocal looked
                looked += "cancel_requests" in sql
                return await plain(self, sql, *params, **options)

            type(engine).aask = counting
            try:
                while looked < 3:
                    db.queue("other").enqueue({})
                    await asyncio.sleep(0.001)
            finally:
                type(engine).aask = plain
            go.set()
            await until(lambda: ends)

    asyncio.run(main())
    assert ends == ["went on"]


def test_a_request_for_one_job_leaves_its_peers(db, queue):
    begun = []
    go = asyncio.Event()

    @queue.task(name="t")
    async def wait(n):
        begun.append(n)
        await go.wait()
        return n

    async def main():
        async with working(db):
            results = [wait(n) for n in range(3)]
            await until(lambda: len(begun) == 3)
            await results[1].acancel()
            with pytest.raises(honker.JobCancelledError):
                await results[1].aget(10)
            go.set()
            return [await results[0].aget(10), await results[2].aget(10)]

    assert asyncio.run(main()) == [0, 2]


def test_a_job_whose_worker_is_lost_after_the_request_is_cancelled_and_not_tried_again(path):
    with honker.open(path) as db:
        queue = db.queue("q", visibility_timeout_s=0.3)
        ran = []
        result = queue.task(name="t")(lambda: ran.append(1))()
        assert queue.claim_one("a worker that dies").id == result.id
        assert result.cancel() == "requested"

        async def main():
            async with working(db):
                with pytest.raises(honker.JobCancelledError):
                    await result.aget(10)

        asyncio.run(main())
        assert ran == []


def test_a_thread_whose_lease_is_lost_after_the_request_has_no_effect(db, queue, path):
    """The handler does not look for requests, and its end comes too late to settle the job."""
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    @queue.task(name="deaf")
    def deaf(job: honker.Job, tx: honker.Transaction):
        begun.set()
        assert go.wait(15)
        tx.execute("CREATE TABLE effects (n INTEGER)")
        ended.set()
        return "too late"

    async def main():
        async with working(db, concurrency=1):
            result = deaf()
            await until(begun.is_set)
            assert await result.acancel() == "requested"
            assert await db.acancel(result.id)  # takes the job away from its worker
            go.set()
            await until(ended.is_set)
            with pytest.raises(honker.JobCancelledError):
                await result.aget(10)

    asyncio.run(main())
    assert ask(path, "SELECT name FROM sqlite_master WHERE name = 'effects'") == []


def test_a_process_gets_a_signal_and_its_handler_an_exception(db, queue, tmp_path):
    marker, end = tmp_path / "marker", tmp_path / "end"
    task = process_task(db, process_handlers.clean_up)
    asyncio.run(cancelled(db, task(str(marker), str(end)), marker.exists))
    assert end.read_text() == "JobCancelledError"


def test_the_programs_of_a_cancelled_process_end_with_it(db, queue, tmp_path):
    marker = tmp_path / "marker"
    task = process_task(db, process_handlers.start_and_wait)
    asyncio.run(cancelled(db, task(str(marker)), marker.exists))
    for process_id in map(int, marker.read_text().split()):
        process_handlers.wait_for_end(process_id)


def test_a_process_that_ignores_the_request_is_killed_after_the_grace_period(db, queue, tmp_path):
    marker = tmp_path / "marker"
    task = process_task(db, process_handlers.swallow_requests)
    seconds = asyncio.run(cancelled(db, task(str(marker)), marker.exists, grace_s=0.5))
    assert seconds >= 0.5
    (process_id,) = map(int, marker.read_text().split())
    process_handlers.wait_for_end(process_id)


def test_another_process_of_the_same_worker_is_not_signalled(db, queue, tmp_path):
    one, two, go = tmp_path / "one", tmp_path / "two", tmp_path / "go"
    stubborn = process_task(db, process_handlers.start_and_wait)
    patient = process_task(db, process_handlers.wait_for)

    async def main():
        async with working(db):
            first, second = stubborn(str(one)), patient(str(two), str(go))
            await until(lambda: one.exists() and two.exists())
            await first.acancel()
            with pytest.raises(honker.JobCancelledError):
                await first.aget(10)
            go.touch()
            return await second.aget(10)

    assert asyncio.run(main()) == "went on"


def test_the_next_call_after_a_cancelled_process_runs(db, queue, tmp_path):
    marker, end = tmp_path / "marker", tmp_path / "end"
    task = process_task(db, process_handlers.clean_up)
    add = process_task(db, process_handlers.add)

    async def main():
        async with working(db):
            result = task(str(marker), str(end))
            await until(marker.exists)
            await result.acancel()
            with pytest.raises(honker.JobCancelledError):
                await result.aget(10)
            return await add(1, 2).aget(10)

    assert asyncio.run(main()) == 3


def test_a_cancelled_child_fails_the_handler_that_waits_for_it(db, queue):
    """Only the error of the job itself ends it as cancelled."""

    @queue.task(name="child")
    def child():
        return 1

    @queue.task(name="parent", max_attempts=1)
    async def parent():
        other = child.enqueue_with(delay=1000)()
        assert await other.acancel() == "cancelled"
        await other.aget(10)

    async def main():
        async with working(db):
            with pytest.raises(honker.JobFailedError, match="was cancelled"):
                await parent().aget(10)

    asyncio.run(main())


def test_a_lambda_whose_coroutine_has_not_begun_is_not_awaited(db, queue):
    begun, go, awaited = threading.Event(), threading.Event(), []

    async def never():
        awaited.append(1)

    def start():
        begun.set()
        assert go.wait(15)
        return never()

    task = queue.task(name="t")(start)

    async def main():
        async with working(db):
            result = task()
            await until(begun.is_set)
            await result.acancel()
            await until(functools.partial(was_noticed, records))
            go.set()
            with pytest.raises(honker.JobCancelledError):
                await result.aget(10)

    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("honker")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        asyncio.run(main())
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert awaited == []


def was_noticed(records):
    return any("is asked to end" in record.getMessage() for record in records)


def test_a_worker_that_stops_ends_a_job_that_was_asked_to_end_as_cancelled(db, queue, path):
    begun, go = threading.Event(), threading.Event()

    @queue.task(name="t")
    def deaf(job: honker.Job):
        begun.set()
        go.wait(15)
        return job.is_cancelled

    async def main():
        async with working(db, grace_s=0.05):
            result = deaf()
            await until(begun.is_set)
            await result.acancel()
        go.set()
        with pytest.raises(honker.JobCancelledError):
            await result.aget(10)

    asyncio.run(main())
    assert ask(path, "SELECT count(*) FROM _honker_live") == [(0,)]
