"""Retention of dead letters and events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Retention:
    """A retention policy; see `Queue.retain_dead` and `Stream.retain`.

    Attributes:
        kind: ``"dead"`` for the dead letters of a queue, ``"stream"`` for the events of a topic.
        name: The queue or the topic.
        max_age_s: Seconds to keep a row; None for no limit.
        max_keep: The number of newest rows to keep; None for no limit.
    """

    kind: str
    name: str
    max_age_s: float | None
    max_keep: int | None
