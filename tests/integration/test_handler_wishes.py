"""Exceptions by which a handler chooses the end of its attempt: Snooze, Discard and RateLimited."""

import asyncio
import json
import logging
import pickle
import time
from datetime import timedelta

import honker
import pytest

from ..support.locking import ask
from ..support.waiting import until
from ..support.workers import dead, live, run_for, run_until, working
from . import process_handlers


def jobs(path):
    rows = ask(path, "SELECT attempts, run_at, last_error, snoozes FROM _honker_live ORDER BY id")
    return [(attempts, run_at - time.time(), error, snoozes) for attempts, run_at, error, snoozes in rows]


def pause_of(db, name="q"):
    stats = json.loads(db.engine.ask("SELECT honker_queue_stats(?)", name))
    return stats["paused_until"], stats["pause_reason"]


def clock(db):
    return db.engine.clock()


def enqueue(db, key):
    return db.engine.call("SELECT honker_enqueue('q', ?, ?)", json.dumps(call("t")), json.dumps({"key": key}))


def call(name):
    return {"__honker_task__": {"task": name, "args": [], "kwargs": {}}}


# ------------------------------------------------------------------------------------------------------------- Discard


@pytest.mark.parametrize("is_async", [False, True])
def test_a_discarded_job_is_dead_with_the_reason_alone(db, queue, path, caplog, is_async):
    def plain():
        raise honker.Discard("no such customer")

    async def coroutine():
        plain()

    queue.task(name="t", max_attempts=5)(coroutine if is_async else plain)()
    run_until(db, lambda: dead(path))
    assert dead(path) == [(1, "no such customer")]
    assert live(path) == []
    records = [record for record in caplog.records if "no such customer" in record.getMessage()]
    assert [record.levelno for record in records] == [logging.WARNING]
    assert "Traceback" not in records[0].getMessage()


def test_a_discard_without_a_reason_says_so(db, queue, path):
    @queue.task(name="t")
    def discard():
        raise honker.Discard

    discard()
    run_until(db, lambda: dead(path))
    assert dead(path) == [(1, "discarded by its handler")]


def test_a_waiter_gets_the_reason(db, queue):
    @queue.task(name="t")
    def discard():
        raise honker.Discard("no such customer")

    with pytest.raises(honker.JobFailedError, match=r"no such customer$"):
        run_for(db, discard())


def test_a_discard_in_another_process(db, path):
    db.task("q", executor="process", name="t")(process_handlers.discard)()
    run_until(db, lambda: dead(path))
    assert dead(path) == [(1, "no such customer")]


# -------------------------------------------------------------------------------------------------------------- Snooze


def test_each_snooze_is_counted_and_the_run_is_one_row_of_history(db, queue, path):
    seen = []

    @queue.task(name="t", max_attempts=2)
    def limited(job: honker.Job):
        seen.append(job.attempts)
        if len(seen) <= 50:
            raise honker.Snooze(0)
        raise honker.Snooze(1000, "no token")

    result = limited()
    run_until(db, lambda: jobs(path)[0][2] == "no token")
    assert seen == [1] * 51
    ((attempts, delay_s, _, snoozes),) = jobs(path)
    assert (attempts, snoozes) == (0, 51)
    assert 990 < delay_s <= 1001
    history = ask(path, "SELECT outcome FROM _honker_attempts WHERE job_id = " + str(result.id))
    assert history == [("snoozed",)]


def test_a_snooze_keeps_the_error_of_the_last_attempt(db, queue, path):
    seen = []

    @queue.task(name="t", retry_delay_s=0)
    def handler():
        seen.append(1)
        if len(seen) == 1:
            raise ValueError("broken")
        raise honker.Snooze(1000)

    handler()
    run_until(db, lambda: jobs(path)[0][3] == 1)
    assert jobs(path)[0][2].startswith("broken")


# --------------------------------------------------------------------------------------------------------- RateLimited


@pytest.mark.parametrize("is_async", [False, True])
def test_a_rate_limited_job_holds_its_queue_and_is_not_charged(db, queue, path, is_async):
    seen = []

    def plain():
        seen.append(1)
        raise honker.RateLimited(timedelta(seconds=1000), message="429")

    async def coroutine():
        plain()

    task = queue.task(name="t", max_attempts=1)(coroutine if is_async else plain)
    for _ in range(3):
        task()
    before = clock(db)
    run_until(db, lambda: pause_of(db)[0], concurrency=1)
    until_s, reason = pause_of(db)
    assert before + 1000 <= until_s <= clock(db) + 1001
    assert reason == "rate limited"
    assert seen == [1]
    (first, *others) = jobs(path)
    assert (first[0], first[2], first[3]) == (0, "429", 1)
    assert 990 < first[1] <= 1001
    assert [(attempts, snoozes) for attempts, _, _, snoozes in others] == [(0, None)] * 2


def test_the_queue_goes_on_by_itself(db, queue):
    seen = []

    @queue.task(name="t", max_attempts=1)
    def limited():
        seen.append(clock(db))
        if len(seen) == 1:
            raise honker.RateLimited(0.3)
        return "done"

    assert run_for(db, limited()) == "done"
    assert seen[1] - seen[0] >= 0.3


def test_several_jobs_that_are_limited_at_once_keep_the_longest_pause(db, queue, path):
    gate = asyncio.Event()
    begun = []

    @queue.task(name="t")
    async def limited(seconds):
        begun.append(seconds)
        await gate.wait()
        raise honker.RateLimited(seconds)

    async def main():
        async with working(db):
            for seconds in (1000, 10, 100):
                limited(seconds)
            await until(lambda: len(begun) == 3)
            gate.set()
            await until(lambda: [job[3] for job in jobs(path)] == [1, 1, 1])

    before = clock(db)
    asyncio.run(main())
    assert before + 1000 <= pause_of(db)[0] <= clock(db) + 1001


def test_a_pause_of_an_operator_is_not_ended(db, queue, path):
    begun = []
    gate = asyncio.Event()

    @queue.task(name="t")
    async def limited():
        begun.append(1)
        await gate.wait()
        raise honker.RateLimited(10)

    async def main():
        async with working(db):
            limited()
            await until(lambda: begun)
            await db.engine.acall("SELECT honker_queue_pause('q', NULL, 'disputed')")
            gate.set()
            await until(lambda: jobs(path)[0][3] == 1)

    asyncio.run(main())
    assert pause_of(db) == (None, "disputed")


def test_with_a_key_only_the_jobs_of_that_key_are_held(db, queue, path):
    seen = []

    @queue.task(name="t", max_attempts=1)
    def limited(job: honker.Job):
        seen.append(job.key)
        if job.key == "acme":
            raise honker.RateLimited(1000, key=True)
        return job.key

    acme = [enqueue(db, "acme") for _ in range(3)]
    other = enqueue(db, "other")
    run_until(db, lambda: "other" in seen and "acme" in seen, concurrency=1)
    assert sorted(seen) == ["acme", "other"]
    assert pause_of(db) == (None, None)
    assert ask(path, "SELECT id FROM _honker_live ORDER BY id") == [(id_,) for id_ in acme]
    assert other not in acme


def test_without_a_key_a_job_that_holds_its_key_waits_alone(db, queue, path):
    seen = []

    @queue.task(name="t", max_attempts=1)
    def limited(job: honker.Job):
        seen.append(job.id)
        if len(seen) == 1:
            raise honker.RateLimited(1000, key=True)

    first, second = limited(), limited()
    run_until(db, lambda: len(seen) == 2, concurrency=1)
    assert seen == [first.id, second.id]
    assert pause_of(db) == (None, None)


def test_a_limit_in_another_process(db, path):
    db.task("q", executor="process", name="t")(process_handlers.limit_rate)()
    run_until(db, lambda: pause_of(db)[0])
    assert jobs(path)[0][0] == 0


@pytest.mark.parametrize("retry_after_s", [None, "1", float("nan")])
def test_a_limit_with_a_time_that_is_none_fails_the_attempt(db, queue, path, retry_after_s):
    @queue.task(name="t", retry_delay_s=1000)
    def handler():
        raise honker.RateLimited(retry_after_s)

    handler()
    run_until(db, lambda: jobs(path)[0][2])
    assert "retry_after_s is no number" in jobs(path)[0][2]
    assert jobs(path)[0][0] == 1
    assert pause_of(db) == (None, None)


@pytest.mark.parametrize("retry_after_s", [0, -5])
def test_a_limit_that_is_over_holds_nothing(db, queue, path, retry_after_s):
    seen = []

    @queue.task(name="t")
    def handler():
        seen.append(1)
        if len(seen) == 1:
            raise honker.RateLimited(retry_after_s)
        return "done"

    assert run_for(db, handler()) == "done"
    assert pause_of(db) == (None, None)


def test_the_rules_of_a_task_do_not_judge_what_a_handler_chooses(db, queue, path):
    @queue.task(name="t", give_up_on=Exception)
    def handler():
        raise honker.RateLimited(1000)

    handler()
    run_until(db, lambda: pause_of(db)[0])
    assert dead(path) == []


@pytest.mark.parametrize(
    "error", [honker.Discard("why"), honker.RateLimited(5, key=True, message="429"), honker.RateLimited(5)], ids=repr
)
def test_they_travel_between_processes(error):
    copied = pickle.loads(pickle.dumps(error))
    assert (vars(copied), str(copied)) == (vars(error), str(error))
