"""The objects that the functions of the testing kit take: an app or a database."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from honker.database import Database
from honker.engine import Engine, Handle
from honker.errors import NoTasksError
from honker.task.registry import TaskRegistry, registry_of


class HasDatabase(Protocol):
    """An application with a database: `honker.App`."""

    @property
    def db(self) -> Database:
        """The database of this process."""
        ...


#: An app, or a database handle.
Target: TypeAlias = HasDatabase | Database


def database_of(target: Target) -> Database:
    """The database of an app, or the database itself."""
    return target if isinstance(target, Database) else target.db


def tasks_of(db: Handle) -> TaskRegistry:
    """The tasks of a database: those of its app, whose modules are imported, or those of this process."""
    tasks = registry_of(db)
    tasks.load()
    return tasks


def is_writing_here(engine: Engine) -> bool:
    """True while this thread, or a task suspended on it, is in a transaction of honker."""
    return bool(getattr(engine, "is_writing_here", False))


def queues_of(db: Handle, tasks: TaskRegistry, queue: str | None) -> list[str]:
    """The queues to run the tasks of, sorted.

    Raises:
        NoTasksError: No task is known, so a drain would run nothing whatever is enqueued.
    """
    names = tasks.queues(db.engine.identity)
    if not names:
        raise NoTasksError(f"no tasks registered for the database {db.path!r}: import the modules that define them")
    return sorted(names) if queue is None else [queue]
