"""What there is in a queue, as numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """How much there was in a queue at one moment.

    SQLite counts rows by visiting them, so each count goes only as far as was asked; whether that was the end is told
    beside it. A count that is not exact is a lower bound.

    Attributes:
        queue: The queue's name.
        ready: Jobs that are due and wait for a worker. One that has expired counts until a claim meets it.
        delayed: Jobs that wait for their time.
        processing: Jobs that are leased.
        lapsed: Of these, jobs whose lease has lapsed: their worker is dead or late, and the next claim takes them back.
        dead: Dead letters.
        ready_is_exact: Whether there were exactly so many, and not more.
        delayed_is_exact: As above.
        processing_is_exact: As above.
        lapsed_is_exact: As above.
        dead_is_exact: As above.
        oldest_ready_age_s: Seconds for which the ready job that has waited longest has been due; None if none is ready.
        next_due_at: Unix seconds at which the first delayed job becomes due; None if none is delayed.
        paused_at: Unix seconds since when the queue is paused; None if it runs.
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
    dead: int
    dead_is_exact: bool
    oldest_ready_age_s: float | None
    next_due_at: float | None
    paused_at: float | None
