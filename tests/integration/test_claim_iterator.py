"""The iterator of a worker: it yields jobs as they become due, wakes in time, and survives cancellation."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import honker
import pytest
from honker import HonkerError

from ..support.asking import watch_answers
from ..support.locking import ask, is_locked, write_lock_elsewhere
from ..support.processes import running
from ..support.waiting import until, wait_until

PRODUCER = """
import sys, time
import honker
with honker.open(sys.argv[1]) as db:
    print("ready", flush=True)
    for line in sys.stdin:
        db.queue("q").enqueue(line.strip())
        print(time.time(), flush=True)
"""

# The allowed delay of a wake. A missed wake takes five seconds (the idle poll), or for ever where that is off.
LATENESS_S = 3.0


@pytest.fixture(params=["for", "async for"])
def first(request):
    """Take the next job of an iterator within ten seconds: in a thread by blocking, or as a task by awaiting."""

    def by_blocking(claims):
        with ThreadPoolExecutor(1) as executor:
            waiting = executor.submit(next, claims)
            try:
                return waiting.result(timeout=10)
            finally:
                claims.close()  # ends the wait of a thread that got no job

    def by_awaiting(claims):
        return asyncio.run(asyncio.wait_for(anext(claims), 10))

    return by_blocking if request.param == "for" else by_awaiting


@pytest.fixture
def looks(queue):
    """How often an iterator of the queue asked how long there would be nothing: each time it waits, or is about to."""
    answers = []
    watch_answers(queue, "honker_queue_next_claim_at", answers.append)
    return answers


def test_an_iterator_hands_out_jobs_in_order_each_leased(queue):
    ids = [queue.enqueue(number) for number in range(5)]
    claims = queue.claim("w")
    assert [next(claims).id for _ in ids] == ids
    assert queue.claim_one("other") is None


def test_one_object_works_as_for_and_as_async_for(queue):
    for number in range(4):
        queue.enqueue(number)
    claims, seen = queue.claim("w"), []

    async def main():
        async for job in claims:
            seen.append(job.payload)
            await job.aack()
            if job.payload % 2:
                return

    asyncio.run(main())
    for job in claims:
        seen.append(job.payload)
        if job.payload == 3:
            break
    assert seen == [0, 1, 2, 3]


def test_an_iterator_is_a_context_manager(queue):
    queue.enqueue(1)
    with queue.claim("w") as claims:
        assert next(claims).payload == 1


def test_an_iterator_leases_one_job_at_a_time(queue):
    queue.enqueue(1)
    queue.enqueue(2)
    next(queue.claim("w"))
    assert queue.claim_one("other").payload == 2


def test_an_iterator_takes_a_job_that_was_there_before(queue, first):
    queue.enqueue(1)
    assert first(queue.claim("w", idle_poll_s=None)).payload == 1


# --------------------------------------------------------------------------------------------------------------- waking


def test_an_iterator_wakes_when_another_process_commits(queue, path, first, looks):
    with running(PRODUCER, path) as producer:
        producer.expect("ready")
        claims = queue.claim("w", idle_poll_s=None)
        with ThreadPoolExecutor(1) as executor:
            waiting = executor.submit(first, claims)
            wait_until(lambda: looks)
            producer.say("hello")
            enqueued_at = float(producer.line())
            assert waiting.result(timeout=10).payload == "hello"
            assert time.time() - enqueued_at < LATENESS_S


def test_an_iterator_wakes_for_every_commit_of_another_process(queue, path):
    with running(PRODUCER, path) as producer:
        producer.expect("ready")
        claims = queue.claim("w", idle_poll_s=None)
        for number in range(100):
            producer.say(number)
            assert next(claims).payload == str(number)


def test_an_iterator_wakes_when_a_thread_of_this_process_commits(db, queue, first, looks):
    claims = queue.claim("w", idle_poll_s=None)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(first, claims)
        wait_until(lambda: looks)
        with db.transaction() as tx:
            queue.enqueue(1, tx=tx)
        assert waiting.result(timeout=10).payload == 1


def test_an_iterator_wakes_when_another_connection_of_this_process_commits(queue, path, first, looks):
    claims = queue.claim("w", idle_poll_s=None)
    with honker.open(path) as other, ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(first, claims)
        wait_until(lambda: looks)
        other.queue("q").enqueue(1)
        assert waiting.result(timeout=10).payload == 1


def test_an_iterator_wakes_for_a_delayed_job_without_any_commit(queue, first):
    queue.enqueue(1, delay=0.3)
    job = first(queue.claim("w", idle_poll_s=None))
    assert job.run_at <= time.time() < job.run_at + LATENESS_S


def test_an_iterator_wakes_for_a_lease_that_lapses_without_any_commit(db, first):
    queue = db.queue("q", visibility_timeout_s=0.3)
    queue.enqueue(1)
    lease_ends = queue.claim_one("dead").claim_expires_at
    job = first(queue.claim("w", idle_poll_s=None))
    assert job.attempts == 2
    assert lease_ends <= time.time() < lease_ends + LATENESS_S


def test_an_iterator_wakes_for_a_retry(queue, first):
    queue.enqueue(1)
    queue.claim_one("w").retry(0.2, "again")
    job = first(queue.claim("w", idle_poll_s=None))
    assert (job.attempts, job.last_error) == (2, "again")
    assert job.run_at <= time.time() < job.run_at + LATENESS_S


def test_an_iterator_wakes_when_its_queue_is_resumed(queue, first, looks):
    queue.enqueue(1)
    queue.pause()
    claims = queue.claim("w", idle_poll_s=None)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(first, claims)
        wait_until(lambda: looks)
        queue.resume()
        assert waiting.result(timeout=10).payload == 1


def test_a_job_of_another_queue_does_not_end_the_wait(db, queue):
    async def main():
        waiting = asyncio.ensure_future(anext(queue.claim("w", idle_poll_s=None)))
        await asyncio.wait([waiting], timeout=0.02)
        await db.queue("other").aenqueue(1)
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
        await queue.aenqueue(2)
        return await asyncio.wait_for(waiting, 10)

    assert asyncio.run(main()).payload == 2


def test_a_job_that_was_rolled_back_is_not_handed_out(db, queue):
    async def main():
        waiting = asyncio.ensure_future(anext(queue.claim("w", idle_poll_s=None)))
        await asyncio.wait([waiting], timeout=0.02)
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with db.transaction() as tx:
                queue.enqueue(1, tx=tx)
                raise ZeroDivisionError
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
        await queue.aenqueue(2)
        return await asyncio.wait_for(waiting, 10)

    assert asyncio.run(main()).payload == 2


@pytest.mark.sqlite_only("the WAL of the file")
def test_an_iterator_that_waits_writes_nothing_and_holds_nothing(db, queue, path):
    claims = queue.claim("w", idle_poll_s=0.01)
    with honker.open(path) as other:
        version = other.engine.current._writer.scalar("PRAGMA data_version")
        with pytest.raises(asyncio.TimeoutError):
            asyncio.run(asyncio.wait_for(anext(claims), 0.2))
        assert other.engine.current._writer.scalar("PRAGMA data_version") == version
    assert not is_locked(path)
    assert ask(path, "PRAGMA wal_checkpoint(TRUNCATE)") == [(0, 0, 0)]


def test_an_iterator_that_waits_keeps_the_loop_turning(queue):
    async def main():
        waiting = asyncio.ensure_future(anext(queue.claim("w")))
        for _ in range(200):
            await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


# ----------------------------------------------------------------------------------------------------------- cancelling


def test_a_cancelled_wait_leaves_the_iterator_usable(queue):
    async def main():
        claims = queue.claim("w", idle_poll_s=None)
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(claims), 0.02)
        await queue.aenqueue(1)
        return await asyncio.wait_for(anext(claims), 10)

    assert asyncio.run(main()).attempts == 1


def test_a_wait_that_is_cancelled_over_and_over_loses_no_job(queue):
    """Cancelled at every point of the wait while jobs arrive; each job must be yielded once, as its first attempt."""

    async def produce():
        for number in range(100):
            await queue.aenqueue(number)
            await asyncio.sleep(0)

    async def main():
        producing, claims, seen, step = asyncio.create_task(produce()), queue.claim("w", idle_poll_s=None), [], 0
        deadline = time.monotonic() + 30
        while len(seen) < 100:
            assert time.monotonic() < deadline, f"only {len(seen)} of 100 jobs were handed out"
            waiting = asyncio.ensure_future(anext(claims))
            step += 1
            for _ in range(step % 7):
                await asyncio.sleep(0)
            waiting.cancel()
            try:
                job = await waiting
            except asyncio.CancelledError:
                continue
            seen.append((job.payload, job.attempts))
        await producing
        return seen

    assert asyncio.run(main()) == [(number, 1) for number in range(100)]


def test_a_call_that_is_cancelled_over_and_over_leaves_no_job_leased(queue):
    """Cancelled at every point of the claim; the job is released, and its attempt is not counted."""
    job_id = queue.enqueue(1)

    async def main():
        for step in range(40):
            claiming = asyncio.ensure_future(queue.aclaim_one("w"))
            await asyncio.sleep(0)
            for _ in range(step % 5):
                await asyncio.sleep(0.0005)
            claiming.cancel()
            try:
                job = await claiming
            except asyncio.CancelledError:
                pass
            else:
                release = "SELECT honker_release(?, ?, ?)"
                assert await queue.db.engine.acall(release, job.id, "w", job.attempts) == 1
            await until(lambda: queue.stats().ready == 1)
        job = await queue.aget_job(job_id)
        assert (job.state, job.attempts) == ("pending", 0)

    asyncio.run(main())


def test_a_job_claimed_while_its_wait_was_cancelled_is_handed_out_next(queue, path):
    """Another process holds the lock, so the claim continues in a thread after its wait was cancelled."""
    job_id = queue.enqueue(1)

    async def main(release):
        claims = queue.claim("w", idle_poll_s=None)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(claims), 0.05)
        release()
        await until(lambda: queue.get_job(job_id)["state"] == "processing")
        return await asyncio.wait_for(anext(claims), 10)

    with write_lock_elsewhere(path) as release:
        job = asyncio.run(main(release))
    assert (job.id, job.attempts) == (job_id, 1)
    assert job.ack()


def test_a_job_claimed_for_a_loop_that_is_gone_is_handed_out_by_the_next(queue, path):
    job_id = queue.enqueue(1)
    claims = queue.claim("w", idle_poll_s=None)

    async def give_up(release):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(claims), 0.05)
        release()
        await until(lambda: queue.get_job(job_id)["state"] == "processing")
        await asyncio.sleep(0)

    with write_lock_elsewhere(path) as release:
        asyncio.run(give_up(release))
    job = asyncio.run(asyncio.wait_for(anext(claims), 5))
    assert (job.id, job.attempts) == (job_id, 1)


def test_a_job_claimed_for_a_cancelled_wait_is_handed_out_by_blocking_too(queue, path):
    job_id = queue.enqueue(1)
    claims = queue.claim("w", idle_poll_s=1)

    async def give_up(release):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(claims), 0.05)
        release()
        await until(lambda: queue.get_job(job_id)["state"] == "processing")
        await asyncio.sleep(0)

    with write_lock_elsewhere(path) as release:
        asyncio.run(give_up(release))
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(next, claims)
        try:
            assert waiting.result(timeout=5).id == job_id
        finally:
            claims.close()  # ends the wait of a thread that got no job


def test_an_iterator_may_be_used_from_two_event_loops_one_after_the_other(queue):
    claims = queue.claim("w", idle_poll_s=None)

    async def one(payload):
        waiting = asyncio.ensure_future(anext(claims))
        await asyncio.wait([waiting], timeout=0.02)
        await queue.aenqueue(payload)
        return await asyncio.wait_for(waiting, 10)

    assert [asyncio.run(one(number)).payload for number in range(3)] == [0, 1, 2]


def test_an_iterator_whose_wait_was_cut_off_with_its_loop_goes_on_in_another(queue):
    claims = queue.claim("w", idle_poll_s=None)
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(asyncio.wait_for(anext(claims), 0.02))
    queue.enqueue(1)
    assert asyncio.run(asyncio.wait_for(anext(claims), 10)).payload == 1


# -------------------------------------------------------------------------------------------------------------- several


def work_by_blocking(queue, seen, worker_id):
    for job in queue.claim(worker_id):
        assert job.ack()
        if job.payload is None:
            break
        seen.append(job.payload)


async def work_by_awaiting(queue, seen, worker_id):
    async for job in queue.claim(worker_id):
        assert await job.aack()
        if job.payload is None:
            break
        seen.append(job.payload)


def test_several_iterators_share_the_work(db, queue):
    """Blocking ones and awaiting ones; every job is yielded once."""
    seen = []

    async def main():
        await asyncio.gather(*(work_by_awaiting(queue, seen, f"task {number}") for number in range(3)))

    with ThreadPoolExecutor(4) as executor:
        working = [executor.submit(work_by_blocking, queue, seen, f"thread {number}") for number in range(3)]
        working.append(executor.submit(asyncio.run, main()))
        for number in range(200):
            queue.enqueue(number)
        for _ in range(6):  # each iterator ends with one of these
            queue.enqueue(None, priority=-1)
        for future in working:
            future.result(timeout=30)
    assert sorted(seen) == list(range(200))
    assert db.query("SELECT * FROM _honker_jobs") == []


@pytest.mark.sqlite_only("counts the threads of the watcher")
def test_iterators_come_and_go_without_leaving_threads_behind(queue):
    queue.enqueue(1)
    next(queue.claim("w"))
    before = set(threading.enumerate())
    for _ in range(100):
        claims = queue.claim("w", idle_poll_s=0.001)
        with pytest.raises(asyncio.TimeoutError):
            asyncio.run(asyncio.wait_for(anext(claims), 0.001))
        claims.close()
    assert set(threading.enumerate()) <= before


def test_a_closed_iterator_may_be_closed_again(queue):
    claims = queue.claim("w")
    claims.close()
    claims.close()


@pytest.mark.parametrize("idle_poll_s", ["soon", object(), [5]], ids=lambda value: type(value).__name__)
def test_an_idle_poll_that_is_no_number_is_refused(queue, idle_poll_s):
    with pytest.raises((HonkerError, TypeError)):
        asyncio.run(asyncio.wait_for(anext(queue.claim("w", idle_poll_s)), 1))


# ---------------------------------------------------------------------------------------------- closing, other clocks


def test_a_job_claimed_for_a_cancelled_wait_is_given_back_by_close(queue, path):
    async def main():
        claims = queue.claim("w")
        with write_lock_elsewhere(path) as release:
            waiting = asyncio.ensure_future(anext(claims))
            await until(lambda: claims._claiming is not None)
            waiting.cancel()
            await asyncio.wait([waiting])
            claims.close()
            release()
        await until(lambda: not [t for t in threading.enumerate() if t.name.startswith("honker-claim")])

    queue.enqueue(1)
    asyncio.run(main())
    job = queue.claim_one("another")
    assert (job.payload, job.attempts) == (1, 1)


@pytest.mark.parametrize("offset_s", [-1e6, 1e6])
def test_a_clock_that_was_set_in_python_only_changes_nothing(queue, monkeypatch, offset_s):
    frozen = time.time() + offset_s
    monkeypatch.setattr(time, "time", lambda: frozen)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    queue.enqueue("later", delay=0.3)
    assert queue.claim_one("w") is None
    assert queue.claim_batch("w", 5) == []
    assert next(queue.claim("w", idle_poll_s=None)).payload == "later"


def test_a_clock_ahead_of_the_engine_makes_no_claim_spin(queue, monkeypatch):
    monkeypatch.setattr(queue._engine, "clock", lambda: 1e11)
    queue.enqueue("later", delay=0.5)
    claimed, real = [], queue.claim_one
    monkeypatch.setattr(queue, "claim_one", lambda worker_id: claimed.append(1) or real(worker_id))
    assert queue.claim_batch("w", 5) == []
    assert next(queue.claim("w", idle_poll_s=1.0)).payload == "later"
    assert len(claimed) < 30
