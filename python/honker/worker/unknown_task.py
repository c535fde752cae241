"""Calls of tasks that this process does not know: they are put back for another worker.

During a rollout, workers of the old release claim calls of tasks that only the new release has. They put these calls
back, uncharged, at growing intervals, until the time limit for unknown tasks is over. All workers share only the job
itself, so the count and the beginning are kept in a line at the end of its ``last_error``, where operators see them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from honker.errors import InvalidArgumentError
from honker.task.options import SPAN_MAX_S

#: Seconds for which a task may stay unknown to every worker that claims its calls. A rollout takes minutes, or waits
#: for an approval; a job that is dead-lettered meanwhile has to be requeued by hand.
UNKNOWN_TASK_S: Final = 3600.0
#: Seconds until a job that was put back is due again, the first time and at most.
_DELAYS_S: Final = (0.1, 60.0)
_SHOWN_MAX_CHARS: Final = 200

_LINE: Final = re.compile(r"(?:\A|\n)unknown task: .*, put back (\d+) times? since (\S+)\Z")


@dataclass(frozen=True, slots=True)
class PutBack:
    """The number of times that a job was put back, and the instant of the first."""

    count: int
    since: datetime

    @classmethod
    def read(cls, last_error: str | None) -> PutBack | None:
        """Read the line of a job; None if it was never put back, or the line cannot be read."""
        found = _LINE.search(last_error or "")
        try:
            return None if found is None else cls(int(found[1]), datetime.fromisoformat(found[2]).astimezone(UTC))
        except (ValueError, OverflowError):  # Written by hand.
            return None


def own_error(last_error: str | None) -> str | None:
    """The error of the attempt before, without the line of this module."""
    return _LINE.sub("", last_error) or None if last_error else last_error


def put_back(last_error: str | None, task: str, limit_s: float, clock: float) -> tuple[float, str] | None:
    """The delay until a job of an unknown task is due again, and the error to store; None when its time is over.

    Args:
        last_error: That of the job.
        task: The task's name.
        limit_s: Seconds for which it may stay unknown.
        clock: The engine's time in Unix seconds.
    """
    now = datetime.fromtimestamp(clock, UTC)
    before = PutBack.read(last_error) or PutBack(0, now)
    left_s = limit_s - (now - before.since).total_seconds()
    if left_s <= 0:
        return None
    first_s, longest_s = _DELAYS_S
    # Not beyond the limit: the worker that claims it then makes it a dead letter.
    delay_s = min(first_s * 2 ** min(before.count, 60), longest_s, left_s)
    count = before.count + 1
    line = f"unknown task: {_shown(task)}, put back {count} time{'s' * (count > 1)} since {before.since.isoformat()}"
    own = own_error(last_error)
    return delay_s, line if own is None else f"{own}\n{line}"


def _shown(task: str) -> str:
    """A name from an untrusted payload, on one line and not too long."""
    return repr(task if len(task) <= _SHOWN_MAX_CHARS else f"{task[:_SHOWN_MAX_CHARS]}...")


def check_limit(unknown_task_s: float) -> float:
    """Refuse a limit outside its range.

    Raises:
        InvalidArgumentError: It is negative, or longer than the engine can count.
    """
    if not 0 <= unknown_task_s <= SPAN_MAX_S:
        raise InvalidArgumentError(
            f"unknown_task_s is {unknown_task_s!r}; it must be 0 to {SPAN_MAX_S} seconds: 0 never puts back"
        )
    return unknown_task_s
