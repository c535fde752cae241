"""Commits whose writers wait until they were noticed: one lost wake stops everything.

Each writer commits a number, waits until every consumer reports it as read, and then commits the next. Consumers wait
for a wake without a timeout. So each writer has at most one unread commit, and with one writer no commit can replace
the lost wake of another. Among the commits are rollbacks, checkpoints that truncate the WAL, and VACUUMs. Every other
writer is a plain `sqlite3` connection without the extension.
"""

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import honker

from .checks import CheckError
from .latency import SPAWN

SAFETY_TICK_MS = 100
# No progress for this long means a lost wake.
STANDSTILL_S = 30.0

ROLLBACK_EVERY = 10
CHECKPOINT_EVERY = 500
VACUUM_EVERY = 5_000

ROOT = Path(__file__).resolve().parents[2]
QUEUED_EVENTS = Path("/proc/sys/fs/inotify/max_queued_events")


@dataclass(frozen=True)
class Phase:
    """A number of writers that share a number of commits, and the way in which their consumers' events are broken."""

    writers: int
    commits: int
    lost_percent: int = 0
    is_overflowing: bool = False

    @property
    def share(self):
        return self.commits // self.writers

    @property
    def title(self):
        broken = f", {self.lost_percent} % of events lost" if self.lost_percent else ""
        if self.is_overflowing:
            broken = ", event queue of one, so that it overflows"
        return f"{self.writers} writer{'s' if self.writers > 1 else ''}{broken}"


def phases(commits, broken):
    """One, four and eight writers that share `commits`; then `broken` commits with broken events."""
    share = commits // 5
    listed = [
        Phase(1, commits - 3 * share),
        Phase(4, share),
        Phase(8, 2 * share),
        Phase(4, broken, lost_percent=30),
        Phase(4, broken, lost_percent=100),
    ]
    if can_overflow():
        listed.append(Phase(4, broken, is_overflowing=True))
    return listed


def can_overflow():
    return os.access(QUEUED_EVENTS, os.W_OK)


def run(phase, folder):
    """Run a phase, and return the consumers' figures. Raises an error if nothing moves."""
    consumers = ("threads", "asyncio")
    with tempfile.TemporaryDirectory(dir=folder) as inner, contextlib.ExitStack() as stack:
        path = str(Path(inner) / "lost.db")
        create(path, phase.writers)
        # Number and instant of each writer's last commit, then the count of finished writers.
        stamps = SPAWN.RawArray("q", 2 * phase.writers)
        pipes = [SPAWN.Pipe(duplex=False) for _ in range(phase.writers)]
        reports = [SPAWN.Pipe(duplex=False) for _ in consumers]
        started = SPAWN.Semaphore(0)
        processes = []
        with short_event_queue() if phase.is_overflowing else contextlib.nullcontext():
            for form, (_, report) in zip(consumers, reports, strict=True):
                senders = [sender for _, sender in pipes]
                arguments = {"phase": phase, "stamps": stamps, "senders": senders, "report": report, "started": started}
                processes.append(SPAWN.Process(target=consume, args=(form, path), kwargs=arguments, daemon=True))
                processes[-1].start()
                stack.callback(processes[-1].kill)
            for _ in consumers:
                if not started.acquire(timeout=STANDSTILL_S):
                    raise CheckError("a consumer did not start")
        began = time.monotonic()
        for number, (receiver, _) in enumerate(pipes):
            arguments = {"share": phase.share, "consumers": len(consumers), "stamps": stamps, "receiver": receiver}
            processes.append(SPAWN.Process(target=write, args=(number, path), kwargs=arguments, daemon=True))
            processes[-1].start()
            stack.callback(processes[-1].kill)
        watch(processes, stamps)
        seconds = time.monotonic() - began
        seen = [receiver.recv() for receiver, _ in reports]
    return {
        "title": phase.title,
        "writers": phase.writers,
        "commits": phase.share * phase.writers,
        "seconds": seconds,
        "consumers": [{"form": form, **each} for form, each in zip(consumers, seen, strict=True)],
    }


@contextlib.contextmanager
def short_event_queue():
    """Give new inotify instances room for one event only, within the context."""
    before = QUEUED_EVENTS.read_text()
    QUEUED_EVENTS.write_text("1")
    try:
        yield
    finally:
        QUEUED_EVENTS.write_text(before)


def watch(processes, stamps):
    """Wait until all have ended. Raises an error if one fails, or if nothing moves."""
    seen, moved_at = None, time.monotonic()
    while any(process.is_alive() for process in processes):
        failed = [process.name for process in processes if process.exitcode]
        if failed:
            raise CheckError(f"{failed} failed")
        now = list(stamps)
        if now != seen:
            seen, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > STANDSTILL_S:
            raise CheckError(f"A WAKE WAS LOST: nothing moved for {STANDSTILL_S} s; commits {list(stamps)[::2]}")
        time.sleep(0.02)
    if any(process.exitcode for process in processes):
        raise CheckError("a process failed")


def create(path, writers):
    with honker.open(path) as db, db.transaction() as tx:
        tx.execute("CREATE TABLE progress (writer INTEGER PRIMARY KEY, number INTEGER NOT NULL)")
        for writer in range(writers):
            tx.execute("INSERT INTO progress VALUES (?, 0)", (writer,))


# -------------------------------------------------------------------------------------------------------------- writers

UPDATE = "UPDATE progress SET number = ? WHERE writer = ?"


def write(writer, path, *, share, consumers, stamps, receiver):
    with contextlib.ExitStack() as stack:
        conn = stack.enter_context(contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=60)))
        conn.execute("PRAGMA synchronous = OFF")  # only wakes matter here, not the disk
        db = stack.enter_context(honker.open(path)) if writer % 2 else None
        for number in range(1, share + 1):
            disturb(conn, writer, number)
            commit(conn, db, (number, writer))
            stamps[2 * writer + 1] = time.monotonic_ns()
            stamps[2 * writer] = number
            for _ in range(consumers):
                os.read(receiver.fileno(), 1)


def commit(conn, db, parameters):
    if db is None:
        conn.execute(UPDATE, parameters)
        return
    while True:
        try:
            with db.transaction() as tx:
                tx.execute(UPDATE, parameters)
        except honker.DatabaseBusyError:
            continue
        return


def disturb(conn, writer, number):
    """Make changes that are no commit, or more than one."""
    if number % ROLLBACK_EVERY == 0:
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(UPDATE, (-1, writer))
        conn.execute("ROLLBACK")
    # Other connections may be reading or writing: then these do nothing, or only a part.
    with contextlib.suppress(sqlite3.OperationalError):
        if number % CHECKPOINT_EVERY == 0:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if writer == 0 and number % VACUUM_EVERY == 0:
            conn.execute("VACUUM")


# ------------------------------------------------------------------------------------------------------------ consumers


class Consumer:
    """Reads committed numbers, reports them to the writers, and records the latencies."""

    def __init__(self, path, phase, stamps, senders):
        self._conn = sqlite3.connect(path, isolation_level=None, timeout=60)
        self._share = phase.share
        self._stamps = stamps
        self._senders = senders
        self._numbers = [0] * phase.writers
        self.wakes = 0
        self.latest_ns = []

    @property
    def is_done(self):
        return all(number == self._share for number in self._numbers)

    def read(self):
        """Read after each wake, and once before the first."""
        now = time.monotonic_ns()
        for writer, number in self._conn.execute("SELECT writer, number FROM progress").fetchall():
            if number == self._numbers[writer]:
                continue
            if number != self._numbers[writer] + 1:
                raise CheckError(f"writer {writer} was seen at {number} after {self._numbers[writer]}")
            self._numbers[writer] = number
            # Otherwise the commit was seen before it returned to the writer.
            is_stamped = self._stamps[2 * writer] == number
            self.latest_ns.append(max(0, now - self._stamps[2 * writer + 1]) if is_stamped else 0)
            os.write(self._senders[writer].fileno(), b".")

    def report(self, stats):
        ordered = sorted(self.latest_ns)
        return {
            "noticed": len(ordered),
            "wakes": self.wakes,
            "p50_us": ordered[len(ordered) // 2] / 1000,
            "p99_us": ordered[len(ordered) * 99 // 100] / 1000,
            "p999_us": ordered[len(ordered) * 999 // 1000] / 1000,
            "max_ms": ordered[-1] / 1e6,
            "over_safety_tick": sum(each > SAFETY_TICK_MS * 1_000_000 for each in ordered),
            "mode": stats["mode"],
            "events": stats["events"],
            "missed": stats["missed"],
        }


def faults_build():
    """The library that can lose events; the one that is shipped cannot."""
    name = Path(honker.extension_info()[0]).name
    library = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "faults" / "debug" / name
    if not library.exists():
        raise FileNotFoundError(f"{library} is missing; run `make build-faults` first")
    return library


def consume(form, path, *, phase, stamps, senders, report, started):
    if phase.lost_percent:
        os.environ["HONKER_TEST_LOSE_EVENTS"] = str(phase.lost_percent)
        os.environ["HONKER_EXTENSION_PATH"] = str(faults_build())
    with honker.open(path) as db:
        updates = db.update_events()
        consumer = Consumer(path, phase, stamps, senders)
        started.release()
        consumer.read()
        if form == "asyncio":
            asyncio.run(consume_async(consumer, updates))
        else:
            while not consumer.is_done:
                updates.wait(None)
                consumer.wakes += 1
                consumer.read()
        report.send(consumer.report(updates.stats()))


async def consume_async(consumer, updates):
    while not consumer.is_done:
        await updates.wait_async(None)
        consumer.wakes += 1
        consumer.read()
