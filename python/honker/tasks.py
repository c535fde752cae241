"""Tasks: functions that are called here and run by a worker, maybe elsewhere.

A call is a job whose payload names the function and carries its arguments, so a worker must have imported the module
that defines it. `registry` is what this process knows.
"""

from __future__ import annotations

import functools
import inspect
import os
import threading
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from honker import payload as payloads
from honker.database import Database
from honker.errors import ResultGoneError, TaskConflictError, UnknownTaskError
from honker.job import Job
from honker.queue import Queue, use_decorators
from honker.result import Outcome, Patience, look
from honker.task_options import Executor, check_options, check_process_handler
from honker.transaction import Transaction
from honker.types import Instant, Seconds, TransactionLike

#: The only key of a payload that is the call of a task.
ENVELOPE: Final = "__honker_task__"

P = ParamSpec("P")
R = TypeVar("R")


class HasExpression(Protocol):
    """What can be scheduled: a `honker.CronSchedule`, or anything with an ``expr``."""

    expr: str


@dataclass(frozen=True)
class TaskSpec:
    """What a worker knows of a task.

    Attributes:
        name: Under which it is registered.
        fn: The function.
        queue_name: The queue that its calls go to.
        retries: Attempts before a job is dead-lettered.
        retry_delay_s: Seconds between an attempt that failed and the next.
        timeout_s: Seconds that an attempt may take; None for any.
        priority: Larger runs sooner.
        expires_s: Seconds after which a job is dead-lettered instead of run.
        store_result: Whether what it returns is kept.
        result_ttl_s: Seconds for which it is kept; 0 for good.
        backoff: What the delay is multiplied by after each further failure.
        executor: ``thread``, or ``process`` for a plain function that is to run in a process of its own.
        schedule: When it is enqueued by itself, if it is.
        scheduler_name: The schedule's name; None means the task's.
        path: The database that the schedule belongs to.
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
    def injections(self) -> dict[str, tuple[int | None, type]]:
        """Parameters that the worker fills: by name, the position among positional ones, and `Job` or `Transaction`."""
        return _injections(self.fn)


class TaskRegistry:
    """The tasks that this process knows, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, TaskSpec] = {}
        self._mutex = threading.Lock()

    def register(self, spec: TaskSpec) -> None:
        """Make a task known. One that a module registers again when it is reloaded replaces the one before.

        Raises:
            TaskConflictError: Another function is registered under its name.
        """
        with self._mutex:
            known = self._by_name.get(spec.name)
            if known is not None and not _is_same(known.fn, spec.fn):
                raise TaskConflictError(
                    f"duplicate task name {spec.name!r}: {known.fn!r} is registered under it already; pass name="
                )
            self._by_name[spec.name] = spec

    def get(self, name: str) -> TaskSpec:
        """The task of that name.

        Raises:
            UnknownTaskError: There is none.
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
    """Whether two functions are one, or one and the same of a module that was reloaded."""
    if known is fn:
        return True
    if not (inspect.isfunction(known) and inspect.isfunction(fn)):
        return False
    # A reload runs the module's code in the same globals. Of lambdas and local functions there may be several; and what
    # decorates functions of several modules has globals of its own.
    is_of_module = "<" not in fn.__qualname__
    names = (known.__module__, known.__qualname__), (fn.__module__, fn.__qualname__)
    return is_of_module and known.__globals__ is fn.__globals__ and names[0] == names[1]


_registry: Final = TaskRegistry()


def registry() -> TaskRegistry:
    """The tasks of this process."""
    return _registry


def envelope(name: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> dict[str, Any]:
    """The payload of a call."""
    return {ENVELOPE: {"task": name, "args": list(args), "kwargs": kwargs or {}}}


class Invocation(typing.NamedTuple):
    """A call, as its payload tells it."""

    task: str
    args: list[Any]
    kwargs: dict[str, Any]


def read_envelope(payload: Any) -> Invocation | None:
    """The call that a payload is; None if it is none."""
    if not isinstance(payload, dict) or len(cast("dict[str, Any]", payload)) != 1:
        return None
    call: Any = cast("dict[str, Any]", payload).get(ENVELOPE)
    if not isinstance(call, dict):
        return None
    fields = cast("dict[str, Any]", call)
    name, args, kwargs = fields.get("task"), fields.get("args", []), fields.get("kwargs", {})
    if isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict):
        return Invocation(name, cast("list[Any]", args), cast("dict[str, Any]", kwargs))
    return None


class TaskResult:
    """What a call of a task will return.

    Attributes:
        id: The job's id.
    """

    def __init__(self, queue: Queue, job_id: int, *, is_committed: bool = True) -> None:
        self.id = job_id
        self._db = queue.db
        # A job of a transaction that may still be open is not missing before it has been seen.
        self._was_seen = is_committed

    def __repr__(self) -> str:
        return f"<honker.TaskResult of job {self.id}>"

    def get(self, timeout: float | None = None) -> Any:
        """The value, waiting until it is there; blocks the thread.

        Args:
            timeout: Seconds to wait; None waits for good.

        Returns:
            What the task returned, after its way through JSON.

        Raises:
            JobFailedError: The job is dead.
            JobCancelledError: The job was cancelled.
            ResultGoneError: The job ended and left no result; it is a TimeoutError too.
            TimeoutError: The result did not come in time.
        """
        patience = Patience(self.id, timeout)
        updates = self._db.update_events()
        try:
            while not (outcome := self._look()).has_result:
                updates.wait(patience.next_s())
            return outcome.value
        finally:
            updates.close()

    async def aget(self, timeout: float | None = None) -> Any:
        """As `get`, without blocking the event loop."""
        patience = Patience(self.id, timeout)
        updates = self._db.update_events()
        try:
            while not (outcome := self._look()).has_result:
                await updates.wait_async(patience.next_s())
            return outcome.value
        finally:
            updates.close()

    def _look(self) -> Outcome:
        outcome = look(self._db, self.id)
        if outcome.state != "gone":
            self._was_seen = True
        elif not outcome.has_result and self._was_seen:
            raise ResultGoneError(f"job {self.id} is gone and left no result; none was kept, or its time is over")
        return outcome


class _Options(typing.TypedDict, total=False):
    """What `Queue.enqueue` takes beside the payload."""

    tx: TransactionLike
    run_at: Instant | None
    delay: Seconds | None
    priority: int
    expires: Seconds | None
    max_attempts: int


class _Enqueue(Generic[P]):
    """A call that enqueues, with its options settled."""

    def __init__(self, queue: Queue, name: str, options: _Options) -> None:
        self._queue = queue
        self._name = name
        self._options = options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> TaskResult:
        """Enqueue the call.

        Raises:
            InvalidPayloadError: An argument has no JSON form.
        """
        job_id = self._queue.enqueue(self._payload(args, kwargs), **self._options)
        return self._result(job_id)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> TaskResult:
        """As calling it, without blocking the event loop."""
        return self._result(await self._queue.aenqueue(self._payload(args, kwargs), **self._options))

    def _payload(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return envelope(self._name, args, kwargs)

    def _result(self, job_id: int) -> TaskResult:
        return TaskResult(self._queue, job_id, is_committed=self._options.get("tx") is None)


class Task(Generic[P, R]):
    """A function whose calls are enqueued and run by a worker.

    Calling it never runs it here: it returns a `TaskResult` at once. `call_local` runs it here.

    Attributes:
        spec: What a worker knows of it.
        fn: The function.
        name: Under which workers find it.
    """

    def __init__(self, queue: Queue, spec: TaskSpec, fn: Callable[..., R]) -> None:
        functools.update_wrapper(self, fn)
        self.spec = spec
        self.fn = fn
        self.name = spec.name
        self._queue = queue
        self._enqueue: _Enqueue[P] = self.enqueue_with()

    def __repr__(self) -> str:
        return f"<honker.Task {self.name!r} of queue {self.spec.queue_name!r}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> TaskResult:
        """Enqueue a call; its arguments travel as JSON.

        Raises:
            InvalidPayloadError: An argument has no JSON form.

        Source: SQL ``honker_enqueue``.
        """
        return self._enqueue(*args, **kwargs)

    async def aenqueue(self, *args: P.args, **kwargs: P.kwargs) -> TaskResult:
        """As calling it, without blocking the event loop."""
        return await self._enqueue.aenqueue(*args, **kwargs)

    def enqueue_with(
        self,
        *,
        tx: TransactionLike = None,
        delay: Seconds | None = None,
        run_at: Instant | None = None,
        priority: int | None = None,
        expires: Seconds | None = None,
    ) -> _Enqueue[P]:
        """The same call with other options: ``send.enqueue_with(tx=tx, delay=60)(order_id)``.

        Args:
            tx: The transaction to enqueue in: the call happens if and only if that commits.
            delay: Seconds from now; it is not run earlier.
            run_at: Unix seconds or a datetime; it is not run earlier.
            priority: Larger runs sooner; None means the task's.
            expires: Seconds after which it is dead-lettered instead of run; None means the task's.
        """
        options: _Options = {
            "tx": tx,
            "delay": delay,
            "run_at": run_at,
            "priority": self.spec.priority if priority is None else priority,
            "expires": self.spec.expires_s if expires is None else expires,
            "max_attempts": self.spec.retries,
        }
        return _Enqueue(self._queue, self.name, options)

    def call_local(self, *args: Any, **kwargs: Any) -> R:
        """Run the function here and now; a parameter that a worker would fill is passed like any other."""
        return self.fn(*args, **kwargs)


class TaskDecorator(Protocol):
    """Makes a function a `Task`. Leading `Job` and `Transaction` parameters are the worker's to fill."""

    @overload
    def __call__(self, fn: Callable[Concatenate[Job, Transaction, P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[Job, P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[Transaction, P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R]: ...


def _make_decorator(queue: Queue, *, name: str | None, **options: Any) -> TaskDecorator:
    check_options(queue.name, {"name": name, **options})

    def decorate(fn: Callable[..., Any], /) -> Any:
        spec = TaskSpec(
            name=name or _default_name(fn),
            fn=fn,
            queue_name=queue.name,
            path=os.path.abspath(queue.db.path),
            **options,
        )
        if spec.executor == "process":
            check_process_handler(fn, list(spec.injections))
        if spec.schedule is not None:
            check_options(queue.name, {"scheduler_name": spec.scheduler_name or spec.name})
        _registry.register(spec)
        return Task[..., Any](queue, spec, fn)

    return decorate


use_decorators(_make_decorator)


def _default_name(fn: Callable[..., Any]) -> str:
    named: Any = fn
    while isinstance(named, functools.partial):
        named = named.func
    return f"{named.__module__}.{getattr(named, '__qualname__', type(named).__qualname__)}"


def register_schedules(db: Database, queues: set[str] | None = None) -> list[str]:
    """Write the schedules of this database's periodic tasks, replacing those of the same names.

    Workers and schedulers do so when they start. A schedule's next boundary stays while its expression does.

    Args:
        db: The database.
        queues: Only those of tasks of these queues; None for all.

    Returns:
        The names of the schedules.

    Source: SQL ``honker_scheduler_register``.
    """
    path = os.path.abspath(db.path)
    names: list[str] = []
    for spec in _registry.specs():
        if spec.schedule is None or spec.path != path or (queues is not None and spec.queue_name not in queues):
            continue
        names.append(spec.scheduler_name or spec.name)
        db.call(
            "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            names[-1],
            spec.queue_name,
            spec.schedule.expr,
            payloads.encode(envelope(spec.name)),
            spec.priority,
            None if spec.expires_s is None else int(cast("int", spec.expires_s)),
            spec.retries,
            getattr(spec.schedule, "time_zone", None),
            None,
        )
    return names


def _injections(fn: Callable[..., Any]) -> dict[str, tuple[int | None, type]]:
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):  # Some built-in functions have no signature.
        return {}
    hints = _annotations(fn)
    found: dict[str, tuple[int | None, type]] = {}
    for position, parameter in enumerate(parameters.values()):
        wanted = hints.get(parameter.name)
        if wanted is Job or wanted is Transaction:
            is_positional = parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
            found[parameter.name] = (position if is_positional else None, wanted)
    return found


def _annotations(fn: Callable[..., Any]) -> dict[str, Any]:
    target: Any = fn
    while isinstance(target, functools.partial):
        target = target.func
    if not inspect.isroutine(target) and not inspect.isclass(target):
        target = type(target).__call__
    try:
        return typing.get_type_hints(target)
    except Exception:
        # A name that exists for type checkers only. One that is written as honker documents it is still understood.
        written: dict[str, Any] = getattr(target, "__annotations__", {})
        known = {"Job": Job, "honker.Job": Job, "Transaction": Transaction, "honker.Transaction": Transaction}
        return {name: known.get(hint, hint) if isinstance(hint, str) else hint for name, hint in written.items()}
