"""The schedules of periodic tasks, written into the database when the code that declares them has changed.

An operator changes schedules with `Scheduler.update`, and those changes outlive a start of the application. So a start
writes a schedule only if its declaration differs from the one that was written last. The declarations are kept in the
stream `DECLARATIONS`: an event for each change, whose key is the schedule's name. Event and schedule commit together.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final, NamedTuple, cast

from honker import serialization
from honker.arguments import Call, TransactionLike, optional_whole, whole
from honker.engine import Handle
from honker.stream.stream import Stream
from honker.task.message import envelope, read_envelope
from honker.task.registry import TaskSpec, registry_of

#: The stream of declarations.
DECLARATIONS: Final = "_honker:schedules"

REGISTER: Final = "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
UNREGISTER: Final = "SELECT honker_scheduler_unregister(?)"
LIST: Final = "SELECT honker_scheduler_list()"

logger = logging.getLogger("honker")


#: The number of fields of a declaration in the first release that wrote them.
_FIRST_FIELDS: Final = 9


class _Declaration(NamedTuple):
    """A schedule as the code declares it; the fields are those of ``honker_scheduler_register``."""

    name: str
    queue: str
    expression: str
    payload: str
    priority: int
    expires_s: int | None
    max_attempts: int
    time_zone: str | None
    misfire: str | None
    overlap: str | None
    when_paused: str | None

    @classmethod
    def of(cls, spec: TaskSpec) -> _Declaration:
        schedule = spec.schedule
        assert schedule is not None
        return cls(
            spec.scheduler_name or spec.name,
            spec.queue_name,
            schedule.expr,
            serialization.encode(envelope(spec.name)),
            whole(spec.priority, "priority"),
            optional_whole(cast("float | None", spec.expires_s), "expires_s"),
            spec.retries,
            getattr(schedule, "time_zone", None),
            spec.misfire,
            spec.overlap,
            spec.when_paused,
        )

    @property
    def call(self) -> Call:
        return REGISTER, *self

    @property
    def written(self) -> list[Any]:
        """The form in the stream, without trailing options that are not given.

        So a declaration that gives no option of a later release is the same for each release.
        """
        fields: list[Any] = list(self)
        while len(fields) > _FIRST_FIELDS and fields[-1] is None:
            fields.pop()
        return fields


def register_schedules(db: Handle, queues: set[str] | None = None, *, prune: bool = False) -> list[str]:
    """Write the schedules of this database's periodic tasks that are new, or whose declaration has changed.

    Workers and schedulers do so when they start. A schedule's next boundary stays while its expression does, and a
    change by `Scheduler.update` stays until the declaration in the code changes. A schedule that was removed is
    written again; to stop one for good, pause it or remove its task. Schedules of tasks that the code no longer
    declares are logged as a warning.

    Args:
        db: The database.
        queues: Only schedules of tasks in these queues; None for all.
        prune: Also remove schedules that were declared earlier, in a queue that this process has tasks of, and whose
            task it does not know any more.

    Returns:
        The names of the schedules that the code declares.

    Source: SQL ``honker_scheduler_register``.
    """
    registry_of(db).load()
    declared = _declared(db, queues)
    if _changed(db, declared):
        with db.engine.transaction() as tx:
            for each in _changed(db, declared, tx):
                db.engine.call(*each.call, tx=tx)
                Stream(db, DECLARATIONS).publish(each.written, key=each.name, tx=tx)
    _report_orphans(db, queues, prune=prune)
    return list(declared)


async def aregister_schedules(db: Handle, queues: set[str] | None = None, *, prune: bool = False) -> list[str]:
    """Like `register_schedules`, without blocking the event loop."""
    return await asyncio.to_thread(register_schedules, db, queues, prune=prune)


def _declared(db: Handle, queues: set[str] | None) -> dict[str, _Declaration]:
    database, tasks = db.engine.identity, registry_of(db)
    declarations = [
        _Declaration.of(spec)
        for spec in tasks.specs(database)
        if spec.schedule is not None
        and (spec.path == database or not tasks.is_shared)
        and (queues is None or spec.queue_name in queues)
    ]
    return {each.name: each for each in declarations}


def _changed(db: Handle, declared: dict[str, _Declaration], tx: TransactionLike = None) -> list[_Declaration]:
    """The declarations that differ from those written last, and those whose schedule is not there."""
    if not declared:
        return []
    written, present = _written(db, tx), {row["name"] for row in _rows(db, tx)}
    return [each for each in declared.values() if each.name not in present or written.get(each.name) != each.written]


def _written(db: Handle, tx: TransactionLike) -> dict[str | None, Any]:
    """The declaration of each schedule that was written last."""
    stream, found, offset = Stream(db, DECLARATIONS), dict[str | None, Any](), 0
    while events := stream.read_since(offset, tx=tx):
        found.update((event.key, event.payload) for event in events)
        offset = events[-1].offset
    return found


def _rows(db: Handle, tx: TransactionLike = None) -> list[dict[str, Any]]:
    return json.loads(db.engine.ask(LIST, tx=tx))


def _report_orphans(db: Handle, queues: set[str] | None, *, prune: bool) -> None:
    """Log schedules whose task this process should know and does not, and remove those that were declared by code."""
    tasks, database = registry_of(db), db.engine.identity
    names = set(tasks.names(database))
    served = tasks.queues(database) if queues is None else tasks.queues(database) & queues
    for row in _rows(db) if served else ():
        task = _task_of(row["payload"])
        if task is None or task in names or row["queue"] not in served:
            continue
        name = row["name"]
        if prune and name in _written(db, None):
            db.engine.call(UNREGISTER, name)
            logger.warning("schedule %r is removed: its task %r is not declared any more", name, task)
        else:
            logger.warning(
                "schedule %r enqueues task %r into queue %r, and this process has no such task; if it is gone, remove "
                "the schedule with honker.Scheduler(db).remove(%r)",
                *(name, task, row["queue"], name),
            )


def _task_of(payload: str) -> str | None:
    try:
        invocation = read_envelope(serialization.decode(payload))
    except ValueError:
        return None
    return None if invocation is None else invocation.task
