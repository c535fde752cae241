"""The number of jobs in a queue, by state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """The number of jobs in a queue at one moment, by state.

    SQLite counts rows by visiting them, so each count stops at the requested limit. A count that is not exact is a
    lower bound.

    Attributes:
        queue: The queue's name.
        ready: Jobs that are due and wait for a worker. An expired job counts until a claim finds it.
        delayed: Jobs that are not due yet.
        processing: Jobs that are leased.
        lapsed: The processing jobs whose lease has lapsed: their worker is dead or late. The next claim leases them
            again.
        blocked: Jobs that wait for others of their key, or for the end of its pause.
        waiting: Jobs that wait for their parents.
        dead: Dead letters.
        ready_is_exact: True if ``ready`` is the exact number.
        delayed_is_exact: The same for ``delayed``.
        processing_is_exact: The same for ``processing``.
        lapsed_is_exact: The same for ``lapsed``.
        blocked_is_exact: The same for ``blocked``.
        waiting_is_exact: The same for ``waiting``.
        dead_is_exact: The same for ``dead``.
        oldest_ready_age_s: Seconds for which the longest-waiting ready job has been due; None if no job is ready.
        next_due_at: Unix seconds at which the first delayed job becomes due; None if no job is delayed.
        paused_at: Unix seconds at which the queue was paused; None if it is running.
        paused_until: Unix seconds at which the pause ends by itself; None if it does not.
        pause_reason: The reason that was given for the pause.
    """

    queue: str
    ready: int
    ready_is_exact: bool
    delayed: int
    delayed_is_exact: bool
    processing: int
    processing_is_exact: bool
    lapsed: int
    lapsed_is_exact: bool
    blocked: int
    blocked_is_exact: bool
    waiting: int
    waiting_is_exact: bool
    dead: int
    dead_is_exact: bool
    oldest_ready_age_s: float | None
    next_due_at: float | None
    paused_at: float | None
    paused_until: float | None
    pause_reason: str | None
