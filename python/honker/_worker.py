"""The reference's way to run one job with a handler of one's own; here for those who import it from there.

New code has `honker.Worker` and tasks, which renew the lease, settle in batches, and end handlers that take too long.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import Any, Protocol

from honker.job import Job
from honker.worker.execution import is_cancellation
from honker.worker.outcome import bounded, describe, refuse_lazy
from honker.worker.worker import retry_delays

__all__ = ["run_task"]

logger = logging.getLogger("honker")


class _Queue(Protocol):
    def save_result(self, job_id: int, value: Any, ttl: float | None = None) -> None: ...


class RunnableJob(Protocol):
    """What `run_task` needs of a job: a `honker.Job`, or something like it."""

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
    """Run a claimed job and settle it: acknowledged, put back after a delay, or dead.

    The handler is called on the event loop, with the payload, or with the job if its parameter is called ``job`` or
    annotated `honker.Job`. What it returns is awaited if it can be, whatever kind of callable it is.

    Args:
        job: The job.
        handler: What to call.
        timeout: Seconds that what is awaited may take; None for any. A plain function cannot be interrupted.
        retries: Attempts before it is dead; None leaves it to the job's own budget.
        retry_delay: Seconds until the second attempt.
        backoff: What that is multiplied by after each further failure.
        save_result: Whether to keep what the handler returns. A result that cannot be kept is only logged.
        result_ttl: Seconds for which it is kept; None or 0 for good.

    Raises:
        asyncio.CancelledError: It was cancelled; the job is not settled, and its lease will lapse.
    """
    try:
        value = await _call(job, handler, timeout)
    except _TimedOut as error:
        await _settle_failure(job, retries, str(error), _compute_delay(retry_delay, backoff, job.attempts))
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)) or is_cancellation(error):
            raise
        has_timed_out = isinstance(error, TimeoutError) and not error.args
        text, delay_s = describe(error)
        if has_timed_out:
            text = f"handler timeout\n{text.partition(chr(10))[2]}"
        if delay_s is None:
            delay_s = _compute_delay(retry_delay, backoff, job.attempts)
        await _settle_failure(job, retries, text, delay_s)
    else:
        # Not within the try: the handler has done its work, and what goes wrong now is no reason to do it again.
        if save_result:
            await _keep(job, value, result_ttl)
        await _settle(job, "ack")


class _TimedOut(Exception):
    """The time that `run_task` gave is over."""


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
    """Seconds until the next attempt, after the one of that number; never early, so not cut to whole seconds."""
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
    """Without blocking the event loop, if the job knows how."""
    if isinstance(job, Job):
        await getattr(job, f"a{verb}")(*arguments)
    else:
        getattr(job, verb)(*arguments)
