"""The settings of a queue, which every process obeys: methods of `honker.Queue`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, Self, TypeAlias

from honker.arguments import Call, Seconds, TransactionLike, seconds
from honker.errors import InvalidArgumentError
from honker.job import JobQueue
from honker.records import Record

_CONFIGURE: Final = "SELECT honker_queue_configure(?, ?, ?)"
_SETTINGS: Final = "SELECT honker_queue_settings(?)"


class Unset(Enum):
    """The type of `UNSET`: a parameter that was not given, unlike None, which removes a setting."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


#: The default of a parameter that leaves a setting alone.
UNSET: Final = Unset.UNSET

#: A number of starts, and the seconds in which they are allowed.
Rate: TypeAlias = tuple[int, Seconds]

#: The effect of a dead letter on the jobs of its key in an ordered queue.
OnDead: TypeAlias = Literal["block", "continue"]


@dataclass(frozen=True, kw_only=True, eq=False)
class QueueSettings(Record):
    """The settings of a queue; also read by name, as in ``settings["rate"]``. None means that there is no limit.

    Attributes:
        concurrency: Jobs of the queue in flight at most, over all processes.
        concurrency_per_key: Jobs of one key in flight at most, over all processes.
        ordered: True if the jobs of a key run one at a time, by priority and id, else None.
        on_dead: Of an ordered queue: ``"block"`` if a dead letter holds up the jobs of its key, else ``"continue"``.
            None means ``"block"``.
        rate: Starts of the queue, and the seconds in which they are allowed.
        rate_per_key: The same for each key.
        burst: Starts that may come at once; None means 1.
        keep_finished_s: Seconds for which finished jobs are kept.
    """

    concurrency: int | None
    concurrency_per_key: int | None
    ordered: bool | None
    on_dead: OnDead | None
    rate: tuple[int, float] | None
    rate_per_key: tuple[int, float] | None
    burst: int | None
    keep_finished_s: float | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The settings in an answer of the engine."""
        rates = {name: tuple(row[name]) for name in ("rate", "rate_per_key") if row[name] is not None}
        return super().of({**row, **rates})


def configure(
    self: JobQueue,
    *,
    concurrency: int | Unset | None = UNSET,
    concurrency_per_key: int | Unset | None = UNSET,
    ordered: bool | Unset | None = UNSET,
    on_dead: OnDead | Unset | None = UNSET,
    rate: Rate | Unset | None = UNSET,
    rate_per_key: Rate | Unset | None = UNSET,
    burst: int | Unset | None = UNSET,
    keep_finished_s: Seconds | Unset | None = UNSET,
    only_unset: bool = False,
    tx: TransactionLike = None,
) -> QueueSettings:
    """Change settings of the queue, in the file: workers of every process and language obey them from this commit on.

    A parameter that is not given leaves its setting alone; None removes the setting. A lower limit stops no running
    job::

        queue.configure(concurrency=3, rate=(100, 60))
        queue.configure(rate=None)

    From the first setting on, processes of an older honker claim no jobs of this file. Limits do not bind a process of
    the reference implementation on the same file.

    Args:
        concurrency: Jobs of the queue in flight at most, 1 to 1,000, over all processes.
        concurrency_per_key: Jobs of one key in flight at most, 1 to 1,000, over all processes.
        ordered: True to run one job of a key at a time, by priority and id. A job between two attempts holds up the
            jobs behind it. False is the same as None.
        on_dead: Of an ordered queue: ``"block"`` (the default) if a dead letter holds up the jobs of its key until it
            is requeued or deleted; ``"continue"`` if it does not. Without effect until the queue is ordered.
        rate: Starts of the queue: a number, 1 to 1,000,000, and the seconds in which they are allowed, as in
            ``(100, 60)``. Any span of that length has at most ``limit + burst - 1`` starts.
        rate_per_key: The same for each key.
        burst: Starts that may come at once under a rate, 1 to 1,000,000; None means 1. It needs a rate, and
            is forgotten with the last one.
        keep_finished_s: Seconds, more than 0, for which jobs that succeeded or were cancelled are kept for `finished`.
        only_unset: True to leave settings alone that have a value or were removed, and to ignore None. So the start of
            an application does not undo the change of an operator.
        tx: A transaction to set it in.

    Returns:
        All settings after the change.

    Raises:
        InvalidArgumentError: A value is outside its range, or two settings contradict each other.
        DatabaseBusyError: The write lock was not free within the busy timeout.

    Cost: one row; nothing for queues without settings.
    Source: SQL ``honker_queue_configure``.
    """
    changes = _changes(
        concurrency=concurrency,
        concurrency_per_key=concurrency_per_key,
        ordered=ordered,
        on_dead=on_dead,
        rate=rate,
        rate_per_key=rate_per_key,
        burst=burst,
        keep_finished_s=keep_finished_s,
    )
    return _read(self.db.engine.call(*_configure_call(self.name, changes, only_unset), tx=tx))


async def aconfigure(
    self: JobQueue,
    *,
    concurrency: int | Unset | None = UNSET,
    concurrency_per_key: int | Unset | None = UNSET,
    ordered: bool | Unset | None = UNSET,
    on_dead: OnDead | Unset | None = UNSET,
    rate: Rate | Unset | None = UNSET,
    rate_per_key: Rate | Unset | None = UNSET,
    burst: int | Unset | None = UNSET,
    keep_finished_s: Seconds | Unset | None = UNSET,
    only_unset: bool = False,
    tx: TransactionLike = None,
) -> QueueSettings:
    """Like `configure`, without blocking the event loop."""
    changes = _changes(
        concurrency=concurrency,
        concurrency_per_key=concurrency_per_key,
        ordered=ordered,
        on_dead=on_dead,
        rate=rate,
        rate_per_key=rate_per_key,
        burst=burst,
        keep_finished_s=keep_finished_s,
    )
    return _read(await self.db.engine.acall(*_configure_call(self.name, changes, only_unset), tx=tx))


def settings(self: JobQueue, tx: TransactionLike = None) -> QueueSettings:
    """The settings of the queue; see `configure`. Read-only.

    Source: SQL ``honker_queue_settings``.
    """
    return _read(self.db.engine.ask(_SETTINGS, self.name, tx=tx))


async def asettings(self: JobQueue, tx: TransactionLike = None) -> QueueSettings:
    """Like `settings`, without blocking the event loop."""
    return _read(await self.db.engine.aask(_SETTINGS, self.name, tx=tx))


def _configure_call(queue: str, changes: dict[str, Any], only_unset: bool) -> Call:
    try:
        return _CONFIGURE, queue, json.dumps(changes, allow_nan=False), bool(only_unset)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"a setting of the queue has no JSON form: {error}") from error


def _changes(**given: Any) -> dict[str, Any]:
    """The given settings, converted for the engine, which checks their ranges."""
    changes = {name: value for name, value in given.items() if value is not UNSET}
    for name in ("rate", "rate_per_key"):
        if changes.get(name) is not None:
            changes[name] = _rate(changes[name], name)
    if changes.get("keep_finished_s") is not None:
        changes["keep_finished_s"] = seconds(changes["keep_finished_s"], "keep_finished_s")
    return changes


def _rate(rate: Any, argument: str) -> tuple[Any, int | float]:
    try:
        limit, per_s = rate
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"{argument} is {rate!r}; it must be a number of starts and a number of seconds, as in (100, 60)"
        ) from error
    return limit, seconds(per_s, f"the seconds of {argument}")


def _read(text: str) -> QueueSettings:
    return QueueSettings.of(json.loads(text))
