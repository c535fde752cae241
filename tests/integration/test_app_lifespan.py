"""Workers and schedulers of an app that run for the length of a block, in a process that serves something else."""

import asyncio

import honker
import pytest

from ..support.locking import ask
from ..support.waiting import until


@pytest.fixture
def app(path):
    made = honker.App(path)
    yield made
    made.close()


def payloads(path):
    return [payload for (payload,) in ask(path, "SELECT payload FROM _honker_live ORDER BY id")]


@pytest.mark.sqlite_only("the files of a database")
def test_a_lifespan_runs_tasks_and_schedules_and_closes_the_database(app, path):
    fired = asyncio.Event()

    @app.task
    def double(number):
        return 2 * number

    @app.periodic_task(honker.every_s(1))
    async def tick():
        fired.set()

    async def main():
        async with app.lifespan(workers=2) as same:
            assert same is app
            assert await (await double.aenqueue(21)).aget(10) == 42
            await asyncio.wait_for(fired.wait(), 15)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(main()) == set()
    assert not path.with_name("app.db-wal").exists()


def test_the_end_of_a_lifespan_waits_for_handlers_and_gives_back_the_rest(app, path):
    begun, ended = asyncio.Event(), []

    @app.task
    async def finish():
        begun.set()
        await asyncio.sleep(0.2)
        ended.append(1)

    async def main():
        async with app.lifespan(workers=1):
            await finish.aenqueue()
            await begun.wait()

    asyncio.run(main())
    assert ended == [1]
    assert payloads(path) == []


def test_the_end_of_a_lifespan_gives_jobs_back_after_the_grace_period(app, path):
    begun = asyncio.Event()

    @app.task
    async def hang():
        begun.set()
        await asyncio.Event().wait()

    async def main():
        async with app.lifespan(workers=1, grace_s=0.1):
            await hang.aenqueue()
            await begun.wait()

    asyncio.run(main())
    assert ask(path, "SELECT state, attempts FROM _honker_live") == [("pending", 0)]


def test_one_of_two_lifespans_leads_and_the_other_stands_by(app, path):
    @app.periodic_task(honker.crontab("0 3 * * *"))
    def nightly(): ...

    async def main():
        async with app.lifespan(workers=0):
            other = honker.App(path)
            other.periodic_task(honker.crontab("0 3 * * *"))(nightly.fn)
            async with other.lifespan(workers=0):
                await until(lambda: app.db.query("SELECT 1 FROM _honker_locks"))
                assert len(app.db.query("SELECT * FROM _honker_locks")) == 1

    asyncio.run(asyncio.wait_for(main(), 15))


def test_a_lifespan_without_tasks_is_refused_at_its_start(app, path):
    async def main(**options):
        async with app.lifespan(**options):
            assert app.queue("q").enqueue(1) > 0

    with pytest.raises(honker.NoTasksError, match=r"imports=\[\.\.\.\]"):
        asyncio.run(main())
    asyncio.run(main(workers=0))
    assert len(payloads(path)) == 1


def test_a_failure_of_the_workers_is_logged_at_once_and_raised_at_the_end(app, monkeypatch, caplog):
    app.task(print)

    async def fail(*args, **options):
        raise honker.DatabaseError("the disk is gone")

    monkeypatch.setattr("honker.app.lifespan.run_workers", fail)

    async def main():
        async with app.lifespan(workers=1):
            await until(lambda: "have ended" in caplog.text)

    with pytest.raises(honker.DatabaseError, match="the disk is gone"):
        asyncio.run(asyncio.wait_for(main(), 15))


def test_a_worker_of_the_app_serves_one_queue(app):
    double = app.task("q")(lambda number: 2 * number)

    async def main():
        stop = asyncio.Event()
        running = asyncio.ensure_future(app.worker("q", concurrency=1).run(stop))
        assert await double(21).aget(10) == 42
        stop.set()
        await running

    asyncio.run(main())
