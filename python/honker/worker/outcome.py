"""From the value that a handler returned, or the exception that it raised, to the settlement of its job."""

from __future__ import annotations

import contextlib
import logging
import math
import traceback
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from honker import serialization
from honker.codec import Codec, sealing
from honker.codec.task_types import TaskTypes
from honker.engine.limits import LIMITS
from honker.errors import (
    Discard,
    InvalidPayloadError,
    InvalidTaskError,
    JobCancelledError,
    RateLimited,
    Retryable,
    Snooze,
)
from honker.job import Job
from honker.worker.retry_rules import NO_RULING, RetryRules, Ruling
from honker.worker.settlement import (
    Ack,
    Cancel,
    Committed,
    Fail,
    Hold,
    Outcome,
    Release,
    Retry,
    Settlement,
    Snoozed,
)

#: Characters of a result: all results of a round are one SQL argument, which has an upper bound.
RESULT_MAX_CHARS: Final = 16 * 1024 * 1024
#: Characters of a result that a process sends to its worker though the task does not store it: a job may have begun to
#: wait for it.
SPARE_RESULT_MAX_CHARS: Final = 64 * 1024
#: Characters of an error that are kept.
_ERROR_MAX_CHARS: Final = 20_000

_ACK: Final = Ack()
_WORDS: Final[dict[type[Outcome], str]] = {
    Ack: "done",
    Committed: "done",
    Retry: "failed",
    Fail: "dead",
    Release: "released",
    Snoozed: "snoozed",
    Cancel: "cancelled",
}

_LAZY: Final = (types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType, map, filter)

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
        rules: The rules that look at the exception of a failed attempt; None without any.
        types: The conversion of the value that the handler returns; None leaves it to JSON.
        codec: The codec that writes it; None for plain JSON.
    """

    retry_delay_s: Callable[[int], float]
    attempts: int | None = None
    timeout_s: float | None = None
    keeps_result: bool = False
    result_ttl_s: float | None = None
    rules: RetryRules | None = None
    types: TaskTypes | None = None
    codec: Codec | None = None

    def sends_result(self, job: Job) -> bool:
        """True if the value that a handler returns is stored: for callers, or for the jobs that wait for this one."""
        return self.keeps_result or job.has_dependents


class EncodedResult(NamedTuple):
    """The result of a handler as JSON.

    Attributes:
        text: The JSON text; None if there is none.
        refusal: The reason why there is none.
    """

    text: str | None
    refusal: str | None = None


def encode_result(value: Any, types: TaskTypes | None = None, max_chars: int | None = None) -> EncodedResult:
    """The JSON of a value that a handler returned, converted by its types; never raises an `Exception`.

    Args:
        value: The value.
        types: The types of the task; None converts nothing.
        max_chars: The longest text; None means `RESULT_MAX_CHARS`.
    """
    max_chars = RESULT_MAX_CHARS if max_chars is None else max_chars
    try:
        text = serialization.encode(value if types is None else types.encode_result(value))
    except InvalidPayloadError as error:
        return EncodedResult(None, message_of(error.__cause__ or error))
    except Exception as error:  # The value's own methods may raise anything.
        return EncodedResult(None, message_of(error))
    if len(text) > max_chars:
        unless = "" if max_chars == RESULT_MAX_CHARS else " by a task in a process without store_result=True"
        return EncodedResult(None, f"it has {len(text)} characters; at most {max_chars} are stored{unless}")
    return EncodedResult(text)


def success(job: Job, policy: Policy, value: Any) -> Ack:
    """The settlement of a job whose handler returned."""
    if policy.sends_result(job):
        return acknowledged(job, policy, encode_result(value, policy.types))
    # A job without a result gives its children None.
    return (
        _ACK if value is None else Ack(withheld=lambda: acknowledged(job, policy, encode_result(value, policy.types)))
    )


def success_in_process(job: Job, policy: Policy, result: EncodedResult) -> Ack:
    """The settlement of a job whose handler returned in another process, which has encoded the value."""
    if policy.sends_result(job):
        return acknowledged(job, policy, result)
    return _ACK if result.text == "null" else Ack(withheld=lambda: acknowledged(job, policy, result))


def acknowledged(job: Job, policy: Policy, result: EncodedResult) -> Ack:
    """The settlement of a job with a result. A result without JSON is only logged: the work is done."""
    result = _sealed(job, policy.codec, result)
    if result.text is None:
        logger.warning("%r is done, but its result is not stored: %s", job, result.refusal)
        return _ACK
    return Ack(result.text, policy.result_ttl_s or 0)


def _sealed(job: Job, codec: Codec | None, result: EncodedResult) -> EncodedResult:
    """A result as the codec writes it."""
    if result.text is None or sealing.is_plain(codec):
        return result
    try:
        value = sealing.seal_result(codec, job.id, serialization.decode(result.text))
    except Exception as error:  # The codec may be the application's.
        return EncodedResult(None, message_of(error))
    return encode_result(value)


def failure_of(job: Job, policy: Policy, error: BaseException) -> Settlement:
    """The settlement of a job whose handler raised; never raises."""
    # Before the description, which drops the traceback.
    ruling = ruling_of(job, policy.rules, error)
    return settlement_of(job, policy, describe(error), ruling)


def ruling_of(job: Job, rules: RetryRules | None, error: BaseException) -> Ruling:
    """The decision of the rules of a task, if there are any, on an exception of its handler; never raises."""
    return rules.ruling(job, error) if rules is not None and is_judged(error) else NO_RULING


def is_judged(error: BaseException) -> bool:
    """True if the rules of a task decide on an exception: one that chooses the end of the attempt is obeyed."""
    return not isinstance(error, (*_CHOOSING, JobCancelledError))


def settlement_of(job: Job, policy: Policy, report: ErrorReport, ruling: Ruling = NO_RULING) -> Settlement:
    """The settlement of a job whose handler raised, from the report of it."""
    if report.delay_s is not None and report.wish in {"snooze", "hold the key", "hold the queue"}:
        hold: Hold | None = "queue" if report.wish == "hold the queue" else None
        # Without a key there is no other job to hold.
        hold = "key" if report.wish == "hold the key" and job.key is not None else hold
        return Snoozed(report.delay_s, report.text or None, hold)
    if report.wish == "discard":
        return Fail(report.text, is_discarded=True)
    if report.wish == "refuse":
        return Fail(report.text)
    if report.cancelled_id == job.id:
        return Cancel()
    return failure(job, policy, report.text + ruling.note, report.delay_s, ruling)


#: The exceptions that ask for something else than the policy of the task, and their wishes.
_CHOOSING: Final = (Retryable, Snooze, RateLimited, Discard)
Wish: TypeAlias = Literal["", "retry", "snooze", "discard", "refuse", "hold the key", "hold the queue"]


class ErrorReport(NamedTuple):
    """The text that is kept of an exception, and the end of the attempt that it asks for.

    Attributes:
        text: The message, with a traceback unless the exception asks for an end.
        delay_s: The delay that it asks for; None if it asks for none.
        wish: The end that it asks for; empty for the policy of the task.
        cancelled_id: The job of a `JobCancelledError`.
        kinds: The names of its class and of all bases, for another process.
    """

    text: str
    delay_s: float | None = None
    wish: Wish = ""
    cancelled_id: int | None = None
    kinds: Sequence[str] = ()


def describe(error: BaseException) -> ErrorReport:
    """Describe an exception, then drop its traceback, whose frames hold the variables of the handler.

    Never raises: the methods of an exception may, and formatting a long chain may recurse too deeply.
    """
    try:
        if isinstance(error, JobCancelledError):
            return ErrorReport(described(error), cancelled_id=getattr(error, "job_id", None))
        if not isinstance(error, _CHOOSING):
            return ErrorReport(described(error))
        text = message_of(error)
        told = "" if text == type(error).__qualname__ else text
        if isinstance(error, Discard):
            return ErrorReport(_storable(told or "discarded by its handler"), wish="discard")
        delay_s = _chosen_delay_s(error)
        if delay_s is None:
            argument = "retry_after_s" if isinstance(error, RateLimited) else "delay_s"
            text += (
                f"\nhonker.{type(error).__name__}: {argument} is no number of seconds; the delay of the task is used"
            )
            return ErrorReport(text)
        if isinstance(error, Retryable):
            return ErrorReport(text, delay_s, "retry")
        return ErrorReport(_storable(told), delay_s, _wish(error))
    finally:
        drop_tracebacks(error)


def _wish(error: Snooze | RateLimited) -> Wish:
    if isinstance(error, Snooze):
        return "snooze"
    return "hold the key" if getattr(error, "key", False) else "hold the queue"


def _chosen_delay_s(error: Retryable | Snooze | RateLimited) -> float | None:
    try:
        wanted = (
            error.retry_after_s if isinstance(error, RateLimited) else error.delay_s
        )  # absent from a subclass whose constructor does not call ours
        delay_s = wanted.total_seconds() if isinstance(wanted, timedelta) else wanted
        return None if isinstance(delay_s, float) and math.isnan(delay_s) else bounded(delay_s)
    except (AttributeError, TypeError, ValueError, ArithmeticError):
        return None


def timed_out(job: Job, policy: Policy, error: str) -> Retry | Fail:
    """The settlement of a job whose handler took too long: to the rules of the task, a `TimeoutError`."""
    ruling = NO_RULING if policy.rules is None else policy.rules.ruling(job, TimeoutError(error))
    return failure(job, policy, error + ruling.note, ruling=ruling)


def failure(
    job: Job, policy: Policy, error: str, delay_s: float | None = None, ruling: Ruling = NO_RULING
) -> Retry | Fail:
    """The settlement of a job whose attempt failed: another attempt after a delay, or none.

    Args:
        job: The job.
        policy: The rules of its task.
        error: The text to keep with the job.
        delay_s: Seconds until the next attempt, if the handler has chosen; None leaves it to the ruling.
        ruling: The decision of the task's rules; without a delay of its own, the policy's is used.
    """
    error = _storable(error)
    if ruling.gives_up or (policy.attempts is not None and job.attempts >= policy.attempts):
        return Fail(error)
    delay_s = ruling.delay_s if delay_s is None else delay_s
    return Retry(bounded(policy.retry_delay_s(job.attempts) if delay_s is None else delay_s), error)


def _storable(error: str) -> str:
    """The text of an error as it is kept: of bounded length, and without halves of surrogate pairs."""
    if len(error) > _ERROR_MAX_CHARS:
        error = f"{error[: _ERROR_MAX_CHARS // 2]}\n...\n{error[-_ERROR_MAX_CHARS // 2 :]}"
    return error.encode(errors="replace").decode()


def bounded(delay_s: float) -> float:
    """A delay that the engine takes: one that it refuses would fail the settlements of other jobs."""
    if isinstance(delay_s, float) and math.isnan(delay_s):
        return 0.0
    # Compared before it is converted: an int may be larger than any float.
    return float(min(max(delay_s, 0), LIMITS.span_max_s))


def message_of(error: BaseException) -> str:
    """The message of an exception; the name of its class if it has none, or if asking for it fails."""
    name = type(error).__qualname__
    try:
        # Not a subclass of str, whose methods may raise as well.
        return str.__str__(str(error)) or name
    except BaseException as failure:
        return f"{name} (its message cannot be read: {type(failure).__qualname__})"


def described(error: BaseException) -> str:
    """The text that is kept of an exception: its message and its traceback."""
    message = message_of(error)
    try:
        lines = traceback.format_exception(error)
    except BaseException as failure:
        # Of a chain that is too long, or an exception that cannot be written, at least the place is kept.
        lines = [f"Traceback (shortened: {type(failure).__qualname__}):\n", *traceback.format_tb(error.__traceback__)]
    if len(message) > _ERROR_MAX_CHARS // 4:
        message = f"{message[: _ERROR_MAX_CHARS // 4]}..."  # leaves room for the beginning of the traceback
    return f"{message}\n{''.join(lines)}"


def drop_tracebacks(error: BaseException) -> None:
    """Drop the tracebacks of an exception and of all exceptions that it names.

    A frame that has its exception in a variable would otherwise live, with all of its variables, until the garbage
    collector finds the circle.
    """
    left: list[BaseException] = [error]
    seen: set[int] = set()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        with contextlib.suppress(Exception):  # A class may have attributes of these names that raise.
            one.__traceback__ = None
            left += [each for each in (one.__cause__, one.__context__) if each is not None]
            if isinstance(one, BaseExceptionGroup):
                left += cast("BaseExceptionGroup[BaseException]", one).exceptions


def cancelled_outcome(job: Job, outcome: Outcome) -> Outcome:
    """The outcome of a job that was asked to end: success wins, and everything else ends it as cancelled."""
    if isinstance(outcome, (Retry, Fail)):
        logger.info("%r is cancelled; its handler ended with: %s", job, outcome.error)
    return outcome if isinstance(outcome, (Ack, Committed)) else Cancel()


def refuse_lazy(value: Any) -> None:
    """Refuse a return value that is work still to be done, such as a generator.

    Raises:
        InvalidTaskError: It is one; a worker does not run it.
    """
    if not isinstance(value, _LAZY):
        return
    if isinstance(value, (types.GeneratorType, types.CoroutineType)):
        cast("types.GeneratorType[Any] | types.CoroutineType[Any, Any, Any]", value).close()
    kind = type(cast("object", value)).__name__.replace("_", " ")
    article = "an" if kind[0] in "aeiou" else "a"
    raise InvalidTaskError(f"the handler returned {article} {kind}, which has not run; do the work before returning")


def word_of(outcome: Outcome) -> str:
    """The end of an attempt in one word, for logs and counts."""
    return "lost" if isinstance(outcome, Committed) and not outcome.is_held else _WORDS[type(outcome)]


def report(job: Job, name: str, outcome: Outcome, seconds: float) -> None:
    """Log the end of an attempt: failures always, and one line for each attempt at the level debug.

    Each record has the fields ``task``, ``queue``, ``job_id``, ``attempt``, ``seconds`` and ``outcome``; one of a
    failure also ``error`` and, if there is one, ``traceback``.
    """
    word = word_of(outcome)
    facts = {
        "task": name,
        "queue": job.queue_name,
        "job_id": job.id,
        "attempt": job.attempts,
        "seconds": seconds,
        "outcome": word,
    }
    _report_failure(job, outcome, facts)
    if not logger.isEnabledFor(logging.DEBUG):
        return
    logger.debug(
        "task %r, job %d of queue %r, attempt %d: %s in %.3f s",
        name,
        job.id,
        job.queue_name,
        job.attempts,
        word,
        seconds,
        extra=facts,
    )


def _report_failure(job: Job, outcome: Outcome, facts: dict[str, Any]) -> None:
    if isinstance(outcome, Retry):
        extra = facts | _error_facts(outcome.error)
        logger.warning("%r failed; again in %.3g s: %s", job, outcome.delay_s, outcome.error, extra=extra)
    elif isinstance(outcome, Fail) and outcome.is_discarded:
        extra = facts | _error_facts(outcome.error)
        logger.warning("%r is discarded by its handler: %s", job, outcome.error, extra=extra)
    elif isinstance(outcome, Snoozed) and outcome.hold is not None:
        held = f"key {job.key!r}" if outcome.hold == "key" else "queue"
        text = "%r is rate limited; its %s is held for %.3g s: %s"
        logger.warning(text, job, held, outcome.delay_s, outcome.error, extra=facts)
    elif isinstance(outcome, Fail):
        logger.error("%r failed for good: %s", job, outcome.error, extra=facts | _error_facts(outcome.error))


def _error_facts(error: str) -> dict[str, str]:
    """The message of an error and its traceback, which `described` has put together."""
    message, begin, rest = error.partition("\nTraceback (")
    return {"error": message, "traceback": f"{begin[1:]}{rest}"} if begin else {"error": error}
