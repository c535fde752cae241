"""Counting, finding and moving jobs in every queue of a file: methods of `honker.Database`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from typing import Final

from honker.arguments import TransactionLike, whole
from honker.engine import Handle
from honker.job import JobInfo, job_info
from honker.job.history import CancelOutcome
from honker.queue.stats import QueueStats

_QUEUES_PER_PAGE: Final = 1_000

_QUEUE_LIST: Final = "SELECT honker_queue_list(?, ?, ?)"
_CANCEL: Final = "SELECT honker_cancel(?)"
_CANCEL_REQUEST: Final = "SELECT honker_cancel_request(?)"
_REQUEUE: Final = "SELECT honker_requeue(?)"
_GET_JOB: Final = "SELECT honker_get_job(?)"


def stats(self: Handle, count_limit: int | None = None) -> list[QueueStats]:
    """Count the jobs by state, for each queue that is paused or has jobs or dead letters; sorted by name.

    Args:
        count_limit: The largest number to count to, 1 to 1,000,000; None means 10,000. A count that stops there is
            a lower bound.

    Raises:
        InvalidArgumentError: ``count_limit`` is outside its range.

    Cost: O(log jobs + count_limit) for each queue, independent of the backlog.
    Source: SQL ``honker_queue_list``.
    """
    found: list[QueueStats] = []
    while True:
        after = found[-1].queue if found else None
        page = _stats(self.engine.ask(_QUEUE_LIST, after, _QUEUES_PER_PAGE, count_limit))
        found += page
        if len(page) < _QUEUES_PER_PAGE:
            return found


async def astats(self: Handle, count_limit: int | None = None) -> list[QueueStats]:
    """Like `stats`, without blocking the event loop."""
    found: list[QueueStats] = []
    while True:
        after = found[-1].queue if found else None
        page = _stats(await self.engine.aask(_QUEUE_LIST, after, _QUEUES_PER_PAGE, count_limit))
        found += page
        if len(page) < _QUEUES_PER_PAGE:
            return found


def get_job(self: Handle, job_id: int, tx: TransactionLike = None) -> JobInfo | None:
    """A waiting or leased job of any queue, or None; see `Queue.get_job`.

    Source: SQL ``honker_get_job``.
    """
    return job_info(self.engine.ask(_GET_JOB, job_id, tx=tx))


async def aget_job(self: Handle, job_id: int, tx: TransactionLike = None) -> JobInfo | None:
    """Like `get_job`, without blocking the event loop."""
    return job_info(await self.engine.aask(_GET_JOB, job_id, tx=tx))


def cancel(self: Handle, job_id: int, tx: TransactionLike = None) -> bool:
    """Remove a job of any queue, waiting or leased. True if a job was removed.

    Source: SQL ``honker_cancel``.
    """
    return bool(self.engine.call(_CANCEL, job_id, tx=tx))


async def acancel(self: Handle, job_id: int, tx: TransactionLike = None) -> bool:
    """Like `cancel`, without blocking the event loop."""
    return bool(await self.engine.acall(_CANCEL, job_id, tx=tx))


def request_cancel(self: Handle, job_id: int, tx: TransactionLike = None) -> CancelOutcome:
    """Remove a waiting job of any queue, or ask the worker of a running one to end it; see `Queue.request_cancel`.

    Source: SQL ``honker_cancel_request``.
    """
    return self.engine.call(_CANCEL_REQUEST, whole(job_id, "job_id"), tx=tx)


async def arequest_cancel(self: Handle, job_id: int, tx: TransactionLike = None) -> CancelOutcome:
    """Like `request_cancel`, without blocking the event loop."""
    return await self.engine.acall(_CANCEL_REQUEST, whole(job_id, "job_id"), tx=tx)


def requeue(self: Handle, job_id: int, tx: TransactionLike = None) -> bool:
    """Return a dead letter of any queue to the waiting jobs; see `Queue.requeue`. True if a job was requeued.

    Source: SQL ``honker_requeue``.
    """
    return bool(self.engine.call(_REQUEUE, job_id, tx=tx))


async def arequeue(self: Handle, job_id: int, tx: TransactionLike = None) -> bool:
    """Like `requeue`, without blocking the event loop."""
    return bool(await self.engine.acall(_REQUEUE, job_id, tx=tx))


def _stats(text: str) -> list[QueueStats]:
    return [QueueStats(**row) for row in json.loads(text)]
