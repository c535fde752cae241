"""The decorators that make a function a task: the methods of `honker.Queue` of these names, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from honker.arguments import OnConflict, Seconds, UniqueUntil
from honker.engine import Transaction
from honker.job import Job
from honker.task.options import (
    JITTER,
    Executor,
    KeyOption,
    Misfire,
    Overlap,
    RetryRule,
    WhenPaused,
    attempts_of,
    check_schedule,
    exceptions_of,
)
from honker.task.registry import HasExpression
from honker.task.task import Task, TaskDecorator, TaskQueue, Unannotated, task_decorator

P = ParamSpec("P")
R = TypeVar("R")


class DecoratingQueue(TaskQueue, Protocol):
    """The queue of a decorator: `honker.Queue`."""

    @property
    def max_attempts(self) -> int:
        """Claims before a job is dead-lettered."""
        ...


@overload
def task(
    self: DecoratingQueue, name: Callable[Concatenate[Unannotated, P], Coroutine[Any, Any, R]], /
) -> Task[..., R, Callable[Concatenate[Unannotated, P], Coroutine[Any, Any, R]]]: ...


@overload
def task(
    self: DecoratingQueue, name: Callable[Concatenate[Unannotated, P], R], /
) -> Task[..., R, Callable[Concatenate[Unannotated, P], R]]: ...


@overload
def task(
    self: DecoratingQueue, name: Callable[Concatenate[Job, Transaction, P], Coroutine[Any, Any, R]], /
) -> Task[P, R, Callable[Concatenate[Job, Transaction, P], Coroutine[Any, Any, R]]]: ...


@overload
def task(
    self: DecoratingQueue, name: Callable[Concatenate[Job, Transaction, P], R], /
) -> Task[P, R, Callable[Concatenate[Job, Transaction, P], R]]: ...


@overload
def task(
    self: DecoratingQueue, name: Callable[Concatenate[Job, P], Coroutine[Any, Any, R]], /
) -> Task[P, R, Callable[Concatenate[Job, P], Coroutine[Any, Any, R]]]: ...


@overload
def task(
    self: DecoratingQueue, name: Callable[Concatenate[Job, P], R], /
) -> Task[P, R, Callable[Concatenate[Job, P], R]]: ...


@overload
def task(
    self: DecoratingQueue, name: Callable[Concatenate[Transaction, P], Coroutine[Any, Any, R]], /
) -> Task[P, R, Callable[Concatenate[Transaction, P], Coroutine[Any, Any, R]]]: ...


@overload
def task(
    self: DecoratingQueue, name: Callable[Concatenate[Transaction, P], R], /
) -> Task[P, R, Callable[Concatenate[Transaction, P], R]]: ...


@overload
def task(
    self: DecoratingQueue, name: Callable[P, Coroutine[Any, Any, R]], /
) -> Task[P, R, Callable[P, Coroutine[Any, Any, R]]]: ...


@overload
def task(self: DecoratingQueue, name: Callable[P, R], /) -> Task[P, R, Callable[P, R]]: ...


@overload
def task(
    self: DecoratingQueue,
    name: str | None = None,
    *,
    max_attempts: int | None = None,
    retries: int | None = None,
    retry_delay_s: float = 60,
    backoff: float = 1.0,
    max_retry_delay_s: float | None = None,
    jitter: float = JITTER,
    retry_on: type[BaseException] | Collection[type[BaseException]] | None = None,
    give_up_on: type[BaseException] | Collection[type[BaseException]] = (),
    retry: RetryRule | None = None,
    timeout_s: float | None = None,
    priority: int = 0,
    expires_s: Seconds | None = None,
    store_result: bool = True,
    result_ttl_s: float = 3600,
    executor: Executor = "thread",
    key: KeyOption | None = None,
    unique_key: KeyOption | None = None,
    on_conflict: OnConflict | None = None,
    unique_until: UniqueUntil | None = None,
    unique_for_s: Seconds | None = None,
    debounce_s: Seconds | None = None,
    debounce_max_s: Seconds | None = None,
) -> TaskDecorator: ...


def task(
    self: DecoratingQueue,
    name: Callable[..., Any] | str | None = None,
    *,
    max_attempts: int | None = None,
    retries: int | None = None,
    retry_delay_s: float = 60,
    backoff: float = 1.0,
    max_retry_delay_s: float | None = None,
    jitter: float = JITTER,
    retry_on: type[BaseException] | Collection[type[BaseException]] | None = None,
    give_up_on: type[BaseException] | Collection[type[BaseException]] = (),
    retry: RetryRule | None = None,
    timeout_s: float | None = None,
    priority: int = 0,
    expires_s: Seconds | None = None,
    store_result: bool = True,
    result_ttl_s: float = 3600,
    executor: Executor = "thread",
    key: KeyOption | None = None,
    unique_key: KeyOption | None = None,
    on_conflict: OnConflict | None = None,
    unique_until: UniqueUntil | None = None,
    unique_for_s: Seconds | None = None,
    debounce_s: Seconds | None = None,
    debounce_max_s: Seconds | None = None,
) -> Any:
    """Make a function a task of this queue: calling it enqueues a job, which a worker runs. See `honker.Task`.

    Runs no SQL. A worker calls a plain function in a thread, and awaits a coroutine function. A first parameter
    annotated `honker.Job` receives the job. A parameter annotated `honker.Transaction` (the first, or the one after
    the job) receives a transaction that commits together with the ack.

    Args:
        name: The name under which workers find the task; by default its module and qualified name. The decorator
            also works without parentheses.
        max_attempts: Attempts before a job is dead-lettered, the first one included, 1 to 1,000,000; None uses the
            queue's ``max_attempts``.
        retries: The older name of ``max_attempts``, with the same meaning: 1 tries once. Give one of them.
        retry_delay_s: Seconds between a failed attempt and the next, 0 to 100 years.
        backoff: The factor on the delay after each further failure, more than 0.
        max_retry_delay_s: The longest delay that ``backoff`` leads to, before the jitter; None for no limit.
        jitter: The largest part of a delay that is added to it at random, 0 to 1. A retry is never early; 0 keeps
            delays exact.
        retry_on: The only exceptions after which a job runs again, as ``except`` takes them; others dead-letter it at
            once. None runs it again after all. A timeout counts as a TimeoutError, and the end of a process as none.
        give_up_on: Exceptions after which a job is dead-lettered at once; it precedes ``retry_on``.
        retry: A function ``(exception, job) -> seconds | None`` that replaces ``retry_delay_s``, ``backoff`` and
            ``jitter``. None dead-letters the job. It is called where the handler was, and must not block. If it fails,
            these three are used, and the error says so. Attempts stay limited.
        timeout_s: Seconds that an attempt may take, more than 0; None for no limit.
        priority: Larger values run sooner, within ±(2**53 - 1).
        expires_s: Seconds after which a job is dead-lettered instead of run, more than 0.
        store_result: True to keep the return value for `honker.TaskResult`.
        result_ttl_s: Seconds to keep the result, up to 100 years; 0 keeps it forever. It needs ``store_result``.
        executor: ``"thread"``, or ``"process"`` to call a plain function in a separate process. The function then
            has a processor to itself, a timeout or a lost lease ends it, and a crash is one failed attempt. The
            process imports the function by module and name, so it must be a module-level function, and it receives
            neither job nor transaction. Its imports stay in memory, once per concurrent handler.
        key: The key of the jobs, see `Queue.enqueue`: a text, or a function of the arguments of a call that returns one
            or None.
        unique_key: The unique key, likewise, of which the queue has one job at a time.
        on_conflict: The treatment of a call whose unique key another job has; None means ``existing``.
        unique_until: The end of the time in which a job has its key; None means ``finished``.
        unique_for_s: Seconds for which the key stays taken after a success, see `Queue.enqueue`.
        debounce_s: Seconds by which a further call puts the job off, see `Queue.enqueue`.
        debounce_max_s: Seconds for which it is put off at most.

    Raises:
        InvalidArgumentError: An option is outside its range, lacks its partner, or contradicts another one.
        InvalidTaskError: The function cannot be a task, or cannot be called in another process.
        TaskConflictError: Another function is registered under the name.
    """
    if callable(name):
        return task(self)(name)
    return task_decorator(
        self,
        name=name,
        retries=attempts_of(retries, max_attempts, self.max_attempts),
        retry_delay_s=retry_delay_s,
        backoff=backoff,
        max_retry_delay_s=max_retry_delay_s,
        jitter=jitter,
        retry_on=exceptions_of(retry_on),
        give_up_on=exceptions_of(give_up_on),
        retry=retry,
        timeout_s=timeout_s,
        priority=priority,
        expires_s=expires_s,
        store_result=store_result,
        result_ttl_s=result_ttl_s,
        executor=executor,
        key=key,
        unique_key=unique_key,
        on_conflict=on_conflict,
        unique_until=unique_until,
        unique_for_s=unique_for_s,
        debounce_s=debounce_s,
        debounce_max_s=debounce_max_s,
    )


def periodic_task(
    self: DecoratingQueue,
    schedule: HasExpression,
    *,
    name: str | None = None,
    scheduler_name: str | None = None,
    max_attempts: int | None = None,
    retries: int | None = None,
    retry_delay_s: float = 60,
    backoff: float = 1.0,
    max_retry_delay_s: float | None = None,
    jitter: float = JITTER,
    retry_on: type[BaseException] | Collection[type[BaseException]] | None = None,
    give_up_on: type[BaseException] | Collection[type[BaseException]] = (),
    retry: RetryRule | None = None,
    timeout_s: float | None = None,
    misfire: Misfire | None = None,
    overlap: Overlap | None = None,
    when_paused: WhenPaused | None = None,
    expires_s: int | None = None,
    priority: int = 0,
    store_result: bool = False,
    result_ttl_s: float = 3600,
    executor: Executor = "thread",
) -> TaskDecorator:
    """Make a function without arguments a task that a schedule enqueues. See `task`.

    Runs no SQL: the schedule is written when a worker of this queue or a `honker.Scheduler` starts, or by
    `honker.register_schedules`, if its declaration here has changed since the last time. What
    `Scheduler.update` changes stays until then. It fires while any process runs a `honker.Scheduler`.

    Args:
        schedule: The times to enqueue it; see `honker.crontab` and `honker.every_s`.
        name: The name under which workers find the task; by default its module and qualified name.
        scheduler_name: The schedule's name; by default the task's.
        max_attempts: As for `task`.
        retries: As for `task`.
        retry_delay_s: As for `task`.
        backoff: As for `task`.
        max_retry_delay_s: As for `task`.
        jitter: As for `task`.
        retry_on: As for `task`.
        give_up_on: As for `task`.
        retry: As for `task`.
        timeout_s: As for `task`.
        misfire: How to treat boundaries that passed without a leader, see `Scheduler.add`; None means ``catch_up``.
        overlap: How to treat a boundary that comes while the last job has not ended; None means ``queue``.
        when_paused: How to treat a boundary that comes while the queue is paused; None means ``enqueue``.
        expires_s: Whole seconds after its boundary from which a job is no longer claimed, 1 or more.
        priority: Larger values run sooner, within ±(2**53 - 1).
        store_result: True to keep the return value.
        result_ttl_s: Seconds to keep the result, up to 100 years; 0 keeps it forever. It needs ``store_result``.
        executor: As for `task`.

    Raises:
        InvalidArgumentError: An option is outside its range, lacks its partner, or contradicts another one.
        InvalidTaskError: The function cannot be a task or has required parameters, or cannot be called in another
            process.
        TaskConflictError: Another function is registered under the name.
    """
    check_schedule(schedule)
    return task_decorator(
        self,
        name=name,
        schedule=schedule,
        scheduler_name=scheduler_name,
        retries=attempts_of(retries, max_attempts, self.max_attempts),
        retry_delay_s=retry_delay_s,
        backoff=backoff,
        max_retry_delay_s=max_retry_delay_s,
        jitter=jitter,
        retry_on=exceptions_of(retry_on),
        give_up_on=exceptions_of(give_up_on),
        retry=retry,
        timeout_s=timeout_s,
        misfire=misfire,
        overlap=overlap,
        when_paused=when_paused,
        expires_s=expires_s,
        priority=priority,
        store_result=store_result,
        result_ttl_s=result_ttl_s,
        executor=executor,
    )
