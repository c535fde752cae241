"""The list of workers in Python: registered, busy, stopped, killed, and removed by their successors."""

import asyncio
import os

import honker
import pytest
from honker.process_space import host, is_gone, process_space
from honker.worker import registration

from ..support.processes import running
from ..support.triggers import allow, refuse
from ..support.waiting import until, wait_until
from ..support.workers import working

SLEEPER = """
import asyncio, sys, honker

db = honker.open(sys.argv[1])

@db.queue("q").task(name="sleeper")
async def sleeper():
    await asyncio.sleep(60)

sleeper()
asyncio.run(db.run_workers(concurrency=3))
"""

COMMAND = """
import sys

sys.path.insert(0, sys.argv[1])
sys.argv[:2] = ["honker"]
from honker.cli.main import main
main()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(registration, "FIRST_REPORT_S", 0.01)
    monkeypatch.setattr(registration, "PAUSE_S", 0.02)


async def until_listed(db, predicate):
    async def found():
        return predicate(await db.aworkers())

    deadline = asyncio.get_running_loop().time() + 10
    while not await found():
        assert asyncio.get_running_loop().time() < deadline, await db.aworkers()
        await asyncio.sleep(0.005)


def test_a_worker_is_listed_with_its_jobs_and_leaves_when_it_stops(db):
    gate = asyncio.Event()

    @db.queue("q").task(name="held")
    async def held():
        await gate.wait()

    async def main():
        job_id = held().id
        async with working(db, concurrency=3):
            await until_listed(db, lambda found: found and found[0].busy == 1)
            (worker,) = await db.aworkers()
            assert (worker.host, worker.pid, worker.state) == (host(), os.getpid(), "running")
            assert (worker.slots, worker.queues, worker.version) == (3, ["q"], registration.version())
            assert [(job.id, job.queue, job.task) for job in worker.running] == [(job_id, "q", "held")]
            assert worker.started_at <= worker.running[0].since <= worker.seen_at
            assert db.query("SELECT worker_id FROM _honker_live") == [{"worker_id": worker.worker_ids[0]}]
            gate.set()
            await until_listed(db, lambda found: found[0].busy == 0)
        assert await db.aworkers() == []

    asyncio.run(main())


def test_the_workers_of_several_queues_share_a_row(db):
    for name in ("a", "b", "c"):
        db.queue(name).task(name=f"task-{name}")(lambda: None)

    async def main():
        async with working(db, concurrency=2):
            await until_listed(db, bool)
            (worker,) = await db.aworkers()
            assert (worker.queues, worker.slots, len(worker.worker_ids)) == (["a", "b", "c"], 6, 3)
        assert db.workers() == []

    asyncio.run(main())


def test_a_worker_that_stops_waits_for_its_handler_as_stopping(db):
    gate = asyncio.Event()

    @db.queue("q").task(name="held")
    async def held():
        await gate.wait()

    async def main():
        held()
        stop = asyncio.Event()
        workers = asyncio.ensure_future(db.run_workers(stop_event=stop))
        await until_listed(db, lambda found: found and found[0].busy == 1)
        stop.set()
        await until_listed(db, lambda found: found[0].state == "stopping")
        gate.set()
        await workers
        assert db.workers() == []

    asyncio.run(main())


def test_a_report_rides_on_a_round_that_settles(db, monkeypatch):
    monkeypatch.setattr(registration.Registration, "_write_report", None)  # A report by itself would fail.
    monkeypatch.setattr(registration, "PAUSE_S", 3600)
    gate = asyncio.Event()

    @db.queue("q").task(name="held")
    async def held():
        await gate.wait()

    @db.queue("q").task(name="quick")
    def quick_task():
        pass

    async def main():
        runner = honker.Worker(db.queue("q"), concurrency=2)
        monkeypatch.setattr(registration, "FIRST_REPORT_S", 0)
        monkeypatch.setattr(registration.Registration, "_report_for_ever", lambda self: asyncio.sleep(3600))
        stop = asyncio.Event()
        working_ = asyncio.ensure_future(runner.run(stop))
        quick_task()
        held()
        await until(lambda: db.query("SELECT count(*) AS n FROM _honker_live") == [{"n": 1}])
        await until_listed(db, bool)
        assert [job.task for job in db.workers()[0].running] == ["held"]
        gate.set()
        stop.set()
        await working_

    asyncio.run(main())


def test_an_idle_worker_does_not_commit_between_its_reports(db):
    @db.queue("q").task(name="nothing")
    def nothing():
        pass

    async def main():
        async with working(db):
            await until_listed(db, bool)
            commits = db.update_events()
            await asyncio.to_thread(wait_until, lambda: not commits.wait(15 * registration.PAUSE_S))
            commits.close()

    asyncio.run(main())


def test_a_killed_worker_is_lost_at_once_and_removed_by_the_next_one(db, path):
    with running(SLEEPER, path) as child:
        wait_until(db.workers)
        (worker,) = db.workers()
        assert (worker.pid, worker.state, worker.slots) == (child.process.pid, "running", 3)
        child.kill()
    assert [(one.name, one.state) for one in db.workers()] == [(worker.name, "lost")]

    @db.queue("q2").task(name="other")
    def other():
        pass

    async def main():
        async with working(db):
            await until_listed(db, lambda found: [one.pid for one in found] == [os.getpid()])

    asyncio.run(main())


def test_a_worker_that_is_terminated_leaves(db, path, tmp_path):
    module = tmp_path / "jobs.py"
    module.write_text(f"import honker\ndb = honker.open({str(path)!r})\n@db.queue('q').task()\ndef f(): pass\n")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.argv[:2] = ['honker']; import honker.cli.main as m; m.main()"
    )
    with running(script, tmp_path, "worker", "jobs:db") as child:
        wait_until(db.workers)
        child.process.terminate()
        child.process.wait(20)
    assert db.workers() == []


def test_a_failing_report_stops_no_work(db):
    """The table is refused to it, and comes back later."""

    @db.queue("q").task(name="done")
    def done():
        return 7

    refuse(db.path, "INSERT", "_honker_workers", "refused")

    async def main():
        async with working(db):
            assert [await done().aget(10) for _ in range(3)] == [7, 7, 7]
            assert await db.aworkers() == []
            allow(db.path, "_honker_workers")
            await until_listed(db, bool)

    asyncio.run(main())


def test_a_process_of_another_space_is_not_looked_for():
    assert not is_gone(process_space(), os.getpid())
    assert not is_gone("elsewhere 1", 2**22 + 5)
    assert not is_gone(None, 2**22 + 5)
    assert is_gone(process_space(), 2**22 + 5)
    assert not is_gone(process_space(), 2**80)
