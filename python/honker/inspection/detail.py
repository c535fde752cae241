"""All facts about one job: a method of `honker.Database`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from honker.arguments import TransactionLike, whole
from honker.engine import Handle
from honker.inspection.listing import JobSummary, read_summary
from honker.job.history import Attempt
from honker.records import Record

_DETAIL: Final = "SELECT honker_job_detail(?)"


@dataclass(frozen=True, kw_only=True, eq=False)
class Relative(Record):
    """A parent or a child of a job.

    Attributes:
        job_id: Its id.
        outcome: The end of the parent: ``"done"``, ``"dead"`` or ``"cancelled"``; None until it has ended.
    """

    job_id: int
    outcome: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class JobDetail(JobSummary):
    """A job with all that is known of it. ``payload`` and ``error`` are whole.

    Attributes:
        unique_key: The key of which one job may exist in the queue, or None.
        claim_expires_at: Unix seconds of the last instant of its lease, or None.
        expires_at: Unix seconds from which on it is dead-lettered instead of claimed, or None.
        cancel_requested_at: Unix seconds at which its worker was asked to end it, or None.
        snoozes: The number of times it was put off.
        unknown_since: Unix seconds since which workers have put it back because they do not know its task, or None.
        history: The attempts that did not end in success, the first one first.
        parents: The jobs after which it runs, unfinished ones first, at most 1,000.
        parents_is_exact: False if there are more.
        children: The jobs that run after it, at most 1,000.
        children_is_exact: False if there are more.
        workflow: The id of its workflow, for `Database.workflow_result`; None if it has none, or the record is pruned.
        result: The result that it saved, as JSON text, or None.
        why: The reasons why it is not running, its worker, or its end, in words for people.
    """

    unique_key: str | None
    claim_expires_at: float | None
    expires_at: float | None
    cancel_requested_at: float | None
    snoozes: int
    unknown_since: float | None
    history: list[Attempt]
    parents: list[Relative]
    parents_is_exact: bool
    children: list[Relative]
    children_is_exact: bool
    workflow: int | None
    result: str | None
    why: str


def job(self: Handle, job_id: int, tx: TransactionLike = None) -> JobDetail | None:
    """All that is known of a job of any queue, with the reasons why it is not running. Read-only.

    Args:
        job_id: The job.
        tx: A transaction to read in.

    Returns:
        The job; None if it does not exist, or succeeded or was cancelled in a queue that keeps no finished jobs.

    Cost: a few reads by key, the size of payload, error and result, and a binary search of the records of workflows.
    Source: SQL ``honker_job_detail``.
    """
    return _detail(self.engine.ask(_DETAIL, whole(job_id, "job_id"), tx=tx))


async def ajob(self: Handle, job_id: int, tx: TransactionLike = None) -> JobDetail | None:
    """Like `job`, without blocking the event loop."""
    return _detail(await self.engine.aask(_DETAIL, whole(job_id, "job_id"), tx=tx))


def _detail(text: str | None) -> JobDetail | None:
    if text is None:
        return None
    row: dict[str, Any] = json.loads(text)
    relatives = {name: [Relative.of(each) for each in row[name]] for name in ("parents", "children")}
    return JobDetail.of({**read_summary(row), **relatives, "history": [Attempt.of(each) for each in row["history"]]})
