"""Adding jobs: checked arguments turned into the SQL calls that enqueue them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias, TypeVar, cast

from honker import serialization
from honker.arguments import Call, Instant, Seconds, SQLValue, is_text, optional_instant, optional_seconds, whole
from honker.engine.limits import LIMITS
from honker.queue.flow_options import Flow, encode

T = TypeVar("T")

#: An option of several jobs: one value for all of them, or a sequence with one value per job.
ForEach: TypeAlias = T | Sequence[T]

_ENQUEUE: Final = "SELECT honker_enqueue(?, ?, ?, ?, ?, ?, ?)"
_ENQUEUE_MANY: Final = "SELECT honker_enqueue_many(?2, ?1, ?3, ?4, ?5, ?6, ?7)"
# For a job without options. The constants are part of the statement: binding a parameter costs Python as much as a
# column costs SQLite.
_PLAIN: Final = "SELECT honker_enqueue(?, ?, NULL, NULL, 0, ?, NULL)"
_PLAIN_MANY: Final = "SELECT honker_enqueue_many(?2, ?1, NULL, NULL, 0, ?3, NULL)"
# For a job with a key, a unique key or parents.
_ENQUEUE_RELATED: Final = "SELECT honker_enqueue(?, ?, ?)"
_ENQUEUE_UNIQUE: Final = "SELECT honker_enqueue_unique(?, ?, ?)"
# For jobs with keys, whose options follow the other arguments.
_KEYED_MANY: Final = "SELECT honker_enqueue_many(?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8)"
_PLAIN_KEYED_MANY: Final = "SELECT honker_enqueue_many(?2, ?1, NULL, NULL, 0, ?3, NULL, ?4)"
_MANY: Final = "SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?)"
_MANY_RELATED: Final = "SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?, ?)"

_NAMES: Final = "run_at", "delay", "priority", "max_attempts", "expires"


def enqueue_call(  # noqa: PLR0917 - by position, since this is called for every job
    queue: str,
    text: str,
    run_at: Instant | None,
    delay: Seconds | None,
    priority: int,
    expires: Seconds | None,
    max_attempts: int | None,
    default_attempts: int,
) -> Call:
    """The call that adds one job with the payload ``text``; ``default_attempts`` replaces None in ``max_attempts``."""
    if run_at is delay is expires is max_attempts is None and type(priority) is int and priority == 0:
        return _PLAIN, queue, text, default_attempts
    return (
        _ENQUEUE,
        queue,
        text,
        optional_instant(run_at, "run_at"),
        optional_seconds(delay, "delay"),
        whole(priority, "priority"),
        default_attempts if max_attempts is None else whole(max_attempts, "max_attempts"),
        optional_seconds(expires, "expires"),
    )


def related_call(call: Call, flow: Flow) -> Call:
    """The call of `enqueue_call` with the options ``flow``."""
    return _ENQUEUE_RELATED, call[1], call[2], _options(call, flow)


def unique_call(call: Call, flow: Flow) -> Call:
    """As `related_call`; its result also says if the job is new."""
    return _ENQUEUE_UNIQUE, call[1], call[2], _options(call, flow)


def _options(call: Call, flow: Flow) -> str:
    if call[0] is _PLAIN:
        return encode(flow | {"max_attempts": call[3]})
    return encode(flow | dict(zip(_NAMES, call[3:], strict=True)))


def series_call(call: Call) -> Call:
    """The call that adds many jobs with the options of a call from `enqueue_call`; ?1 holds their payloads."""
    if call[0] is _PLAIN:
        return _PLAIN_MANY, call[1], call[3]
    return (_ENQUEUE_MANY, call[1], *call[3:])


def keyed_series_call(call: Call) -> Call:
    """As `series_call`, for jobs with keys; their options are one argument more."""
    if call[0] is _PLAIN:
        return _PLAIN_KEYED_MANY, call[1], call[3]
    return (_KEYED_MANY, call[1], *call[3:])


def is_only_keyed(flow: Flow) -> bool:
    """True if the options are a key alone, and one that the engine accepts.

    Only such a job may share a statement: a unique key may give it the id of another job, a parent may be unknown, and
    a wrong key is refused by the call that names it.
    """
    key = flow.get("key")
    if len(flow) > 1 or not isinstance(key, str) or not is_text(key):
        return False
    return 0 < len(key.encode()) <= LIMITS.name_max_bytes and "\0" not in key


def enqueue_many_call(  # noqa: PLR0917 - by position, since this is called for every job
    queue: str,
    payloads: Iterable[object],
    run_at: ForEach[Instant | None],
    delay: ForEach[Seconds | None],
    priority: ForEach[int],
    expires: ForEach[Seconds | None],
    max_attempts: ForEach[int | None],
    default_attempts: int,
    flow: str | None = None,
) -> Call:
    """The call that adds several jobs; ``default_attempts`` replaces None in ``max_attempts``."""

    def budget(attempts: int | None, argument: str) -> int:
        return default_attempts if attempts is None else whole(attempts, argument)

    call: Call = (
        _MANY if flow is None else _MANY_RELATED,
        queue,
        serialization.encode_all(payloads),
        _each(run_at, "run_at", optional_instant),
        _each(delay, "delay", optional_seconds),
        _each(priority, "priority", whole),
        _each(max_attempts, "max_attempts", budget),
        _each(expires, "expires", optional_seconds),
    )
    return call if flow is None else (*call, flow)


def _each(option: ForEach[T], argument: str, check: Callable[[T, str], SQLValue]) -> SQLValue:
    """Convert an option for the engine: one value, or a JSON array of values."""
    if isinstance(option, Sequence) and not isinstance(option, (str, bytes)):
        values = cast("Sequence[T]", option)
        return json.dumps([check(value, f"{argument} at position {n}") for n, value in enumerate(values)])
    return check(cast("T", option), argument)
