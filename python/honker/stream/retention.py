"""What is kept of dead letters and events, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Retention:
    """A policy of retention; see `Queue.retain_dead` and `Stream.retain`.

    Attributes:
        kind: ``"dead"`` for the dead letters of a queue, ``"stream"`` for the events of a topic.
        name: The queue or the topic.
        max_age_s: Seconds for which a row is kept; None for any age.
        max_keep: How many of the newest rows are kept; None for any number.
    """

    kind: str
    name: str
    max_age_s: float | None
    max_keep: int | None
