"""Settling jobs: checked arguments turned into the SQL calls that end or extend a lease."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from honker.arguments import Call, Seconds, seconds, whole
from honker.job import Job

ACK: Final = "SELECT honker_ack(?, ?, ?)"
_ACK_BATCH: Final = "SELECT honker_ack_batch(?, ?, ?)"
_RETRY: Final = "SELECT honker_retry(?, ?, ?, ?, ?)"
FAIL: Final = "SELECT honker_fail(?, ?, ?, ?)"
_HEARTBEAT: Final = "SELECT honker_heartbeat(?, ?, ?, ?)"


def ack_batch_call(job_ids: Iterable[int | Job], worker_id: str) -> Call | None:
    """The call that acknowledges several jobs; None without jobs."""
    jobs = list(job_ids)
    if not jobs:
        return None
    ids = json.dumps([job.id if isinstance(job, Job) else whole(job, "job_ids") for job in jobs])
    attempts = json.dumps([job.attempts if isinstance(job, Job) else None for job in jobs])
    return _ACK_BATCH, ids, worker_id, attempts


def retry_call(job_id: int, worker_id: str, delay_s: Seconds, error: str | None, attempt: int | None) -> Call:
    """The call that returns a job to its queue to run after ``delay_s``."""
    return _RETRY, job_id, worker_id, seconds(delay_s, "delay_s"), error, attempt


def heartbeat_call(job_id: int, worker_id: str, extend_s: Seconds, attempt: int | None) -> Call:
    """The call that makes a lease end ``extend_s`` from now."""
    return _HEARTBEAT, job_id, worker_id, seconds(extend_s, "extend_s"), attempt
