"""The facts of a file that its metrics show, read at a bounded cost."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from honker.counters import MinuteCounts, read_counts
from honker.database import Database
from honker.queue.settings import QueueSettings
from honker.queue.stats import QueueStats
from honker.schedule.scheduler import ScheduleInfo
from honker.sqlite.wal import wal_bytes
from honker.worker.listing import WorkerInfo

_QUEUES: Final = "SELECT honker_queue_list(?, ?, ?)"
_TOTALS: Final = "SELECT honker_counter_totals(?, ?, ?)"
_NEXT_CLAIM_AT: Final = "SELECT honker_queue_next_claim_at(?)"
_SETTINGS: Final = "SELECT honker_queue_settings(?)"
_STREAMS: Final = "SELECT honker_stream_list(?, ?)"

#: Jobs that are counted in one state of all queues together: some 40 ms for all states.
_COUNTED: Final = 100_000

#: Topics in one page, and pages; a page takes 28 ms at most.
_TOPICS: Final = 500
_PAGES: Final = 4


@dataclass(kw_only=True)
class Facts:
    """The state of a file.

    Attributes:
        at: Unix seconds.
        count_limit: The number at which the counts of jobs stop.
        queues: The queues with their counts.
        blocked: The ready jobs that no worker may claim now, by queue and reason.
        workers: The registered workers.
        totals: The counters by queue and task.
        schedules: The enabled schedules.
        lags: The lag of each consumer, by topic and name.
        wal_bytes: The size of the -wal.
        incomplete: For each list, True if it was cut at its limit.
    """

    at: float
    count_limit: int
    queues: list[QueueStats]
    blocked: dict[tuple[str, str], int]
    workers: list[WorkerInfo]
    totals: list[MinuteCounts]
    schedules: list[ScheduleInfo]
    lags: dict[tuple[str, str], int]
    wal_bytes: int
    incomplete: dict[str, bool] = field(default_factory=dict[str, bool])


def read_facts(db: Database, count_limit: int, limit: int) -> Facts:
    """Read the state of a file.

    Args:
        db: The database.
        count_limit: The largest number of jobs to count in a state of a queue. Smaller if there are many queues.
        limit: The largest number of queues, of pairs of a queue and a task, of schedules and of consumers.
    """
    queues, count_limit, queues_are_cut = _queues(db, count_limit, limit)
    totals = read_counts(db.engine.ask(_TOTALS, None, None, limit + 1))
    schedules = [each for each in db.schedules() if each.enabled]
    lags, lags_are_cut = _lags(db, limit)
    at = db.engine.clock()
    return Facts(
        at=at,
        count_limit=count_limit,
        queues=queues,
        blocked=_blocked(db, queues, at),
        workers=db.workers(),
        totals=totals[:limit],
        schedules=schedules[:limit],
        lags=lags,
        wal_bytes=wal_bytes(db.path),
        incomplete={
            "queues": queues_are_cut,
            "tasks": len(totals) > limit,
            "schedules": len(schedules) > limit,
            "consumers": lags_are_cut,
        },
    )


def _queues(db: Database, count_limit: int, limit: int) -> tuple[list[QueueStats], int, bool]:
    """The counts of up to ``limit`` queues, the number at which they stop, and True if there are more queues."""
    least = min(count_limit, max(1, _COUNTED // limit))
    rows: list[dict[str, Any]] = json.loads(db.engine.ask(_QUEUES, None, limit + 1, least))
    most = min(count_limit, max(least, _COUNTED // max(1, len(rows))))
    is_cut = len(rows) > limit
    if most > least:
        rows = json.loads(db.engine.ask(_QUEUES, None, limit, most))
    return [QueueStats(**row) for row in rows[:limit]], most, is_cut


def _lags(db: Database, limit: int) -> tuple[dict[tuple[str, str], int], bool]:
    """The lags of up to ``limit`` consumers, and True if there are more."""
    lags: dict[tuple[str, str], int] = {}
    after: str | None = None
    for _ in range(_PAGES):
        page = json.loads(db.engine.ask(_STREAMS, after, _TOPICS))
        is_cut = not all(stream["consumers_are_complete"] for stream in page["streams"])
        for stream in page["streams"]:
            for consumer in stream["consumers"]:
                if len(lags) == limit:
                    return lags, True
                lags[stream["topic"], consumer["name"]] = consumer["lag"]
        after = page["next"]
        if after is None or is_cut:
            return lags, is_cut
    return lags, True


def _blocked(db: Database, queues: list[QueueStats], now: float) -> dict[tuple[str, str], int]:
    """The jobs that are due and may not start, by queue and reason."""
    found: dict[tuple[str, str], int] = {}
    for queue in queues:
        found[queue.queue, "key"] = queue.blocked
        found[queue.queue, "parents"] = queue.waiting
        reasons: dict[str, int] = {"pause": 0, "concurrency": 0, "rate": 0}
        if queue.ready:
            reason = "pause" if queue.paused_at is not None else _limit_of(db, queue, now)
            if reason is not None:
                reasons[reason] = queue.ready
        found |= {(queue.queue, reason): count for reason, count in reasons.items()}
    return found


def _limit_of(db: Database, queue: QueueStats, now: float) -> str | None:
    """The limit that keeps the ready jobs of a queue from starting, or None.

    Not by `Database.queue`, which would fix the options of a queue that the application opens later with its own.
    """
    at: float = db.engine.ask(_NEXT_CLAIM_AT, queue.queue)
    if 0 < at <= now:
        return None
    settings = QueueSettings.of(json.loads(db.engine.ask(_SETTINGS, queue.queue)))
    if settings.concurrency is not None and queue.processing >= settings.concurrency:
        return "concurrency"
    return None if settings.rate is None else "rate"
