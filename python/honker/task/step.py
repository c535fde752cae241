"""The steps of workflows: calls of tasks, and chains, groups and chords of steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar, cast, overload

from honker.arguments import TransactionLike
from honker.errors import InvalidArgumentError
from honker.task.parents import listed
from honker.task.plan import Plan, Value
from honker.task.workflow_result import WorkflowResult, enqueued, enqueued_async

R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")


class Step(ABC, Generic[R_co]):
    """A part of a workflow: a call of a task, or a `chain`, `group` or `chord` of steps."""

    @abstractmethod
    def plan_into(self, plan: Plan, name: str, inputs: Sequence[Value], policy: str | None = None) -> Value:
        """Add the jobs of this step to a plan, and return the value for the steps after it.

        Args:
            plan: The plan.
            name: The name of the step; the jobs of its parts are named ``name.0``, ``name.1`` and so on.
            inputs: The values of the steps before it.
            policy: The policy for failed parents of its first jobs.
        """


class Composite(Step[R_co]):
    """A step that is made of steps; it is enqueued as a whole."""

    def enqueue(self, *, tx: TransactionLike = None) -> WorkflowResult[R_co]:
        """Enqueue all jobs, or none.

        Args:
            tx: The transaction to add them in; they exist if and only if it commits. If the call raises, roll it back:
                a part of the jobs may have been added. None uses a transaction for this alone.

        Raises:
            InvalidArgumentError: The tasks belong to several databases, or an option is outside its range.
            InvalidCallError: Arguments do not fit a task.
            InvalidPayloadError: An argument has no JSON form.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one SQL call for the jobs of one queue that have as many generations before them, up to 10,000 jobs.
        Source: SQL ``honker_enqueue_many``.
        """
        plan, value = self._plan()
        return enqueued(plan, value, tx)

    async def aenqueue(self, *, tx: TransactionLike = None) -> WorkflowResult[R_co]:
        """Like `enqueue`, without blocking the event loop."""
        plan, value = self._plan()
        return await enqueued_async(plan, value, tx)

    def _plan(self) -> tuple[Plan, Value]:
        plan = Plan()
        return plan, self.plan_into(plan, "", ())


class Chain(Composite[R_co]):
    """Steps of which each waits for the one before, from `chain`."""

    def __init__(self, steps: Sequence[Step[Any]]) -> None:
        self._steps = steps

    def __repr__(self) -> str:
        return f"<honker.Chain of {len(self._steps)} steps>"

    def plan_into(self, plan: Plan, name: str, inputs: Sequence[Value], policy: str | None = None) -> Value:
        """Add the steps; the value is that of the last."""
        for position, step in enumerate(self._steps):
            inputs = (step.plan_into(plan, part(name, position), inputs, policy if position == 0 else None),)
        return inputs[0]


class Group(Composite[R_co]):
    """Steps that do not wait for each other, from `group`."""

    def __init__(self, steps: Sequence[Step[Any]]) -> None:
        self._steps = steps

    def __repr__(self) -> str:
        return f"<honker.Group of {len(self._steps)} steps>"

    def plan_into(self, plan: Plan, name: str, inputs: Sequence[Value], policy: str | None = None) -> Value:
        """Add the steps; the value is the list of theirs."""
        values = [
            step.plan_into(plan, part(name, position), inputs, policy) for position, step in enumerate(self._steps)
        ]
        return gathered(values) if values else Value(0, (), waited_for(inputs))


@overload
def chain(first: Step[S], /) -> Chain[S]: ...


@overload
def chain(first: Step[Any], last: Step[S], /) -> Chain[S]: ...


@overload
def chain(first: Step[Any], second: Step[Any], last: Step[S], /) -> Chain[S]: ...


@overload
def chain(first: Step[Any], second: Step[Any], third: Step[Any], last: Step[S], /) -> Chain[S]: ...


@overload
def chain(*steps: Step[Any]) -> Chain[Any]: ...


def chain(*steps: Step[Any]) -> Chain[Any]:
    """Steps of which each waits for the one before, and takes its result as first argument.

    ``chain(download.s(url), unzip.s(), load.si("done")).enqueue()``

    Args:
        steps: At least one call, from `Task.s` or `Task.si`, or `chain`, `group` or `chord`. The step after a group
            takes the list of its results.

    Raises:
        InvalidArgumentError: There is none, or one is no step.
    """
    if not steps:
        raise InvalidArgumentError("chain has no steps; give it at least one")
    return Chain(checked(steps, "chain"))


@overload
def group(steps: Iterable[Step[S]], /) -> Group[list[S]]: ...


@overload
def group(*steps: Step[S]) -> Group[list[S]]: ...


def group(*steps: Step[Any] | Iterable[Step[Any]]) -> Group[list[Any]]:
    """Steps that do not wait for each other. Their value is the list of their results, in this order.

    Args:
        steps: Calls, from `Task.s` or `Task.si`, or `chain`, `group` or `chord`; or one iterable of these. There may be
            none: the step after an empty group takes an empty list.

    Raises:
        InvalidArgumentError: One is no step.
    """
    if len(steps) == 1 and not isinstance(steps[0], Step):
        return Group(checked(steps[0], "group"))
    return Group(checked(steps, "group"))


def chord(header: Group[Any] | Iterable[Step[Any]], body: Step[S]) -> Chain[S]:
    """A group, and a step that runs once, after all of it, with the list of its results.

    ``chord([resize.s(photo, width) for width in widths], publish.s()).enqueue()``

    Args:
        header: The group, or its steps. If there are none, the body takes an empty list.
        body: The step after it.

    Raises:
        InvalidArgumentError: One is no step.
    """
    return chain(header if isinstance(header, Group) else group(header), body)


def part(name: str, position: int) -> str:
    """The name of a part of a step."""
    return f"{name}.{position}" if name else f"{position}"


def gathered(values: Sequence[Value]) -> Value:
    """The value of a list of values."""
    jobs = tuple(number for value in values for number in value.jobs)
    return Value(listed([value.shape for value in values]), jobs, tuple(w for value in values for w in value.waits))


def waited_for(inputs: Sequence[Value]) -> tuple[int, ...]:
    """The jobs that a step after these values waits for."""
    return tuple(number for value in inputs for number in (*value.jobs, *value.waits))


def checked(steps: Any, where: str) -> list[Step[Any]]:
    """The steps of a composite.

    Raises:
        InvalidArgumentError: One is no step.
    """
    if not isinstance(steps, Iterable):
        check_step(steps, f"{where}: the step")
    found = list(cast("Iterable[Any]", steps))
    for position, step in enumerate(found):
        check_step(step, f"{where}: the step at position {position}")
    return found


def check_step(step: Any, described: str) -> None:
    """Refuse an object that is no step.

    Raises:
        InvalidArgumentError: It is none; the message has the right spelling.
    """
    if not isinstance(step, Step):
        raise InvalidArgumentError(
            f"{described} is {step!r}; it must be a call, such as task.s(...), or a chain, group or chord"
        )
