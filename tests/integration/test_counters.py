"""Counters and events in Python: a worker's jobs with task and running time, over restarts and killed processes."""

import asyncio
import sqlite3

import honker
import pytest
from honker.errors import InvalidArgumentError

from ..support.processes import running
from ..support.waiting import until, wait_until
from ..support.workers import run_until, working

ONE_JOB = """
import asyncio, sys, honker

db = honker.open(sys.argv[1])

@db.queue("q").task(name="once")
def once():
    return 1

once()
asyncio.run(db.run_workers(burst=True))
"""


def total(db, task, queue="q"):
    return next(row for row in db.counter_totals() if (row.queue, row.task) == (queue, task))


def test_a_worker_counts_its_jobs_with_task_and_running_time(db):
    assert db.configure(counters=True) == {"counters": True, "events": False}

    @db.queue("q").task(name="good")
    async def good():
        await asyncio.sleep(0.01)

    @db.queue("q").task(name="bad", retries=2, retry_delay_s=0)
    def bad():
        raise RuntimeError("broken")

    for _ in range(3):
        good()
    bad()
    run_until(db, lambda: db.counter_totals() and total(db, "good").done == 3 and total(db, "bad").dead == 1)
    done = total(db, "good")
    assert (done.enqueued, done.claimed, done.failed) == (3, 3, 0)
    assert 1 <= done.runs <= 3  # The first round has not known that it is counted.
    assert done.run_s >= 0.01 * done.runs
    assert done.run_max_s <= done.run_s
    assert (total(db, "bad").retried, total(db, "bad").failed) == (1, 2)
    assert [(row.task, row.done) for row in db.counters("q", 5)] == [("bad", 0), ("good", 3)]


def test_totals_survive_restarts_and_add_up_over_processes(db, path):
    db.configure(counters=True)
    for _ in range(3):
        with running(ONE_JOB, path) as child:
            child.finish()
    assert (total(db, "once").enqueued, total(db, "once").done) == (3, 3)
    db.close()
    with honker.open(path) as again:
        assert total(again, "once").done == 3


def test_a_job_that_a_killed_process_held_is_counted_as_lapsed(db, path):
    db.configure(counters=True)
    queue = db.queue("q", visibility_timeout_s=0.05)
    queue.enqueue(1)
    script = """
import sys, honker
db = honker.open(sys.argv[1])
print(len(db.queue("q", visibility_timeout_s=0.05).claim_batch("w", 1)), flush=True)
sys.stdin.read()
"""
    with running(script, path) as child:
        child.expect("1")
        child.kill()
    assert wait_until(lambda: queue.claim_batch("w2", 1))[0].attempts == 2
    assert (total(db, "").claimed, total(db, "").lapsed) == (2, 1)


def test_the_events_tell_the_life_of_a_job(db):
    db.configure(events=True)

    @db.queue("q").task(name="held")
    async def held():
        pass

    async def main():
        job_id = held().id
        async with working(db):
            await until(lambda: len(db.stream("honker.events").read_since(0)) >= 3)
        moves = [move for event in db.stream("honker.events").read_since(0) for move in event.payload]
        assert [(move["event"], move["id"], move["task"]) for move in moves] == [
            ("enqueued", job_id, "held"),
            ("claimed", job_id, "held"),
            ("done", job_id, "held"),
        ]
        assert moves[1]["wait_s"] >= 0
        assert moves[2]["run_s"] >= 0

    asyncio.run(main())


def test_the_events_of_a_transaction_come_with_its_commit(db):
    db.configure(events=True)
    tx = db.transaction()
    tx.__enter__()
    db.queue("q").enqueue(1, tx=tx)
    error = RuntimeError()
    tx.__exit__(RuntimeError, error, None)
    assert db.stream("honker.events").read_since(0) == []
    with db.transaction() as tx:
        db.queue("q").enqueue(1, tx=tx)
        assert db.stream("honker.events").read_since(0) == []
    assert len(db.stream("honker.events").read_since(0)) == 1


def test_the_settings_are_read_and_changed_from_async_code(db):
    async def main():
        assert await db.asettings() == db.settings() == {"counters": False, "events": False}
        assert (await db.aconfigure(counters=True, events=True)) == {"counters": True, "events": True}
        assert (await db.aconfigure(events=False)) == {"counters": True, "events": False}
        await db.queue("q").aenqueue(1)
        assert [row.enqueued for row in await db.acounters()] == [row.enqueued for row in await db.acounter_totals()]

    asyncio.run(main())


@pytest.mark.parametrize("minutes", [0, 241, -1])
def test_minutes_outside_the_range_are_refused(db, minutes):
    with pytest.raises(InvalidArgumentError, match="minutes"):
        db.counters(minutes=minutes)


@pytest.fixture
def many_totals(db):
    """Totals of 5,000 queues and of the two tasks of one more, ``z``."""
    db.configure(counters=True)
    db.queue("z").enqueue({})
    db.queue("z").task(name="mail")(print)()
    with sqlite3.connect(db.path, isolation_level=None) as conn:
        columns = [name for _, name, *_ in conn.execute("PRAGMA table_info(_honker_counters)")]
        conn.execute(f"""
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
            INSERT INTO _honker_counters ({", ".join(columns)})
            SELECT printf('q%04d', i), '', 1{", 1" * (len(columns) - 3)} FROM n""")
    conn.close()
    return db


@pytest.mark.sqlite_only("rows of a file, by sqlite3")
def test_totals_end_after_a_bounded_number_of_queues_and_tasks_and_say_so(many_totals):
    found = many_totals.counter_totals()
    assert (len(found), found[-1].queue, found.is_complete) == (5_000, "q5000", False)


@pytest.mark.sqlite_only("rows of a file, by sqlite3")
def test_the_totals_of_one_queue_are_found_behind_many_others(many_totals):
    found = many_totals.counter_totals("z")
    assert [(row.queue, row.task, row.enqueued) for row in found] == [("z", "", 1), ("z", "mail", 1)]
    assert found.is_complete
    assert asyncio.run(many_totals.acounter_totals("q0003"))[0].queue == "q0003"
    assert many_totals.counter_totals("none") == []


@pytest.mark.sqlite_only("rows of a file, by sqlite3")
def test_totals_that_fill_the_bound_are_complete(many_totals):
    with sqlite3.connect(many_totals.path, isolation_level=None) as conn:
        conn.execute("DELETE FROM _honker_counters WHERE queue = 'z'")
    conn.close()
    found = many_totals.counter_totals()
    assert (len(found), found.is_complete) == (5_000, True)
