"""Run one claimed job with a given handler; kept for programs that import ``honker._worker``.

New code uses `honker.Worker` and tasks, which also renew leases, settle jobs in batches and end handlers at a timeout.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from honker import serialization
from honker.job import Job
from honker.worker.execution import is_cancellation
from honker.worker.outcome import ErrorReport, Policy, bounded, describe, refuse_lazy, settlement_of
from honker.worker.settlement import Ack, Cancel, FinishedJob, Snoozed, awaited, encode
from honker.worker.worker import retry_delays

__all__ = ["run_task"]

_WORK: Final = "SELECT honker_work(?, ?, 0, 1, ?)"
#: For exceptions that ask for an end, which no policy decides.
_NO_POLICY: Final = Policy(retry_delays(0, 1))

logger = logging.getLogger("honker")


class _Queue(Protocol):
    def save_result(self, job_id: int, value: Any, ttl: float | None = None) -> None: ...


class RunnableJob(Protocol):
    """A job that `run_task` accepts: a `honker.Job`, or an object with the same members."""

    id: int
    attempts: int

    @property
    def queue(self) -> _Queue: ...
    @property
    def payload(self) -> Any: ...
    def ack(self) -> bool: ...
    def retry(self, delay_s: float, error: str) -> bool: ...
    def fail(self, error: str) -> bool: ...


async def run_task(
    job: RunnableJob,
    handler: Callable[[Any], Any],
    *,
    timeout: float | None = None,
    retries: int | None = None,
    retry_delay: float = 60.0,
    backoff: float = 1.0,
    save_result: bool = False,
    result_ttl: float | None = 3600.0,
) -> None:
    """Run a claimed job and settle it by an ack, a retry after a delay, or a dead letter.

    `honker.Snooze`, `honker.RateLimited`, `honker.Discard` and `honker.JobCancelledError` have the same effect as in a
    worker.

    The handler is called on the event loop. Its argument is the payload, or the job if its first parameter is named
    ``job`` or annotated `honker.Job`. An awaitable return value is awaited.

    Args:
        job: The job.
        handler: A function or coroutine function.
        timeout: Seconds allowed for awaiting the return value; None for no limit. A plain function cannot be
            interrupted.
        retries: Attempts before the job is dead-lettered; None uses the job's ``max_attempts``.
        retry_delay: Seconds until the second attempt.
        backoff: The factor on that delay after each further failure.
        save_result: True to keep the handler's return value. A failure to keep it is only logged.
        result_ttl: Seconds to keep the result; None or 0 keeps it forever.

    Raises:
        asyncio.CancelledError: The call was cancelled. The job is not settled, and its lease will lapse.
    """
    try:
        value = await _call(job, handler, timeout)
    except _TimedOut as error:
        await _settle_failure(job, retries, str(error), _compute_delay(retry_delay, backoff, job.attempts))
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)) or is_cancellation(error):
            raise
        has_timed_out = isinstance(error, TimeoutError) and not error.args
        report = describe(error)
        text, delay_s = report.text, report.delay_s
        if report.wish == "discard":
            await _settle(job, "fail", text)
            return
        if isinstance(job, Job) and await _settle_wish(job, report):
            return
        if has_timed_out:
            text = f"handler timeout\n{text.partition(chr(10))[2]}"
        if delay_s is None:
            delay_s = _compute_delay(retry_delay, backoff, job.attempts)
        await _settle_failure(job, retries, text, delay_s)
    else:
        # Outside the try: the handler has succeeded, and a later failure is no reason to run it again.
        await _settle_success(job, value, result_ttl, keeps_result=save_result)


async def _settle_success(job: RunnableJob, value: Any, ttl: float | None, *, keeps_result: bool) -> None:
    """Ack a job, and keep its result if that is asked for or if other jobs wait for it."""
    if not keeps_result and isinstance(job, Job):
        if not job.has_dependents and not await _is_awaited(job):
            return
        keeps_result = True
    if keeps_result:
        await _keep(job, value, ttl)
    await _settle(job, "ack")


async def _settle_wish(job: Job, report: ErrorReport) -> bool:
    """Put a job off or cancel it as its exception asks, as a worker does. Returns true if it asked for either."""
    settlement = settlement_of(job, _NO_POLICY, report)
    if not isinstance(settlement, (Snoozed, Cancel)):
        return False
    text = encode([FinishedJob(job, settlement)])
    await job.queue.db.engine.acall(_WORK, job.queue_name, job.worker_id, text)
    return True


async def _is_awaited(job: Job) -> bool:
    """Ack a job without its result, or return true if a job has begun to wait for it since its claim."""
    ack = Ack(withheld=Ack)
    answer = await job.queue.db.engine.acall(_WORK, job.queue_name, job.worker_id, encode([FinishedJob(job, ack)]))
    return awaited(ack, serialization.read(answer)["settled"][0]) is not None


class _TimedOut(Exception):
    """The timeout of `run_task` has passed."""


async def _call(job: RunnableJob, handler: Callable[[Any], Any], timeout: float | None) -> Any:
    value = handler(job if _wants_job(handler) else job.payload)
    if not inspect.isawaitable(value):
        refuse_lazy(value)
        return value
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            value = await value
        refuse_lazy(value)
        return value
    except TimeoutError:
        if limit.expired():
            raise _TimedOut(f"timeout after {timeout}s") from None
        raise


def _wants_job(handler: Callable[[Any], Any]) -> bool:
    try:
        first = next(iter(inspect.signature(handler).parameters.values()), None)
    except (TypeError, ValueError):  # Some built-in functions have no signature.
        return False
    return first is not None and (first.name == "job" or first.annotation in (Job, "Job", "honker.Job"))


def _compute_delay(retry_delay: float, backoff: float, attempts: int) -> float:
    """Seconds until the attempt after that number. Not truncated to whole seconds, which would be early."""
    return bounded(retry_delays(retry_delay, backoff)(attempts))


async def _keep(job: RunnableJob, value: Any, ttl: float | None) -> None:
    try:
        await asyncio.to_thread(job.queue.save_result, job.id, value, ttl)
    except Exception as error:
        logger.warning("the result of job %d is not kept: %s", job.id, error)


async def _settle_failure(job: RunnableJob, retries: int | None, error: str, delay_s: float) -> None:
    if retries is not None and job.attempts >= retries:
        await _settle(job, "fail", error)
    else:
        await _settle(job, "retry", bounded(delay_s), error)


async def _settle(job: RunnableJob, verb: str, *arguments: Any) -> None:
    """Settle a job, without blocking the event loop if it is a `honker.Job`."""
    if isinstance(job, Job):
        await getattr(job, f"a{verb}")(*arguments)
    else:
        getattr(job, verb)(*arguments)
