"""From the value that a handler returned, or the exception that it raised, to the settlement of its job."""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from honker import serialization
from honker.errors import InvalidPayloadError, Retryable
from honker.job import Job
from honker.task.options import SPAN_MAX_S
from honker.worker.settlement import Ack, Fail, Outcome, Retry

#: Characters of a result: all results of a round are one SQL argument, which has an upper bound.
RESULT_MAX_CHARS: Final = 16 * 1024 * 1024
#: Characters of an error that are kept.
_ERROR_MAX_CHARS: Final = 20_000

_ACK: Final = Ack()

logger = logging.getLogger("honker")


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a task for failed attempts, slow handlers and results.

    Attributes:
        retry_delay_s: Seconds until the next attempt, from the number of the one that failed.
        attempts: The last attempt; None leaves it to the job's own budget.
        timeout_s: Seconds that a handler may take; None for any.
        keeps_result: True to store the value that the handler returns.
        result_ttl_s: Seconds for which it is stored; None or 0 for good.
    """

    retry_delay_s: Callable[[int], float]
    attempts: int | None = None
    timeout_s: float | None = None
    keeps_result: bool = False
    result_ttl_s: float | None = None


def success(policy: Policy, value: Any) -> Ack | Fail:
    """The settlement of a job whose handler returned."""
    if not policy.keeps_result:
        return _ACK
    try:
        text = serialization.encode(value)
    except InvalidPayloadError as error:
        # The handler has done its work, and would only do it again.
        return Fail(f"the result cannot be kept: {error.__cause__ or error}")
    if len(text) > RESULT_MAX_CHARS:
        return Fail(f"the result has {len(text)} characters; at most {RESULT_MAX_CHARS} are kept")
    return Ack(text, policy.result_ttl_s or 0)


def failure_of(job: Job, policy: Policy, error: BaseException) -> Retry | Fail:
    """The settlement of a job whose handler raised."""
    if isinstance(error, Retryable):
        return failure(job, policy, str(error), error.delay_s)
    return failure(job, policy, described(error))


def failure(job: Job, policy: Policy, error: str, delay_s: float | None = None) -> Retry | Fail:
    """The settlement of a job whose attempt failed: another attempt after a delay, or none.

    Args:
        job: The job.
        policy: The rules of its task.
        error: The text to keep with the job.
        delay_s: Seconds until the next attempt; None leaves it to the policy.
    """
    if len(error) > _ERROR_MAX_CHARS:
        error = f"{error[: _ERROR_MAX_CHARS // 2]}\n...\n{error[-_ERROR_MAX_CHARS // 2 :]}"
    # SQL cannot hold half a surrogate pair, which a message may quote.
    error = error.encode(errors="replace").decode()
    if policy.attempts is not None and job.attempts >= policy.attempts:
        return Fail(error)
    return Retry(bounded(policy.retry_delay_s(job.attempts) if delay_s is None else delay_s), error)


def bounded(delay_s: float) -> float:
    """A delay that the engine takes: one that it refuses would fail the settlements of other jobs."""
    return 0.0 if math.isnan(delay_s) else min(max(float(delay_s), 0.0), float(SPAN_MAX_S))


def described(error: BaseException) -> str:
    """The text that is kept of an exception: its message and its traceback."""
    return f"{error}\n{''.join(traceback.format_exception(error))}"


def report(job: Job, outcome: Outcome) -> None:
    """Log a failed attempt."""
    if isinstance(outcome, Retry):
        logger.warning("%r failed; again in %.3g s: %s", job, outcome.delay_s, outcome.error)
    elif isinstance(outcome, Fail):
        logger.error("%r failed for good: %s", job, outcome.error)
