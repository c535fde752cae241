"""The jobs that wait, found and asserted by their task and arguments."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from honker import serialization
from honker.arguments import TransactionLike
from honker.codec import Codec
from honker.database import Database
from honker.task.message import opened, read_envelope
from honker.task.registry import registry_of
from honker.task.task import Task
from honker.testing.target import Target, database_of

_GET_JOB: Final = "SELECT honker_get_job(?)"
_OUTCOME: Final = "SELECT honker_job_outcome(?)"

#: Jobs that the message of a failed assertion shows.
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuedJob:
    """A job that waits.

    Attributes:
        id: Its id.
        queue: The name of its queue.
        state: ``"pending"``, ``"blocked"`` while others of its key go first, or ``"waiting"`` for other jobs.
        task: The name of its task; None for a job without one.
        args: The positional arguments of the call, as JSON values.
        kwargs: Its keyword arguments.
        payload: The whole payload.
        run_at: Unix seconds before which it does not run.
        priority: Larger runs sooner.
        attempts: Attempts so far.
    """

    id: int
    queue: str
    state: str
    task: str | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    payload: Any
    run_at: float
    priority: int
    attempts: int

    def __str__(self) -> str:
        if self.task is None:
            call = f"payload {self.payload!r}"
        else:
            shown = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
            call = f"{self.task}({', '.join(shown)})"
        return f"job {self.id}: {call} in queue {self.queue!r}, {self.state}"


def enqueued(
    target: Target,
    task: Task[..., Any] | str | None = None,
    *,
    queue: str | None = None,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    tx: TransactionLike = None,
) -> list[EnqueuedJob]:
    """The jobs that wait, oldest first; jobs at work and ended ones are not among them.

    Args:
        target: The app or the database.
        task: Only calls of this task, given as the task or by its name.
        queue: Only jobs of this queue.
        args: Only calls with these positional arguments. Of a task, an argument that was passed by name counts too.
        kwargs: Only calls with these arguments, and maybe others.
        tx: A transaction to read in, so that its own jobs are found.

    Cost: one or two reads for each job that the file has ever had.
    Source: SQL ``honker_get_job``.
    """
    wanted = _Wanted(task, queue, args, kwargs)
    return [job for job in _waiting(database_of(target), tx) if not wanted.differences(job)]


def assert_enqueued(
    target: Target,
    task: Task[..., Any] | str | None = None,
    *,
    queue: str | None = None,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    count: int | None = None,
    tx: TransactionLike = None,
) -> EnqueuedJob:
    """Assert that a job waits, and return the first one.

    Args:
        target: As for `enqueued`, and so are the others.
        task: The task.
        queue: The queue.
        args: The positional arguments.
        kwargs: The arguments by name.
        count: The number of such jobs; None for one or more.
        tx: The transaction.

    Raises:
        AssertionError: No such job waits, or another number. The message lists the jobs that wait, the nearest first.
    """
    __tracebackhide__ = True
    wanted = _Wanted(task, queue, args, kwargs)
    waiting = _waiting(database_of(target), tx)
    found = [job for job in waiting if not wanted.differences(job)]
    if found and count in {None, len(found)}:
        return found[0]
    if not found:
        raise AssertionError(f"no job waits that is {wanted}; {_listed(waiting, wanted)}")
    raise AssertionError(f"{len(found)} jobs wait that are {wanted}, not {count}; {_listed(waiting, wanted)}")


def refute_enqueued(
    target: Target,
    task: Task[..., Any] | str | None = None,
    *,
    queue: str | None = None,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    tx: TransactionLike = None,
) -> None:
    """Assert that no such job waits.

    Args:
        target: As for `enqueued`, and so are the others.
        task: The task.
        queue: The queue.
        args: The positional arguments.
        kwargs: The arguments by name.
        tx: The transaction.

    Raises:
        AssertionError: Such a job waits. The message lists the jobs that wait, the nearest first.
    """
    __tracebackhide__ = True
    wanted = _Wanted(task, queue, args, kwargs)
    waiting = _waiting(database_of(target), tx)
    found = [job for job in waiting if not wanted.differences(job)]
    if found:
        raise AssertionError(f"{len(found)} jobs wait that are {wanted}; {_listed(waiting, wanted)}")


def _waiting(db: Database, tx: TransactionLike) -> list[EnqueuedJob]:
    """All jobs that wait. Ids have no gaps, so the first id that is unknown ends the search."""
    engine, codec = db.engine, registry_of(db).codec
    found: list[EnqueuedJob] = []
    job_id = 1
    while True:
        text: str = engine.ask(_GET_JOB, job_id, tx=tx)
        if text:
            row = serialization.read(text)
            if row["state"] != "processing":
                found.append(_job(row, codec))
        elif json.loads(engine.ask(_OUTCOME, job_id, tx=tx))["state"] == "unknown":
            return found
        job_id += 1


def _job(row: dict[str, Any], codec: Codec | None) -> EnqueuedJob:
    payload = serialization.decode(row["payload"])
    call = read_envelope(payload)
    if call is not None and call.codec is not None:
        call = opened(call, codec)
    return EnqueuedJob(
        id=row["id"],
        queue=row["queue"],
        state=row["state"],
        task=None if call is None else call.task,
        args=() if call is None else tuple(call.args),
        kwargs={} if call is None else call.kwargs,
        payload=payload,
        run_at=row["run_at"],
        priority=row["priority"],
        attempts=row["attempts"],
    )


class _Wanted:
    """The description of a job, by which waiting ones are compared."""

    def __init__(
        self,
        task: Task[..., Any] | str | None,
        queue: str | None,
        args: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
    ) -> None:
        self._task = task if isinstance(task, Task) else None
        self._name = task.name if isinstance(task, Task) else task
        self._queue = queue
        self._args = None if args is None else tuple(args)
        self._kwargs = None if kwargs is None else dict(kwargs)

    def __str__(self) -> str:
        parts = [
            "any" if self._name is None else f"a call of {self._name}",
            "" if self._queue is None else f"in queue {self._queue!r}",
            "" if self._args is None else f"with args={self._args!r}",
            "" if self._kwargs is None else f"with kwargs={self._kwargs!r}",
        ]
        return " ".join(part for part in parts if part)

    def differences(self, job: EnqueuedJob) -> list[str]:
        """The ways in which a job differs, the weightiest first; empty if it is one."""
        found: list[str] = []
        if self._name is not None and job.task != self._name:
            found.append("another task")
        if self._queue is not None and job.queue != self._queue:
            found.append("another queue")
        if self._args is not None or self._kwargs is not None:
            found += self._call_differences(job)
        return found

    def _call_differences(self, job: EnqueuedJob) -> list[str]:
        if job.task is None:
            return ["no call of a task"]
        given = _by_name(self._task, job.args, job.kwargs)
        wanted = _by_name(self._task, *_as_json(self._task, self._args or (), self._kwargs or {}))
        found = [
            f"{name} is {given[name]!r}" if name in given else f"no {name}"
            for name, value in wanted.items()
            if name not in given or given[name] != value
        ]
        if self._args is not None and self._task is None and len(job.args) != len(self._args):
            found.append(f"{len(job.args)} positional arguments")
        return found


def _by_name(task: Task[..., Any] | None, args: Iterable[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name: of a task by those of its parameters, else by position."""
    names = [] if task is None else _parameter_names(task)
    named = {
        (names[position] if position < len(names) else f"argument {position + 1}"): value
        for position, value in enumerate(args)
    }
    return named | dict(kwargs)


def _parameter_names(task: Task[..., Any]) -> list[str]:
    """The parameters that take positional arguments of a call, in order."""
    try:
        parameters = inspect.signature(task.fn).parameters.values()
    except (TypeError, ValueError):  # Some built-in functions have no signature.
        return []
    kinds = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return [each.name for each in parameters if each.kind in kinds and each.name not in task.spec.injections]


def _as_json(
    task: Task[..., Any] | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Expected arguments in the form that they have in the file."""
    positional, named = (args, kwargs) if task is None else task.spec.types.encode(args, kwargs)
    return serialization.decode(serialization.encode([list(positional), dict(named)]))


def _listed(waiting: list[EnqueuedJob], wanted: _Wanted) -> str:
    if not waiting:
        return "none waits"
    told = sorted(((wanted.differences(job), job) for job in waiting), key=lambda each: (len(each[0]), each[1].id))
    lines = [f"  {job}" + (f": {', '.join(differences)}" if differences else "") for differences, job in told[:_SHOWN]]
    more = len(told) - len(lines)
    tail = [f"  and {more} more"] if more > 0 else []
    return "\n".join([f"{len(told)} wait, the nearest first:", *lines, *tail])
