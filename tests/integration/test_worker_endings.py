"""Workers that end without a signal: when nothing is due, or after a number of jobs."""

import asyncio
import threading

import honker
import pytest
from honker.cli.memory import resident_bytes
from honker.worker.ending import Ending

from ..support.waiting import until
from ..support.workers import dead, live


def burst(db, **options):
    """Run all that is due, and nothing else; fails if the workers do not end."""
    asyncio.run(asyncio.wait_for(db.run_workers(burst=True, **options), 20))


def test_a_burst_runs_all_that_is_due_and_leaves_the_rest(db):
    ran = []

    @db.task("q")
    def work(x):
        ran.append(x)

    for x in range(50):
        work(x)
    work.enqueue_with(delay=3600)("later")
    burst(db, concurrency=2)
    assert sorted(ran) == list(range(50))
    assert live(db.path) == [("pending", 0, None)]


def test_a_burst_of_nothing_ends(db):
    @db.task("q")
    def work(): ...

    burst(db)


def test_a_burst_runs_the_jobs_that_its_jobs_add_in_any_queue(db):
    ran = []

    @db.task("a")
    def down(n):
        ran.append(n)
        if n:
            other(n - 1)

    @db.task("b")
    async def other(n):
        ran.append(n)
        if n:
            await down.aenqueue(n - 1)

    down(9)
    burst(db)
    assert ran == list(range(9, -1, -1))


def test_a_queue_of_a_burst_goes_on_while_another_works(db):
    """A handler may wait for a job of another queue, whose worker has nothing to do before."""

    @db.task("a")
    def outer():
        return inner().get(10) + 1

    @db.task("b")
    def inner():
        return 1

    result = outer()
    burst(db)
    assert result.get(0) == 2


def test_a_burst_runs_retries_that_are_due_at_once(db):
    @db.task("q", max_attempts=3, retry_delay_s=0)
    def fail():
        raise LookupError

    fail()
    burst(db)
    assert dead(db.path)[0][0] == 3


def test_a_paused_queue_does_not_keep_a_burst(db):
    @db.task("q")
    def work(): ...

    work()
    db.queue("q").pause()
    burst(db)
    assert live(db.path) == [("pending", 0, None)]


def test_jobs_behind_the_limit_of_a_queue_are_run_by_a_burst(db):
    ran = []
    queue = db.queue("q")
    queue.configure(concurrency=1)

    @queue.task()
    def work(x):
        ran.append(x)

    for x in range(5):
        work(x)
    burst(db, concurrency=4)
    assert sorted(ran) == list(range(5))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_worker_ends_after_max_jobs_of_all_queues_together(db, concurrency):
    ran = []
    for name in ("a", "b"):

        @db.task(name, name=name)
        def work(x):
            ran.append(x)

        for x in range(10):
            work(x)
    asyncio.run(asyncio.wait_for(db.run_workers(max_jobs=7, concurrency=concurrency), 20))
    assert len(ran) == 7
    assert [state for state, _, _ in live(db.path)] == ["pending"] * 13


def test_the_last_handler_may_take_longer_than_the_grace(db):
    go = threading.Event()

    @db.task("q", timeout_s=None)
    def wait():
        go.wait(10)
        return "waited"

    result = wait()

    async def main():
        running = asyncio.ensure_future(db.run_workers(max_jobs=1, grace_s=0))
        await until(lambda: live(db.path) == [("processing", 1, None)])
        go.set()
        await asyncio.wait_for(running, 10)

    asyncio.run(main())
    assert result.get(0) == "waited"


def test_a_stop_ends_a_worker_that_waits_for_its_last_handler(db):
    @db.task("q", timeout_s=None)
    async def wait():
        await asyncio.Event().wait()

    wait()

    async def main():
        stop = asyncio.Event()
        running = asyncio.ensure_future(db.run_workers(max_jobs=1, grace_s=0, stop_event=stop))
        await until(lambda: live(db.path) == [("processing", 1, None)])
        stop.set()
        await asyncio.wait_for(running, 10)

    asyncio.run(main())
    assert live(db.path) == [("pending", 0, None)], "given back, uncharged"


def test_a_single_worker_ends_too(db):
    ran = []

    @db.task("q")
    def work(x):
        ran.append(x)

    for x in range(5):
        work(x)
    asyncio.run(asyncio.wait_for(honker.Worker(db.queue("q"), max_jobs=2).run(), 10))
    assert len(ran) == 2
    asyncio.run(asyncio.wait_for(honker.Worker(db.queue("q"), burst=True).run(), 10))
    assert len(ran) == 5


@pytest.mark.parametrize("max_jobs", [0, -1])
def test_a_limit_that_is_not_positive_is_refused(db, max_jobs):
    with pytest.raises(honker.InvalidArgumentError, match=f"max_jobs is {max_jobs}"):
        honker.Worker(db.queue("q"), max_jobs=max_jobs)


def test_the_resident_memory_follows_what_the_process_holds():
    before = resident_bytes()
    held = b"x" * (64 * 2**20)
    assert resident_bytes() > before + 32 * 2**20
    del held


def test_a_limit_of_memory_ends_a_worker(db):
    @db.task("q")
    def work(): ...

    ending = Ending(max_memory_bytes=1, used_bytes=resident_bytes)
    worker = honker.Worker(db.queue("q"))

    async def main():
        running = asyncio.ensure_future(worker.run_until(None, ending))
        # Each commit makes the worker look.
        await until(lambda: db.notify("tick", None) and running.done())

    asyncio.run(main())
    assert ending.is_draining
