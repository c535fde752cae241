"""Waiting in event loops and threads: through the descriptor, without a thread, and again after a cancelled wait."""

import asyncio
import contextlib
import os
import select
import threading
from pathlib import Path

import honker
import pytest
from honker.engine import loop_updates

from ..support.waiting import until
from .conftest import commit, pass_ticks
from .faces import WAKE
from .host import thread_names


@pytest.fixture
def db(path, writer):
    writer()
    with honker.open(path) as opened:
        yield opened


@pytest.fixture
def watcher_threads():
    """The ids of the threads that watch, without those that ran before."""
    before = watching()
    return lambda: watching() - before


def watching():
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (task / "comm").read_text() == "honker-watch\n":
                found.add(task.name)
    return found


def test_a_hundred_tasks_wait_without_a_thread(db, writer):
    conn = writer()

    async def listen():
        listeners = [db.update_events() for _ in range(100)]
        tasks = [asyncio.ensure_future(anext(listener)) for listener in listeners]
        await asyncio.sleep(0)
        threads = thread_names()
        commit(conn)
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        return threads

    before = thread_names()
    assert sorted(asyncio.run(listen())) == sorted([*before, "honker-watch"])


def test_each_commit_wakes_every_task(db, writer):
    conn = writer()
    seen = [0] * 10

    async def listen(number, updates):
        async for _ in updates:
            seen[number] = count(conn)

    async def main():
        tasks = [asyncio.ensure_future(listen(number, db.update_events())) for number in range(10)]
        for made in range(1, 31):
            commit(conn)
            await until(lambda made=made: seen == [made] * 10)
        for task in tasks:
            task.cancel()

    asyncio.run(main())


def count(conn):
    return conn.execute("SELECT count(*) FROM t").fetchone()[0]


def test_a_cancelled_wait_leaves_it_usable(db, writer):
    conn = writer()

    async def main():
        updates = db.update_events()
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(updates), 0.001)
            commit(conn)
            await asyncio.wait_for(anext(updates), 10)
            pass_ticks_of(updates)
            while await updates.wait_async(0):
                pass

    def pass_ticks_of(updates):
        """A second wake for one commit is allowed, and would end the wait that the test cancels."""
        target = updates.stats()["safety_ticks"] + 1
        while updates.stats()["safety_ticks"] < target and not updates.wait(0.02):
            pass

    asyncio.run(main())


def test_a_cancelled_claim_leaves_it_usable(db):
    async def main():
        jobs = db.queue("q").claim("w", idle_poll_s=None)
        for number in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(jobs), 0.001)
            await db.queue("q").aenqueue(number)
            job = await asyncio.wait_for(anext(jobs), 10)
            assert job.payload == number
            job.ack()

    asyncio.run(main())


def test_a_wait_cancelled_in_the_moment_of_the_wake_loses_no_wake(db, writer):
    """The task is cancelled after its descriptor became readable and before it runs."""
    conn = writer()

    async def main():
        updates = db.update_events()
        for _ in range(20):
            task = asyncio.ensure_future(anext(updates))
            await asyncio.sleep(0)
            commit(conn)
            select.select([updates.fileno()], [], [], 10)
            await asyncio.sleep(0)  # the reader has been called, the task has not run
            task.cancel()
            was_taken = await asyncio.gather(task, return_exceptions=True)
            if isinstance(was_taken[0], asyncio.CancelledError):
                await asyncio.wait_for(anext(updates), 10)

    asyncio.run(main())


def test_a_subscription_can_wait_in_one_loop_after_another(db, writer):
    conn = writer()
    updates = db.update_events()

    async def once():
        commit(conn)
        await asyncio.wait_for(anext(updates), 10)

    for _ in range(5):
        asyncio.run(once())
    commit(conn)
    assert updates.wait(10)


def test_several_loops_and_threads_at_once(db, writer):
    conn, total = writer(), 40
    seen = [0] * 8
    readers = [writer() for _ in seen]
    listening = threading.Barrier(len(seen) + 1)

    def thread(number):
        updates = db.update_events()
        listening.wait()
        while seen[number] < total:
            assert updates.wait(10)
            seen[number] = count(readers[number])

    async def loop(number):
        updates = db.update_events()
        await asyncio.get_running_loop().run_in_executor(None, listening.wait)
        while seen[number] < total:
            assert await updates.wait_async(10)
            seen[number] = count(readers[number])

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(4)]
    threads += [threading.Thread(target=lambda number=number: asyncio.run(loop(number))) for number in range(4, 8)]
    for each in threads:
        each.start()
    listening.wait()
    commit(conn, total)
    for each in threads:
        each.join(20)
    assert seen == [total] * 8


def test_the_descriptor_is_for_any_event_loop(watch, writer, path):
    conn = writer()
    events = watch(path)
    poller = select.poll()
    poller.register(events.fileno(), select.POLLIN)
    for _ in range(3):
        commit(conn)
        assert poller.poll(10_000) == [(events.fileno(), select.POLLIN)]
        pass_ticks(events)
        assert events.wait(0) == WAKE
        assert poller.poll(0) == []


def test_the_descriptor_is_not_inherited_by_programs_that_are_started(watch, writer, path):
    writer()
    assert os.get_inheritable(watch(path).fileno()) is False


def test_closing_ends_a_task_that_waits(db):
    async def main():
        updates = db.update_events()
        task = asyncio.ensure_future(anext(updates))
        await asyncio.sleep(0)
        updates.close()
        with pytest.raises(honker.DatabaseClosedError):
            await asyncio.wait_for(task, 10)

    asyncio.run(main())


def test_a_database_that_is_closed_ends_a_claim_that_waits(path):
    async def main():
        db = honker.open(path)
        task = asyncio.ensure_future(anext(db.queue("q").claim("w", idle_poll_s=None)))
        await asyncio.sleep(0)
        db.close()
        with pytest.raises(honker.DatabaseClosedError):
            await asyncio.wait_for(task, 10)

    asyncio.run(main())


async def claim_once(db):
    queue = db.queue("q")
    queue.enqueue(1)
    async for job in queue.claim("w"):
        job.ack()
        break


def test_an_iterator_for_each_job_shares_one_watcher(db, watcher_threads):
    async def main():
        await claim_once(db)
        first = watcher_threads()
        assert len(first) == 1
        for _ in range(5):
            await claim_once(db)
            assert watcher_threads() == first

    asyncio.run(main())
    assert watcher_threads() == set(), "it ends with the loop"


def test_a_watcher_without_waiters_ends_after_some_seconds(db, watcher_threads, monkeypatch):
    monkeypatch.setattr(loop_updates, "_GRACE_S", 0.01)

    async def main():
        await claim_once(db)
        await until(lambda: watcher_threads() == set())
        await claim_once(db)
        waiting = asyncio.ensure_future(anext(db.queue("q").claim("w")))
        await asyncio.sleep(0)  # it claims in vain, and waits
        db.queue("q").enqueue(2)
        assert (await asyncio.wait_for(waiting, 10)).payload == 2

    asyncio.run(main())


def test_closing_the_database_ends_the_watcher_that_has_no_waiters(db, watcher_threads):
    async def main():
        await claim_once(db)
        db.close()
        assert watcher_threads() == set()
        with pytest.raises(honker.DatabaseClosedError):
            db.queue("q").claim("w")

    asyncio.run(main())
