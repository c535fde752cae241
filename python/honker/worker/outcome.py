"""What is called for a job, and what becomes of the job when the call has ended."""

from __future__ import annotations

import functools
import inspect
import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, cast

from honker import serialization
from honker.engine import HandlerScope
from honker.errors import InvalidPayloadError
from honker.job import Job
from honker.task.options import SPAN_MAX_S

#: Characters of a result: all of a round are one SQL argument, which has an upper bound.
RESULT_MAX_CHARS: Final = 16 * 1024 * 1024
#: Characters of an error that are kept; a traceback says what it has to say within them.
_ERROR_MAX_CHARS: Final = 20_000

#: What is to become of a job: a settlement of ``honker_work`` without the claim it is about.
Ending: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do about a handler that fails or takes long, and about what it returns.

    Attributes:
        retry_delay_s: Seconds until the next attempt, from the number of the one that failed.
        attempts: The last attempt; None leaves it to the job's own budget.
        timeout_s: Seconds that a handler may take; None for any.
        keeps_result: Whether what it returns is kept.
        result_ttl_s: How long; None or 0 for good.
    """

    retry_delay_s: Callable[[int], float]
    attempts: int | None = None
    timeout_s: float | None = None
    keeps_result: bool = False
    result_ttl_s: float | None = None


class Target(NamedTuple):
    """A function, for a process that has not imported it yet.

    Attributes:
        task: The name it is registered under when its module has been imported.
    """

    module: str
    qualname: str
    task: str


@dataclass(slots=True)
class Call:
    """What is to be called for a job.

    Attributes:
        fn: A function, of whatever kind: what it returns is awaited if it can be.
        is_async: Whether it is worth calling on the event loop; anything else is called in a thread.
        target: Where another process finds the function, if it is to be called there.
        tx: The transaction that was handed to it, if any.
    """

    fn: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    policy: Policy
    is_async: bool
    target: Target | None = None
    tx: HandlerScope | None = None


Resolver: TypeAlias = "Callable[[Job], Call | Ending]"


def is_async_callable(fn: Callable[..., Any]) -> bool:
    """Whether calling it is certain to return a coroutine at once.

    A no is a guess: what a partial, a lambda or an object returns is known only when it has been called. Such a one is
    called in a thread, where it can block nobody, and what it returns is awaited on the event loop.
    """
    while isinstance(fn, functools.partial):
        fn = cast("functools.partial[Any]", fn).func
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(type(fn).__call__)


def success(policy: Policy, value: Any) -> Ending:
    """The ending of a job whose handler returned."""
    if not policy.keeps_result:
        return {"do": "ack"}
    try:
        text = serialization.encode(value)
    except InvalidPayloadError as error:
        # The handler has done its work, and would only do it again.
        return {"do": "fail", "error": f"the result cannot be kept: {error.__cause__ or error}"}
    if len(text) > RESULT_MAX_CHARS:
        return {"do": "fail", "error": f"the result has {len(text)} characters; at most {RESULT_MAX_CHARS} are kept"}
    return {"do": "ack", "result": text, "result_ttl_s": policy.result_ttl_s or 0}


def failure(job: Job, policy: Policy, error: str, delay_s: float | None = None) -> Ending:
    """The ending of a job whose handler did not: another attempt after a delay, or none."""
    if len(error) > _ERROR_MAX_CHARS:
        error = f"{error[: _ERROR_MAX_CHARS // 2]}\n...\n{error[-_ERROR_MAX_CHARS // 2 :]}"
    # SQL cannot hold half a surrogate pair, which a message may quote.
    error = error.encode(errors="replace").decode()
    if policy.attempts is not None and job.attempts >= policy.attempts:
        return {"do": "fail", "error": error}
    wanted_s = policy.retry_delay_s(job.attempts) if delay_s is None else delay_s
    return {"do": "retry", "delay_s": bounded(wanted_s), "error": error}


def bounded(delay_s: float) -> float:
    """A delay that the engine takes: what a handler asks for must not hinder the settling of others."""
    return 0.0 if math.isnan(delay_s) else min(max(float(delay_s), 0.0), float(SPAN_MAX_S))


def described(error: BaseException) -> str:
    """What is kept of an exception."""
    return f"{error}\n{''.join(traceback.format_exception(error))}"
