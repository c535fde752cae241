"""Settling jobs: checked arguments turned into the SQL calls that end or extend a lease."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from honker import serialization
from honker.arguments import Call, Seconds, seconds, whole
from honker.errors import InvalidArgumentError
from honker.job import Job
from honker.task.options import SPAN_MAX_S

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


def snooze_call(  # noqa: PLR0917 - the parameters of `Queue.snooze`
    queue: str, job_id: int, worker_id: str, delay_s: Seconds, error: str | None, attempt: int
) -> Call:
    """The call that releases a job, uncharged, to run after ``delay_s``."""
    wait_s = seconds(delay_s, "delay_s")
    if not 0 <= wait_s <= SPAN_MAX_S:
        raise InvalidArgumentError(f"delay_s is {delay_s!r}; it must be 0 to {SPAN_MAX_S} seconds")
    release = {"id": job_id, "attempt": attempt, "do": "release", "delay_s": wait_s, "error": error}
    return "SELECT honker_work(?, ?, 0, 1, ?)", queue, worker_id, json.dumps([release])


def was_held(answer: str) -> bool:
    """True if the settlement in the answer of ``honker_work`` was accepted."""
    return serialization.read(answer)["settled"] == [1]


def heartbeat_call(job_id: int, worker_id: str, extend_s: Seconds, attempt: int | None) -> Call:
    """The call that makes a lease end ``extend_s`` from now."""
    return _HEARTBEAT, job_id, worker_id, seconds(extend_s, "extend_s"), attempt
