"""Many processes that write: all progress, none is refused, and the WAL of a file stays small.

Eight processes write in every possible way, one of them a plain application without honker. Each reports its number of
writes and their waiting times. The short form takes seconds, the long one a minute or the given time.
"""

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections import Counter
from contextlib import contextmanager

import honker
import pytest
from honker import DatabaseBusyError
from honker.sqlite import connection
from honker.sqlite.connection import BUSY_TIMEOUT_S

from ..support.engines import placed
from ..support.locking import ask, is_sound, write_lock_elsewhere
from ..support.processes import running, several

# -------------------------------------------------------------------------------------------------- all processes write

WRITER = """
import asyncio, json, sqlite3, sys, time
import honker, psycopg

def enqueue(db, kind, number):
    db.queue("backlog").enqueue([kind, number], priority=number % 3)

def work(db, kind, number):
    queue = db.queue("work")
    queue.enqueue(number)
    job = queue.claim_one(kind)
    assert job is None or job.ack()  # another worker may have been faster

async def work_without_blocking(db, kind, number):
    queue = db.queue("work")
    await queue.aenqueue(number)
    for job in await queue.aclaim_batch(kind, 1):
        assert await job.aack()

def publish(db, kind, number):
    offset = db.stream("topic").publish(number)
    db.stream("topic").save_offset("consumer", offset)

def notify(db, kind, number):
    db.notify("channel", number)

def order(db, kind, number):
    with db.transaction() as tx:
        tx.execute("INSERT INTO orders VALUES (?, ?)", [kind, number])
        db.queue("backlog").enqueue([kind, number], tx=tx)

async def order_without_blocking(db, kind, number):
    async with db.transaction() as tx:
        tx.execute("INSERT INTO orders VALUES (?, ?)", [kind, number])
        db.queue("backlog").enqueue([kind, number], tx=tx)

def plain(conn, kind, number):
    conn.execute("BEGIN" if is_postgres else "BEGIN IMMEDIATE")
    conn.execute("INSERT INTO orders VALUES (?, ?)", [kind, number])
    conn.execute("COMMIT")

def without_honker(path):
    if is_postgres:
        return psycopg.connect(path, autocommit=True)
    # SQLite's own waiting goes in steps of up to 100 ms, longer than those of honker.
    return sqlite3.connect(path, isolation_level=None, timeout=30)

async def go_on(db, kind, slices, slice_s):
    write, began, count = globals()[kind], time.monotonic(), 0
    per_slice, waits_ms, errors = [0] * slices, [], []
    while (at := time.monotonic()) < began + slices * slice_s:
        try:
            written = write(db, kind, count)
            if written is not None:
                await written
        except Exception as error:
            errors.append(repr(error))
        else:
            per_slice[int((at - began) / slice_s)] += 1
            waits_ms.append((time.monotonic() - at) * 1000)
        count += 1
    print(json.dumps({"kind": kind, "per_slice": per_slice, "waits_ms": sorted(waits_ms), "errors": errors}))

path, (kind, slices, slice_s) = sys.argv[1], sys.stdin.readline().split()
is_postgres = path.startswith("postgresql:")
db = without_honker(path) if kind == "plain" else honker.open(path)
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(go_on(db, kind, int(slices), float(slice_s)))
db.close()
"""

KINDS = [
    "enqueue",
    "work",
    "work_without_blocking",
    "publish",
    "notify",
    "order",
    "order_without_blocking",
    "plain",
]


@pytest.fixture
def app(path):
    """A database of an application, with its own table."""
    with honker.open(path) as db, db.transaction() as tx:
        tx.execute("CREATE TABLE orders (kind TEXT, n INTEGER)")
    return path


def write_together(path, slices, slice_s):
    """Run the processes together, and return their reports."""
    with several(len(KINDS), placed(path, WRITER), path) as children:
        for kind, child in zip(KINDS, children, strict=True):
            child.say(f"{kind} {slices} {slice_s}")
        for child in children:
            child.expect("ready")
        for child in children:
            child.say("go")
        return [json.loads(child.line()) for child in children]


def quantile(ordered, share):
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


@pytest.mark.torture(short_s=3, share=2)
def test_processes_that_write_in_every_way_at_once_all_get_on_and_none_is_refused(torture, app):
    slices = max(6, round(torture.budget_s / 10)) if torture.is_long else 1
    reports = write_together(app, slices, 10 if torture.is_long else torture.budget_s)
    for report in reports:
        kind, waits = report["kind"], report["waits_ms"]
        assert report["errors"] == [], kind
        assert all(report["per_slice"]), f"{kind} did not get on in one of the stretches: {report['per_slice']}"
        p50, p99 = quantile(waits, 0.5), quantile(waits, 0.99)
        print(f"{kind:24}{len(waits):8} writes, p50 {p50:7.2f} ms, p99 {p99:7.2f} ms, longest {waits[-1]:7.1f} ms")
        assert p99 < BUSY_TIMEOUT_S * 1000
        torture.count(f"writes ({kind})", len(waits))
    waits = sorted(wait for report in reports for wait in report["waits_ms"])
    torture.count("ms that 99 % of the writes took at most", round(quantile(waits, 0.99)))
    torture.count("ms that the longest write took", round(waits[-1]))
    assert nothing_is_missing(app, {report["kind"]: sum(report["per_slice"]) for report in reports})


def nothing_is_missing(path, written):
    """True if every acknowledged write is in the database."""
    orders = dict(ask(path, "SELECT kind, count(*) FROM orders GROUP BY kind"))
    assert orders == {kind: written[kind] for kind in ("order", "order_without_blocking", "plain")}
    payloads = ask(path, "SELECT payload FROM _honker_live WHERE queue = 'backlog'")
    backlog = Counter(json.loads(payload)[0] for (payload,) in payloads)
    assert backlog == {kind: written[kind] for kind in ("enqueue", "order", "order_without_blocking")}
    assert ask(path, "SELECT count(*), max(offset) FROM _honker_stream") == [(written["publish"], written["publish"])]
    assert ask(path, "SELECT offset FROM _honker_stream_consumers") == [(written["publish"],)]
    assert ask(path, "SELECT max(id) FROM _honker_notifications") == [(written["notify"],)]
    return is_sound(path)


# ----------------------------------------------------------------------------------------------------- a lock held long


def try_until_written(db, errors):
    """Retry on a retryable error, as a caller would."""
    while True:
        try:
            return db.queue("q").enqueue("blocking")
        except DatabaseBusyError as error:
            errors.append(error)


async def atry_until_written(db, errors, gaps_s):
    """As `try_until_written`; also returns the longest stop of the event loop."""

    async def write():
        while True:
            try:
                return await db.queue("q").aenqueue("awaiting")
            except DatabaseBusyError as error:
                errors.append(error)

    writing, last = asyncio.create_task(write()), time.monotonic()
    while not writing.done():
        await asyncio.sleep(0.001)
        now = time.monotonic()
        gaps_s.append(now - last)
        last = now
    return await writing


@pytest.mark.sqlite_only("one write lock for all")
@pytest.mark.torture(short_s=4, share=1)
def test_a_writer_that_sits_on_the_lock_costs_others_a_retry_and_never_their_event_loop(torture, path, monkeypatch):
    """Ten seconds against a timeout of five in the long form; in the short one a fifth of that."""
    timeout_s = BUSY_TIMEOUT_S if torture.is_long else BUSY_TIMEOUT_S / 5
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", timeout_s)
    errors, async_errors, gaps_s = [], [], []
    with honker.open(path) as db, honker.open(path) as other_db, write_lock_elsewhere(path) as release:
        threading.Timer(2 * timeout_s, release).start()
        blocking = threading.Thread(target=try_until_written, args=(db, errors))
        began = time.monotonic()
        blocking.start()
        asyncio.run(atry_until_written(other_db, async_errors, gaps_s))
        blocking.join()
        waited_s = time.monotonic() - began
        assert [row["payload"] for row in db.query("SELECT payload FROM _honker_live ORDER BY payload")] == [
            '"awaiting"',
            '"blocking"',
        ]
    for seen in (errors, async_errors):
        assert seen, "nobody was told that the lock did not come in time"
        assert {(error.code, error.sqlite_code) for error in seen} == {("HONKER_BUSY", sqlite3.SQLITE_BUSY)}
        assert len(seen) <= waited_s / timeout_s, "somebody was told before the timeout"
    assert max(gaps_s) < timeout_s / 2, "the wait for the lock stopped the event loop"
    torture.count("errors that were retried", len(errors) + len(async_errors))
    torture.count("ms that the event loop stood still at most", round(max(gaps_s) * 1000))


# --------------------------------------------------------------------------------------------------------- idle readers

LISTENERS = 50

IDLERS = f"""
import asyncio, sys, threading
import honker

async def slowly(feed, pause_s):
    async for _ in feed:
        await asyncio.sleep(pause_s)  # what the consumer does with it

async def main(db):
    listeners = [db.listen(f"channel {{number % 5}}") for number in range({LISTENERS})]
    consumers = [db.stream("topic").subscribe(f"consumer {{number}}") for number in range(4)]
    idle = db.queue("empty").claim("idle")
    tasks = [asyncio.create_task(slowly(listener, 0)) for listener in listeners]
    tasks += [asyncio.create_task(slowly(consumer, 0.2 * number)) for number, consumer in enumerate(consumers)]
    tasks.append(asyncio.create_task(slowly(idle, 0)))
    blocked = threading.Thread(target=next, args=(db.queue("empty").claim("blocked"),), daemon=True)
    blocked.start()
    await asyncio.sleep(0)
    print("listening", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    assert not any(task.done() for task in tasks)
    print("listened", flush=True)

db = honker.open(sys.argv[1])
asyncio.run(main(db))
"""

PINNED = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("BEGIN")
conn.execute("SELECT count(*) FROM _honker_live").fetchone()
print("listening", flush=True)
sys.stdin.readline()
print("listened", flush=True)
"""

ROWS_A_COMMIT = 10


@contextmanager
def readers(script, path):
    with running(script, path) as child:
        child.expect("listening")
        yield
        child.say()
        child.expect("listened")


def largest_wal(path, commits, checkpoint_at=None):
    """Commit jobs, events and notifications. Returns the WAL's largest size meanwhile, in units of a checkpoint.

    A unit is the number of pages at which SQLite checkpoints, which is large with honker's setting; `checkpoint_at`
    sets a smaller one, to see an effect sooner. The size comes from the file system, by name: opening the file would
    drop SQLite's locks.
    """
    largest = 0
    with honker.open(path) as db:
        if checkpoint_at is not None:
            db.engine.current._writer.scalar(f"PRAGMA wal_autocheckpoint = {checkpoint_at}")
        writer = db.engine.current._writer
        unit = writer.scalar("PRAGMA wal_autocheckpoint") * writer.scalar("PRAGMA page_size")
        for number in range(commits):
            with db.transaction() as tx:
                for _ in range(ROWS_A_COMMIT - 2):
                    db.queue("backlog").enqueue("x" * 200, tx=tx)
                db.stream("topic").publish(number, tx=tx)
                tx.notify(f"channel {number % 5}", number)
            largest = max(largest, os.stat(f"{path}-wal").st_size)
    return largest / unit


@pytest.mark.sqlite_only("the WAL of the file")
@pytest.mark.torture(short_s=4, share=2)
def test_idle_listeners_and_slow_consumers_do_not_make_the_wal_grow(torture, app):
    with readers(IDLERS, app):
        for _ in torture.rounds(at_least=1):
            # With honker's own limits: its thread begins the log again at 16 MB, SQLite at 40.
            commits = 20_000 if torture.is_long else 6_000
            assert largest_wal(app, commits) < 2
            torture.count("rows committed under idle listeners", commits * ROWS_A_COMMIT)


@pytest.mark.sqlite_only("the WAL of the file")
def test_the_wal_does_grow_under_a_reader_that_stays_in_its_transaction(app):
    """The failure that the previous test would see if a listener held a transaction."""
    with readers(PINNED, app):
        assert largest_wal(app, commits=1000, checkpoint_at=1000) > 2
