"""One process that commits all the time and one that claims, with checkpoints in different ways."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import honker

from .checks import CheckError, check
from .latency import PATIENCE_S, QUEUE, SPAWN, WORKER

GAP_S = 0.0003
SAMPLE_S = 0.02
END = -1

THREAD, COMMITS, NONE = "in a thread", "in commits", "none"
WAYS = (THREAD, COMMITS, NONE)


@dataclass
class Seen:
    """The measured times of one run; `seconds` is its length."""

    seconds: float
    claims_us: list
    enqueues_us: list
    largest_log_bytes: int


def measure(way, seconds, folder):
    """Commit for a number of seconds into a new database."""
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        path = str(Path(inner) / "tail.db")
        honker.open(path).close()
        answers, claimed, stop = SPAWN.Queue(), SPAWN.Queue(), SPAWN.Event()
        ready = SPAWN.Event()
        claimer = SPAWN.Process(target=claim_all, args=(way, path, ready, claimed), daemon=True)
        writer = SPAWN.Process(target=enqueue_all, args=(way, path, ready, stop, answers), daemon=True)
        for process in (claimer, writer):
            process.start()
        if not ready.wait(PATIENCE_S):
            raise CheckError("the claiming process did not start")
        largest = largest_log(path, seconds)
        stop.set()
        enqueued = answers.get(timeout=PATIENCE_S)
        seen = claimed.get(timeout=PATIENCE_S)
        for process in (claimer, writer):
            process.join(PATIENCE_S)
            check(process.exitcode, 0, f"exit code of {process.name}")
    check(len(seen), len(enqueued), "claimed jobs")
    return Seen(
        seconds,
        [(at - after) / 1000 for at, (_, after) in zip(seen, enqueued, strict=True)],
        [(after - before) / 1000 for before, after in enqueued],
        largest,
    )


def largest_log(path, seconds):
    """Watch the size of the log. Its file is never opened, because closing it would drop SQLite's locks."""
    largest, ends_at = 0, time.monotonic() + seconds
    while time.monotonic() < ends_at:
        largest = max(largest, os.stat(f"{path}-wal").st_size)
        time.sleep(SAMPLE_S)
    return largest


def choose(way, db):
    """Make the checkpoints of a handle in a certain way."""
    writer = db.engine.current._writer
    if way != THREAD:
        writer._checkpointer.close()
        writer._checkpointer = None
    if way == NONE:
        writer._checkpoint_pages = 0
        writer.run("PRAGMA wal_autocheckpoint = 0")


def enqueue_all(way, path, ready, stop, answers):
    stamps = []
    with honker.open(path) as db:
        choose(way, db)
        queue = db.queue(QUEUE)
        ready.wait(PATIENCE_S)
        while not stop.is_set():
            before = time.monotonic_ns()
            queue.enqueue(len(stamps))
            stamps.append((before, time.monotonic_ns()))
            time.sleep(GAP_S)
        queue.enqueue(END)
        answers.put(stamps)


def claim_all(way, path, ready, claimed):
    seen = []
    with honker.open(path) as db, db.queue(QUEUE).claim(WORKER, idle_poll_s=None) as jobs:
        choose(way, db)
        ready.set()
        for job in jobs:
            at = time.monotonic_ns()
            job.ack()
            if job.payload == END:
                break
            check(job.payload, len(seen), "the order of jobs")
            seen.append(at)
    claimed.put(seen)
