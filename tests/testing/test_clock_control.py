"""The clock of a testing file, moved by a test and followed by this and other processes."""

import asyncio
import datetime
import threading
import time

import honker
import honker.testing as kit
import pytest

from ..support.processes import running
from ..support.waiting import until, wait_until

DAY_S = 86_400


def test_the_clock_moves_by_numbers_timedeltas_and_texts(db):
    with kit.clock(db) as clock:
        start = clock.freeze(1_800_000_000)
        assert start == db.engine.clock() == 1_800_000_000
        assert clock.advance(3600) == start + 3600
        assert clock.advance("1h30m") == start + 9000
        assert clock.advance(datetime.timedelta(milliseconds=500)) == start + 9000.5
        assert clock.now == start + 9000.5


@pytest.mark.parametrize("span", ["", "soon", "3", "3 h", "-3h", -1, "h3"])
def test_a_span_that_is_none_is_refused(db, span):
    with kit.clock(db) as clock, pytest.raises(honker.InvalidArgumentError):
        clock.advance(span)


def test_the_block_puts_the_clock_back(db):
    with kit.clock(db) as outer:
        outer.freeze(1_800_000_000)
        with kit.clock(db) as inner:
            inner.advance("1d")
        assert outer.now == 1_800_000_000
    assert abs(db.engine.clock() - time.time()) < 60


def test_a_clock_that_runs_goes_on_from_an_instant(db):
    with kit.clock(db) as clock:
        clock.freeze()
        start = clock.run(1_900_000_000)
        assert 0 <= start - 1_900_000_000 < 60
        wait_until(lambda: clock.now > start)


def test_the_clock_of_a_file_with_jobs_is_refused(tmp_path):
    with honker.open(tmp_path / "app.db") as db:
        db.queue("q").enqueue({})
        with pytest.raises(honker.InvalidArgumentError, match="this file has had jobs"), kit.clock(db):
            raise AssertionError("the clock was set")


def test_a_new_file_of_the_application_becomes_a_testing_file(tmp_path):
    with honker.open(tmp_path / "app.db") as db, honker.open(tmp_path / "app.db") as other, kit.clock(db) as clock:
        clock.freeze(1_800_000_000)
        assert other.engine.clock() == 1_800_000_000
        db.queue("q").enqueue({}, delay=60)
        assert other.queue("q").claim_one("w") is None
        clock.advance(60)
        assert other.queue("q").claim_one("w") is not None


def test_results_locks_and_rates_end_with_the_clock(db):
    with kit.clock(db) as clock:
        clock.freeze()
        db.queue("q").save_result(1, "kept", ttl=60)
        lock = db.lock("nightly", ttl=60)
        assert lock.try_acquire()
        assert db.try_rate_limit("api", 1, per=60)
        assert not db.try_rate_limit("api", 1, per=60)
        clock.advance(61)
        assert db.queue("q").get_result(1) == (False, None)
        assert db.lock("nightly", ttl=60).try_acquire()
        assert db.try_rate_limit("api", 1, per=60)


def test_a_sleeping_worker_of_this_process_wakes_when_the_clock_is_advanced(db):
    ran = []

    @db.task(queue="q")
    def work():
        ran.append(db.engine.clock())

    async def main():
        stop = asyncio.Event()
        running_workers = asyncio.create_task(db.run_workers(stop_event=stop, concurrency=1))
        try:
            with kit.clock(db) as clock:
                start = clock.freeze()
                result = work.enqueue_with(delay=DAY_S)()
                await until(lambda: db.engine.ask("SELECT honker_queue_next_claim_at('q')") == start + DAY_S)
                assert ran == []
                clock.advance(DAY_S)
                await result.aget(20)
                assert ran == [start + DAY_S]
        finally:
            stop.set()
            await running_workers

    asyncio.run(main())


WORKER = """
import asyncio, sys
import honker

db = honker.open(sys.argv[1])

@db.task(queue="q", name="work")
def work():
    return db.engine.clock()

async def main():
    stop = asyncio.Event()
    workers = asyncio.create_task(db.run_workers(stop_event=stop, concurrency=1))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    stop.set()
    await workers

asyncio.run(main())
"""


def test_a_sleeping_worker_of_another_process_wakes_when_the_clock_is_advanced(db):
    @db.task(queue="q", name="work")
    def work():
        raise AssertionError("it runs in the other process")

    with kit.clock(db) as clock, running(WORKER, db.path) as child:
        start = clock.freeze()
        child.expect("ready")
        result = work.enqueue_with(delay=DAY_S)()
        with pytest.raises(TimeoutError):
            result.get(0.2)
        begin = time.monotonic()
        clock.advance(DAY_S)
        assert result.get(20) == start + DAY_S
        # The worker looks by itself every five seconds.
        assert time.monotonic() - begin < 4
        child.say()
        child.finish()


def test_a_standby_scheduler_fires_when_the_clock_is_advanced(db):
    async def main():
        scheduler = honker.Scheduler(db)
        scheduler.add(name="s", queue="q", schedule=honker.every_s(10), payload={})
        stop, is_leading = asyncio.Event(), threading.Event()
        leading = asyncio.create_task(scheduler.run(stop, standby=True, on_leading=is_leading.set))
        try:
            with kit.clock(db) as clock:
                clock.freeze()
                await until(is_leading.is_set)
                clock.advance("1h")
                await until(lambda: db.queue("q").claim_one("w"), timeout_s=20)
        finally:
            stop.set()
            await leading

    asyncio.run(main())


def test_the_clock_follows_a_time_machine_that_stands_still(db):
    time_machine = pytest.importorskip("time_machine")
    queue = db.queue("q")
    with kit.clock(db) as clock:
        clock.follow(lambda: time.time())  # noqa: PLW0108 - as for freezegun, which replaces time.time
        with time_machine.travel(1_800_000_000, tick=False) as traveller:
            queue.enqueue({}, delay=60)
            assert queue.claim_one("w") is None
            traveller.shift(59.5)
            assert queue.claim_one("w") is None
            traveller.shift(0.5)
            assert queue.claim_one("w") is not None
            assert db.engine.clock() == 1_800_000_060


def test_the_clock_follows_a_time_machine_that_runs(db):
    time_machine = pytest.importorskip("time_machine")
    with kit.clock(db) as clock:
        clock.follow(lambda: time.time())  # noqa: PLW0108 - as for freezegun, which replaces time.time
        with time_machine.travel(1_900_000_000, tick=True):
            asyncio.run(db.queue("q").aenqueue({}, delay=3600))
            first = clock.now
            assert 0 <= first - 1_900_000_000 < 60
            wait_until(lambda: db.engine.clock() > first)
        clock.follow(None)
        before = clock.now
        with time_machine.travel(1_700_000_000, tick=False):
            db.queue("q").enqueue({})
            assert db.engine.clock() >= before


def test_the_clock_follows_inside_a_transaction(db):
    shown = [1_800_000_000.0]
    with kit.clock(db) as clock:
        clock.follow(lambda: shown[0])
        with db.transaction() as tx:
            shown[0] += 3600
            job_id = db.queue("q").enqueue({}, tx=tx, delay=5)
            assert db.queue("q").get_job(job_id, tx=tx).run_at == 1_800_003_605


def test_the_clock_follows_inside_a_transaction_of_a_coroutine(db):
    shown = [1_800_000_000.0]

    async def main():
        async with db.transaction() as tx:
            shown[0] += 3600
            job_id = await db.queue("q").aenqueue({}, tx=tx)
        return await db.queue("q").aget_job(job_id)

    with kit.clock(db) as clock:
        clock.follow(lambda: shown[0])
        assert asyncio.run(main()).run_at == 1_800_003_600
