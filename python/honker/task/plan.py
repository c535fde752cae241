"""The jobs of a workflow before they exist: their calls, their parents, and the SQL calls that add them all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from honker import serialization
from honker.arguments import Call, SQLValue, TransactionLike
from honker.engine import Engine
from honker.errors import InvalidArgumentError
from honker.task.parents import FromParents, Shape, filled
from honker.task.result import ResultReader

if TYPE_CHECKING:
    from honker.task.call import TaskCall

_ENQUEUE_MANY: Final = "SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?, ?)"
#: Jobs and characters of payloads in one SQL call, far below the limits of the engine.
_BATCH_JOBS: Final = 10_000
_BATCH_CHARS: Final = 16 * 1024 * 1024


class Value(NamedTuple):
    """The value of a step for the steps after it.

    Attributes:
        shape: The shape of the argument that it becomes.
        jobs: The jobs whose outcomes fill the shape, by their numbers in the plan.
        waits: Further jobs that the next step waits for. An empty group has only these.
    """

    shape: Shape
    jobs: tuple[int, ...] = ()
    waits: tuple[int, ...] = ()


class PlannedJob(NamedTuple):
    """A job that a plan adds.

    Attributes:
        name: Its name in the workflow.
        call: The call of its task.
        parents: The jobs that it waits for, by their numbers in the plan.
        on_parent_failure: Its policy; None is that of the engine.
        text: Its payload.
        flow: Its options that relate it to others, without its parents.
        level: The number of jobs on the longest way to it.
    """

    name: str
    call: TaskCall[Any]
    parents: tuple[int, ...]
    on_parent_failure: str | None
    text: str
    flow: dict[str, Any]
    level: int


class Plan:
    """The jobs of a workflow, each after its parents."""

    def __init__(self) -> None:
        self.jobs: list[PlannedJob] = []
        self._names: set[str] = set()

    def add(self, name: str, call: TaskCall[Any], inputs: Sequence[Value], policy: str | None = None) -> Value:
        """Add a call that follows these values, and takes them as its first arguments unless it is ``.si``.

        Args:
            name: Its name in the workflow.
            call: The call.
            inputs: The values of the steps before it.
            policy: The policy for failed parents, unless the call has its own.

        Raises:
            InvalidArgumentError: The name is taken, or the call has a policy for failed parents and no parents.
            InvalidCallError: The arguments, those from the parents included, do not fit the function.
            InvalidPayloadError: An argument has no JSON form.
        """
        policy = call.on_parent_failure or policy
        if policy is not None and not inputs:
            raise InvalidArgumentError(
                f"on_parent_failure of {name!r} is {policy!r}, and it has no parents; leave it out"
            )
        shapes = [value.shape for value in inputs] if call.takes_parents else []
        taken = FromParents("outcomes" if policy == "run" else "results", shapes)
        return self.add_taking(name, call, inputs, taken, policy)

    def add_taking(
        self, name: str, call: TaskCall[Any], inputs: Sequence[Value], taken: FromParents, policy: str | None
    ) -> Value:
        """Add a call that follows these values and takes its first arguments as ``taken`` says; see `add`."""
        if name in self._names:
            raise InvalidArgumentError(f"the name {name!r} is taken by another job of the workflow; choose another")
        jobs = [number for value in inputs for number in value.jobs]
        parents = tuple(dict.fromkeys([*jobs, *(number for value in inputs for number in value.waits)]))
        call.check(len(taken.shapes))
        # Without parents, only shapes that take no job are filled.
        first = () if parents else [filled(shape, iter(())) for shape in taken.shapes]
        is_told = bool(parents) and (bool(taken.shapes) or taken.only_if_failed)
        told = taken if is_told else None
        headers = call.headers((*first, *call.args))
        payload = call.payloads.of_call(call.args, call.kwargs, told, len(taken.shapes), first, headers=headers)
        text = serialization.encode(payload)
        level = 1 + max((self.jobs[number].level for number in parents), default=-1)
        flow = call.flow_options(len(taken.shapes))
        self._names.add(name)
        self.jobs.append(PlannedJob(name, call, parents, policy if parents else None, text, flow, level))
        return Value(None, (len(self.jobs) - 1,))

    @property
    def readers(self) -> list[ResultReader]:
        """The readers of the results of its jobs, in order."""
        return [job.call.payloads for job in self.jobs]

    @property
    def engine(self) -> Engine:
        """The engine that its jobs are added with.

        Raises:
            InvalidArgumentError: There are no jobs, or the tasks belong to several databases.
        """
        engines = {job.call.engine.identity: job.call.engine for job in self.jobs}
        if not engines:
            raise InvalidArgumentError("the workflow has no jobs; give it a step")
        if len(engines) > 1:
            raise InvalidArgumentError(
                f"the tasks of the workflow belong to {len(engines)} databases, {' and '.join(sorted(engines))}; a "
                "workflow is one transaction of one database"
            )
        return next(iter(engines.values()))

    def write(self, engine: Engine, tx: TransactionLike) -> list[int]:
        """Add the jobs in a transaction, and return their ids in order."""
        ids = [0] * len(self.jobs)
        for numbers in self._batches():
            for number, job_id in zip(numbers, json.loads(engine.call(*self._call(numbers, ids), tx=tx)), strict=True):
                ids[number] = job_id
        return ids

    async def awrite(self, engine: Engine, tx: TransactionLike) -> list[int]:
        """Like `write`, without blocking the event loop."""
        ids = [0] * len(self.jobs)
        for numbers in self._batches():
            answer = await engine.acall(*self._call(numbers, ids), tx=tx)
            for number, job_id in zip(numbers, json.loads(answer), strict=True):
                ids[number] = job_id
        return ids

    def _batches(self) -> Iterator[list[int]]:
        """The jobs by level, so that each follows its parents, and within a level by queue."""
        batches: dict[tuple[int, str], list[int]] = {}
        for number, job in enumerate(self.jobs):
            batches.setdefault((job.level, job.call.queue_name), []).append(number)
        # Levels in order; queues in the order of their first jobs.
        for _, numbers in sorted(batches.items(), key=lambda item: item[0][0]):
            yield from self._bounded(numbers)

    def _bounded(self, numbers: list[int]) -> Iterator[list[int]]:
        batch: list[int] = []
        chars = 0
        for number in numbers:
            size = len(self.jobs[number].text)
            if batch and (len(batch) == _BATCH_JOBS or chars + size > _BATCH_CHARS):
                yield batch
                batch, chars = [], 0
            batch.append(number)
            chars += size
        yield batch

    def _call(self, numbers: list[int], ids: list[int]) -> Call:
        """The SQL call that adds a batch of jobs of one queue, all of whose parents exist."""
        jobs = [self.jobs[number] for number in numbers]
        options = [job.call.sql_options for job in jobs]
        flows = [_flow(job, ids) for job in jobs]
        return (
            _ENQUEUE_MANY,
            jobs[0].call.queue_name,
            f"[{', '.join(job.text for job in jobs)}]",
            *(_column([each[name] for each in options]) for name in _COLUMNS),
            json.dumps(flows) if any(flows) else None,
        )


#: The options of a job in the order of the parameters of ``honker_enqueue_many``.
_COLUMNS: Final = ("run_at", "delay", "priority", "max_attempts", "expires")


def _column(values: list[SQLValue]) -> SQLValue:
    """The values of an option: one for all jobs if they are equal, else a JSON array."""
    return values[0] if len(set(values)) == 1 else json.dumps(values)


def _flow(job: PlannedJob, ids: list[int]) -> dict[str, Any] | None:
    """The options of a job that relate it to others."""
    flow = dict(job.flow)
    if job.parents:
        after = [ids[number] for number in job.parents]
        if len(set(after)) < len(after):
            # The shapes of its arguments count each of them.
            raise InvalidArgumentError(f"two parents of {job.name!r} are one job, by their unique_key; give them two")
        flow["after"] = after
        if job.on_parent_failure is not None:
            flow["on_parent_failure"] = job.on_parent_failure
    return flow or None
