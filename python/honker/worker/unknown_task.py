"""Calls of tasks that this process does not know: they are put back for another worker.

During a rollout, workers of the old release claim calls of tasks that only the new release has. They put these calls
back, uncharged, at growing intervals, until the time limit for unknown tasks is over. All workers share only the job
itself, so the engine keeps the instant of the first such release in the job's row, as ``unknown_since``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from honker.errors import InvalidArgumentError
from honker.task.options import SPAN_MAX_S

#: Seconds for which a task may stay unknown to every worker that claims its calls. A rollout takes minutes, or waits
#: for an approval; a job that is dead-lettered meanwhile has to be requeued by hand.
UNKNOWN_TASK_S: Final = 3600.0
#: Seconds until a job that was put back is due again: at least and at most.
_DELAYS_S: Final = (0.1, 60.0)


def delay_until_next(unknown_since: float | None, limit_s: float, clock: float) -> float | None:
    """Seconds until a job of an unknown task is due again; None when its time is over.

    The job waits for as long as it has waited so far, so the delay doubles each time.

    Args:
        unknown_since: Unix seconds of the first time that a worker put it back; None if none did.
        limit_s: Seconds for which the task may stay unknown.
        clock: The engine's time in Unix seconds.
    """
    # A clock that was set back has not waited; the engine then dates the job anew.
    waited_s = 0.0 if unknown_since is None else max(clock - unknown_since, 0.0)
    left_s = limit_s - waited_s
    if left_s <= 0:
        return None
    shortest_s, longest_s = _DELAYS_S
    # Not beyond the limit: the worker that claims it then makes it a dead letter.
    return min(max(waited_s, shortest_s), longest_s, left_s)


def final_error(error: str, unknown_since: float | None, limit_s: float) -> str:
    """The error of the dead letter when the time is over.

    Args:
        error: The error that names the task.
        unknown_since: Unix seconds of the first time that a worker put the job back; None if none did.
        limit_s: Seconds for which the task might stay unknown.
    """
    if unknown_since is None:
        return error
    return f"{error}. Put back for other workers since {_shown(unknown_since)}, for more than {limit_s:g} s"


def _shown(instant: float) -> str:
    try:
        return datetime.fromtimestamp(instant, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):  # Written by hand: there is no such date.
        return f"{instant:g}"


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
