"""Facts about jobs beyond their present state: attempts, ends, progress and parents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from honker import serialization
from honker.records import Record

#: The effect of a request to end a job.
CancelOutcome: TypeAlias = Literal["cancelled", "requested", "gone"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Attempt(Record):
    """An attempt that did not end in success.

    Attributes:
        number: Grows with each recorded attempt of the job.
        attempt: The number of the claim; a requeue counts from 1 again.
        outcome: ``"failed"``, ``"lost"`` if its lease expired, ``"snoozed"`` for a run of snoozes, of which the last
            is recorded, or ``"cancelled"``.
        worker_id: The worker that held it.
        ended_at: Unix seconds of its end.
        run_s: Seconds for which the handler ran; None if the worker did not report them.
        error: The error of a failed attempt, at most 8 KiB; else None.
    """

    number: int
    attempt: int
    outcome: str
    worker_id: str
    ended_at: float
    run_s: float | None
    error: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class FinishedJob(Record):
    """A job that succeeded or was cancelled, in a queue that keeps finished jobs.

    Attributes:
        id: The job's id.
        queue: The queue's name.
        payload: JSON text.
        state: ``"done"`` or ``"cancelled"``.
        priority: Larger ran sooner.
        attempts: Claims.
        max_attempts: Claims that it could have had.
        key: Its key, or None.
        worker_id: The worker of the last claim, or None.
        last_error: The error of the last attempt that failed, or None.
        created_at: Unix seconds at which it was enqueued.
        finished_at: Unix seconds at which it ended.
        expires_at: Unix seconds from which on it is no longer kept.
    """

    id: int
    queue: str
    payload: str
    state: str
    priority: int
    attempts: int
    max_attempts: int
    key: str | None
    worker_id: str | None
    last_error: str | None
    created_at: float
    finished_at: float
    expires_at: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress(Record):
    """The progress of a running job.

    Attributes:
        done: The finished part of ``total``.
        total: The whole, in the same unit.
        note: A remark of the handler, or None.
        updated_at: Unix seconds at which it was written.
    """

    done: float
    total: float
    note: str | None
    updated_at: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ParentOutcome(Record):
    """The end of a job after which another one runs.

    Attributes:
        job_id: The parent.
        state: ``"done"``, ``"dead"`` or ``"cancelled"``; None until it has ended.
        has_result: True if it saved a result.
        result: The result, decoded; None without one.
        error: The error of a dead parent, else None.
    """

    job_id: int
    state: str | None
    has_result: bool
    result: Any
    error: str | None


def read_attempts(text: str) -> list[Attempt]:
    """The attempts in an answer of ``honker_job_attempts``."""
    return [Attempt.of(row) for row in serialization.read(text)]


def read_finished(text: str) -> list[FinishedJob]:
    """The jobs in an answer of ``honker_finished_list``."""
    return [FinishedJob.of(row) for row in serialization.read(text)]


def read_progress(text: str | None) -> Progress | None:
    """The progress in an answer of ``honker_progress_get``; None if it has none."""
    return None if text is None else Progress.of(serialization.read(text))


def read_parents(text: str) -> list[ParentOutcome]:
    """The parents in an answer of ``honker_job_parents``.

    Raises:
        UnreadablePayloadError: A stored result is not JSON.
    """
    return [_parent(row) for row in serialization.read(text)]


def _parent(row: dict[str, Any]) -> ParentOutcome:
    text: str | None = row["result"]
    has_result = text is not None
    result = None if text is None else serialization.decode(text)
    return ParentOutcome.of({**row, "has_result": has_result, "result": result})
