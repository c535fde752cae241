"""The tasks registered in this process, by name."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from honker.arguments import Seconds
from honker.errors import TaskConflictError, UnknownTaskError
from honker.task.injection import Injection, injections_of
from honker.task.options import Executor


class HasExpression(Protocol):
    """A schedule: a `honker.CronSchedule`, or any object with an ``expr``."""

    expr: str


@dataclass(frozen=True)
class TaskSpec:
    """The definition of a task.

    Attributes:
        name: The name under which it is registered.
        fn: The function.
        queue_name: The queue that its calls go to.
        retries: Attempts before a job is dead-lettered.
        retry_delay_s: Seconds between a failed attempt and the next.
        timeout_s: Seconds that an attempt may take; None for no limit.
        priority: Larger values run sooner.
        expires_s: Seconds after which a job is dead-lettered instead of run.
        store_result: True to keep the return value.
        result_ttl_s: Seconds to keep the result; 0 keeps it forever.
        backoff: The factor on the delay after each further failure.
        executor: ``thread``, or ``process`` for a plain function that runs in a separate process.
        schedule: The schedule that enqueues it, or None.
        scheduler_name: The schedule's name; None uses the task's.
        path: The identity of the database that the schedule belongs to; see `Engine.identity`.
    """

    name: str
    fn: Callable[..., Any]
    queue_name: str
    retries: int = 3
    retry_delay_s: float = 60
    timeout_s: float | None = None
    priority: int = 0
    expires_s: Seconds | None = None
    store_result: bool = True
    result_ttl_s: float = 3600
    backoff: float = 1.0
    executor: Executor = "thread"
    schedule: HasExpression | None = None
    scheduler_name: str | None = None
    path: str | None = None

    @functools.cached_property
    def injections(self) -> dict[str, Injection]:
        """Parameters that the worker fills, by name."""
        return injections_of(self.fn)


class TaskRegistry:
    """The tasks registered in this process, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, TaskSpec] = {}
        self._mutex = threading.Lock()

    def register(self, spec: TaskSpec) -> None:
        """Register a task. A task of a reloaded module replaces its earlier version.

        Raises:
            TaskConflictError: Another function is registered under its name.
        """
        with self._mutex:
            known = self._by_name.get(spec.name)
            if known is not None and not _is_same(known.fn, spec.fn):
                raise TaskConflictError(
                    f"duplicate task name {spec.name!r}: {known.fn!r} is already registered under it; pass name="
                )
            self._by_name[spec.name] = spec

    def get(self, name: str) -> TaskSpec:
        """The task of that name.

        Raises:
            UnknownTaskError: No task has that name.
        """
        spec = self._by_name.get(name)
        if spec is None:
            raise UnknownTaskError(f"unknown task: {name!r}. Registered tasks: {self.names()}")
        return spec

    def names(self) -> list[str]:
        """The names of all tasks, sorted."""
        return sorted(self._by_name)

    def queues(self) -> set[str]:
        """The names of all queues that have a task."""
        return {spec.queue_name for spec in self.specs()}

    def specs(self) -> list[TaskSpec]:
        """All tasks."""
        return list(self._by_name.values())


def _is_same(known: Callable[..., Any], fn: Callable[..., Any]) -> bool:
    """True if two functions are the same, or versions of one function in a reloaded module."""
    if known is fn:
        return True
    if not (inspect.isfunction(known) and inspect.isfunction(fn)):
        return False
    # A reload runs the module's code in the same globals. Several lambdas or local functions may share a name, and a
    # decorator that wraps functions of several modules has its own globals.
    is_of_module = "<" not in fn.__qualname__
    names = (known.__module__, known.__qualname__), (fn.__module__, fn.__qualname__)
    return is_of_module and known.__globals__ is fn.__globals__ and names[0] == names[1]


_registry: Final = TaskRegistry()


def registry() -> TaskRegistry:
    """The tasks of this process."""
    return _registry
