"""The state of a file at one moment, as ``honker top`` shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from honker.cli.jobs import plain
from honker.cli.listings import FEW_QUEUES, LOW_BOUND
from honker.cli.top.rates import Moves, Speed, by_queue
from honker.counters import MinuteCounts, read_counts
from honker.database import Database
from honker.sqlite.wal import wal_bytes

#: Running jobs that are read; a screen shows fewer.
_RUNNING: Final = 200

#: Queues and tasks whose counters are read.
_PAIRS: Final = 1_000

_TOTALS: Final = "SELECT honker_counter_totals(?, ?, ?)"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The state of a file.

    Attributes:
        title: The file, as the user named it.
        at: Unix seconds.
        queues: The queues with their counts and their limit.
        running: The jobs at work, the one that runs for longest first.
        workers: The registered workers.
        schedules: The enabled schedules, the next one first.
        wal_bytes: The size of the -wal.
        totals: The counters of each queue since they were turned on; None without counters.
        totals_are_cut: True if there are more queues and tasks than were read.
        last_minute: The counters of each queue in the last full minute; empty after the first look.
        speed: The rates since the looks before; None without them.
    """

    title: str
    at: float
    queues: Sequence[dict[str, Any]]
    running: Sequence[dict[str, Any]]
    workers: Sequence[dict[str, Any]]
    schedules: Sequence[dict[str, Any]]
    wal_bytes: int
    totals: Mapping[str, Moves] | None = None
    totals_are_cut: bool = False
    last_minute: Mapping[str, Moves] = field(default_factory=dict[str, Moves])
    speed: Speed | None = None

    def as_record(self) -> dict[str, Any]:
        """The facts and the rates, as values of JSON."""
        speed = self.speed
        return {
            "at": self.at,
            "queues": self.queues,
            "running": self.running,
            "workers": self.workers,
            "schedules": self.schedules,
            "wal_bytes": self.wal_bytes,
            "rates": speed
            and {
                "source": speed.source,
                "total": dict(speed.total),
                "queues": {name: moves._asdict() for name, moves in speed.queues.items()},
            },
        }


async def take(db: Database, title: str, *, is_first: bool = False) -> Snapshot:
    """Read the state of a file. Costs a few bounded reads, independent of the number of jobs.

    Args:
        db: The database.
        title: The file, as the user named it.
        is_first: True to read the counters of the last minute, too, for rates without an earlier look.
    """
    stats = await db.astats(LOW_BOUND)
    if len(stats) <= FEW_QUEUES:
        stats = await db.astats()
    queues = [{**vars(each), "concurrency": (await db.queue(each.queue).asettings()).concurrency} for each in stats]
    page = await db.ajobs(state="running", limit=_RUNNING)
    workers = [plain(each) for each in await db.aworkers()]
    since = {job["id"]: job["since"] for worker in workers for job in worker["running"]}
    running = [{**plain(each), "since": since.get(each.id)} for each in page.jobs]
    schedules = [plain(each) for each in await db.aschedules()]
    at = db.engine.clock()
    totals, last_minute = await _counters(db, at, is_first=is_first)
    return Snapshot(
        title=title,
        at=at,
        queues=sorted(queues, key=_activity),
        running=sorted(running, key=lambda job: (job["since"] or float("inf"), job["id"])),
        workers=sorted(workers, key=lambda worker: worker["name"]),
        schedules=sorted((each for each in schedules if each["enabled"]), key=lambda each: each["next_fire_at"]),
        wal_bytes=await asyncio.to_thread(wal_bytes, db.path),
        totals=None if totals is None else by_queue(totals[:_PAIRS]),
        totals_are_cut=totals is not None and len(totals) > _PAIRS,
        last_minute=by_queue(last_minute),
    )


async def _counters(db: Database, at: float, *, is_first: bool) -> tuple[list[MinuteCounts] | None, list[MinuteCounts]]:
    """The counters so far and those of the last full minute, of a bounded number of queues and tasks."""
    if not (await db.asettings()).counters:
        return None, []
    totals = read_counts(await db.engine.aask(_TOTALS, None, None, _PAIRS + 1))
    if not is_first:
        return totals, []
    began = at // 60 * 60 - 60
    return totals, [row for row in await db.acounters(minutes=2) if row.minute == began]


def _activity(queue: dict[str, Any]) -> tuple[int, str]:
    return -(queue["processing"] + queue["ready"] + queue["dead"]), queue["queue"]
