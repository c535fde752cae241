"""The state of a file at one moment, as ``honker top`` shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from honker.cli.jobs import plain
from honker.cli.listings import FEW_QUEUES, LOW_BOUND
from honker.database import Database
from honker.metrics.wal import wal_bytes

#: Running jobs that are read; a screen shows fewer.
_RUNNING: Final = 200


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
    """

    title: str
    at: float
    queues: Sequence[dict[str, Any]]
    running: Sequence[dict[str, Any]]
    workers: Sequence[dict[str, Any]]
    schedules: Sequence[dict[str, Any]]
    wal_bytes: int


async def take(db: Database, title: str) -> Snapshot:
    """Read the state of a file. Costs a few bounded reads, independent of the number of jobs."""
    stats = await db.astats(LOW_BOUND)
    if len(stats) <= FEW_QUEUES:
        stats = await db.astats()
    queues = [{**vars(each), "concurrency": (await db.queue(each.queue).asettings()).concurrency} for each in stats]
    page = await db.ajobs(state="running", limit=_RUNNING)
    workers = [plain(each) for each in await db.aworkers()]
    since = {job["id"]: job["since"] for worker in workers for job in worker["running"]}
    running = [{**plain(each), "since": since.get(each.id)} for each in page.jobs]
    schedules = [plain(each) for each in await db.aschedules()]
    return Snapshot(
        title=title,
        at=db.engine.clock(),
        queues=sorted(queues, key=_activity),
        running=sorted(running, key=lambda job: (job["since"] or float("inf"), job["id"])),
        workers=sorted(workers, key=lambda worker: worker["name"]),
        schedules=sorted((each for each in schedules if each["enabled"]), key=lambda each: each["next_fire_at"]),
        wal_bytes=await asyncio.to_thread(wal_bytes, db.path),
    )


def _activity(queue: dict[str, Any]) -> tuple[int, str]:
    return -(queue["processing"] + queue["ready"] + queue["dead"]), queue["queue"]
