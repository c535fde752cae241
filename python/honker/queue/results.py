"""Results of jobs by their ids: the methods of `honker.Queue` of these names, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

from typing import Any

from honker.arguments import Seconds, TransactionLike
from honker.job import JobQueue
from honker.task.result import GET_RESULT, SWEEP_RESULTS, read_result, save_result_call, wait_for_result


def save_result(
    self: JobQueue, job_id: int, value: Any, ttl: Seconds | None = None, tx: TransactionLike = None
) -> None:
    """Keep the result of a job, replacing an earlier one.

    Args:
        job_id: The job; it may no longer exist.
        value: Any value that JSON can represent.
        ttl: Seconds to keep it; None, 0 or less keeps it forever.
        tx: A transaction to save it in.

    Raises:
        InvalidPayloadError: The value has no JSON form.

    Source: SQL ``honker_result_save``.
    """
    self.db.engine.call(*save_result_call(job_id, value, ttl), tx=tx)


async def asave_result(
    self: JobQueue, job_id: int, value: Any, ttl: Seconds | None = None, tx: TransactionLike = None
) -> None:
    """Like `save_result`, without blocking the event loop."""
    await self.db.engine.acall(*save_result_call(job_id, value, ttl), tx=tx)


def get_result(self: JobQueue, job_id: int, tx: TransactionLike = None) -> tuple[bool, Any]:
    """The result of a job: ``(True, value)``, or ``(False, None)`` if it is missing or has expired.

    Source: SQL ``honker_result_get``.
    """
    return read_result(self.db.engine.ask(GET_RESULT, job_id, tx=tx))


async def aget_result(self: JobQueue, job_id: int, tx: TransactionLike = None) -> tuple[bool, Any]:
    """Like `get_result`, without blocking the event loop."""
    return read_result(await self.db.engine.aask(GET_RESULT, job_id, tx=tx))


async def wait_result(self: JobQueue, job_id: int, timeout: float | None = None) -> Any:
    """Wait for the result of a job and return it; see also `TaskResult.get`.

    Args:
        job_id: The job.
        timeout: Seconds to wait; None waits without limit.

    Raises:
        JobFailedError: The job is dead.
        JobCancelledError: The job was cancelled.
        ResultGoneError: The job ended and left no result. An id that no job has had yet is waited for.
        TimeoutError: The result did not come in time.
    """
    return await wait_for_result(self.db.engine, job_id, timeout)


def sweep_results(self: JobQueue, tx: TransactionLike = None) -> int:
    """Delete the expired results of all queues, and return the number of results.

    Saving a result also deletes expired ones.

    Source: SQL ``honker_result_sweep``.
    """
    return self.db.engine.call(SWEEP_RESULTS, tx=tx)


async def asweep_results(self: JobQueue, tx: TransactionLike = None) -> int:
    """Like `sweep_results`, without blocking the event loop."""
    return await self.db.engine.acall(SWEEP_RESULTS, tx=tx)
