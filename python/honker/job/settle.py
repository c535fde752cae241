"""Settling a leased job by its id: methods of `honker.Queue`. `honker.Job` fills in the first arguments.

Functions with the queue as ``self``: the class binds them as methods, and a job calls them without knowing the class.
"""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from typing import Final, Protocol

from honker import serialization
from honker.arguments import Call, Seconds, TransactionLike, seconds
from honker.engine import Handle
from honker.engine.limits import LIMITS
from honker.errors import InvalidArgumentError

_ACK: Final = "SELECT honker_ack(?, ?, ?)"
_RETRY: Final = "SELECT honker_retry(?, ?, ?, ?, ?)"
_FAIL: Final = "SELECT honker_fail(?, ?, ?, ?)"
_CANCEL: Final = "SELECT honker_cancel_held(?, ?, ?)"
_HEARTBEAT: Final = "SELECT honker_heartbeat(?, ?, ?, ?)"
# As honker_snooze, with the reason.
_WORK: Final = "SELECT honker_work(?, ?, 0, 1, ?)"


class JobQueue(Protocol):
    """The queue of a job, as the job sees it: `honker.Queue`."""

    @property
    def name(self) -> str:
        """The queue's name."""
        ...

    @property
    def db(self) -> Handle:
        """The database."""
        ...

    @property
    def visibility_timeout_s(self) -> float:
        """Seconds for which a claim is leased."""
        ...


def ack(self: JobQueue, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None) -> bool:
    """Acknowledge a job that succeeded; see `Job.ack`.

    Args:
        job_id: The job.
        worker_id: The worker that claimed it.
        attempt: The number of the attempt; None compares the worker id alone.
        tx: A transaction for the ack.

    Returns:
        True if the lease was held.

    Source: SQL ``honker_ack``.
    """
    return bool(self.db.engine.call(_ACK, job_id, worker_id, attempt, tx=tx))


async def aack(
    self: JobQueue, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None
) -> bool:
    """Like `ack`, without blocking the event loop."""
    return bool(await self.db.engine.acall(_ACK, job_id, worker_id, attempt, tx=tx))


def retry(
    self: JobQueue,
    job_id: int,
    worker_id: str,
    delay_s: Seconds,
    error: str | None,
    *,
    attempt: int | None = None,
    tx: TransactionLike = None,
) -> bool:
    """Return a job to the queue to run after ``delay_s``; see `Job.retry`.

    Source: SQL ``honker_retry``.
    """
    call = _retry_call(job_id, worker_id, delay_s, error, attempt)
    return bool(self.db.engine.call(*call, tx=tx))


async def aretry(
    self: JobQueue,
    job_id: int,
    worker_id: str,
    delay_s: Seconds,
    error: str | None,
    *,
    attempt: int | None = None,
    tx: TransactionLike = None,
) -> bool:
    """Like `retry`, without blocking the event loop."""
    call = _retry_call(job_id, worker_id, delay_s, error, attempt)
    return bool(await self.db.engine.acall(*call, tx=tx))


def snooze(
    self: JobQueue,
    job_id: int,
    worker_id: str,
    delay_s: Seconds,
    error: str | None = None,
    *,
    attempt: int,
    tx: TransactionLike = None,
) -> bool:
    """Put a job off, uncharged, to run after ``delay_s``; see `Job.snooze`.

    Source: SQL ``honker_snooze``.
    """
    call = _snooze_call(self.name, job_id, worker_id, delay_s, error, attempt)
    return _was_held(self.db.engine.call(*call, tx=tx))


async def asnooze(
    self: JobQueue,
    job_id: int,
    worker_id: str,
    delay_s: Seconds,
    error: str | None = None,
    *,
    attempt: int,
    tx: TransactionLike = None,
) -> bool:
    """Like `snooze`, without blocking the event loop."""
    call = _snooze_call(self.name, job_id, worker_id, delay_s, error, attempt)
    return _was_held(await self.db.engine.acall(*call, tx=tx))


def fail(
    self: JobQueue,
    job_id: int,
    worker_id: str,
    error: str | None,
    *,
    attempt: int | None = None,
    tx: TransactionLike = None,
) -> bool:
    """Dead-letter a job; see `Job.fail`.

    Source: SQL ``honker_fail``.
    """
    return bool(self.db.engine.call(_FAIL, job_id, worker_id, error, attempt, tx=tx))


async def afail(
    self: JobQueue,
    job_id: int,
    worker_id: str,
    error: str | None,
    *,
    attempt: int | None = None,
    tx: TransactionLike = None,
) -> bool:
    """Like `fail`, without blocking the event loop."""
    return bool(await self.db.engine.acall(_FAIL, job_id, worker_id, error, attempt, tx=tx))


def cancel(
    self: JobQueue, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None
) -> bool:
    """End a leased job as cancelled; see `Job.cancel`.

    Source: SQL ``honker_cancel_held``.
    """
    return bool(self.db.engine.call(_CANCEL, job_id, worker_id, attempt, tx=tx))


async def acancel(
    self: JobQueue, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None
) -> bool:
    """Like `cancel`, without blocking the event loop."""
    return bool(await self.db.engine.acall(_CANCEL, job_id, worker_id, attempt, tx=tx))


def heartbeat(
    self: JobQueue,
    job_id: int,
    worker_id: str,
    extend_s: Seconds | None = None,
    *,
    attempt: int | None = None,
    tx: TransactionLike = None,
) -> bool:
    """Set the end of a lease to ``extend_s`` from now; see `Job.heartbeat`.

    Source: SQL ``honker_heartbeat``.
    """
    return bool(self.db.engine.call(*_heartbeat_call(self, job_id, worker_id, extend_s, attempt), tx=tx))


async def aheartbeat(
    self: JobQueue,
    job_id: int,
    worker_id: str,
    extend_s: Seconds | None = None,
    *,
    attempt: int | None = None,
    tx: TransactionLike = None,
) -> bool:
    """Like `heartbeat`, without blocking the event loop."""
    return bool(await self.db.engine.acall(*_heartbeat_call(self, job_id, worker_id, extend_s, attempt), tx=tx))


def _retry_call(job_id: int, worker_id: str, delay_s: Seconds, error: str | None, attempt: int | None) -> Call:
    return _RETRY, job_id, worker_id, seconds(delay_s, "delay_s"), error, attempt


def _snooze_call(  # noqa: PLR0917 - the parameters of `snooze`
    queue: str, job_id: int, worker_id: str, delay_s: Seconds, error: str | None, attempt: int
) -> Call:
    wait_s = seconds(delay_s, "delay_s")
    if not 0 <= wait_s <= LIMITS.span_max_s:
        raise InvalidArgumentError(f"delay_s is {delay_s!r}; it must be 0 to {LIMITS.span_max_s} seconds")
    settlement = {"id": job_id, "attempt": attempt, "do": "snooze", "delay_s": wait_s, "error": error}
    return _WORK, queue, worker_id, json.dumps([settlement])


def _was_held(answer: str) -> bool:
    """True if the settlement in the answer of ``honker_work`` was accepted."""
    return serialization.read(answer)["settled"] == [1]


def _heartbeat_call(
    queue: JobQueue, job_id: int, worker_id: str, extend_s: Seconds | None, attempt: int | None
) -> Call:
    lease_s = queue.visibility_timeout_s if extend_s is None else seconds(extend_s, "extend_s")
    return _HEARTBEAT, job_id, worker_id, lease_s, attempt
