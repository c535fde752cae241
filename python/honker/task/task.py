"""Tasks: functions whose calls are enqueued here and run by a worker, maybe in another process.

A call is a job whose payload names the function and carries its arguments, so a worker must have imported the module
that defines it. `honker.task.registry.registry` holds the tasks of this process.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypedDict, TypeVar, cast, overload

from honker.arguments import Instant, OnConflict, OnParentFailure, Seconds, TransactionLike, UniqueUntil
from honker.engine import Transaction
from honker.errors import InvalidTaskError
from honker.job import Job, JobQueue
from honker.middleware import headers_for
from honker.task.call import Callee, TaskCall
from honker.task.keys import flow_options, resolve_keys
from honker.task.mapping import amapped, mapped
from honker.task.module_name import module_name_of
from honker.task.options import (
    KeyOption,
    check_handler,
    check_options,
    check_process_handler,
    check_result_options,
    check_unique_options,
)
from honker.task.payloads import TaskPayloads
from honker.task.registry import TaskSpec, registry_of
from honker.task.result import TaskResult
from honker.task.signature import CallSignature, check_function, check_periodic

P = ParamSpec("P")
R = TypeVar("R")


if TYPE_CHECKING:
    from typing_extensions import TypeVar as DefaultingTypeVar  # type checkers bring it along

    F = DefaultingTypeVar("F", default=Callable[..., Any])
else:
    F = TypeVar("F")


class _Options(TypedDict, total=False):
    """The options of `Queue.enqueue`, apart from those that depend on the arguments of a call."""

    tx: TransactionLike
    run_at: Instant | None
    delay: Seconds | None
    priority: int
    expires: Seconds | None
    max_attempts: int


class UniqueJob(Protocol):
    """The answer to `Queue.enqueue_unique`."""

    @property
    def id(self) -> int:
        """The job, new or not."""
        ...

    @property
    def is_duplicate(self) -> bool:
        """True if the job was there before."""
        ...


class TaskQueue(JobQueue, Protocol):
    """The queue of a task, as the task sees it: `honker.Queue`."""

    def enqueue(
        self,
        payload: Any,
        *,
        tx: TransactionLike = None,
        run_at: Instant | None = None,
        delay: Seconds | None = None,
        priority: int = 0,
        expires: Seconds | None = None,
        max_attempts: int | None = None,
        key: str | None = None,
        after: Iterable[int] | None = None,
        on_parent_failure: OnParentFailure | None = None,
    ) -> int:
        """Add a job and return its id."""
        ...

    async def aenqueue(
        self,
        payload: Any,
        *,
        tx: TransactionLike = None,
        run_at: Instant | None = None,
        delay: Seconds | None = None,
        priority: int = 0,
        expires: Seconds | None = None,
        max_attempts: int | None = None,
        key: str | None = None,
        after: Iterable[int] | None = None,
        on_parent_failure: OnParentFailure | None = None,
    ) -> int:
        """Like `enqueue`, without blocking the event loop."""
        ...

    def enqueue_unique(
        self,
        payload: Any,
        *,
        tx: TransactionLike = None,
        run_at: Instant | None = None,
        delay: Seconds | None = None,
        priority: int = 0,
        expires: Seconds | None = None,
        max_attempts: int | None = None,
        key: str | None = None,
        unique_key: str,
        on_conflict: OnConflict | None = None,
        unique_until: UniqueUntil | None = None,
        unique_for_s: Seconds | None = None,
        debounce_s: Seconds | None = None,
        debounce_max_s: Seconds | None = None,
        after: Iterable[int] | None = None,
        on_parent_failure: OnParentFailure | None = None,
    ) -> UniqueJob:
        """Add a job, or return the one that has its unique key."""
        ...

    async def aenqueue_unique(
        self,
        payload: Any,
        *,
        tx: TransactionLike = None,
        run_at: Instant | None = None,
        delay: Seconds | None = None,
        priority: int = 0,
        expires: Seconds | None = None,
        max_attempts: int | None = None,
        key: str | None = None,
        unique_key: str,
        on_conflict: OnConflict | None = None,
        unique_until: UniqueUntil | None = None,
        unique_for_s: Seconds | None = None,
        debounce_s: Seconds | None = None,
        debounce_max_s: Seconds | None = None,
        after: Iterable[int] | None = None,
        on_parent_failure: OnParentFailure | None = None,
    ) -> UniqueJob:
        """Like `enqueue_unique`, without blocking the event loop."""
        ...


class _Enqueue(Generic[P, R]):
    """A callable that enqueues a task call with fixed options."""

    def __init__(
        self,
        queue: TaskQueue,
        signature: CallSignature,
        payloads: TaskPayloads,
        options: _Options,
        flow: dict[str, Any],
    ) -> None:
        self._queue = queue
        self._payloads = payloads
        self._signature = signature
        self._options = options
        self._flow = flow

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskResult[R]:
        """Enqueue the call.

        Raises:
            InvalidCallError: The arguments do not fit the function.
            InvalidPayloadError: An argument has no JSON form.
        """
        payload = self._payload(args, kwargs)
        if not self._flow:
            return self._result(self._queue.enqueue(payload, **self._options))
        flow = resolve_keys(self._flow, args, kwargs)
        if "unique_key" not in flow:
            return self._result(self._queue.enqueue(payload, **self._options, **flow))
        job = self._queue.enqueue_unique(payload, **self._options, **flow)
        return self._result(job.id, is_duplicate=job.is_duplicate)

    async def aenqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskResult[R]:
        """As calling it, without blocking the event loop."""
        payload = self._payload(args, kwargs)
        if not self._flow:
            return self._result(await self._queue.aenqueue(payload, **self._options))
        flow = resolve_keys(self._flow, args, kwargs)
        if "unique_key" not in flow:
            return self._result(await self._queue.aenqueue(payload, **self._options, **flow))
        job = await self._queue.aenqueue_unique(payload, **self._options, **flow)
        return self._result(job.id, is_duplicate=job.is_duplicate)

    def _payload(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if not kwargs and tuple(map(type, args)) in self._payloads.valid_calls:
            return self._payloads.of_valid_call(args, self._headers(args, kwargs))
        self._signature.check(args, kwargs)
        return self._payloads.of_call(args, kwargs, headers=self._headers(args, kwargs))

    def _headers(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
        # Read at each call: the tasks of a blueprint join an app later.
        middleware = registry_of(self._queue.db).middleware
        return headers_for(middleware, self._payloads.name, self._queue.name, args, kwargs) if middleware else None

    def _result(self, job_id: int, *, is_duplicate: bool = False) -> TaskResult[R]:
        engine, tx = self._queue.db.engine, self._options.get("tx")
        if is_duplicate and tx is not None:
            # The job may be of this transaction or of an earlier one, so nothing follows from the end of this one.
            return TaskResult(engine, job_id, is_committed=False, is_duplicate=True, payloads=self._payloads)
        return TaskResult(engine, job_id, tx=tx, is_duplicate=is_duplicate, payloads=self._payloads)


class Task(Generic[P, R, F]):
    """A function whose calls are enqueued and run by a worker.

    Calling it enqueues a call and returns a `TaskResult` at once. `call_local` runs the function in this process.

    Attributes:
        spec: The definition of the task.
        fn: The function.
        name: The name under which workers find it.
    """

    if not TYPE_CHECKING:
        # ``Task[..., int]`` leaves the type of the function to its default, which `typing` has since Python 3.13.
        __class_getitem__ = classmethod(GenericAlias)

    fn: F

    def __init__(self, queue: TaskQueue, spec: TaskSpec, fn: F) -> None:
        functools.update_wrapper(self, cast("Callable[..., Any]", fn))
        self.spec = spec
        self.fn = fn
        self.name = spec.name
        self._queue = queue
        self._signature = CallSignature(spec.name, cast("Callable[..., Any]", fn), spec.injections)
        self._payloads = TaskPayloads(spec, queue.db)
        self._enqueue: _Enqueue[P, R] = self.enqueue_with()

    def __repr__(self) -> str:
        return f"<honker.Task {self.name!r} of queue {self.spec.queue_name!r}>"

    def __reduce__(self) -> str:
        """Pickled by name, as functions are: for another process that imports its module, as spawn does."""
        return str(getattr(self, "__qualname__", self.name))

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskResult[R]:
        """Enqueue a call; its arguments travel as JSON.

        Raises:
            InvalidCallError: The arguments do not fit the function.
            InvalidPayloadError: An argument has no JSON form.

        Source: SQL ``honker_enqueue``.
        """
        return self._enqueue(*args, **kwargs)

    async def aenqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskResult[R]:
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
        key: KeyOption | None = None,
        unique_key: KeyOption | None = None,
        on_conflict: OnConflict | None = None,
        unique_until: UniqueUntil | None = None,
        unique_for_s: Seconds | None = None,
        debounce_s: Seconds | None = None,
        debounce_max_s: Seconds | None = None,
        after: Iterable[int | TaskResult[Any]] | None = None,
        on_parent_failure: OnParentFailure | None = None,
    ) -> _Enqueue[P, R]:
        """A call with other options: ``send.enqueue_with(tx=tx, delay=60)(order_id)``.

        Args:
            tx: The transaction to enqueue in. The call runs if and only if it commits.
            delay: Seconds from now before which the call does not run.
            run_at: Unix seconds or a datetime before which the call does not run.
            priority: Larger values run sooner; None uses the task's.
            expires: Seconds after which it is dead-lettered instead of run; None uses the task's.
            key: The key of the job, or a function of the arguments that returns one; None uses the task's.
            unique_key: The unique key, likewise. `TaskResult.is_duplicate` says if another job had it.
            on_conflict: The treatment of a call whose unique key another job has; None uses the task's.
            unique_until: The end of the time in which the job has its unique key; None uses the task's.
            unique_for_s: Seconds for which the key stays taken after a success; None uses the task's.
            debounce_s: Seconds by which a further call puts the job off; None uses the task's.
            debounce_max_s: Seconds for which it is put off at most; None uses the task's.
            after: Jobs that have to end first, see `Queue.enqueue`.
            on_parent_failure: The treatment if one of them fails; None means ``cancel``.

        Raises:
            InvalidArgumentError: An option is outside its range.
        """
        options: _Options = {
            "tx": tx,
            "delay": delay,
            "run_at": run_at,
            "priority": self.spec.priority if priority is None else priority,
            "expires": self.spec.expires_s if expires is None else expires,
            "max_attempts": self.spec.retries,
        }
        flow = flow_options(
            self.spec,
            {
                "key": key,
                "unique_key": unique_key,
                "on_conflict": on_conflict,
                "unique_until": unique_until,
                "unique_for_s": unique_for_s,
                "debounce_s": debounce_s,
                "debounce_max_s": debounce_max_s,
            },
        )
        if after is not None:
            flow["after"] = [each.id if isinstance(each, TaskResult) else each for each in after]
        if on_parent_failure is not None:
            flow["on_parent_failure"] = on_parent_failure
        return _Enqueue(self._queue, self._signature, self._payloads, options, flow)

    def s(self, /, *args: Any, **kwargs: Any) -> TaskCall[R]:
        """A call for a workflow; see `honker.chain`. Runs no SQL.

        As a child it takes the results of its parents as its first arguments, before these.
        """
        return self._task_call(args, kwargs, takes_parents=True)

    def si(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskCall[R]:
        """A call for a workflow that takes no results of its parents. Runs no SQL.

        Raises:
            InvalidCallError: The arguments do not fit the function.
        """
        call = self._task_call(args, kwargs, takes_parents=False)
        call.check(0)
        return call

    def map(self, values: Iterable[Any], /, *, tx: TransactionLike = None, **options: Any) -> list[TaskResult[R]]:
        """Enqueue one call for each value, with the value as its only argument; all or none.

        Args:
            values: The arguments. For calls with several, enqueue a `honker.group`.
            tx: The transaction to add them in. If the call raises, roll it back.
            **options: Those of `TaskCall.options`, the same for every call.

        Returns:
            Their future results, in order.

        Raises:
            InvalidArgumentError: An option is outside its range.
            InvalidCallError: The task does not take one argument.
            InvalidPayloadError: A value has no JSON form.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one SQL call for up to 10,000 calls.
        Source: SQL ``honker_enqueue_many``.
        """
        return mapped(self._calls(values), options, tx)

    async def amap(
        self, values: Iterable[Any], /, *, tx: TransactionLike = None, **options: Any
    ) -> list[TaskResult[R]]:
        """Like `map`, without blocking the event loop."""
        return await amapped(self._calls(values), options, tx)

    def _task_call(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, takes_parents: bool) -> TaskCall[R]:
        callee = Callee(self._queue, self.spec, self._signature, self._payloads, self.enqueue_with)
        return TaskCall(callee, args, kwargs, takes_parents=takes_parents)

    def _calls(self, values: Iterable[Any]) -> Iterator[TaskCall[R]]:
        call: Callable[[Any], TaskCall[R]] = self.si  # pyright: ignore[reportAssignmentType] - checked at run time
        return (call(value) for value in values)

    @property
    def call_local(self) -> F:
        """The function, to run it here and now; a parameter that a worker would fill is passed like any other."""
        return self.fn


class Unannotated:
    """Stands for a first parameter that takes anything, which type checkers would take for one that a worker fills."""


class TaskDecorator(Protocol):
    """A decorator that makes a function a `Task`. Workers fill leading `Job` and `Transaction` parameters.

    The result of a coroutine function is the value that awaiting it gives. The calls of a function whose first
    parameter takes anything are not checked.
    """

    @overload
    def __call__(
        self, fn: Callable[Concatenate[Unannotated, P], Coroutine[Any, Any, R]], /
    ) -> Task[..., R, Callable[Concatenate[Unannotated, P], Coroutine[Any, Any, R]]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Unannotated, P], R], /
    ) -> Task[..., R, Callable[Concatenate[Unannotated, P], R]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Job, Transaction, P], Coroutine[Any, Any, R]], /
    ) -> Task[P, R, Callable[Concatenate[Job, Transaction, P], Coroutine[Any, Any, R]]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Job, Transaction, P], R], /
    ) -> Task[P, R, Callable[Concatenate[Job, Transaction, P], R]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Job, P], Coroutine[Any, Any, R]], /
    ) -> Task[P, R, Callable[Concatenate[Job, P], Coroutine[Any, Any, R]]]: ...
    @overload
    def __call__(self, fn: Callable[Concatenate[Job, P], R], /) -> Task[P, R, Callable[Concatenate[Job, P], R]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Transaction, P], Coroutine[Any, Any, R]], /
    ) -> Task[P, R, Callable[Concatenate[Transaction, P], Coroutine[Any, Any, R]]]: ...
    @overload
    def __call__(
        self, fn: Callable[Concatenate[Transaction, P], R], /
    ) -> Task[P, R, Callable[Concatenate[Transaction, P], R]]: ...
    @overload
    def __call__(
        self, fn: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Task[P, R, Callable[P, Coroutine[Any, Any, R]]]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Task[P, R, Callable[P, R]]: ...


def task_decorator(queue: TaskQueue, *, name: str | None, **options: Any) -> TaskDecorator:
    """Make a decorator from a queue and the options of `Queue.task` or `Queue.periodic_task`.

    Raises:
        InvalidArgumentError: An option is outside its range.
    """
    check_options(queue.name, {"name": name, **options})
    check_unique_options(options)
    check_result_options(options)

    def decorate(fn: Callable[..., Any], /) -> Any:
        inner: Any = fn
        while isinstance(inner, functools.partial):
            inner = inner.func
        if isinstance(inner, Task):
            raise InvalidTaskError(f"{inner!r} is a task already; decorate its function: queue.task(...)(task.fn)")
        check_function(fn)
        check_handler(fn)
        tasks = registry_of(queue.db)
        spec = TaskSpec(
            name=name or _default_name(fn),
            fn=fn,
            queue_name=queue.name,
            path=queue.db.engine.identity if tasks.is_shared else None,
            **options,
        )
        if spec.executor == "process":
            check_process_handler(fn, list(spec.injections), has_retry_rule=spec.retry is not None)
        if spec.schedule is not None:
            check_options(queue.name, {"scheduler_name": spec.scheduler_name or spec.name})
            check_periodic(CallSignature(spec.name, fn, spec.injections), spec.name)
        made = Task[..., Any](queue, spec, fn)  # before the registration: it refuses types that cannot be carried
        tasks.register(spec, queue.db.engine)
        return made

    return decorate


def _default_name(fn: Callable[..., Any]) -> str:
    named: Any = fn
    while isinstance(named, functools.partial):
        named = named.func
    return f"{module_name_of(named)}.{getattr(named, '__qualname__', type(named).__qualname__)}"
