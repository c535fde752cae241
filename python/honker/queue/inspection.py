"""Ending and inspecting single jobs of a queue: methods of `honker.Queue`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

from typing import Final

from honker.arguments import TransactionLike, optional_whole, whole
from honker.job import JobQueue
from honker.job.history import (
    Attempt,
    CancelOutcome,
    FinishedJob,
    Progress,
    read_attempts,
    read_finished,
    read_progress,
)

_CANCEL_REQUEST: Final = "SELECT honker_cancel_request(?, ?)"
_ATTEMPTS: Final = "SELECT honker_job_attempts(?)"
_FINISHED: Final = "SELECT honker_finished_list(?, ?, ?)"
_PROGRESS: Final = "SELECT honker_progress_get(?)"


def request_cancel(self: JobQueue, job_id: int, tx: TransactionLike = None) -> CancelOutcome:
    """Remove a waiting job of this queue, or ask the worker of a running one to end it.

    The worker of a running job cancels an async handler and ends a process; a handler in a thread has to look at
    `Job.is_cancelled`. If the handler returns before that, the job has succeeded. Every other end of the claim cancels
    the job, the expiry of its lease included. `cancel` removes a running job without asking.

    Args:
        job_id: The job.
        tx: A transaction to ask in.

    Returns:
        ``"cancelled"`` if the job waited and was removed, ``"requested"`` if it runs and was asked to end, ``"gone"``
        if this queue has no such job.

    Raises:
        DatabaseBusyError: The write lock was not free within the busy timeout.

    Source: SQL ``honker_cancel_request``.
    """
    return self.db.engine.call(_CANCEL_REQUEST, whole(job_id, "job_id"), self.name, tx=tx)


async def arequest_cancel(self: JobQueue, job_id: int, tx: TransactionLike = None) -> CancelOutcome:
    """Like `request_cancel`, without blocking the event loop."""
    return await self.db.engine.acall(_CANCEL_REQUEST, whole(job_id, "job_id"), self.name, tx=tx)


def attempts(self: JobQueue, job_id: int, tx: TransactionLike = None) -> list[Attempt]:
    """The attempts of a job that did not end in success, the first one first. Read-only.

    The first 5 and the last 15 are kept. They survive the death of the job and its requeue. They go with the job, or
    with the record of a finished one.

    Source: SQL ``honker_job_attempts``.
    """
    return read_attempts(self.db.engine.ask(_ATTEMPTS, whole(job_id, "job_id"), tx=tx))


async def aattempts(self: JobQueue, job_id: int, tx: TransactionLike = None) -> list[Attempt]:
    """Like `attempts`, without blocking the event loop."""
    return read_attempts(await self.db.engine.aask(_ATTEMPTS, whole(job_id, "job_id"), tx=tx))


def finished(
    self: JobQueue, before_id: int | None = None, limit: int = 100, tx: TransactionLike = None
) -> list[FinishedJob]:
    """One page of the finished jobs of the queue, the greatest id first. Read-only.

    Jobs that succeeded or were cancelled are kept if the queue has the setting ``keep_finished_s``; see `configure`.
    Pass the last id of a page as ``before_id`` to get the next page.

    Args:
        before_id: Only jobs with smaller ids; None begins with the greatest.
        limit: The largest number of jobs, up to 1,000. Fewer may be returned: 16 MiB of payload end a page.
        tx: A transaction to read in.

    Raises:
        InvalidArgumentError: A value is outside its range.

    Cost: O(log jobs + limit).
    Source: SQL ``honker_finished_list``.
    """
    call = _FINISHED, self.name, optional_whole(before_id, "before_id"), whole(limit, "limit")
    return read_finished(self.db.engine.ask(*call, tx=tx))


async def afinished(
    self: JobQueue, before_id: int | None = None, limit: int = 100, tx: TransactionLike = None
) -> list[FinishedJob]:
    """Like `finished`, without blocking the event loop."""
    call = _FINISHED, self.name, optional_whole(before_id, "before_id"), whole(limit, "limit")
    return read_finished(await self.db.engine.aask(*call, tx=tx))


def progress(self: JobQueue, job_id: int, tx: TransactionLike = None) -> Progress | None:
    """The progress that the handler of a running job reported by `Job.progress`, or None. Read-only.

    Source: SQL ``honker_progress_get``.
    """
    return read_progress(self.db.engine.ask(_PROGRESS, whole(job_id, "job_id"), tx=tx))


async def aprogress(self: JobQueue, job_id: int, tx: TransactionLike = None) -> Progress | None:
    """Like `progress`, without blocking the event loop."""
    return read_progress(await self.db.engine.aask(_PROGRESS, whole(job_id, "job_id"), tx=tx))
