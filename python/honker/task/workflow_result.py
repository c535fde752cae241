"""The jobs of an enqueued workflow: their ids, states and results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from honker.arguments import TransactionLike
from honker.clock import monotonic
from honker.engine import Engine
from honker.errors import JobCancelledError, JobFailedError, ResultGoneError, UnreadablePayloadError
from honker.job.history import CancelOutcome
from honker.task.parents import filled
from honker.task.plan import Plan, Value
from honker.task.result import ResultReader, TaskResult

R = TypeVar("R")

_JOB: Final = "SELECT honker_get_job(?)"
_OUTCOME: Final = "SELECT honker_job_outcome(?)"
_CANCEL: Final = "SELECT honker_cancel_request(?)"

#: The callbacks that run after a workflow that was cancelled.
_AFTER_CANCEL: Final = frozenset({"on_failure", "on_finish"})


class WorkflowResult(Generic[R]):
    """The jobs of a workflow, from the ``enqueue`` of a workflow, chain, group or chord.

    A job is named as in `Workflow.add`. The parts of a chain or group named ``load`` are ``load.0``, ``load.1`` and so
    on; without a name they are ``0``, ``1`` and so on. ``result["load"]`` is the `TaskResult` of a job.

    Attributes:
        id: The id by which `Database.workflow_result` finds the workflow in any process; None for a chain, group or
            chord, which is not recorded.
        name: The name of the workflow; empty without one.
        ids: The ids of the jobs by name, each after its parents.
    """

    def __init__(
        self,
        engine: Engine,
        names: list[str],
        ids: list[int],
        value: Value,
        tx: TransactionLike,
        *,
        workflow_id: int | None = None,
        name: str = "",
        readers: Sequence[ResultReader | None] = (),
    ) -> None:
        self.id = workflow_id
        self.name = name
        self.ids: Mapping[str, int] = MappingProxyType(dict(zip(names, ids, strict=True)))
        self._engine = engine
        self._value = value
        self._results = [
            TaskResult[Any](engine, job_id, tx=tx, payloads=reader) for job_id, reader in zip_longest(ids, readers)
        ]
        self._numbers = {name: number for number, name in enumerate(names)}

    def __repr__(self) -> str:
        named = f" {self.name!r}" if self.name else ""
        return f"<honker.WorkflowResult{named} of {len(self.ids)} jobs>"

    def __getitem__(self, name: str) -> TaskResult[Any]:
        """The future result of one job."""
        return self._results[self._numbers[name]]

    def get(self, timeout: float | None = None) -> R:
        """Wait for the value of the workflow; blocks the thread.

        Args:
            timeout: Seconds to wait; None waits without limit.

        Returns:
            The result of the last step of a chain, the list of the results of a group, or for `Workflow` the results
            of the steps that no other waits for, by name.

        Raises:
            JobFailedError: A job that this waits for is dead.
            JobCancelledError: Such a job was cancelled.
            ResultGoneError: Such a job has left no result, or the transaction was rolled back; also a TimeoutError.
            TimeoutError: The results did not come in time.
            DeadlockError: As for `TaskResult.get`.
        """
        deadline = _Deadline(timeout)
        values = [self._results[number].get(deadline.left_s) for number in self._value.jobs]
        return filled(self._value.shape, iter(values))

    async def aget(self, timeout: float | None = None) -> R:
        """Like `get`, without blocking the event loop."""
        deadline = _Deadline(timeout)
        values = [await self._results[number].aget(deadline.left_s) for number in self._value.jobs]
        return filled(self._value.shape, iter(values))

    def join(self, timeout: float | None = None) -> dict[str, str]:
        """Wait until every job has ended, well or not, and return their states; blocks the thread.

        A job that waits for the requeue of a dead parent has not ended.

        Args:
            timeout: Seconds to wait; None waits without limit.

        Returns:
            As `states`.

        Raises:
            ResultGoneError: The transaction of the workflow was rolled back; also a TimeoutError.
            TimeoutError: A job has not ended in time.
            DeadlockError: As for `TaskResult.get`.
        """
        deadline = _Deadline(timeout)
        for result in self._results:
            try:
                result.get(deadline.left_s)
            except _ENDED:
                continue
            except TimeoutError as error:
                raise deadline.passed(result, error) from None
        return _checked(self.states())

    async def ajoin(self, timeout: float | None = None) -> dict[str, str]:
        """Like `join`, without blocking the event loop."""
        deadline = _Deadline(timeout)
        for result in self._results:
            try:
                await result.aget(deadline.left_s)
            except _ENDED:
                continue
            except TimeoutError as error:
                raise deadline.passed(result, error) from None
        return _checked(await self.astates())

    def states(self) -> dict[str, str]:
        """The states of the jobs by name.

        Returns:
            ``"waiting"`` for parents, ``"pending"``, ``"blocked"`` by a limit of its key, ``"processing"``, ``"done"``,
            ``"dead"`` or ``"cancelled"``. A job whose transaction has not committed, or was rolled back, is
            ``"unknown"``. A cancelled job counts as done after a day.

        Cost: one read for each job, two for one that has ended.
        Source: SQL ``honker_get_job``, ``honker_job_outcome``.
        """
        if self._is_rolled_back():
            return dict.fromkeys(self.ids, "unknown")
        return {name: self._state(job_id) for name, job_id in self.ids.items()}

    async def astates(self) -> dict[str, str]:
        """Like `states`, without blocking the event loop."""
        if self._is_rolled_back():
            return dict.fromkeys(self.ids, "unknown")
        return {name: await self._astate(job_id) for name, job_id in self.ids.items()}

    def _is_rolled_back(self) -> bool:
        """True if its transaction was. The ids may be those of other jobs now, or look like jobs that have ended."""
        return any(each._is_rolled_back() for each in self._results)  # pyright: ignore[reportPrivateUsage] - a friend

    def _state(self, job_id: int) -> str:
        job = self._engine.ask(_JOB, job_id)
        return json.loads(job)["state"] if job else _ended(self._engine.ask(_OUTCOME, job_id))

    async def _astate(self, job_id: int) -> str:
        job = await self._engine.aask(_JOB, job_id)
        return json.loads(job)["state"] if job else _ended(await self._engine.aask(_OUTCOME, job_id))

    def cancel(self, *, tx: TransactionLike = None) -> dict[str, CancelOutcome]:
        """Cancel the jobs that wait, and ask those that run to end; all in one transaction.

        The callbacks `Workflow.on_failure` and `Workflow.on_finish` stay, and learn of the end.

        Args:
            tx: The transaction to do it in; None uses one for this alone.

        Returns:
            For each job ``"cancelled"``, ``"requested"`` if it runs, or ``"gone"`` if it had ended.

        Cost: one statement for each job.
        Source: SQL ``honker_cancel_request``.
        """
        if tx is not None:
            return {name: self._engine.call(_CANCEL, job_id, tx=tx) for name, job_id in self._cancellable()}
        with self._engine.transaction() as own:
            return {name: self._engine.call(_CANCEL, job_id, tx=own) for name, job_id in self._cancellable()}

    async def acancel(self, *, tx: TransactionLike = None) -> dict[str, CancelOutcome]:
        """Like `cancel`, without blocking the event loop."""
        if tx is not None:
            return {name: await self._engine.acall(_CANCEL, job_id, tx=tx) for name, job_id in self._cancellable()}
        async with self._engine.transaction() as own:
            return {name: await self._engine.acall(_CANCEL, job_id, tx=own) for name, job_id in self._cancellable()}

    def _cancellable(self) -> Iterator[tuple[str, int]]:
        """Children first: a cancelled parent would make dead letters of those that wait for it."""
        return ((name, self.ids[name]) for name in reversed(self._numbers) if name not in _AFTER_CANCEL)


#: The exceptions of `TaskResult.get` for jobs that have ended.
_ENDED: Final = (JobFailedError, JobCancelledError, ResultGoneError, UnreadablePayloadError)


class _Deadline:
    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._at = None if timeout is None else monotonic() + timeout

    @property
    def left_s(self) -> float | None:
        return None if self._at is None else max(0.0, self._at - monotonic())

    def passed(self, result: TaskResult[Any], error: TimeoutError) -> TimeoutError:
        if self._timeout is None:
            return error
        return TimeoutError(f"the workflow has not ended after {self._timeout} s: {result!r} is not done")


def _ended(text: str) -> str:
    state: str = json.loads(text)["state"]
    return "done" if state == "gone" else state


def _checked(states: dict[str, str]) -> dict[str, str]:
    if "unknown" in states.values():
        raise ResultGoneError("the workflow is not in the database: its transaction was rolled back")
    return states


def enqueued(plan: Plan, value: Value, tx: TransactionLike) -> WorkflowResult[Any]:
    """Add the jobs of a plan, in ``tx`` or in a transaction for this alone."""
    names = [job.name for job in plan.jobs]
    engine = plan.engine
    if tx is not None:
        return WorkflowResult(engine, names, plan.write(engine, tx), value, tx, readers=plan.readers)
    with engine.transaction() as own:
        ids = plan.write(engine, own)
    return WorkflowResult(engine, names, ids, value, None, readers=plan.readers)


async def enqueued_async(plan: Plan, value: Value, tx: TransactionLike) -> WorkflowResult[Any]:
    """Like `enqueued`, without blocking the event loop."""
    names = [job.name for job in plan.jobs]
    engine = plan.engine
    if tx is not None:
        return WorkflowResult(engine, names, await plan.awrite(engine, tx), value, tx, readers=plan.readers)
    async with engine.transaction() as own:
        ids = await plan.awrite(engine, own)
    return WorkflowResult(engine, names, ids, value, None, readers=plan.readers)
