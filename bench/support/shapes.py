"""The databases of `growth.py`: rows of one kind in a given number, and the operations measured next to them."""

import contextlib
import itertools
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

QUEUE = "bench"
WORKER = "worker-1"
A_DAY_S = 86_400
NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"

# Written by plain SQL, which is faster than bringing a million jobs into these states one by one. All payloads are 1.
READY = f"""INSERT INTO _honker_live (queue, payload, run_at)
{NUMBERS} SELECT '{QUEUE}', '1', unixepoch() - 1 - n FROM numbers"""
OTHER = f"""INSERT INTO _honker_live (queue, payload, run_at)
{NUMBERS} SELECT 'another', '1', unixepoch() - 1 - n FROM numbers"""
DELAYED = f"""INSERT INTO _honker_live (queue, payload, run_at)
{NUMBERS} SELECT '{QUEUE}', '1', unixepoch() + {A_DAY_S} + n FROM numbers"""
DELAYED_HIGHER = f"""INSERT INTO _honker_live (queue, payload, priority, run_at)
{NUMBERS} SELECT '{QUEUE}', '1', 1, unixepoch() + {A_DAY_S} + n FROM numbers"""
IN_FLIGHT = f"""INSERT INTO _honker_live (queue, payload, state, worker_id, attempts, claim_expires_at)
{NUMBERS} SELECT '{QUEUE}', '1', 'processing', 'somebody', 1, unixepoch() + {A_DAY_S} + n FROM numbers"""
DEAD = f"""INSERT INTO _honker_dead (id, queue, payload, attempts, max_attempts)
{NUMBERS} SELECT n, '{QUEUE}', '1', 3, 3 FROM numbers"""
RESULTS = f"""INSERT INTO _honker_results (job_id, value, expires_at)
{NUMBERS} SELECT n, '1', unixepoch() + {A_DAY_S} FROM numbers"""
EVENTS = f"""INSERT INTO _honker_stream (topic, payload)
{NUMBERS} SELECT '{QUEUE}', '1' FROM numbers"""
A_FEW_EVENTS = EVENTS.replace("?", "10000")
CONSUMERS = f"""INSERT INTO _honker_stream_consumers (name, topic, "offset")
{NUMBERS} SELECT 'consumer-' || n, '{QUEUE}', n FROM numbers"""
UP_TO_1000_CONSUMERS = CONSUMERS.replace("?", "min(?, 1000)")
IN_EACH_QUEUE = 100
QUEUES = f"""INSERT INTO _honker_live (queue, payload, run_at)
{NUMBERS.replace("?", f"? * {IN_EACH_QUEUE}")} SELECT '{QUEUE}-' || (n % ?), '1', unixepoch() - 1 - n FROM numbers"""


# `stats` counts rows up to a limit; the first is the default. Below the limit its time grows with the count, which is
# unavoidable. The rest of the curve must be flat.
COUNTED, COUNTED_OF_FEW = 10_000, 100
STATS, STATS_OF_FEW = f"stats, counting to {COUNTED:,}", f"stats, counting to {COUNTED_OF_FEW}"
JUDGED_FROM = {STATS: COUNTED, STATS_OF_FEW: COUNTED_OF_FEW}


# `stats` counts rows up to a limit; the first is the default. Below the limit its time grows with the count, which is
# unavoidable. The rest of the curve must be flat.
COUNTED, COUNTED_OF_FEW = 10_000, 100
STATS, STATS_OF_FEW = f"stats, counting to {COUNTED:,}", f"stats, counting to {COUNTED_OF_FEW}"
JUDGED_FROM = {STATS: COUNTED, STATS_OF_FEW: COUNTED_OF_FEW}


@dataclass(frozen=True)
class Operation:
    """A timed operation. If `is_rare`, it runs only at every tenth turn, because it may be slow."""

    run: Callable[[], object]
    is_rare: bool = False


@dataclass(frozen=True)
class Shape:
    """Rows of one kind, by their number, and the operations timed next to them."""

    title: str
    build: Callable
    operations: Callable
    sizes: list[int] | None = None


def filled(*statements):
    """Run the statements with the number of rows for each of their parameters."""

    def build(db, size):
        # A separate connection, because building a million rows fills the cache of the connection that does it.
        with contextlib.closing(sqlite3.connect(db.path, isolation_level=None, timeout=60)) as conn:
            conn.execute("PRAGMA synchronous = OFF")
            for statement in statements:
                conn.execute(statement, [size] * statement.count("?"))
        checkpoint(db)

    return build


def checkpoint(db):
    """Empty the WAL, so that no measurement pays for the writes of another."""
    with contextlib.closing(sqlite3.connect(db.path, isolation_level=None, timeout=60)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def job_operations(db):
    """Each turn adds a job, claims the next one and acknowledges it, so that the number of rows stays constant."""
    queue = db.queue(QUEUE)
    claimed = []

    def ack():
        if not claimed.pop().ack():
            raise RuntimeError("a job could not be acknowledged")

    operations = {
        "enqueue": Operation(lambda: queue.enqueue(1)),
        "claim": Operation(lambda: claimed.append(queue.claim_one(WORKER))),
        "ack": Operation(ack),
        "next_claim_at": Operation(queue.next_claim_at),
        "is_claimable": Operation(queue.is_claimable),
    }
    if hasattr(queue, "stats"):
        operations[STATS] = Operation(lambda: queue.stats(COUNTED), is_rare=True)
        operations[STATS_OF_FEW] = Operation(lambda: queue.stats(COUNTED_OF_FEW))
    return operations


def result_operations(db):
    queue = db.queue(QUEUE)
    numbers = itertools.count(1)
    last = db.query("SELECT max(job_id) AS n FROM _honker_results")[0]["n"]
    return {
        "save_result": Operation(lambda: queue.save_result(last + next(numbers), 1, A_DAY_S)),
        "get_result": Operation(lambda: queue.get_result(last // 2)),
    }


def event_operations(db):
    stream = db.stream(QUEUE)
    middle = db.query('SELECT max("offset") / 2 AS n FROM _honker_stream')[0]["n"]
    offsets = itertools.count(2_000_000)
    return {
        "publish": Operation(lambda: stream.publish(1)),
        "read 10 events": Operation(lambda: stream.read_since(middle, 10)),
        "save_offset": Operation(lambda: stream.save_offset("consumer-7", next(offsets))),
        "get_offset": Operation(lambda: stream.get_offset("consumer-9")),
    }


def live_count(db):
    return db.query("SELECT count(*) AS n FROM _honker_live")[0]["n"]


SHAPES = {
    "ready": Shape("ready jobs", filled(READY), job_operations),
    "delayed": Shape("delayed jobs", filled(DELAYED), job_operations),
    "delayed_higher": Shape("delayed jobs of a higher priority", filled(DELAYED_HIGHER), job_operations),
    "in_flight": Shape("jobs in flight", filled(IN_FLIGHT), job_operations),
    "dead": Shape("dead jobs", filled(DEAD), job_operations),
    "other": Shape("jobs of another queue", filled(OTHER), job_operations),
    "results": Shape("results", filled(RESULTS), result_operations),
    "events": Shape("events, and up to 1,000 consumers", filled(EVENTS, UP_TO_1000_CONSUMERS), event_operations),
    "consumers": Shape(
        "consumers of 10,000 events", filled(A_FEW_EVENTS, CONSUMERS), event_operations, [10, 100, 1_000]
    ),
    "queues": Shape(f"queues with {IN_EACH_QUEUE} jobs each", filled(QUEUES), job_operations, [10, 100, 1_000]),
}
