"""Dead letters: checked arguments turned into the SQL calls that requeue or delete them."""

from __future__ import annotations

from typing import Final

from honker.arguments import Call, Seconds, optional_seconds

REQUEUE: Final = "SELECT honker_requeue(?, ?)"


def retain_call(queue: str, max_age_s: Seconds | None, max_keep: int | None) -> Call:
    """The call that sets how many dead letters of a queue are kept, and for how long."""
    age_s = optional_seconds(max_age_s, "max_age_s")
    return "SELECT honker_retention_set('dead', ?, ?, ?)", queue, age_s, max_keep


def prune_call(queue: str, older_than_s: Seconds | None, max_keep: int | None) -> Call:
    """The call that deletes dead letters of a queue."""
    age_s = optional_seconds(older_than_s, "older_than_s")
    return "SELECT honker_dead_prune(?, ?, ?)", queue, age_s, max_keep
