"""The options of a task, checked where it is decorated: a worker would find out later, and far from the mistake.

The ranges are those of the engine.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast, get_args

from honker.arguments import OnConflict, UniqueUntil
from honker.engine.limits import LIMITS
from honker.errors import InvalidArgumentError, InvalidScheduleError, InvalidTaskError
from honker.job import Job
from honker.task.module_name import is_of_main

#: Where a worker calls a plain function: in a thread, or in a process of its own.
Executor: TypeAlias = Literal["thread", "process"]

NAME_MAX_BYTES: Final = LIMITS.name_max_bytes
MAX_ATTEMPTS: Final = LIMITS.max_attempts[1]
PRIORITY_MAX: Final = LIMITS.priority[1]
SPAN_MAX_S: Final = LIMITS.span_max_s

#: The largest part of a retry's delay that is added at random: jobs that failed together do not return together.
JITTER: Final = 0.1

#: Seconds for which a result is kept by default.
RESULT_TTL_S: Final = 3600.0

#: How a schedule treats boundaries that passed without a leader.
Misfire: TypeAlias = Literal["catch_up", "once", "skip"]
#: How a schedule treats a boundary that comes before the job of the last firing has ended.
Overlap: TypeAlias = Literal["queue", "skip"]
#: How a schedule treats a boundary that comes while the queue is paused.
WhenPaused: TypeAlias = Literal["enqueue", "skip"]

#: Classes of exceptions, as ``except`` takes them.
ExceptionTypes: TypeAlias = tuple[type[BaseException], ...]
#: Chooses the seconds until the next attempt from the exception of the last one and its job; None gives up.
RetryRule: TypeAlias = "Callable[[BaseException, Job], float | None]"
#: A key of a task's jobs, or a function that makes it from the arguments of a call; None for no key.
KeyOption: TypeAlias = "str | Callable[..., str | None]"

_Check: TypeAlias = "Callable[[Any], bool]"


class _Rule(NamedTuple):
    allows: _Check
    range: str
    advice: str


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_factor(value: Any) -> bool:
    return _is_number(value) and 0 < value < math.inf


def _is_span(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= SPAN_MAX_S


def _is_timeout(value: Any) -> bool:
    return _is_number(value) and 0 < value <= SPAN_MAX_S


def _is_expiry(value: Any) -> bool:
    if isinstance(value, timedelta):
        return 0 < value.total_seconds() <= SPAN_MAX_S
    return (_is_number(value) or isinstance(value, Decimal)) and 0 < value <= SPAN_MAX_S


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value.encode(errors="replace")) <= NAME_MAX_BYTES


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_executor(value: Any) -> bool:
    return value in ("thread", "process")


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_exceptions(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(each, type) and issubclass(each, BaseException) for each in cast("tuple[Any, ...]", value)
    )


def _is_key(value: Any) -> bool:
    return callable(value) or _is_name(value)


def _one_of(*allowed: str) -> _Check:
    def is_one_of(value: Any) -> bool:
        return isinstance(value, str) and value in allowed

    return is_one_of


def _whole(least: int, most: int) -> _Check:
    def is_whole(value: Any) -> bool:
        is_integral = type(value) is int or (isinstance(value, float) and value.is_integer())
        return is_integral and least <= value <= most

    return is_whole


def _or_none(check: _Check) -> _Check:
    def is_none_or(value: Any) -> bool:
        return value is None or check(value)

    return is_none_or


_NAME_RANGE: Final = f"text of 1 to {NAME_MAX_BYTES} UTF-8 bytes"
_KEY_RANGE: Final = f"{_NAME_RANGE}, or a function of the arguments that returns one or None"
_SPAN_RANGE: Final = f"0 to {SPAN_MAX_S} seconds"
_LIMIT_RANGE: Final = f"None, or more than 0 and up to {SPAN_MAX_S} seconds"
_RETRIES_RANGE: Final = f"a whole number, 1 to {MAX_ATTEMPTS}"
_PRIORITY_RANGE: Final = f"a whole number, {-PRIORITY_MAX} to {PRIORITY_MAX}"

_RULES: Final = {
    "queue": _Rule(_is_name, _NAME_RANGE, "name the queue otherwise"),
    "name": _Rule(_or_none(_is_text), "None, or text that is not empty", "leave it out for the function's own"),
    "scheduler_name": _Rule(_or_none(_is_name), _NAME_RANGE, "pass a shorter one"),
    "retries": _Rule(_whole(1, MAX_ATTEMPTS), _RETRIES_RANGE, "1 tries once"),
    "max_attempts": _Rule(_whole(1, MAX_ATTEMPTS), _RETRIES_RANGE, "1 tries once"),
    "retry_delay_s": _Rule(_is_span, _SPAN_RANGE, "0 tries again at once"),
    "backoff": _Rule(_is_factor, "a finite number above 0", "1 keeps the delay as it is"),
    "max_retry_delay_s": _Rule(_or_none(_is_span), f"None, or {_SPAN_RANGE}", "leave it out for no limit"),
    "jitter": _Rule(_is_share, "0 to 1", "0 keeps delays exact"),
    "misfire": _Rule(
        _or_none(_one_of(*get_args(Misfire))), "None, 'catch_up', 'once' or 'skip'", "leave it out for 'catch_up'"
    ),
    "overlap": _Rule(_or_none(_one_of(*get_args(Overlap))), "None, 'queue' or 'skip'", "leave it out for 'queue'"),
    "when_paused": _Rule(
        _or_none(_one_of(*get_args(WhenPaused))), "None, 'enqueue' or 'skip'", "leave it out for 'enqueue'"
    ),
    "timeout_s": _Rule(_or_none(_is_timeout), _LIMIT_RANGE, "leave it out for no limit"),
    "priority": _Rule(_whole(-PRIORITY_MAX, PRIORITY_MAX), _PRIORITY_RANGE, "larger runs sooner"),
    "expires_s": _Rule(_or_none(_is_expiry), _LIMIT_RANGE, "leave it out for jobs that stay"),
    "result_ttl_s": _Rule(_is_span, _SPAN_RANGE, "0 keeps results for good"),
    "retry_on": _Rule(_or_none(_is_exceptions), "a class of exceptions or a tuple of them", "leave it out for all"),
    "give_up_on": _Rule(_is_exceptions, "a class of exceptions or a tuple of them", "leave it out for none"),
    "retry": _Rule(_or_none(callable), "a function of (exception, job)", "leave it out for retry_delay_s and backoff"),
    "key": _Rule(_or_none(_is_key), _KEY_RANGE, "leave it out for no key"),
    "unique_key": _Rule(_or_none(_is_key), _KEY_RANGE, "leave it out for no key"),
    "on_conflict": _Rule(
        _or_none(_one_of(*get_args(OnConflict))),
        "'existing', 'replace', 'rerun' or 'raise'",
        "leave it out for 'existing'",
    ),
    "unique_until": _Rule(
        _or_none(_one_of(*get_args(UniqueUntil))), "'finished' or 'started'", "leave it out for 'finished'"
    ),
    "unique_for_s": _Rule(_or_none(_is_span), f"None, or {_SPAN_RANGE}", "leave it out for none"),
    "debounce_s": _Rule(_or_none(_is_span), f"None, or {_SPAN_RANGE}", "leave it out for none"),
    "debounce_max_s": _Rule(_or_none(_is_span), f"None, or {_SPAN_RANGE}", "leave it out for no limit"),
    "executor": _Rule(_is_executor, "'thread' or 'process'", "leave it out for a thread"),
}

# A schedule keeps whole seconds; a part of one would be dropped, and half a second would be none.
_PERIODIC_RULES: Final = _RULES | {
    "expires_s": _Rule(
        _or_none(_whole(1, SPAN_MAX_S)),
        f"None, or a whole number of seconds, 1 to {SPAN_MAX_S}",
        "leave it out for jobs that stay",
    )
}


def check_options(queue: str | None, options: dict[str, Any]) -> None:
    """Refuse options that no worker could follow; those of a periodic task have a ``schedule`` among them.

    Raises:
        InvalidArgumentError: One is of another type, or outside its range.
    """
    rules = _RULES if options.get("schedule") is None else _PERIODIC_RULES
    for argument, value in (options if queue is None else {"queue": queue, **options}).items():
        rule = rules.get(argument)
        if rule is not None and not rule.allows(value):
            raise InvalidArgumentError(f"{argument} is {value!r}; it must be {rule.range}: {rule.advice}")


def exceptions_of(value: Any) -> Any:
    """Exceptions as ``isinstance`` takes them: a class or a list becomes a tuple; `check_options` refuses the rest."""
    if isinstance(value, type):
        return (value,)
    return tuple(cast("list[Any]", value)) if isinstance(value, (list, set, frozenset)) else value


def check_unique_options(options: dict[str, Any]) -> None:
    """Refuse options of a unique key without one, and options that exclude each other, as the engine does.

    Raises:
        InvalidArgumentError: An option lacks its partner, or contradicts another one.
    """
    given = {name for name in _OF_UNIQUE_KEYS if options.get(name) is not None}
    if given and options.get("unique_key") is None:
        argument = next(name for name in _OF_UNIQUE_KEYS if name in given)
        raise InvalidArgumentError(
            f"{argument} is {options[argument]!r}, and there is no unique_key for it; pass unique_key= as well"
        )
    if "debounce_max_s" in given and "debounce_s" not in given:
        raise InvalidArgumentError(
            f"debounce_max_s is {options['debounce_max_s']!r}, and there is no debounce_s for it; "
            "pass debounce_s= as well"
        )
    if "debounce_s" in given and options.get("on_conflict") not in {None, "replace"}:
        raise InvalidArgumentError(
            f"on_conflict is {options['on_conflict']!r}, and debounce_s replaces the job; leave on_conflict out"
        )
    for other in ("debounce_s", "unique_until"):
        if "unique_for_s" in given and other in given and options[other] != "finished":
            raise InvalidArgumentError(
                f"unique_for_s is {options['unique_for_s']!r}, and {other} is {options[other]!r}; pass one of them"
            )


_OF_UNIQUE_KEYS: Final = ("on_conflict", "unique_until", "unique_for_s", "debounce_s", "debounce_max_s")


def check_result_options(options: dict[str, Any]) -> None:
    """Refuse a lifetime for results that are not stored.

    Raises:
        InvalidArgumentError: ``result_ttl_s`` is given, and ``store_result`` is false.
    """
    ttl_s = options.get("result_ttl_s", RESULT_TTL_S)
    if not options.get("store_result") and ttl_s != RESULT_TTL_S:
        raise InvalidArgumentError(
            f"result_ttl_s is {ttl_s!r}, and store_result is False, so there is no result to keep; "
            "pass store_result=True as well, or leave result_ttl_s out"
        )


def check_schedule(schedule: Any) -> None:
    """Refuse an object that is no schedule.

    Raises:
        InvalidScheduleError: It has no expression; the message has the right spelling.
    """
    if isinstance(getattr(schedule, "expr", None), str):
        return
    spelling = "honker.crontab('0 3 * * *') or honker.every_s(60)"
    if isinstance(schedule, str):
        spelling = f"honker.crontab({schedule!r})"
    elif isinstance(schedule, timedelta):
        spelling = f"honker.every_s({schedule.total_seconds():g})"
    elif _is_number(schedule):
        spelling = f"honker.every_s({schedule})"
    raise InvalidScheduleError(f"schedule is {schedule!r}, which has no expr; pass a schedule, such as {spelling}")


def attempts_of(retries: Any, max_attempts: Any, default: int) -> int:
    """The attempts of a task's jobs, from the two names of the option.

    Raises:
        InvalidArgumentError: Both are given.
    """
    if retries is not None and max_attempts is not None:
        raise InvalidArgumentError(
            f"retries is {retries!r} and max_attempts is {max_attempts!r}; both are the number of attempts: "
            "leave retries out"
        )
    given = "retries" if max_attempts is None else "max_attempts"
    value = retries if max_attempts is None else max_attempts
    if value is None:
        return default
    check_options(None, {given: value})
    return int(value)


def lazy_reason(fn: Callable[..., Any]) -> str | None:
    """The reason why a call of a function would not run its body; None if it would."""
    called: Any = fn
    while isinstance(called, functools.partial):
        called = called.func
    if not inspect.isroutine(called) and not inspect.isclass(called):
        called = type(called).__call__
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        return "is a generator function, whose body a call does not run; return instead of yield"
    return None


def check_handler(fn: Callable[..., Any]) -> None:
    """Refuse a function whose call would be acknowledged without having run.

    Raises:
        InvalidTaskError: It is a generator function.
    """
    reason = lazy_reason(fn)
    if reason is not None:
        raise InvalidTaskError(f"task {getattr(fn, '__qualname__', fn)!r} {reason}")


def check_process_handler(fn: Callable[..., Any], injected: list[str], *, has_retry_rule: bool = False) -> None:
    """Refuse a function that another process could not be asked to call.

    It is found there by its module and qualified name, with nothing but its arguments.

    Raises:
        InvalidTaskError: Why, and what to do.
    """
    described = f"task {getattr(fn, '__qualname__', fn)!r} cannot have executor='process'"
    if inspect.iscoroutinefunction(fn):
        raise InvalidTaskError(
            f"{described}: it is a coroutine function, which runs on the event loop; leave executor out"
        )
    if inspect.ismethod(fn) or not inspect.isroutine(fn):
        kind = type(fn).__name__
        raise InvalidTaskError(f"{described}: a {kind} has no name to find it by; decorate a function of a module")
    if "<lambda>" in fn.__qualname__ or "<locals>" in fn.__qualname__:
        raise InvalidTaskError(
            f"{described}: a lambda or a function within another cannot be imported; move it to the top of its module"
        )
    if has_retry_rule:
        raise InvalidTaskError(
            f"{described} and retry=: the exception stays in the other process; use retry_on= and give_up_on=, or "
            "raise honker.Retryable(delay_s=...) in the function"
        )
    if is_of_main(fn):
        raise InvalidTaskError(
            f"{described}: it is defined in the script that runs, which other processes cannot import; "
            "move it to a module of its own and import that"
        )
    if injected:
        raise InvalidTaskError(
            f"{described}: its parameter {injected[0]!r} is for the worker to fill, which another process cannot; "
            "pass what it needs as arguments, or use executor='thread'"
        )
