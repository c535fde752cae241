"""Workers: they run calls of every form."""

import asyncio
import functools
import json
import threading

import honker
import pytest
from honker.task.message import envelope
from honker.worker import outcome

from ..support.locking import ask
from ..support.workers import dead, run_for, run_until, working

# ------------------------------------------------------------------------------------------------------------- handlers


def handlers():
    """Every kind of callable; each adds its arguments."""

    def function(a, b):
        return a + b

    async def coroutine(a, b):
        await asyncio.sleep(0)
        return a + b

    class Object:
        async def __call__(self, a, b):
            return await coroutine(a, b)

    return {
        "function": function,
        "coroutine": coroutine,
        "lambda": lambda a, b: coroutine(b=b, a=a),
        "partial": functools.partial(coroutine),
        "partial of a function": functools.partial(function),
        "object": Object(),
        "future": lambda a, b: asyncio.run_coroutine_threadsafe(coroutine(a, b), LOOPS[-1]).result(),
    }


LOOPS = []


@pytest.mark.parametrize("kind", handlers())
def test_a_task_may_be_any_callable(db, queue, kind):
    task = queue.task(name="add")(handlers()[kind])

    async def main():
        LOOPS.append(asyncio.get_running_loop())
        async with working(db):
            return await task(1, b=2).aget(10)

    assert asyncio.run(main()) == 3


def test_a_plain_handler_blocks_neither_the_loop_nor_its_peers(db, queue):
    barrier = threading.Barrier(3)

    @queue.task(name="sync")
    def meet():
        barrier.wait(10)

    async def main():
        async with working(db):
            results = [meet() for _ in range(3)]
            await asyncio.gather(*(result.aget(10) for result in results))

    asyncio.run(main())


def test_a_handler_gets_its_job_where_it_asks_for_it(db, queue):
    @queue.task(name="t")
    def task(job: honker.Job, a: int, *, b: int):
        return [job.id, job.attempts, a, b]

    result = task(1, b=2)
    assert run_for(db, result) == [result.id, 1, 1, 2]


def test_all_queues_with_tasks_are_worked_on_or_the_one_that_is_named(db):
    one = db.task("one", name="one")(lambda: 1)
    two = db.task("two", name="two")(lambda: 2)
    assert run_for(db, one(), queue="one") == 1
    left = two()
    run_for(db, one(), queue="one")
    assert db.get_job(left.id)["state"] == "pending"
    assert run_for(db, left) == 2


def test_without_tasks_there_is_nothing_to_run(db):
    with pytest.raises(honker.NoTasksError, match="no tasks registered"):
        asyncio.run(db.run_workers())
    with pytest.raises(RuntimeError, match="no tasks registered"):
        asyncio.run(honker.run_workers(db, "q"))


def test_a_worker_has_a_name_of_its_own(db, queue):
    @queue.task(name="t")
    def task(job: honker.Job):
        return job.worker_id

    assert run_for(db, task()).startswith("honker-worker-")
    long = honker.Worker(db.queue("ü" * 127))
    assert len(long.worker_id.encode()) <= 255
    assert repr(long) == f"<honker.Worker {long.worker_id!r}>"


@pytest.mark.parametrize("concurrency", [-1, 10_001])
def test_concurrency_has_a_range(queue, concurrency):
    with pytest.raises(honker.InvalidArgumentError, match="concurrency"):
        honker.Worker(queue, concurrency=concurrency)


def test_a_worker_registers_the_schedules_of_its_queues(db):
    db.periodic_task(honker.every_s(3600), queue="q", name="beat")(lambda: None)
    db.periodic_task(honker.every_s(3600), queue="other", name="elsewhere")(lambda: None)
    run_until(db, lambda: honker.Scheduler(db).list(), queue="q")
    assert [row["name"] for row in honker.Scheduler(db).list()] == ["beat"]


# -------------------------------------------------------------------------------------------------------------- results


def test_a_result_is_kept_if_the_task_says_so(db, queue, path):
    @queue.task(name="kept", result_ttl_s=100)
    def kept():
        return {"ü": None}

    @queue.task(name="forgotten", store_result=False)
    def forgotten():
        return object()

    assert run_for(db, kept()) == {"ü": None}
    with pytest.raises(honker.ResultGoneError):
        run_for(db, forgotten())
    assert ask(path, "SELECT count(*), max(expires_at - unixepoch()) BETWEEN 98 AND 101 FROM _honker_results") == [
        (1, 1)
    ]


def test_a_result_that_is_too_long_is_dropped_with_a_warning(db, queue, path, monkeypatch, caplog):
    monkeypatch.setattr(outcome, "RESULT_MAX_CHARS", 10)
    with pytest.raises(honker.ResultGoneError):
        run_for(db, queue.task(name="t")(lambda: "x" * 10)())
    assert dead(path) == []
    assert "its result is not stored: it has 12 characters" in caplog.text


def unknown(queue, **options):
    return queue.enqueue(envelope("unknown"), **({"max_attempts": 1} | options))


# ----------------------------------------------------------------------------------------------------------- event loop


def is_on_a_loop():
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def test_the_event_loop_never_makes_a_call_that_may_wait(db, queue, path, monkeypatch):
    """Each of the engine's waiting methods stops the whole loop, its renewals of leases included."""
    waited = []

    def watched(name):
        method = getattr(type(db.engine), name)

        def call(self, *args, **kwargs):
            if is_on_a_loop():
                waited.append((name, args))
            return method(self, *args, **kwargs)

        return call

    @queue.task(name="aok")
    async def aok(tx: honker.Transaction):
        async with tx:
            tx.notify("c", 1)

    @queue.task(name="bad", retries=1)
    async def bad():
        raise ValueError

    @queue.task(name="ok")
    def ok(tx: honker.Transaction):
        tx.notify("c", 1)

    db.periodic_task(honker.every_s(3600), queue="q", name="beat")(lambda: None)
    for task in (aok, bad, ok):
        task()
    unknown(queue)
    for name in ("call", "ask", "query", "add"):
        monkeypatch.setattr(type(db.engine), name, watched(name))
    is_undone = "SELECT 1 FROM _honker_live WHERE last_error IS NULL AND unknown_since IS NULL"
    run_until(db, lambda: not ask(path, is_undone), concurrency=1)
    assert waited == []


# ----------------------------------------------------------------------------------------------------------- throughput


@pytest.mark.sqlite_only("watches the calls of the connection that writes")
def test_one_round_settles_and_claims_for_every_slot(db, queue, monkeypatch):
    rounds = []
    call_now = db.engine.call_now

    def counted(sql, *params):
        rounds.append((params[2], len(json.loads(params[4]))))
        return call_now(sql, *params)

    monkeypatch.setattr(db.engine, "call_now", counted)

    @queue.task(name="t", store_result=False)
    async def task(): ...

    with db.transaction() as tx:
        for _ in range(100):
            task.enqueue_with(tx=tx)()
    run_until(db, lambda: db.queue("q").next_claim_at() is None, concurrency=50)
    assert rounds[:3] == [(50, 0), (50, 50), (50, 50)]
