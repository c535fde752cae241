"""The decorators of a database and of an app, which name the queue: methods of `honker.Database` and `honker.App`."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload

from honker.arguments import OnConflict, Seconds, UniqueUntil
from honker.engine import Transaction
from honker.job import Job
from honker.task.options import Executor, KeyOption, Misfire, Overlap, RetryRule, WhenPaused
from honker.task.registry import HasExpression
from honker.task.task import Task, TaskDecorator, Unannotated

P = ParamSpec("P")
R = TypeVar("R")


class _CommonOptions(TypedDict, total=False):
    name: str | None
    max_attempts: int | None
    retries: int | None
    retry_delay_s: float
    backoff: float
    max_retry_delay_s: float | None
    jitter: float
    retry_on: type[BaseException] | Collection[type[BaseException]] | None
    give_up_on: type[BaseException] | Collection[type[BaseException]]
    retry: RetryRule | None
    timeout_s: float | None
    priority: int
    store_result: bool
    result_ttl_s: float
    executor: Executor


class TaskOptions(_CommonOptions, total=False):
    """The options of `Queue.task`, see there."""

    expires_s: Seconds | None
    key: KeyOption | None
    unique_key: KeyOption | None
    on_conflict: OnConflict | None
    unique_until: UniqueUntil | None
    unique_for_s: Seconds | None
    debounce_s: Seconds | None
    debounce_max_s: Seconds | None


class PeriodicTaskOptions(_CommonOptions, total=False):
    """The options of `Queue.periodic_task`, see there."""

    scheduler_name: str | None
    misfire: Misfire | None
    overlap: Overlap | None
    when_paused: WhenPaused | None
    expires_s: int | None


class DeclaringQueue(Protocol):
    """A queue with decorators: `honker.Queue`."""

    @property
    def task(self) -> Callable[..., TaskDecorator]:
        """See `Queue.task`."""
        ...

    @property
    def periodic_task(self) -> Callable[..., TaskDecorator]:
        """See `Queue.periodic_task`."""
        ...


class Declaring(Protocol):
    """A database, app or blueprint: its queues have the decorators."""

    @property
    def queue(self) -> Callable[[str], DeclaringQueue]:
        """Get the queue of a name."""
        ...


@overload
def task(
    self: Declaring, queue: Callable[Concatenate[Unannotated, P], Coroutine[Any, Any, R]], /
) -> Task[..., R, Callable[Concatenate[Unannotated, P], Coroutine[Any, Any, R]]]: ...


@overload
def task(
    self: Declaring, queue: Callable[Concatenate[Unannotated, P], R], /
) -> Task[..., R, Callable[Concatenate[Unannotated, P], R]]: ...


@overload
def task(
    self: Declaring, queue: Callable[Concatenate[Job, Transaction, P], Coroutine[Any, Any, R]], /
) -> Task[P, R, Callable[Concatenate[Job, Transaction, P], Coroutine[Any, Any, R]]]: ...


@overload
def task(
    self: Declaring, queue: Callable[Concatenate[Job, Transaction, P], R], /
) -> Task[P, R, Callable[Concatenate[Job, Transaction, P], R]]: ...


@overload
def task(
    self: Declaring, queue: Callable[Concatenate[Job, P], Coroutine[Any, Any, R]], /
) -> Task[P, R, Callable[Concatenate[Job, P], Coroutine[Any, Any, R]]]: ...


@overload
def task(
    self: Declaring, queue: Callable[Concatenate[Job, P], R], /
) -> Task[P, R, Callable[Concatenate[Job, P], R]]: ...


@overload
def task(
    self: Declaring, queue: Callable[Concatenate[Transaction, P], Coroutine[Any, Any, R]], /
) -> Task[P, R, Callable[Concatenate[Transaction, P], Coroutine[Any, Any, R]]]: ...


@overload
def task(
    self: Declaring, queue: Callable[Concatenate[Transaction, P], R], /
) -> Task[P, R, Callable[Concatenate[Transaction, P], R]]: ...


@overload
def task(
    self: Declaring, queue: Callable[P, Coroutine[Any, Any, R]], /
) -> Task[P, R, Callable[P, Coroutine[Any, Any, R]]]: ...


@overload
def task(self: Declaring, queue: Callable[P, R], /) -> Task[P, R, Callable[P, R]]: ...


@overload
def task(self: Declaring, queue: str = "default", **options: Unpack[TaskOptions]) -> TaskDecorator: ...


def task(self: Declaring, queue: Callable[..., Any] | str = "default", **options: Any) -> Any:
    """Make a function a task of the queue of that name. Runs no SQL. Works without parentheses too.

    Args:
        queue: The name of the queue.
        **options: Those of `Queue.task`.

    Raises:
        InvalidArgumentError: An option is outside its range.
        InvalidTaskError: The function cannot be a task.
        TaskConflictError: Another function is registered under the name.
    """
    if callable(queue):
        return self.queue("default").task()(queue)
    return self.queue(queue).task(**options)


def periodic_task(
    self: Declaring, schedule: HasExpression, queue: str = "default", **options: Unpack[PeriodicTaskOptions]
) -> TaskDecorator:
    """Make a function a task that a schedule enqueues into the queue of that name. Runs no SQL.

    Args:
        schedule: The times to enqueue it; see `honker.crontab` and `honker.every_s`.
        queue: The name of the queue.
        **options: Those of `Queue.periodic_task`.

    Raises:
        InvalidArgumentError: An option is outside its range.
        InvalidTaskError: The function cannot be a task, or has required parameters.
        TaskConflictError: Another function is registered under the name.
    """
    return self.queue(queue).periodic_task(schedule, **options)
