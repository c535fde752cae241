"""Verbs for many jobs: methods of `honker.Database`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from honker.arguments import Instant, SQLValue, optional_whole
from honker.engine import Handle
from honker.errors import InvalidArgumentError
from honker.inspection.listing import ArgsFilter, JobState, filter_json
from honker.records import Record

_APPLY: Final = "SELECT honker_jobs_apply(?, ?, ?, ?)"
#: Jobs in one transaction.
_BATCH: Final = 500
_GONE: Final = "no such job"

#: ``requeue`` returns dead letters to the waiting jobs. ``cancel`` removes waiting jobs and asks the workers of running
#: ones to end them; it refuses those that were asked before. ``delete`` forgets dead letters and finished jobs.
#: ``run_now`` makes delayed jobs due.
Verb: TypeAlias = Literal["requeue", "cancel", "delete", "run_now"]

#: Called after each committed batch with the numbers so far; False ends the operation.
OnProgress: TypeAlias = "Callable[[int, int], object]"


@dataclass(frozen=True, kw_only=True, eq=False)
class Applied(Record):
    """The effect of a verb.

    Attributes:
        done: The number of jobs that it changed.
        skipped: The number of jobs that it refused.
        reasons: The number of refused jobs by reason.
        is_complete: False if ``limit`` or ``on_progress`` ended it before it had seen every job.
    """

    done: int
    skipped: int
    reasons: dict[str, int]
    is_complete: bool


def apply(
    self: Handle,
    verb: Verb,
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
    limit: int | None = None,
    on_progress: OnProgress | None = None,
) -> Applied:
    """Apply a verb to the given jobs, or to every job that matches a filter, in transactions of at most 500 jobs.

    Each batch commits by itself, so that other writers get their turn. An exception, such as a `KeyboardInterrupt`,
    ends the operation between two batches; those committed remain, and ``on_progress`` was told of each. Without
    ``state`` and ``ids`` the filter finds only jobs that the verb applies to. Jobs that are enqueued meanwhile are not
    found.

    Args:
        verb: ``"requeue"``, ``"cancel"``, ``"delete"`` or ``"run_now"``.
        state: As for `jobs`, like the other conditions.
        queue: Only jobs of this queue.
        task: Only calls of this task.
        key: Only jobs of this key.
        error: Only jobs whose last error contains this text.
        ids: Only these jobs, any number of them.
        workflow: Only jobs of the workflow with this id.
        args: Values of arguments by path, or a part of the payload.
        since: Only jobs enqueued then or later.
        limit: The largest number of jobs to change; None means all.
        on_progress: Called as ``on_progress(done, skipped)`` after each batch; if it returns False, the operation ends.

    Raises:
        InvalidArgumentError: A value is outside its range.
        DatabaseBusyError: The write lock was not free within the busy timeout; earlier batches remain.

    Cost: for each batch, the cost of a page of `jobs` and of the changes.
    Source: SQL ``honker_jobs_apply``.
    """
    conditions = filter_json(
        state=state, queue=queue, task=task, key=key, error=error, ids=None, workflow=workflow, args=args, since=since
    )
    run = _Run(verb, conditions, ids, limit)
    for call in run.calls():
        run.take(self.engine.call(_APPLY, *call))
        if not run.tells(on_progress):
            break
    return run.applied()


async def aapply(
    self: Handle,
    verb: Verb,
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
    limit: int | None = None,
    on_progress: OnProgress | None = None,
) -> Applied:
    """Like `apply`, without blocking the event loop."""
    conditions = filter_json(
        state=state, queue=queue, task=task, key=key, error=error, ids=None, workflow=workflow, args=args, since=since
    )
    run = _Run(verb, conditions, ids, limit)
    for call in run.calls():
        run.take(await self.engine.acall(_APPLY, *call))
        if not run.tells(on_progress):
            break
    return run.applied()


class _Run:
    """The calls of one operation, and their sums."""

    def __init__(self, verb: Verb, conditions: str, ids: Sequence[int] | None, limit: int | None) -> None:
        self._verb, self._conditions, self._limit = verb, conditions, optional_whole(limit, "limit")
        if self._limit is not None and self._limit < 0:
            raise InvalidArgumentError(f"limit must not be negative; it is {limit}")
        self._ids = None if ids is None else list(dict.fromkeys(ids))
        self._done, self._reasons = 0, Counter[str]()
        self._next: int | None = None
        self._is_over = False

    def calls(self) -> Iterator[tuple[SQLValue, ...]]:
        """The arguments of each call, which depend on the answer to the one before."""
        if self._ids is None:
            yield from self._walk(self._conditions)
        else:
            for first in range(0, len(self._ids), _BATCH):
                chunk = self._ids[first : first + _BATCH]
                before = self._done + self._skipped
                yield from self._walk(_with_ids(self._conditions, chunk))
                if self._is_full:
                    return
                self._reasons[_GONE] += len(chunk) - (self._done + self._skipped - before)
        self._is_over = not self._is_full or self._next is None

    def _walk(self, conditions: str) -> Iterator[tuple[SQLValue, ...]]:
        self._next, is_first = None, True
        while (is_first or self._next is not None) and not self._is_full:
            left = _BATCH if self._limit is None else min(_BATCH, self._limit - self._done)
            yield self._verb, conditions, self._next, left
            is_first = False

    @property
    def _skipped(self) -> int:
        return self._reasons.total()

    @property
    def _is_full(self) -> bool:
        return self._limit is not None and self._done >= self._limit

    def take(self, text: str) -> None:
        """Add the answer of a call."""
        answer: dict[str, Any] = json.loads(text)
        self._done += answer["done"]
        self._next = answer["next"]
        reasons: dict[str, int] = answer["reasons"]
        self._reasons.update({name: count for name, count in reasons.items() if name != _GONE})

    def tells(self, on_progress: OnProgress | None) -> bool:
        """Report the numbers so far. False if the caller wants no more."""
        return on_progress is None or on_progress(self._done, self._skipped) is not False

    def applied(self) -> Applied:
        reasons = {name: count for name, count in sorted(self._reasons.items()) if count}
        return Applied(done=self._done, skipped=self._skipped, reasons=reasons, is_complete=self._is_over)


def _with_ids(conditions: str, ids: list[int]) -> str:
    return json.dumps({**json.loads(conditions), "ids": ids})
