"""Acknowledging several jobs at once: the methods of `honker.Queue` of these names."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from honker.arguments import Call, TransactionLike, whole
from honker.job import Job, JobQueue

_ACK_BATCH: Final = "SELECT honker_ack_batch(?, ?, ?)"


def ack_batch(self: JobQueue, job_ids: Iterable[int | Job], worker_id: str, tx: TransactionLike = None) -> int:
    """Acknowledge several jobs that succeeded, in one transaction.

    Args:
        job_ids: At most 10,000 jobs or ids. For a job, its attempt must match too; for an id, the worker id alone.
        worker_id: The worker that claimed them.
        tx: A transaction for the acks.

    Returns:
        The number of leases that were held.

    Source: SQL ``honker_ack_batch``.
    """
    call = _ack_batch_call(job_ids, worker_id)
    return 0 if call is None else self.db.engine.call(*call, tx=tx)


async def aack_batch(self: JobQueue, job_ids: Iterable[int | Job], worker_id: str, tx: TransactionLike = None) -> int:
    """Like `ack_batch`, without blocking the event loop."""
    call = _ack_batch_call(job_ids, worker_id)
    return 0 if call is None else await self.db.engine.acall(*call, tx=tx)


def _ack_batch_call(job_ids: Iterable[int | Job], worker_id: str) -> Call | None:
    """The call that acknowledges several jobs; None without jobs."""
    jobs = list(job_ids)
    if not jobs:
        return None
    for job in jobs:
        if isinstance(job, Job):
            job.is_settled = True
    ids = json.dumps([job.id if isinstance(job, Job) else whole(job, "job_ids") for job in jobs])
    attempts = json.dumps([job.attempts if isinstance(job, Job) else None for job in jobs])
    return _ACK_BATCH, ids, worker_id, attempts
