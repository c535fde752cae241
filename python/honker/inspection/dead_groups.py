"""Groups of dead letters: a method of `honker.Database`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from honker.arguments import Seconds, optional_seconds, whole
from honker.engine import Handle
from honker.records import Record

_GROUPS: Final = "SELECT honker_dead_groups(?, ?, ?)"


@dataclass(frozen=True, kw_only=True, eq=False)
class DeadGroup(Record):
    """Dead letters of one queue, task and kind of error.

    Attributes:
        queue: The queue's name.
        task: The task that they call; None if their payloads are no calls.
        error: The class of the exception, or the beginning of an error that names none.
        count: The number of dead letters in the group.
        is_bounded: True if older dead letters were not looked at, and ``count`` is a lower bound.
        newest_id: The id of the newest one.
        newest_at: Unix seconds at which that one died.
        example: The first line of its error.
    """

    queue: str
    task: str | None
    error: str
    count: int
    is_bounded: bool
    newest_id: int
    newest_at: float
    example: str


def dead_groups(
    self: Handle, *, queue: str | None = None, since_s: Seconds | None = None, limit: int = 50
) -> list[DeadGroup]:
    """Group the newest dead letters by queue, task and kind of error, the largest group first.

    Looks at up to 50,000 dead letters, for about 28 ms: those of a queue that died last, or those of all queues with
    the greatest ids.

    Args:
        queue: Only dead letters of this queue.
        since_s: Only those that died within so many seconds.
        limit: The largest number of groups, up to 500.

    Raises:
        InvalidArgumentError: A value is outside its range.

    Cost: bounded by the dead letters looked at.
    Source: SQL ``honker_dead_groups``.
    """
    call = queue, optional_seconds(since_s, "since_s"), whole(limit, "limit")
    return _groups(self.engine.ask(_GROUPS, *call))


async def adead_groups(
    self: Handle, *, queue: str | None = None, since_s: Seconds | None = None, limit: int = 50
) -> list[DeadGroup]:
    """Like `dead_groups`, without blocking the event loop."""
    call = queue, optional_seconds(since_s, "since_s"), whole(limit, "limit")
    return _groups(await self.engine.aask(_GROUPS, *call))


def _groups(text: str) -> list[DeadGroup]:
    answer: dict[str, Any] = json.loads(text)
    return [DeadGroup.of({**row, "is_bounded": answer["is_bounded"]}) for row in answer["groups"]]
