"""The package's iterators, workers and scheduler skip rows that were edited by hand, and report them."""

import asyncio
import contextlib
import json
import sqlite3
import time

import honker
import pytest

from ..support.waiting import until

# JSON for other languages, but not for Python's decoder.
NESTED = "[" * 100_000 + "]" * 100_000
DIGITS = "9" * 5_000
BROKEN = {"not-json": "{", "nested": NESTED, "digits": DIGITS, "not-utf8": b"\xff", "blob": b"{}"}


@pytest.fixture
def db(path):
    with honker.open(path) as opened:
        yield opened
    honker.registry()._by_name.clear()


def spoil(path, statement, *parameters):
    """Write to the file without honker, as an operator would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(statement, parameters)


@pytest.mark.parametrize("way", ["for", "async for"])
def test_a_subscription_passes_over_events_edited_by_hand_and_logs_them(db, path, caplog, way):
    """More of them than one read returns: a batch without a good event is neither the end nor a reason to wait."""
    stream = db.stream("t")
    stream.publish_many(range(1001))
    spoil(path, "UPDATE _honker_stream SET payload = x'ff'")
    stream.publish("good")
    with stream.subscribe("c", save_every_n=1) as events:
        event = next(events) if way == "for" else asyncio.run(anext_of(events))
    assert (event.offset, event.payload) == (1002, "good")
    assert caplog.messages[0] == "event 1 of 't' is passed over: payload is Blob, not Text"
    assert len(caplog.messages) == 1001
    assert [event.offset for event in stream.read_since(1000)] == [1002]


async def anext_of(feed):
    return await asyncio.wait_for(anext(feed), 30)


@pytest.mark.parametrize("way", ["for", "async for"])
def test_a_listener_passes_over_notifications_edited_by_hand_and_logs_them(db, path, caplog, way):
    with db.listen("c") as listener:
        for number in range(3):
            db.notify("c", number)
        spoil(path, "UPDATE _honker_notifications SET payload = x'ff' WHERE id < 3")
        heard = next(listener) if way == "for" else asyncio.run(anext_of(listener))
    assert heard.payload == 2
    assert caplog.messages == [f"notification {n} is passed over: payload is Blob, not Text" for n in (1, 2)]


@pytest.mark.parametrize("payload", BROKEN.values(), ids=list(BROKEN))
def test_a_worker_buries_a_job_whose_payload_is_no_json_and_goes_on(db, path, payload):
    done = []

    @db.task("q")
    def work(number):
        done.append(number)

    work(1)
    spoil(path, "INSERT INTO _honker_live (queue, payload, priority) VALUES ('q', CAST(? AS TEXT), 9)", payload)
    if payload == b"{}":
        spoil(path, "UPDATE _honker_live SET payload = x'7b7d' WHERE priority = 9")

    async def run():
        stop = asyncio.Event()
        workers = asyncio.create_task(db.run_workers(stop_event=stop))
        await until(lambda: done and buried(path))
        stop.set()
        await workers

    asyncio.run(run())
    assert done == [1]
    (error,) = buried(path)
    assert "JSON" in error or "malformed row: payload" in error


def buried(path):
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return [error for (error,) in conn.execute("SELECT last_error FROM _honker_dead")]


@pytest.mark.parametrize("payload", [NESTED, DIGITS], ids=["nested", "digits"])
def test_a_payload_that_python_cannot_decode_is_the_error_of_broken_json(db, path, payload):
    db.stream("t").publish(1)
    spoil(path, "UPDATE _honker_stream SET payload = ?", payload)
    with pytest.raises(json.JSONDecodeError):
        _ = db.stream("t").read_since(0)[0].payload
    with db.listen("c") as listener:
        db.notify("c", 1)
        spoil(path, "UPDATE _honker_notifications SET payload = ?", payload)
        assert next(listener).payload == payload  # text that is not JSON arrives unchanged


@pytest.mark.parametrize("strange", [-1e18, 1e300, "soon", b"\xff"], ids=repr)
def test_a_scheduler_fires_the_good_schedule_and_sleeps_whatever_the_bad_one_holds(db, path, strange, monkeypatch):
    scheduler = honker.Scheduler(db)
    for name in ("bad", "good"):
        scheduler.add(name=name, queue=name, schedule=honker.every_s(1))
    spoil(path, "UPDATE _honker_scheduler_tasks SET next_fire_at = ? WHERE name = 'bad'", strange)
    ticks = []
    tick = scheduler._tick

    async def counted(lock):
        ticks.append(time.monotonic())
        await tick(lock)

    monkeypatch.setattr(scheduler, "_tick", counted)

    async def run():
        stop = asyncio.Event()
        leading = asyncio.create_task(scheduler.run(stop))
        await until(lambda: db.queue("good").claim_one("w"))
        await until(lambda: db.queue("good").claim_one("w"))
        stop.set()
        await leading

    asyncio.run(run())
    # One for each boundary, and one that finds the bad schedule; a loop that spins makes thousands.
    assert len(ticks) <= 10
