"""A hint for a queue that nothing has used: its name may be mistyped."""

from __future__ import annotations

import difflib
import json
from typing import Any, Final

from honker.engine import Handle
from honker.inspection.schedules import schedules

#: Queues that are compared, and the number to which their jobs are counted.
_COMPARED: Final = 1_000
_LEAST_COUNT: Final = 1

_STATS: Final = "SELECT honker_queue_list(?, ?, ?)"
_SETTINGS: Final = "SELECT honker_queue_settings(?)"


def unknown_queue(db: Handle, name: str) -> str | None:
    """A sentence about a queue without jobs, dead letters, pause, settings, workers and schedules; None for others.

    It is no error to pause or to configure a queue before its first job.

    Cost: a few reads by key for each of up to 1,000 queues.
    Source: SQL ``honker_queue_list``, ``honker_queue_settings``, ``honker_worker_list``.
    """
    names = _names(db)
    settings: dict[str, Any] = json.loads(db.engine.ask(_SETTINGS, name))
    if name in names or len(names) >= _COMPARED or any(value is not None for value in settings.values()):
        return None
    similar = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {similar[0]!r}?" if similar else ""
    return f"the queue {name!r} has no jobs, settings, workers or schedules{hint}"


def _names(db: Handle) -> set[str]:
    rows: list[dict[str, Any]] = json.loads(db.engine.ask(_STATS, None, _COMPARED, _LEAST_COUNT))
    workers: list[dict[str, Any]] = json.loads(db.engine.ask("SELECT honker_worker_list(?, ?)", None, _COMPARED))
    of_workers = {name for worker in workers for name in worker["queues"]}
    return {row["queue"] for row in rows} | of_workers | {each.queue for each in schedules(db)}
