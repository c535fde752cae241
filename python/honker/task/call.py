"""Calls of tasks that are not enqueued yet: the leaves of workflows."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

from honker.arguments import (
    Instant,
    Seconds,
    SQLValue,
    TransactionLike,
    optional_instant,
    optional_seconds,
    seconds,
    whole,
)
from honker.engine import Engine
from honker.errors import InvalidArgumentError
from honker.job import JobQueue
from honker.task.options import check_options
from honker.task.plan import Plan, Value
from honker.task.registry import TaskSpec
from honker.task.result import TaskResult
from honker.task.step import Step
from honker.task.workflow_result import enqueued, enqueued_async

#: The effect of a parent's failure on a job that waits for it.
ParentFailure: TypeAlias = Literal["cancel", "run", "wait"]
#: The effect of a second job of a unique key.
OnConflict: TypeAlias = Literal["existing", "replace", "rerun", "raise"]

_PLACE: Final = object()


class Arguments(Protocol):
    """The arguments that a task takes: `honker.task.signature.CallSignature`."""

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse arguments that the function would refuse."""
        ...


class TaskCall(Step):
    """A call of a task with its arguments and options, from `Task.s` or `Task.si`; immutable.

    Attributes:
        name: The task's name.
        args: Its own positional arguments, which follow those from its parents.
        kwargs: Its keyword arguments.
        takes_parents: True if it takes the results of its parents as its first arguments.
    """

    def __init__(
        self,
        queue: JobQueue,
        spec: TaskSpec,
        signature: Arguments,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        takes_parents: bool,
    ) -> None:
        self.name = spec.name
        self.args = tuple(args)
        self.kwargs = dict(kwargs)
        self.takes_parents = takes_parents
        self._queue = queue
        self._signature = signature
        self._on_parent_failure: str | None = None
        self._sql_options: Mapping[str, SQLValue] = MappingProxyType(
            {
                "run_at": None,
                "delay": None,
                "priority": whole(spec.priority, "priority"),
                "max_attempts": whole(spec.retries, "max_attempts"),
                "expires": optional_seconds(spec.expires_s, "expires"),
            }
        )
        self._flow_options: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        shown = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"<honker.TaskCall {self.name}({', '.join(shown)})>"

    def options(
        self,
        *,
        delay: Seconds | None = None,
        run_at: Instant | None = None,
        priority: int | None = None,
        expires: Seconds | None = None,
        key: str | None = None,
        unique_key: str | None = None,
        on_conflict: OnConflict | None = None,
        unique_until: Literal["finished", "started"] | None = None,
        unique_for_s: Seconds | None = None,
        on_parent_failure: ParentFailure | None = None,
    ) -> TaskCall:
        """The same call with other options; None leaves an option as it is.

        Args:
            delay: Seconds from the enqueueing before which it does not run.
            run_at: Unix seconds or a datetime before which it does not run.
            priority: Larger values run sooner.
            expires: Seconds from the enqueueing after which it is dead-lettered instead of run.
            key: The key whose limits it shares, see `Queue.configure`.
            unique_key: The key of which one job may exist in the queue.
            on_conflict: The effect of another job of the unique key, see `Queue.enqueue`.
            unique_until: The end of the uniqueness.
            unique_for_s: Seconds after its success for which the unique key stays taken.
            on_parent_failure: The effect of a parent that is dead-lettered or cancelled. ``"cancel"``, the default:
                the job becomes a dead letter that names the parent; a requeue of the parent brings it back. ``"run"``:
                it runs, and takes outcomes instead of results: dicts of ``job_id``, ``state`` (``"done"``, ``"dead"``
                or ``"cancelled"``), ``result`` and ``error``. ``"wait"``: it waits until the parent is requeued and
                succeeds.

        Raises:
            InvalidArgumentError: An option has the wrong type or is outside its range.
        """
        check_options(None, {name: value for name, value in (("priority", priority),) if value is not None})
        if on_parent_failure not in {None, *get_args(ParentFailure)}:
            raise InvalidArgumentError(
                f"on_parent_failure is {on_parent_failure!r}; it must be 'cancel', 'run' or 'wait'"
            )
        changed = copy.copy(self)
        sql_options: dict[str, SQLValue] = {
            "delay": optional_seconds(delay, "delay"),
            "run_at": optional_instant(run_at, "run_at"),
            "priority": priority,
            "expires": optional_seconds(expires, "expires"),
        }
        flow_options: dict[str, Any] = {
            "key": key,
            "unique_key": unique_key,
            "on_conflict": on_conflict,
            "unique_until": unique_until,
            "unique_for_s": None if unique_for_s is None else seconds(unique_for_s, "unique_for_s"),
        }
        changed._sql_options = MappingProxyType({**self._sql_options, **_given(sql_options)})
        changed._flow_options = MappingProxyType({**self._flow_options, **_given(flow_options)})
        changed._on_parent_failure = on_parent_failure or self._on_parent_failure
        return changed

    def enqueue(self, *, tx: TransactionLike = None) -> TaskResult:
        """Enqueue the call alone; see `Task.__call__`.

        Args:
            tx: The transaction to add it in; the call runs if and only if it commits.

        Raises:
            InvalidArgumentError: An option is outside its range.
            InvalidCallError: The arguments do not fit the function.
            InvalidPayloadError: An argument has no JSON form.

        Source: SQL ``honker_enqueue_many``.
        """
        plan = Plan()
        value = self.plan_into(plan, self.name, ())
        return enqueued(plan, value, tx)[self.name]

    async def aenqueue(self, *, tx: TransactionLike = None) -> TaskResult:
        """Like `enqueue`, without blocking the event loop."""
        plan = Plan()
        value = self.plan_into(plan, self.name, ())
        return (await enqueued_async(plan, value, tx))[self.name]

    def plan_into(self, plan: Plan, name: str, inputs: Sequence[Value], policy: str | None = None) -> Value:
        """Add the call; its value is its result."""
        return plan.add(name, self, inputs, policy)

    # For the plan

    @property
    def engine(self) -> Engine:
        """The engine of its task."""
        return self._queue.db.engine

    @property
    def queue_name(self) -> str:
        """The name of the queue it goes to."""
        return self._queue.name

    @property
    def on_parent_failure(self) -> str | None:
        """The policy for failed parents; None leaves it to the step that it is part of."""
        return self._on_parent_failure

    @property
    def sql_options(self) -> Mapping[str, SQLValue]:
        """The options of a single job, by their parameters in ``honker_enqueue_many``."""
        return self._sql_options

    @property
    def flow_options(self) -> Mapping[str, Any]:
        """The options that relate the job to others, without its parents."""
        return self._flow_options

    def check(self, count: int) -> None:
        """Refuse the call if its arguments, after ``count`` from its parents, do not fit the function.

        Raises:
            InvalidCallError: The reason, with the signature.
        """
        self._signature.check((*[_PLACE] * count, *self.args), self.kwargs)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
