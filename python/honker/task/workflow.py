"""Workflows: named steps that wait for each other, enqueued in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, NamedTuple, Self, get_args

from honker.arguments import OnParentFailure, TransactionLike, is_text
from honker.engine import Engine, Handle
from honker.errors import InvalidArgumentError
from honker.task.call import TaskCall
from honker.task.parents import FromParents, Given, Shape
from honker.task.plan import Plan, Value
from honker.task.step import Step, check_step, waited_for
from honker.task.workflow_record import Record, asave, save
from honker.task.workflow_result import WorkflowResult

_SHOWN_NAMES: Final = 20


class _Node(NamedTuple):
    step: Step[Any]
    after: tuple[str, ...]
    on_parent_failure: str | None


class Workflow:
    """A graph of steps, from `Database.workflow`; `enqueue` adds all of its jobs or none.

    ```python no-run
    report = (
        db.workflow("report")
        .add("extract", extract.s(day))
        .add("rates", fetch_rates.s(day))
        .add("load", load.s(), after=["extract", "rates"])  # load(result of extract, result of rates)
        .on_failure(alert.s())
        .enqueue()
    )
    report.join()
    ```

    Attributes:
        name: Its name, for people and lists of workflows.
    """

    def __init__(self, db: Handle, name: str) -> None:
        self.name = name
        self._engine = db.engine
        self._nodes: dict[str, _Node] = {}
        self._callbacks: dict[str, TaskCall[Any]] = {}

    def __repr__(self) -> str:
        return f"<honker.Workflow {self.name!r} of {len(self._nodes)} steps>"

    def add(
        self,
        name: str,
        step: Step[Any],
        *,
        after: str | Iterable[str] = (),
        on_parent_failure: OnParentFailure | None = None,
    ) -> Self:
        """Add a step, and return this workflow. Runs no SQL.

        Args:
            name: Its name, not empty and not that of another step.
            step: A call, from `Task.s` or `Task.si`, or a `chain`, `group` or `chord`. It takes the value of each step
                in ``after`` as one argument, in that order, before its own arguments; ``.si`` takes none.
            after: The names of the steps that it waits for. They may be added later.
            on_parent_failure: The effect of a parent that fails, see `TaskCall.options`.

        Raises:
            InvalidArgumentError: The name is empty or taken, ``step`` is no step, or an option is outside its range.
        """
        if not is_text(name) or not name:
            raise InvalidArgumentError(f"name is {name!r}; it must be text that is not empty")
        if name in self._nodes:
            raise InvalidArgumentError(f"the name {name!r} is taken by another step of the workflow; choose another")
        check_step(step, f"step of {name!r}")
        parents = (after,) if isinstance(after, str) else tuple(after)
        if len(set(parents)) < len(parents):
            raise InvalidArgumentError(f"after of {name!r} is {list(parents)}; name each step once")
        if on_parent_failure not in {None, *get_args(OnParentFailure)}:
            raise InvalidArgumentError(
                f"on_parent_failure is {on_parent_failure!r}; it must be 'cancel', 'run' or 'wait'"
            )
        self._nodes[name] = _Node(step, parents, on_parent_failure)
        return self

    def on_success(self, call: TaskCall[Any]) -> Self:
        """Run a call once, after every job has succeeded. It takes the values of all steps, as a dict by name.

        Raises:
            InvalidArgumentError: It is no call of a task, or there is such a callback already.
        """
        return self._call_back("on_success", call)

    def on_failure(self, call: TaskCall[Any]) -> Self:
        """Run a call once, after every job has ended, if one is dead.

        It takes a dict with ``name``, ``job_id`` and ``error`` of the first dead job, where parents come before their
        children. It does not run for a workflow that was cancelled.

        Raises:
            InvalidArgumentError: It is no call of a task, or there is such a callback already.
        """
        return self._call_back("on_failure", call)

    def on_finish(self, call: TaskCall[Any]) -> Self:
        """Run a call once, after every job has ended, well or not.

        It takes a dict of the outcomes of all jobs by name: dicts of ``job_id``, ``state``, ``result`` and ``error``.

        Raises:
            InvalidArgumentError: It is no call of a task, or there is such a callback already.
        """
        return self._call_back("on_finish", call)

    def enqueue(self, *, tx: TransactionLike = None) -> WorkflowResult[dict[str, Any]]:
        """Enqueue all jobs, or none. The graph is checked before anything is written.

        Args:
            tx: The transaction to add them in; they exist if and only if it commits. If the call raises, roll it back:
                a part of the jobs may have been added. None uses a transaction for this alone.

        Raises:
            InvalidArgumentError: There are no steps, a name in ``after`` is unknown, steps wait for each other in a
                circle, the tasks belong to another database, or an option is outside its range.
            InvalidCallError: Arguments, those from parents included, do not fit a task.
            InvalidPayloadError: An argument has no JSON form.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one SQL call for the jobs of one queue that have as many generations before them, up to 10,000 jobs; and
            one event, the record of the workflow, which `Database.workflow_result` reads.
        Source: SQL ``honker_enqueue_many``, ``honker_stream_publish``.
        """
        plan, value = self._plan()
        engine = plan.engine
        if tx is not None:
            return self._result(plan, value, tx, *self._write(plan, value, engine, tx))
        with engine.transaction() as own:
            written = self._write(plan, value, engine, own)
        return self._result(plan, value, None, *written)

    async def aenqueue(self, *, tx: TransactionLike = None) -> WorkflowResult[dict[str, Any]]:
        """Like `enqueue`, without blocking the event loop."""
        plan, value = self._plan()
        engine = plan.engine
        if tx is not None:
            return self._result(plan, value, tx, *await self._awrite(plan, value, engine, tx))
        async with engine.transaction() as own:
            written = await self._awrite(plan, value, engine, own)
        return self._result(plan, value, None, *written)

    def _write(self, plan: Plan, value: Value, engine: Engine, tx: TransactionLike) -> tuple[list[int], int]:
        """Add the jobs and the record of the workflow, and return their ids."""
        ids = plan.write(engine, tx)
        return ids, save(engine, _record(self.name, plan, ids, value), tx)

    async def _awrite(self, plan: Plan, value: Value, engine: Engine, tx: TransactionLike) -> tuple[list[int], int]:
        ids = await plan.awrite(engine, tx)
        return ids, await asave(engine, _record(self.name, plan, ids, value), tx)

    def _result(
        self, plan: Plan, value: Value, tx: TransactionLike, ids: list[int], workflow_id: int
    ) -> WorkflowResult[dict[str, Any]]:
        names = [job.name for job in plan.jobs]
        return WorkflowResult(
            plan.engine, names, ids, value, tx, workflow_id=workflow_id, name=self.name, readers=plan.readers
        )

    def _call_back(self, event: str, call: Any) -> Self:
        if not isinstance(call, TaskCall):
            raise InvalidArgumentError(f"{event} is {call!r}; it must be the call of one task, such as task.s(...)")
        if call.on_parent_failure is not None:
            raise InvalidArgumentError(
                f"on_parent_failure of {event} is {call.on_parent_failure!r}; leave it out, since the event decides"
            )
        if event in self._callbacks:
            raise InvalidArgumentError(f"{event} is {self._callbacks[event]!r} already; give one call")
        self._callbacks[event] = call
        return self

    def _plan(self) -> tuple[Plan, Value]:
        plan = Plan()
        values: dict[str, Value] = {}
        for name in self._order():
            node = self._nodes[name]
            inputs = [values[parent] for parent in node.after]
            values[name] = node.step.plan_into(plan, name, inputs, node.on_parent_failure)
        names = [job.name for job in plan.jobs]
        for event, call in self._callbacks.items():
            _add_callback(plan, event, call, values, names)
        _check_database(plan.engine, self._engine)
        parents = {parent for node in self._nodes.values() for parent in node.after}
        return plan, _named({name: values[name] for name in self._nodes if name not in parents})

    def _order(self) -> list[str]:
        """The names of the steps, each after those it waits for.

        Raises:
            InvalidArgumentError: A name is unknown, or steps wait for each other in a circle.
        """
        for name, node in self._nodes.items():
            for parent in node.after:
                if parent not in self._nodes:
                    raise InvalidArgumentError(
                        f"after of {name!r} names {parent!r}, which is no step; the steps are {self._shown()}"
                    )
        try:
            return list(TopologicalSorter({name: node.after for name, node in self._nodes.items()}).static_order())
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise InvalidArgumentError(f"steps wait for each other in a circle: {circle}; remove one") from None

    def _shown(self) -> str:
        shown = ", ".join(map(repr, list(self._nodes)[:_SHOWN_NAMES]))
        return f"{shown}, ..." if len(self._nodes) > _SHOWN_NAMES else shown


def _record(name: str, plan: Plan, ids: list[int], value: Value) -> Record:
    by_name = {job.name: job_id for job, job_id in zip(plan.jobs, ids, strict=True)}
    return Record(name, by_name, value, [job.parents for job in plan.jobs])


def _named(values: Mapping[str, Value]) -> Value:
    """The value of a dict of values."""
    jobs = tuple(number for value in values.values() for number in value.jobs)
    shape: Shape = {name: value.shape for name, value in values.items()}
    return Value(shape, jobs, tuple(w for value in values.values() for w in value.waits))


def _add_callback(plan: Plan, event: str, call: TaskCall[Any], values: Mapping[str, Value], names: list[str]) -> None:
    """Add the job of a callback: it waits for all jobs, and takes the arguments of its event."""
    numbers = tuple(range(len(names)))
    if event == "on_success":
        steps = _named(values)
        inputs = [Value(steps.shape, steps.jobs, (*waited_for([steps]), *numbers))]
        given: Given = "results"
    else:
        inputs = [Value(dict.fromkeys(names), numbers)]
        given = "outcomes" if event == "on_finish" else "failure"
    taken = FromParents(
        given if call.takes_parents else "nothing",
        [inputs[0].shape] if call.takes_parents else [],
        only_if_failed=event == "on_failure",
    )
    plan.add_taking(event, call, inputs, taken, None if event == "on_success" else "run")


def _check_database(tasks: Engine, own: Engine) -> None:
    if tasks.identity != own.identity:
        raise InvalidArgumentError(
            f"the tasks belong to the database {tasks.path!r}, and the workflow to {own.path!r}; use one of theirs"
        )
