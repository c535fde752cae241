"""Counters of the moves of jobs, and the settings of a file that record them: methods of `honker.Database`."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from honker import serialization
from honker.arguments import whole
from honker.engine import Handle
from honker.records import Record

_PER_PAGE: Final = 1_000
#: The totals of a call, as many queues and tasks as a call of `Database.counters` looks at.
_MOST_TOTALS: Final = 5_000

_CONFIGURE: Final = "SELECT honker_file_configure(?)"
_SETTINGS: Final = "SELECT honker_file_settings()"
_MINUTES: Final = "SELECT honker_counter_minutes(?, ?)"
_TOTALS: Final = "SELECT honker_counter_totals(?, ?, ?)"

#: The topic of the events that `configure` turns on.
EVENTS_TOPIC: Final = "honker.events"


@dataclass(frozen=True, kw_only=True, eq=False)
class FileSettings(Record):
    """The settings of a file.

    Attributes:
        counters: True if the moves of jobs are counted by minute; see `Database.counters`.
        events: True if each move is published to the stream ``honker.events``.
    """

    counters: bool
    events: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class MinuteCounts(Record):
    """The moves of the jobs of one queue and task in one minute, or all so far.

    Attributes:
        queue: The queue's name.
        task: The task's name; empty for jobs that call no task.
        minute: Unix seconds at which the minute began; of a total, that of the last move.
        enqueued: Jobs that were added.
        claimed: Claims.
        done: Jobs that succeeded.
        failed: Attempts that failed.
        retried: Failed attempts that another one follows.
        dead: Jobs that became dead letters.
        cancelled: Jobs that were cancelled.
        snoozed: Claims that their handlers put off.
        released: Claims that were given back.
        lapsed: Claims whose lease lapsed, of jobs that wait again.
        runs: Attempts whose running time is known: those of `honker.Worker`.
        run_s: The seconds that they ran, together.
        run_max_s: The longest of them in the minute.
        wait_s: Seconds from the time at which the claimed jobs were due, together. A job that is enqueued to run at
            once counts from the second in which it was enqueued.
        wait_max_s: The longest of them in the minute.
    """

    queue: str
    task: str
    minute: int
    enqueued: int
    claimed: int
    done: int
    failed: int
    retried: int
    dead: int
    cancelled: int
    snoozed: int
    released: int
    lapsed: int
    runs: int
    run_s: float
    run_max_s: float
    wait_s: float
    wait_max_s: float


class CounterList(list[MinuteCounts]):
    """The counts of a call of `Database.counters` or `Database.counter_totals`.

    Attributes:
        is_complete: False if a bound ended the call before the last queue and task. Name the queue to find its counts.
    """

    is_complete: bool = True


def configure(self: Handle, *, counters: bool | None = None, events: bool | None = None) -> FileSettings:
    """Turn the record of the moves of jobs on or off, for all processes of the file.

    Other connections follow within a second. Earlier counts stay. Turning events on gives their stream a retention
    policy of 10,000 events, unless it has one; see `Stream.retain`.

    Args:
        counters: True to count moves by minute; None leaves it as it is.
        events: True to publish moves to the stream ``honker.events``: one event for each call, a list of the moves it
            made. None leaves it as it is.

    Returns:
        All settings.

    Cost: with counters, one more row for each queue and task of a call.
    Source: SQL ``honker_file_configure``.
    """
    return _settings(self.engine.call(_CONFIGURE, _given(counters, events)))


async def aconfigure(self: Handle, *, counters: bool | None = None, events: bool | None = None) -> FileSettings:
    """Like `configure`, without blocking the event loop."""
    return _settings(await self.engine.acall(_CONFIGURE, _given(counters, events)))


def settings(self: Handle) -> FileSettings:
    """The settings of the file; see `configure`. Read-only.

    Source: SQL ``honker_file_settings``.
    """
    return _settings(self.engine.ask(_SETTINGS))


async def asettings(self: Handle) -> FileSettings:
    """Like `settings`, without blocking the event loop."""
    return _settings(await self.engine.aask(_SETTINGS))


def counters(self: Handle, queue: str | None = None, minutes: int = 60) -> CounterList:
    """The moves of jobs in the last minutes, by queue, task and minute. Read-only.

    Empty unless `configure` has turned counters on. Minutes without a move are left out.

    Args:
        queue: The queue; None for all.
        minutes: 1 to 240, the present minute included.

    Raises:
        InvalidArgumentError: ``minutes`` is outside its range.

    Returns:
        The counts, with `CounterList.is_complete`: a call ends after a look at 5,000 queues and tasks, or 20,000 rows.

    Cost: a few reads by key for each queue and task, and for each returned minute.
    Source: SQL ``honker_counter_minutes``.
    """
    return _minutes(self.engine.ask(_MINUTES, queue, whole(minutes, "minutes")))


async def acounters(self: Handle, queue: str | None = None, minutes: int = 60) -> CounterList:
    """Like `counters`, without blocking the event loop."""
    return _minutes(await self.engine.aask(_MINUTES, queue, whole(minutes, "minutes")))


def counter_totals(self: Handle, queue: str | None = None) -> CounterList:
    """The moves of jobs since counters were first turned on, by queue and task. Read-only.

    The sums survive restarts and never fall; the maxima are of the last minute.

    Args:
        queue: The queue; None for all.

    Returns:
        The counts, with `CounterList.is_complete`: a call ends after 5,000 queues and tasks.

    Cost: a few reads by key for each queue and task.
    Source: SQL ``honker_counter_totals``.
    """
    totals = _Totals(queue)
    while totals.next is not None:
        totals.take(self.engine.ask(_TOTALS, *totals.next))
    return totals.found


async def acounter_totals(self: Handle, queue: str | None = None) -> CounterList:
    """Like `counter_totals`, without blocking the event loop."""
    totals = _Totals(queue)
    while totals.next is not None:
        totals.take(await self.engine.aask(_TOTALS, *totals.next))
    return totals.found


class _Totals:
    """The pages of the totals of one queue, or of all.

    Attributes:
        found: The counts so far.
        next: The arguments of the next call; None after the last one.
    """

    def __init__(self, queue: str | None) -> None:
        self.found = CounterList()
        self.next: tuple[str | None, str | None, int] | None = (queue, None, _PER_PAGE)
        self._queue = queue

    def take(self, text: str) -> None:
        """Add the answer of a call."""
        page = read_counts(text)
        wanted = [row for row in page if self._queue is None or row.queue == self._queue]
        left = _MOST_TOTALS - len(self.found)
        self.found += wanted[:left]
        is_last = len(page) < _PER_PAGE or len(wanted) < len(page)
        if is_last or len(wanted) > left:
            self.found.is_complete = len(wanted) <= left
            self.next = None
        else:
            self.next = page[-1].queue, page[-1].task, _PER_PAGE


def _given(counters: bool | None, events: bool | None) -> str:
    given = {"counters": counters, "events": events}
    return json.dumps({name: bool(value) for name, value in given.items() if value is not None})


def _settings(text: str) -> FileSettings:
    return FileSettings.of(serialization.read(text))


def _minutes(text: str) -> CounterList:
    answer: dict[str, Any] = serialization.read(text)
    found = CounterList(MinuteCounts.of(row) for row in answer["counters"])
    found.is_complete = answer["is_complete"]
    return found


def read_counts(text: str) -> list[MinuteCounts]:
    """The rows in an answer of ``honker_counter_totals``."""
    rows: list[dict[str, Any]] = serialization.read(text)
    return [MinuteCounts.of(row) for row in rows]
