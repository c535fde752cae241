"""Calls of tasks that are not enqueued yet: the leaves of workflows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, get_args

from honker.arguments import (
    Instant,
    OnConflict,
    OnParentFailure,
    Seconds,
    SQLValue,
    TransactionLike,
    UniqueUntil,
    optional_instant,
    optional_seconds,
    seconds,
)
from honker.engine import Engine
from honker.errors import InvalidArgumentError
from honker.job import JobQueue
from honker.middleware import headers_for
from honker.task.keys import FLOW_OPTIONS, flow_options, resolve_keys
from honker.task.options import KeyOption, check_options
from honker.task.payloads import TaskPayloads
from honker.task.plan import Plan, Value
from honker.task.registry import TaskSpec, registry_of
from honker.task.result import TaskResult
from honker.task.step import Step

R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")

_PLACE: Final = object()


class Arguments(Protocol):
    """The arguments that a task takes: `honker.task.signature.CallSignature`."""

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse arguments that the function would refuse."""
        ...


class Enqueuing(Protocol[S]):
    """The calls of a task with chosen options, from `Task.enqueue_with`."""

    def __call__(self, /, *args: Any, **kwargs: Any) -> TaskResult[S]:
        """Enqueue the call."""
        ...

    async def aenqueue(self, /, *args: Any, **kwargs: Any) -> TaskResult[S]:
        """As calling it, without blocking the event loop."""
        ...


@dataclass(frozen=True, slots=True)
class Callee:
    """The task of a call.

    Attributes:
        queue: The queue that its calls go to.
        spec: Its definition.
        signature: The arguments that it takes.
        payloads: Writes its calls and reads its results.
        enqueue_with: Chooses the options of a call, see `Task.enqueue_with`.
    """

    queue: JobQueue
    spec: TaskSpec
    signature: Arguments
    payloads: TaskPayloads
    enqueue_with: Callable[..., Enqueuing[Any]]


class TaskCall(Step[R_co]):
    """A call of a task with its arguments and options, from `Task.s` or `Task.si`; immutable.

    Attributes:
        name: The task's name.
        args: Its own positional arguments, which follow those from its parents.
        kwargs: Its keyword arguments.
        takes_parents: True if it takes the results of its parents as its first arguments.
    """

    def __init__(self, callee: Callee, args: Sequence[Any], kwargs: Mapping[str, Any], *, takes_parents: bool) -> None:
        self.name = callee.spec.name
        self.args = tuple(args)
        self.kwargs = dict(kwargs)
        self.takes_parents = takes_parents
        self._callee = callee
        self._options: dict[str, Any] = {}
        self._on_parent_failure: str | None = None

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
        key: KeyOption | None = None,
        unique_key: KeyOption | None = None,
        on_conflict: OnConflict | None = None,
        unique_until: UniqueUntil | None = None,
        unique_for_s: Seconds | None = None,
        debounce_s: Seconds | None = None,
        debounce_max_s: Seconds | None = None,
        on_parent_failure: OnParentFailure | None = None,
    ) -> TaskCall[R_co]:
        """The same call with other options; None leaves an option as it is.

        Args:
            delay: Seconds from the enqueueing before which it does not run.
            run_at: Unix seconds or a datetime before which it does not run.
            priority: Larger values run sooner.
            expires: Seconds from the enqueueing after which it is dead-lettered instead of run.
            key: As for `Task.enqueue_with`. A function of the arguments cannot take results of parents.
            unique_key: As for `Task.enqueue_with`, likewise.
            on_conflict: As for `Task.enqueue_with`.
            unique_until: As for `Task.enqueue_with`.
            unique_for_s: As for `Task.enqueue_with`.
            debounce_s: As for `Task.enqueue_with`.
            debounce_max_s: As for `Task.enqueue_with`.
            on_parent_failure: The effect of a parent that is dead-lettered or cancelled. ``"cancel"``, the default:
                the job becomes a dead letter that names the parent; a requeue of the parent brings it back. ``"run"``:
                it runs, and takes outcomes instead of results: dicts of ``job_id``, ``state`` (``"done"``, ``"dead"``
                or ``"cancelled"``), ``result`` and ``error``. ``"wait"``: it waits until the parent is requeued and
                succeeds.

        Raises:
            InvalidArgumentError: An option has the wrong type or is outside its range.
        """
        if on_parent_failure not in {None, *get_args(OnParentFailure)}:
            raise InvalidArgumentError(
                f"on_parent_failure is {on_parent_failure!r}; it must be 'cancel', 'run' or 'wait'"
            )
        options = {
            "delay": delay,
            "run_at": run_at,
            "priority": priority,
            "expires": expires,
            "key": key,
            "unique_key": unique_key,
            "on_conflict": on_conflict,
            "unique_until": unique_until,
            "unique_for_s": unique_for_s,
            "debounce_s": debounce_s,
            "debounce_max_s": debounce_max_s,
        }
        changed = copy.copy(self)
        changed._options = self._options | {name: value for name, value in options.items() if value is not None}
        changed._on_parent_failure = on_parent_failure or self._on_parent_failure
        changed._check_options()
        return changed

    def enqueue(self, *, tx: TransactionLike = None) -> TaskResult[R_co]:
        """Enqueue the call alone; see `Task.__call__`.

        Args:
            tx: The transaction to add it in; the call runs if and only if it commits.

        Raises:
            InvalidArgumentError: An option is outside its range, or ``on_parent_failure`` is given.
            InvalidCallError: The arguments do not fit the function.
            InvalidPayloadError: An argument has no JSON form.

        Source: SQL ``honker_enqueue``.
        """
        return self._alone(tx)(*self.args, **self.kwargs)

    async def aenqueue(self, *, tx: TransactionLike = None) -> TaskResult[R_co]:
        """Like `enqueue`, without blocking the event loop."""
        return await self._alone(tx).aenqueue(*self.args, **self.kwargs)

    def _alone(self, tx: TransactionLike) -> Enqueuing[R_co]:
        if self._on_parent_failure is not None:
            raise InvalidArgumentError(
                f"on_parent_failure of {self.name!r} is {self._on_parent_failure!r}, and it has no parents; "
                "leave it out"
            )
        return self._callee.enqueue_with(tx=tx, **self._options)

    def _check_options(self) -> None:
        """Refuse options that the engine would refuse, before a part of a workflow is written."""
        _ = self.sql_options
        priority = self._options.get("priority")
        if priority is not None:
            check_options(None, {"priority": priority})
        # An option of a unique key may be given before the key.
        given = {name: self._options[name] for name in FLOW_OPTIONS if name in self._options}
        check_options(None, given)

    def plan_into(self, plan: Plan, name: str, inputs: Sequence[Value], policy: str | None = None) -> Value:
        """Add the call; its value is its result."""
        return plan.add(name, self, inputs, policy)

    # For the plan

    @property
    def engine(self) -> Engine:
        """The engine of its task."""
        return self._callee.queue.db.engine

    @property
    def queue_name(self) -> str:
        """The name of the queue it goes to."""
        return self._callee.queue.name

    @property
    def payloads(self) -> TaskPayloads:
        """Writes its payload, and reads its result."""
        return self._callee.payloads

    @property
    def on_parent_failure(self) -> str | None:
        """The policy for failed parents; None leaves it to the step that it is part of."""
        return self._on_parent_failure

    @property
    def sql_options(self) -> dict[str, SQLValue]:
        """The options of a single job, by their parameters in ``honker_enqueue_many``."""
        spec, given = self._callee.spec, self._options
        return {
            "run_at": optional_instant(given.get("run_at"), "run_at"),
            "delay": optional_seconds(given.get("delay"), "delay"),
            "priority": given.get("priority", spec.priority),
            "max_attempts": spec.retries,
            "expires": optional_seconds(given.get("expires", spec.expires_s), "expires"),
        }

    def flow_options(self, count: int) -> dict[str, Any]:
        """The options that relate the job to others, without its parents.

        Args:
            count: The number of arguments that come from parents.

        Raises:
            InvalidArgumentError: One is outside its range, or a key is a function of arguments that do not exist yet.
        """
        given = {name: self._options[name] for name in FLOW_OPTIONS if name in self._options}
        options = flow_options(self._callee.spec, given)
        for name in ("key", "unique_key"):
            if count and callable(options.get(name)):
                raise InvalidArgumentError(
                    f"{name} of task {self.name!r} is a function of its arguments, and some of them are results of "
                    f"its parents; give the call a text: options({name}=...)"
                )
        resolved = resolve_keys(options, self.args, self.kwargs)
        return {name: seconds(value, name) if name.endswith("_s") else value for name, value in resolved.items()}

    def headers(self, args: Sequence[Any]) -> dict[str, Any] | None:
        """The headers that middleware adds to the call with these arguments; None without any."""
        middleware = registry_of(self._callee.queue.db).middleware
        return headers_for(middleware, self.name, self.queue_name, args, self.kwargs)

    def check(self, count: int) -> None:
        """Refuse the call if its arguments, after ``count`` from its parents, do not fit the function.

        Raises:
            InvalidCallError: The reason, with the signature.
        """
        self._callee.signature.check((*[_PLACE] * count, *self.args), self.kwargs)
