"""Lists of the jobs of every queue: methods of `honker.Database`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from honker import serialization
from honker.arguments import Instant, optional_instant, whole
from honker.engine import Handle
from honker.errors import InvalidArgumentError
from honker.job.history import Progress
from honker.records import Record

_LIST: Final = "SELECT honker_jobs_list(?, ?, ?)"

#: The states of a job. ``ready`` and ``delayed`` jobs are pending; ``blocked`` ones wait for others of their key,
#: ``waiting`` ones for their parents. ``done`` and ``cancelled`` jobs are listed if their queue keeps finished jobs.
JobState: TypeAlias = Literal["ready", "delayed", "running", "blocked", "waiting", "dead", "done", "cancelled"]

#: Values of arguments by path, or a text that the payload contains.
ArgsFilter: TypeAlias = "Mapping[str, Any] | str"


@dataclass(frozen=True, kw_only=True, eq=False)
class JobSummary(Record):
    """A job in a list.

    Attributes:
        id: The job's id.
        queue: The queue's name.
        task: The task that it calls; None if its payload is no call.
        state: See `JobState`. A state of a newer program is given as it is stored.
        priority: Larger runs sooner.
        key: The key whose jobs share a limit, or None.
        attempts: Claims so far.
        max_attempts: Claims before it is dead-lettered.
        created_at: Unix seconds at which it was enqueued.
        run_at: Unix seconds from which on it may run; None for a finished job.
        ended_at: Unix seconds at which it died or finished, or None.
        worker_id: The worker of the last claim, as far as it is kept.
        error: The first line of the last error, at most 200 characters, or None.
        payload: The first 200 characters of the payload.
        progress: The progress that the handler of a running job reported, or None.
    """

    id: int
    queue: str
    task: str | None
    state: str
    priority: int
    key: str | None
    attempts: int
    max_attempts: int
    created_at: float
    run_at: float | None
    ended_at: float | None
    worker_id: str | None
    error: str | None
    payload: str
    progress: Progress | None


@dataclass(frozen=True, kw_only=True, eq=False)
class JobPage(Record):
    """A page of a list of jobs.

    Attributes:
        jobs: The jobs, the greatest id first.
        next: Pass it as ``after`` to get the next page; None if there is none.
        is_complete: False if the bound of the call ended the page, and not ``limit``: more jobs may match. Go on with
            ``next``.
    """

    jobs: list[JobSummary]
    next: str | None
    is_complete: bool


def jobs(
    self: Handle,
    *,
    state: JobState | None = None,
    queue: str | None = None,
    task: str | None = None,
    key: str | None = None,
    error: str | None = None,
    ids: Sequence[int] | None = None,
    workflow: int | None = None,
    args: ArgsFilter | None = None,
    since: Instant | None = None,
    after: str | None = None,
    limit: int = 50,
) -> JobPage:
    """List jobs of every queue, live, dead and finished, the newest first.

    A call looks at jobs for about 28 ms, for at most 46 ms if it reads a large index: at 200,000 jobs or more, at fewer
    large ones. A filter without an index (``task``, ``error``, ``args``) may find fewer jobs than ``limit`` within that
    bound: then ``is_complete`` is False, and ``next`` goes on. A walk contains each job exactly once that matches all
    the time, in whatever order others are enqueued, claimed and ended meanwhile.

    Args:
        state: Only jobs in this state.
        queue: Only jobs of this queue.
        task: Only calls of this task.
        key: Only jobs of this key.
        error: Only jobs whose last error contains this text.
        ids: Only these jobs, at most 1,000.
        workflow: Only jobs of the workflow with this id, see `Database.workflows`. A job that has ended is listed if it
            is dead, or its queue keeps finished jobs. None are listed once the record of the workflow is pruned.
        args: A dict of paths and values, such as ``{"user.id": 5}``: arguments of a task's call by keyword, or by
            position as in ``{"0": 5}``, or members of another payload. A text: the payload's JSON contains it.
        since: Only jobs enqueued then or later. A page ends at the first job that is an hour older.
        after: The ``next`` of the page before.
        limit: The largest number of jobs, up to 500.

    Raises:
        InvalidArgumentError: A value is outside its range.

    Cost: bounded by the jobs looked at, independent of the number of jobs in the file.
    Source: SQL ``honker_jobs_list``.
    """
    conditions = filter_json(
        state=state, queue=queue, task=task, key=key, error=error, ids=ids, workflow=workflow, args=args, since=since
    )
    return _page(self.engine.ask(_LIST, conditions, cursor(after), whole(limit, "limit")))


async def ajobs(
    self: Handle,
    *,
    state: JobState | None = None,
    queue: str | None = None,
    task: str | None = None,
    key: str | None = None,
    error: str | None = None,
    ids: Sequence[int] | None = None,
    workflow: int | None = None,
    args: ArgsFilter | None = None,
    since: Instant | None = None,
    after: str | None = None,
    limit: int = 50,
) -> JobPage:
    """Like `jobs`, without blocking the event loop."""
    conditions = filter_json(
        state=state, queue=queue, task=task, key=key, error=error, ids=ids, workflow=workflow, args=args, since=since
    )
    return _page(await self.engine.aask(_LIST, conditions, cursor(after), whole(limit, "limit")))


def filter_json(
    *,
    state: str | None,
    queue: str | None,
    task: str | None,
    key: str | None,
    error: str | None,
    ids: Sequence[int] | None,
    workflow: int | None,
    args: ArgsFilter | None,
    since: Instant | None,
) -> str:
    """The conditions as the engine takes them."""
    given: dict[str, Any] = {
        "state": state,
        "queue": queue,
        "task": task,
        "key": key,
        "error": error,
        "ids": None if ids is None else [whole(each, "ids") for each in ids],
        "workflow": None if workflow is None else whole(workflow, "workflow"),
        "args": args if args is None or isinstance(args, str) else dict(args),
        "since": _finite(optional_instant(since, "since"), "since"),
    }
    return serialization.encode({name: value for name, value in given.items() if value is not None})


def _finite(number: float | None, argument: str) -> float | None:
    """A number that JSON can carry.

    Raises:
        InvalidArgumentError: It is infinite.
    """
    if number is not None and not math.isfinite(number):
        raise InvalidArgumentError(f"{argument} is {number} seconds; it must be finite")
    return number


def cursor(after: str | None) -> int | None:
    """The place of a cursor.

    Raises:
        InvalidArgumentError: ``after`` is no ``next`` of a page.
    """
    if after is None:
        return None
    try:
        return whole(int(after), "after")
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"after is {after!r}; pass the `next` of the page before") from None


def read_summary(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a job in a list, its progress as a record."""
    progress = row["progress"]
    return {**row, "progress": None if progress is None else Progress.of(progress)}


def _page(text: str) -> JobPage:
    page: dict[str, Any] = json.loads(text)
    after = page["next"]
    return JobPage(
        jobs=[JobSummary.of(read_summary(row)) for row in page["jobs"]],
        next=None if after is None else str(after),
        is_complete=page["is_complete"],
    )
