"""Workers: they run calls of every form, and survive errors of jobs and of the database."""

import asyncio
import functools
import json
import re
import threading
from itertools import pairwise

import honker
import pytest
from honker.task.message import envelope
from honker.worker import outcome, runner, worker
from honker.worker.unknown_task import delay_until_next, final_error

from ..support.locking import ask, write_lock_elsewhere
from ..support.waiting import until
from ..support.workers import dead, live, run_for, run_until, working

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
    ask(path, "CREATE TRIGGER no BEFORE UPDATE ON _honker_live BEGIN SELECT RAISE(ABORT, 'full moon'); END")

    async def main():
        async with working(db):
            result = task()
            await until(lambda: caplog.text.count("full moon") > 2)
            ask(path, "DROP TRIGGER no")
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
