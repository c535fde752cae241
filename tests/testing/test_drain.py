"""Draining: due jobs run in the test, with the rules of a worker."""

import asyncio
import contextlib
import sqlite3
import threading
import time

import honker
import honker.testing as kit
import pytest

from ..support.waiting import until


def test_due_jobs_run_and_those_that_they_enqueue(db):
    ran = []

    @db.task(queue="q")
    def countdown(n):
        ran.append(n)
        if n:
            countdown(n - 1)
        return n

    result = countdown(2)
    assert kit.drain(db) == kit.Drained(ran=3, done=3)
    assert ran == [2, 1, 0]
    assert result.get(0) == 2
    assert kit.drain(db) == kit.Drained()


def test_plain_handlers_run_in_the_thread_of_the_test_without_an_event_loop(db):
    seen = []

    @db.task(queue="q")
    def work():
        seen.append(threading.get_ident())
        asyncio.run(asyncio.sleep(0))  # refused where a loop runs

    @db.task(queue="q")
    async def later():
        await asyncio.sleep(0)
        return "async"

    work()
    result = later()
    assert kit.drain(db).done == 2
    assert seen == [threading.get_ident()]
    assert result.get(0) == "async"


def test_the_exception_of_a_handler_is_raised_with_its_traceback_once_the_attempt_is_settled(db):
    @db.task(queue="q", retries=2, retry_delay_s=60, jitter=0)
    def broken():
        raise ValueError("no stock")

    result = broken()
    with pytest.raises(ValueError, match="no stock") as caught:
        kit.drain(db)
    assert caught.traceback[-1].name == "broken"
    assert db.queue("q").get_job(result.id).attempts == 1
    assert db.queue("q").get_job(result.id).state == "pending"


def test_retries_run_when_the_drain_advances_the_clock(db):
    instants = []

    @db.task(queue="q", retries=3, retry_delay_s=60, backoff=2, jitter=0)
    def flaky():
        instants.append(db.engine.clock())
        if len(instants) < 3:
            raise ValueError("again")

    flaky()
    with kit.clock(db) as clock:
        start = clock.freeze()
        drained = kit.drain(db, advance=True, raise_errors=False)
    assert drained == kit.Drained(ran=3, done=1, retried=2)
    assert [at - start for at in instants] == [0, 60, 180]


def test_a_job_that_gives_up_is_counted_as_dead(db):
    @db.task(queue="q", retries=1)
    def broken():
        raise ValueError("no")

    @db.task(queue="q")
    def unwanted():
        raise honker.Discard("not needed")

    @db.task(queue="q")
    def later():
        raise honker.Snooze(60)

    result = broken()
    assert kit.drain(db, raise_errors=False) == kit.Drained(ran=1, dead=1)
    with pytest.raises(honker.JobFailedError):
        result.get(0)
    later()
    assert kit.drain(db) == kit.Drained(ran=1, snoozed=1)
    unwanted()
    with pytest.raises(honker.Discard):
        kit.drain(db)


def test_a_time_limit_and_an_unknown_task_raise_without_an_exception_of_the_handler(db):
    @db.task(queue="q", timeout_s=0.01, retries=1)
    async def slow():
        await asyncio.sleep(60)

    slow()
    with pytest.raises(honker.JobFailedError, match="timeout"):
        kit.drain(db)
    db.queue("q").enqueue({"__honker_task__": {"task": "gone", "args": [], "kwargs": {}}})
    with pytest.raises(honker.JobFailedError, match="unknown task"):
        kit.drain(db)


def test_a_handlers_transaction_commits_with_its_job(db):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (n)")

    @db.task(queue="q", retries=1)
    def add(tx: honker.Transaction, n):
        tx.execute("INSERT INTO orders VALUES (?)", (n,))
        if n < 0:
            raise ValueError("negative")

    add(1)
    add(-1)
    assert kit.drain(db, raise_errors=False) == kit.Drained(ran=2, done=1, dead=1)
    assert db.query("SELECT n FROM orders") == [{"n": 1}]


def test_schedules_that_are_due_fire_and_do_not_move_the_clock(db):
    ran = []

    @db.periodic_task(honker.every_s(3600), queue="q")
    def hourly():
        ran.append("hourly")

    @db.task(queue="q")
    def later():
        ran.append("later")

    with kit.clock(db) as clock:
        clock.freeze()
        assert kit.drain(db, advance=True) == kit.Drained()
        clock.advance("1h")
        assert kit.drain(db) == kit.Drained(ran=1, done=1, fired=1)
        later.enqueue_with(delay=2 * 3600)()
        drained = kit.drain(db, advance=True)
        assert (drained.ran, drained.fired) == (3, 2)
    assert ran.count("hourly") == 3


def test_a_limit_stops_a_drain_that_would_not_end(db):
    @db.task(queue="q")
    def again():
        again()

    again()
    assert kit.drain(db, limit=5) == kit.Drained(ran=5, done=5, is_limited=True)


def test_one_queue_is_drained_alone(db):
    ran = []

    @db.task(queue="a")
    def a():
        ran.append("a")

    @db.task(queue="b")
    def b():
        ran.append("b")

    a()
    b()
    kit.drain(db, "b")
    assert ran == ["b"]


def test_a_drain_without_tasks_or_in_a_transaction_is_refused(db):
    with pytest.raises(honker.NoTasksError):
        kit.drain(db)

    @db.task(queue="q")
    def work():
        return None

    with db.transaction(), pytest.raises(honker.NestedTransactionError, match="after that"):
        kit.drain(db)


def test_workflows_and_processes_run(db):
    @db.task(queue="q")
    def one():
        return 1

    @db.task(queue="q")
    def double(n):
        return 2 * n

    result = honker.chain(one.s(), double.s(), double.s()).enqueue()
    assert kit.drain(db).done == 3
    assert result.get(0) == 4


def test_jobs_of_an_uncommitted_transaction_are_drained_on_its_connection(db):
    """As in a Django TestCase: nothing is ever committed, and no other connection sees the jobs."""
    ran = []

    @db.task(queue="q")
    def work(n):
        ran.append(n)

    conn = honker.connect(db.path, isolation_level=None)
    try:
        conn.execute("BEGIN IMMEDIATE")
        work.enqueue_with(tx=conn)(1)
        work.enqueue_with(tx=conn, delay=3600)(2)
        assert kit.enqueued(db) == []
        assert kit.assert_enqueued(db, work, args=[1], tx=conn).id == 1
        assert kit.drain(db, tx=conn) == kit.Drained(ran=1, done=1)
        with kit.clock(db, tx=conn) as clock:
            clock.advance("1h")
            assert kit.drain(db, tx=conn) == kit.Drained(ran=1, done=1)
        assert ran == [1, 2]
        assert conn.in_transaction
        conn.execute("ROLLBACK")
    finally:
        conn.close()
    assert kit.enqueued(db) == []


def test_an_async_drain_runs_coroutines_on_the_loop_of_the_test(db):
    loops = []

    @db.task(queue="q")
    async def work():
        loops.append(asyncio.get_running_loop())

    @db.task(queue="q")
    def plain():
        return threading.get_ident()

    async def main():
        await work.aenqueue()
        result = await plain.aenqueue()
        assert await kit.adrain(db) == kit.Drained(ran=2, done=2)
        assert loops == [asyncio.get_running_loop()]
        assert await result.aget(0) != threading.get_ident()

        @db.task(queue="q")
        async def broken():
            raise ValueError("async")

        await broken.aenqueue()
        with pytest.raises(ValueError, match="async"):
            await kit.adrain(db)

    asyncio.run(main())


def test_a_real_worker_beside_a_drain_shares_the_jobs(db):
    ran = []

    @db.task(queue="q")
    def work(n):
        ran.append(n)
        time.sleep(0)

    for n in range(50):
        work(n)

    async def main():
        stop = asyncio.Event()
        workers = asyncio.create_task(db.run_workers(stop_event=stop, concurrency=2))
        await asyncio.to_thread(kit.drain, db)
        await until(lambda: not db.queue("q").stats().processing)
        stop.set()
        await workers

    asyncio.run(main())
    assert sorted(ran) == list(range(50))
    assert sqlite3.connect(db.path).execute("SELECT count(*) FROM _honker_live").fetchone() == (0,)


def test_the_tasks_of_an_app_run_with_its_middleware_on_the_file_of_the_test(tmp_path):
    app = honker.App(tmp_path / "app.db")
    seen = []

    @app.task(queue="q")
    def work(n):
        seen.append(n)
        return n

    class Noting(honker.Middleware):
        @contextlib.contextmanager
        def run(self, job):
            seen.append("before")
            yield
            seen.append("after")

    app.middleware(Noting())
    with kit.temporary_app(app), kit.clock(app) as clock:
        result = work.enqueue_with(delay=60)(1)
        assert kit.drain(app).ran == 0
        clock.advance(60)
        assert kit.drain(app).done == 1
        assert result.get(0) == 1
    assert seen == ["before", 1, "after"]
    assert not (tmp_path / "app.db").exists()
