"""The tasks registered in this process, by name."""

from __future__ import annotations

import functools
import importlib
import inspect
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from honker.arguments import OnConflict, Seconds, UniqueUntil
from honker.codec import Codec
from honker.codec.task_types import TaskTypes
from honker.engine import Handle
from honker.errors import TaskConflictError, UnknownTaskError
from honker.middleware import Hook, Middleware
from honker.task.injection import Injection, injections_of
from honker.task.module_name import is_of_main
from honker.task.options import JITTER, ExceptionTypes, Executor, KeyOption, RetryRule

_SCRIPT_HINT: Final = (
    "; an interactive session, a script without a file or an earlier release called it: define tasks in a module that "
    "it and the worker import, or pass name="
)


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
        retries: Attempts before a job is dead-lettered, the first one included.
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
        misfire: How its schedule treats boundaries that passed without a leader, see `Scheduler.add`.
        overlap: How its schedule treats boundaries that come before the last job has ended.
        when_paused: How its schedule treats boundaries that come while the queue is paused.
        max_retry_delay_s: The longest delay that ``backoff`` leads to, before the jitter; None for no limit.
        jitter: The largest part of a delay that is added to it at random.
        retry_on: The only exceptions after which a job runs again; None for all.
        give_up_on: Exceptions after which a job is dead-lettered at once.
        retry: Chooses the delay from the exception and the job; None gives up.
        key: The key of its jobs, see `Queue.enqueue`.
        unique_key: The unique key of its jobs.
        on_conflict: The treatment of a call whose unique key another job has.
        unique_until: The end of the time in which a job has its unique key.
        unique_for_s: Seconds for which the key stays taken after a success.
        debounce_s: Seconds by which a further call puts the job off.
        debounce_max_s: Seconds for which it is put off at most.
        path: The identity of the database that the task belongs to, see `Engine.identity`; None for every database.
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
    misfire: str | None = None
    max_retry_delay_s: float | None = None
    jitter: float = JITTER
    retry_on: ExceptionTypes | None = None
    give_up_on: ExceptionTypes = ()
    retry: RetryRule | None = None
    key: KeyOption | None = None
    unique_key: KeyOption | None = None
    on_conflict: OnConflict | None = None
    unique_until: UniqueUntil | None = None
    unique_for_s: Seconds | None = None
    debounce_s: Seconds | None = None
    debounce_max_s: Seconds | None = None
    overlap: str | None = None
    when_paused: str | None = None

    @property
    def max_attempts(self) -> int:
        """The clearer name of ``retries``."""
        return self.retries

    @functools.cached_property
    def injections(self) -> dict[str, Injection]:
        """Parameters that the worker fills, by name."""
        return injections_of(self.fn)

    @functools.cached_property
    def types(self) -> TaskTypes:
        """The conversion of arguments and results by the annotations of the function."""
        return TaskTypes(self.name, self.fn, self.injections)


#: All registries of this process: a process of its own for a handler finds the handler's function there.
_registries: weakref.WeakSet[TaskRegistry] = weakref.WeakSet()


class TaskRegistry:
    """Tasks by name, database and queue: those of a `honker.App`, or those of all `honker.open` handles.

    A task belongs to the database that decorated it. Different functions may have one name in different databases, and
    one function may be a task of several queues. A `TaskSpec` without a ``path`` belongs to every database; the tasks
    of an app have none.

    Args:
        imports: Names of the modules that define tasks, see `load`.
        is_shared: True if it holds tasks of several databases, and so each task needs a ``path``.

    Attributes:
        imports: As above.
        is_shared: As above.
        codec: The codec of payloads and results; None is the default.
        middleware: The middleware around its tasks, the outermost first, see `honker.Middleware`.
        on_start: Functions that a worker calls before its first claim, in order; plain ones in a thread.
        on_stop: Functions that a worker calls after its last handler has ended, the last one first.
    """

    def __init__(self, imports: Iterable[str] = (), *, is_shared: bool = False) -> None:
        self.imports = list(imports)
        self.is_shared = is_shared
        self.codec: Codec | None = None
        self.middleware: list[Middleware] = []
        self.on_start: list[Hook] = []
        self.on_stop: list[Hook] = []
        _registries.add(self)
        # The tasks of each name, the newest last. Existing callers clear this dict.
        self._by_name: dict[str, list[_Entry]] = {}
        self._mutex = threading.Lock()

    def register(self, spec: TaskSpec, owner: Owner | None = None) -> None:
        """Register a task. A task of a reloaded module replaces its earlier version.

        Args:
            spec: The task.
            owner: The engine of the handle that decorated it. A function that was a task of a closed handle gives way
                to another function of its name.

        Raises:
            TaskConflictError: Another function is registered under its name, in the same database.
        """
        entry = _Entry(spec, None if owner is None else weakref.ref(owner))
        with self._mutex:
            self._by_name[spec.name] = [*self._kept(spec), entry]

    def _kept(self, spec: TaskSpec) -> list[_Entry]:
        """The tasks of a name that stay beside a new one.

        Raises:
            TaskConflictError: Another function is registered under the name, in the same database.
        """
        kept: list[_Entry] = []
        for known in self._by_name.get(spec.name, []):
            if not _share_a_database(known.spec, spec):
                kept.append(known)
            elif _is_same(known.spec.fn, spec.fn):
                if known.spec.queue_name != spec.queue_name:
                    kept.append(known)
            elif not known.is_stale:
                raise TaskConflictError(
                    f"duplicate task name {spec.name!r}: {known.spec.fn!r} is registered under it already; pass name="
                )
        return kept

    def get(self, name: str, queue: str | None = None, path: str | None = None) -> TaskSpec:
        """The task of that name.

        Args:
            name: The task's name.
            queue: The queue that its job came from: of several tasks of that name, the one of this queue is preferred.
            path: The identity of a database, see `TaskSpec`: only its tasks; None for those of every database.

        Raises:
            UnknownTaskError: No task has that name.
        """
        found = [each.spec for each in self._by_name.get(name, []) if _is_of(each.spec, path)]
        if not found:
            hint = _SCRIPT_HINT if name.startswith("__main__.") else ""
            raise UnknownTaskError(f"unknown task: {name!r}. Registered tasks: {self.names(path)}{hint}")
        return next((spec for spec in reversed(found) if spec.queue_name == queue), found[-1])

    def entries(self, name: str) -> Sequence[object] | None:
        """The tasks of that name, of all databases, as one object; another object once one of them has changed."""
        return self._by_name.get(name)

    def names(self, path: str | None = None) -> list[str]:
        """The names of all tasks, or of those of one database, sorted."""
        return sorted({spec.name for spec in self.specs(path)})

    def queues(self, path: str | None = None) -> set[str]:
        """The names of all queues that have a task, or a task of one database."""
        return {spec.queue_name for spec in self.specs(path)}

    def specs(self, path: str | None = None) -> list[TaskSpec]:
        """All tasks, or those of one database."""
        entries = [entry for entries in list(self._by_name.values()) for entry in entries]
        return [entry.spec for entry in entries if _is_of(entry.spec, path)]

    def load(self) -> None:
        """Import the modules that define tasks, as workers and schedulers do before they start.

        Raises:
            ImportError: A module is missing, or its import failed.
        """
        for name in self.imports:
            importlib.import_module(name)

    def include(self, other: TaskRegistry) -> None:
        """Register the tasks, middleware and hooks of another registry here too; all or none.

        Raises:
            TaskConflictError: A task has the name of another one here.
        """
        with self._mutex:
            for spec in other.specs():
                self._kept(spec)
        self.imports.extend(name for name in other.imports if name not in self.imports)
        for spec in other.specs():
            self.register(spec)
        self.middleware.extend(other.middleware)
        self.on_start.extend(other.on_start)
        self.on_stop.extend(other.on_stop)

    def clear(self) -> None:
        """Forget all tasks, for tests that decorate functions."""
        with self._mutex:
            self._by_name.clear()


class Owner(Protocol):
    """The engine of a handle."""

    @property
    def is_closed(self) -> bool:
        """True once the handle is closed."""
        ...


class _Entry(NamedTuple):
    spec: TaskSpec
    owner: weakref.ref[Owner] | None

    @property
    def is_stale(self) -> bool:
        """True if the handle that decorated the task is closed or gone: its calls cannot be enqueued any more."""
        if self.owner is None:
            return False
        owner = self.owner()
        return owner is None or owner.is_closed


def _is_of(spec: TaskSpec, path: str | None) -> bool:
    return path is None or spec.path is None or spec.path == path


def _share_a_database(one: TaskSpec, other: TaskSpec) -> bool:
    return one.path is None or other.path is None or one.path == other.path


def _is_same(known: Callable[..., Any], fn: Callable[..., Any]) -> bool:
    """True if two functions are the same, or versions of one function in a reloaded module."""
    if known is fn:
        return True
    if not (inspect.isfunction(known) and inspect.isfunction(fn)):
        return False
    # A reload runs the module's code in the same globals. Several lambdas or local functions may share a name, and a
    # decorator that wraps functions of several modules has its own globals.
    if "<" in fn.__qualname__ or known.__qualname__ != fn.__qualname__:
        return False
    if known.__module__ == fn.__module__:
        return known.__globals__ is fn.__globals__
    # A script that runs, and is imported by its name as well.
    places = {(each.__code__.co_filename, each.__code__.co_firstlineno) for each in (known, fn)}
    return (is_of_main(known) or is_of_main(fn)) and len(places) == 1


_registry: Final = TaskRegistry(is_shared=True)


def registry() -> TaskRegistry:
    """The tasks of all `honker.open` handles of this process."""
    return _registry


def registry_of(db: Handle) -> TaskRegistry:
    """The tasks of a database: those of its app, or else those of this process."""
    own: Any = getattr(db, "registry", None)
    return own if isinstance(own, TaskRegistry) else _registry


def all_specs() -> Iterator[TaskSpec]:
    """The tasks of every registry of this process, the newest of each first."""
    for each in list(_registries):
        yield from reversed(each.specs())
