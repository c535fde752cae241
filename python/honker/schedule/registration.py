"""The schedules of periodic tasks, written into the database."""

from __future__ import annotations

from typing import Final, cast

from honker import serialization
from honker.arguments import Call, whole
from honker.engine import Handle
from honker.task.message import envelope
from honker.task.registry import TaskSpec, registry

REGISTER: Final = "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?, ?, ?)"


def register_schedules(db: Handle, queues: set[str] | None = None) -> list[str]:
    """Write the schedules of this database's periodic tasks, replacing those of the same names.

    Workers and schedulers do so when they start. A schedule's next boundary stays while its expression does.

    Args:
        db: The database.
        queues: Only schedules of tasks in these queues; None for all.

    Returns:
        The names of the schedules.

    Source: SQL ``honker_scheduler_register``.
    """
    calls = _calls(db, queues)
    for call in calls.values():
        db.engine.call(*call)
    return list(calls)


async def aregister_schedules(db: Handle, queues: set[str] | None = None) -> list[str]:
    """Like `register_schedules`, without blocking the event loop."""
    calls = _calls(db, queues)
    for call in calls.values():
        await db.engine.acall(*call)
    return list(calls)


def _calls(db: Handle, queues: set[str] | None) -> dict[str, Call]:
    """The call that writes each schedule, by the schedule's name."""
    database = db.engine.identity
    return {
        spec.scheduler_name or spec.name: _call(spec, spec.schedule.expr, getattr(spec.schedule, "time_zone", None))
        for spec in registry().specs(database)
        if spec.schedule is not None and spec.path == database and (queues is None or spec.queue_name in queues)
    }


def _call(spec: TaskSpec, expression: str, time_zone: str | None) -> Call:
    return (
        REGISTER,
        spec.scheduler_name or spec.name,
        spec.queue_name,
        expression,
        serialization.encode(envelope(spec.name)),
        whole(spec.priority, "priority"),
        None if spec.expires_s is None else int(cast("int", spec.expires_s)),
        spec.retries,
        time_zone,
        None,
    )
