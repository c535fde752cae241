"""Waits follow the clock of the engine, which tests stop."""

import asyncio
import ctypes
import datetime
import sqlite3
import threading
import time

import honker
import pytest
from honker.sqlite.extension_file import extension_info

from ..sql import loading

pytestmark = pytest.mark.sqlite_only("the clock of the extension's test build")

START = 1_800_000_000


@pytest.fixture
def set_clock():
    """Set the clock of the engine; it runs again afterwards."""
    testing = ctypes.CDLL(extension_info()[0])["sqlite3_honkertesting_init"]
    loading.SQLITE.sqlite3_auto_extension(testing)
    try:
        conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    finally:
        loading.SQLITE.sqlite3_cancel_auto_extension(testing)

    def set_to(unix_s):
        conn.execute("SELECT honker_clock_set(?)", (unix_s,))

    set_to(START)
    yield set_to
    set_to(None)
    conn.close()


@pytest.fixture
def db(set_clock, tmp_path):
    with honker.open(tmp_path / "app.db") as opened:
        yield opened


def test_the_clock_of_the_engine_is_the_stopped_one(db, set_clock):
    assert db.engine.clock() == START
    set_clock(START + 1.5)
    assert db.engine.clock() == START + 1.5


def test_a_closed_engine_has_no_clock(db):
    db.close()
    with pytest.raises(honker.DatabaseClosedError):
        db.engine.clock()


def test_a_delayed_job_is_claimed_once_the_stopped_clock_reaches_it(db, set_clock):
    queue = db.queue("q")
    queue.enqueue({"n": 1}, delay=3600)
    assert queue.claim_one("w") is None
    set_clock(START + 3600)
    job = queue.claim_one("w")
    assert job is not None
    assert job.payload == {"n": 1}


def test_an_iterator_takes_a_delayed_job_once_the_stopped_clock_is_moved(db, set_clock):
    queue = db.queue("q")
    queue.enqueue({}, delay=0.05)
    claims = queue.claim("w", idle_poll_s=60)
    claimed = []
    thread = threading.Thread(target=lambda: claimed.append(next(claims)), daemon=True)
    thread.start()
    set_clock(START + 1)
    queue.enqueue({})  # a commit wakes the iterator
    thread.join(10)
    assert len(claimed) == 1
    claims.close()


def test_a_wait_for_a_result_ends_by_real_time_while_the_clock_stands(db):
    queue = db.queue("q")
    job_id = queue.enqueue({})
    with pytest.raises(TimeoutError):
        asyncio.run(queue.wait_result(job_id, timeout=0.05))


def test_a_scheduler_fires_when_the_stopped_clock_is_moved(db, set_clock):
    asyncio.run(fires_when_moved(db, set_clock))


async def fires_when_moved(db, set_clock):
    scheduler = honker.Scheduler(db)
    scheduler.add(name="s", queue="q", schedule=honker.every_s(3600), payload={})
    stop = asyncio.Event()
    running = asyncio.create_task(scheduler.run(stop))
    queue = db.queue("q")
    try:
        set_clock(START + 3600)
        async with asyncio.timeout(20):
            while (job := await queue.aclaim_one("w")) is None:
                await db.engine.loop_updates().wait_async(0.05)
        assert job.payload == {}
    finally:
        stop.set()
        await running


@pytest.mark.parametrize("days", [-365, 365])
def test_a_clock_that_a_test_freezes_in_python_hangs_no_wait(tmp_path, days):
    """time-machine replaces `time.clock_gettime` as well, by which honker read the system's clock before."""
    time_machine = pytest.importorskip("time_machine")
    with honker.open(tmp_path / "app.db") as db:
        queue = db.queue("q")
        with time_machine.travel(datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days), tick=False):
            queue.enqueue({"n": 1}, delay=0.1)
            claimed = asyncio.run(first_claim(queue))
            assert abs(db.engine.clock() - time.time()) > 86_400
    assert claimed.payload == {"n": 1}


async def first_claim(queue):
    async for job in queue.claim("w", idle_poll_s=60):
        return job
    raise AssertionError("the iterator ended without a job")
