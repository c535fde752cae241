"""From commit to wake, to notification and to job, across two processes.

One process commits, another waits. Both use `time.monotonic_ns`, which is one clock for the whole machine. The writer
stamps shared memory just before it commits and just after the commit returned. The other side stamps when its wait
returns, or when it gets the notification or the job. The figure is the difference to the second stamp. It may be
negative: a commit is visible to others before it returns.
"""

import contextlib
import multiprocessing
import os
import random
import sqlite3
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import honker

from .checks import CheckError

SPAWN = multiprocessing.get_context("spawn")
QUEUE = CHANNEL = "bench"
WORKER = "worker-1"
PIPE = "pipe"
BACKENDS = {"default": None, "polling": "polling", "shm": "shm"}

# Nothing here takes longer, unless a wake was lost.
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Cell:
    """One measurement: the kind of event, the way of waiting, and the gap between commits."""

    kind: str  # "wake", "listener" or "claim"
    way: str  # a key of BACKENDS, or PIPE
    gap_ms: float
    commits: int

    @property
    def warm_up(self):
        """Commits before the measured ones."""
        return max(1, min(20, self.commits // 10))


class Stamps:
    """Instants in shared memory, one of each kind for each commit; 0 if missing."""

    def __init__(self, count):
        self.before, self.after, self.seen = (SPAWN.RawArray("q", count) for _ in range(3))

    def latencies_us(self, skipped=0):
        if not all(self.seen):
            raise CheckError(f"{list(self.seen).count(0)} of {len(self.seen)} commits went unnoticed")
        return [(seen - after) / 1000 for seen, after in list(zip(self.seen, self.after, strict=True))[skipped:]]

    def latencies_with_commit_us(self, skipped=0):
        return [(seen - before) / 1000 for seen, before in list(zip(self.seen, self.before, strict=True))[skipped:]]


# ------------------------------------------------------------------------------------------------------------- one cell


def measure(cell, folder):
    """The stamps of one cell, measured in a new database."""
    stamps = Stamps(cell.commits)
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        path = str(Path(inner) / "wake.db")
        create(path)
        receiver, sender = SPAWN.Pipe(duplex=False)
        waiter = SPAWN.Process(target=wait_for_commits, args=(cell, path, stamps, receiver), daemon=True)
        ready = SPAWN.Event()
        writer = SPAWN.Process(target=commit_with_gaps, args=(cell, path, stamps, sender, ready), daemon=True)
        waiter.start()
        writer.start()
        wait_for_line_of(stamps, waiter)
        ready.set()
        for process in (writer, waiter):
            process.join(cell.commits * (cell.gap_ms / 1000 * 1.3 + 0.1) + PATIENCE_S)
            if process.exitcode != 0:
                waiter.kill()
                writer.kill()
                raise CheckError(f"{cell}: {process.name} ended with {process.exitcode}")
    return stamps


def create(path):
    with honker.open(path) as db, db.transaction() as tx:
        tx.execute("CREATE TABLE commits (number INTEGER PRIMARY KEY)")


def wait_for_line_of(stamps, waiter):
    """Wait until the waiter marks the first place of `seen`, which it does when it waits."""
    deadline = time.monotonic() + PATIENCE_S
    while stamps.seen[0] == 0:
        if time.monotonic() > deadline or not waiter.is_alive():
            raise CheckError("the waiting process did not start")
        time.sleep(0.005)
    stamps.seen[0] = 0


def commit_with_gaps(cell, path, stamps, sender, ready):
    """Commit as the writer. Gaps vary by a fifth, so that no poller runs in step with them."""
    chance = random.Random(cell.gap_ms)
    with contextlib.ExitStack() as stack:
        commit = commit_function(cell, path, sender, stack)
        ready.wait(PATIENCE_S)
        time.sleep(0.05)  # the other side begins to wait
        for number in range(cell.commits):
            stamps.before[number] = time.monotonic_ns()
            commit(number)
            stamps.after[number] = time.monotonic_ns()
            time.sleep(cell.gap_ms / 1000 * chance.uniform(0.8, 1.2))


def commit_function(cell, path, sender, stack):
    if cell.way == PIPE:
        return lambda number: os.write(sender.fileno(), number.to_bytes(8, "little"))
    if cell.kind == "listener":
        db = stack.enter_context(honker.open(path))
        return lambda number: db.notify(CHANNEL, number)
    if cell.kind == "claim":
        return stack.enter_context(honker.open(path)).queue(QUEUE).enqueue
    conn = stack.enter_context(contextlib.closing(sqlite3.connect(path, isolation_level=None)))
    conn.execute("PRAGMA synchronous = NORMAL")
    return lambda number: conn.execute("INSERT INTO commits VALUES (?)", (number,))


def wait_for_commits(cell, path, stamps, receiver):
    """Wait for commits, as the process that is woken."""
    if cell.way == PIPE:
        wait_for_bytes(stamps, receiver.fileno(), cell.commits)
        return
    with honker.open(path, watcher_backend=BACKENDS[cell.way]) as db:
        if cell.kind == "listener":
            listen(db, stamps, cell.commits)
        elif cell.kind == "claim":
            handle_jobs(db, stamps, cell.commits)
        else:
            wait_for_wakes(db, path, stamps, cell.commits)


def wait_for_bytes(stamps, descriptor, count):
    stamps.seen[0] = 1
    for _ in range(count):
        number = os.read(descriptor, 8)
        now = time.monotonic_ns()
        stamps.seen[int.from_bytes(number, "little")] = now


def handle_jobs(db, stamps, count):
    with db.queue(QUEUE).claim(WORKER, idle_poll_s=None) as jobs:
        stamps.seen[0] = 1
        for job in jobs:
            stamps.seen[job.payload] = time.monotonic_ns()
            job.ack()
            if job.payload == count - 1:
                return


def listen(db, stamps, count):
    with db.listen(CHANNEL, fallback_poll_s=None) as notifications:
        stamps.seen[0] = 1
        for notification in notifications:
            stamps.seen[notification.payload] = time.monotonic_ns()
            if notification.payload == count - 1:
                return


def wait_for_wakes(db, path, stamps, count):
    """Stamp each commit at the first wake after which a read sees it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as conn:
        updates = db.update_events()
        stamps.seen[0] = 1
        noticed = 0
        while noticed < count:
            if not updates.wait(PATIENCE_S):
                raise CheckError(f"no wake after commit {noticed}")
            now = time.monotonic_ns()
            (last,) = conn.execute("SELECT ifnull(max(number), -1) FROM commits").fetchone()
            # Later commits cause another wake.
            while noticed <= last and stamps.before[noticed] <= now:
                stamps.seen[noticed] = now
                noticed += 1


# ----------------------------------------------------------------------------------------------------------- after idle


def measure_after_idle(way, kinds, count, idle_s, folder):
    """Latencies of the first commit after a long silence, one in each of `count` databases for each kind.

    Returns:
        By kind, a list of microseconds.
    """
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        places = [(kind, str(Path(inner) / f"{kind}{number}.db")) for kind in kinds for number in range(count)]
        for kind, path in places:
            if kind != PIPE:
                create(path)
        pipes = [SPAWN.Pipe(duplex=False) if kind == PIPE else (None, None) for kind, _ in places]
        stamps = Stamps(len(places))
        started = SPAWN.Semaphore(0)
        receivers, senders = [list(ends) for ends in zip(*pipes, strict=True)]
        waiter = SPAWN.Process(target=wait_after_idle, args=(way, places, receivers, stamps, started), daemon=True)
        writer = SPAWN.Process(target=commit_after_idle, args=(places, senders, stamps, started, idle_s), daemon=True)
        waiter.start()
        writer.start()
        for process in (writer, waiter):
            process.join(idle_s + len(places) + PATIENCE_S)
            if process.exitcode != 0:
                waiter.kill()
                writer.kill()
                raise CheckError(f"after idle, {way}: {process.name} ended with {process.exitcode}")
    latencies = {kind: [] for kind in kinds}
    for (kind, _), latency in zip(places, stamps.latencies_us(), strict=True):
        latencies[kind].append(latency)
    return latencies


def wait_after_idle(way, places, receivers, stamps, started):
    """Start a thread for each database, which waits as a worker does."""
    threads = [
        threading.Thread(target=wait_once, args=(way, place, receiver, Mark(stamps, number, started)))
        for number, (place, receiver) in enumerate(zip(places, receivers, strict=True))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dataclass(frozen=True)
class Mark:
    """The place where one of several waiters leaves its result."""

    stamps: Stamps
    number: int
    started: Any

    @property
    def is_due(self):
        return self.stamps.before[self.number] != 0

    def now(self):
        self.stamps.seen[self.number] = time.monotonic_ns()


def wait_once(way, place, receiver, mark):
    kind, path = place
    if kind == PIPE:
        mark.started.release()
        os.read(receiver.fileno(), 8)
        mark.now()
        return
    with honker.open(path, watcher_backend=BACKENDS[way]) as db:
        if kind == "claim":
            with db.queue(QUEUE).claim(WORKER, idle_poll_s=None) as jobs:
                mark.started.release()
                job = next(jobs)
                mark.now()
                job.ack()
            return
        updates = db.update_events()
        mark.started.release()
        while not mark.is_due:  # a wake may have no commit
            updates.wait(None)
            mark.now()


def commit_after_idle(places, senders, stamps, started, idle_s):
    with contextlib.ExitStack() as stack:
        cells = [Cell(kind, PIPE if kind == PIPE else "default", 0, 1) for kind, _ in places]
        commits = [
            commit_function(cell, path, sender, stack)
            for cell, (_, path), sender in zip(cells, places, senders, strict=True)
        ]
        for _ in places:
            started.acquire()
        time.sleep(idle_s)
        order = list(range(len(places)))
        random.Random(len(places)).shuffle(order)
        for number in order:
            stamps.before[number] = time.monotonic_ns()
            commits[number](number)
            stamps.after[number] = time.monotonic_ns()
            time.sleep(min(0.5, idle_s / 100))  # each database separately, after its own silence
