"""The record of a task of Django: the facts of its `TaskResult`, kept as the result of its job."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from django.apps import apps
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string

from honker import serialization
from honker.contrib.django.tasks_api import Task, TaskError, TaskResult, TaskResultStatus
from honker.database import Database
from honker.task.message import read_envelope
from honker.task.result import GET_RESULT, read_result

_FINISHED: Final = frozenset({TaskResultStatus.SUCCESSFUL.value, TaskResultStatus.FAILED.value})


@dataclass
class TaskRecord:
    """See the module.

    Attributes:
        path: The place of the task, as for an import.
        backend: The alias of its backend.
        queue: Its queue.
        args: The positional arguments of the call.
        kwargs: Its keyword arguments.
        run_after: The earliest start, in ISO format, or None.
        priority: Its priority.
        status: The value of a `TaskResultStatus`.
        errors: The path of the class and the traceback of each failed attempt.
        worker_ids: The worker of each attempt.
        return_value: The value that the task returned, as JSON.

    The instants are Unix seconds.
    """

    path: str
    backend: str
    queue: str
    args: list[Any]
    kwargs: dict[str, Any]
    run_after: str | None = None
    priority: int = 0
    status: str = TaskResultStatus.READY.value
    enqueued_at: float | None = None
    started_at: float | None = None
    last_attempted_at: float | None = None
    finished_at: float | None = None
    errors: list[list[str]] = field(default_factory=list)
    worker_ids: list[str] = field(default_factory=list)
    return_value: Any = None

    @classmethod
    def read(cls, value: Any) -> Self | None:
        """The record in the result of a job; None if it is none."""
        names = {each.name for each in dataclasses.fields(cls)}
        if not isinstance(value, dict) or not {"path", "backend", "worker_ids"} <= value.keys() <= names:
            return None
        return cls(**value)

    def as_json(self) -> dict[str, Any]:
        """The record as the result of a job."""
        return dataclasses.asdict(self)

    def as_result(self, job_id: int) -> Any:
        """The record as Django shows it."""
        result = TaskResult(
            task=self._task(),
            id=str(job_id),
            status=TaskResultStatus(self.status),
            enqueued_at=_datetime(self.enqueued_at),
            started_at=_datetime(self.started_at),
            finished_at=_datetime(self.finished_at),
            last_attempted_at=_datetime(self.last_attempted_at),
            args=self.args,
            kwargs=self.kwargs,
            backend=self.backend,
            errors=[TaskError(exception_class_path=path, traceback=text) for path, text in self.errors],
            worker_ids=list(self.worker_ids),
        )
        object.__setattr__(result, "_return_value", self.return_value)
        return result

    def _task(self) -> Any:
        run_after = None if self.run_after is None else datetime.fromisoformat(self.run_after)
        return task_at(self.path).using(
            priority=self.priority, queue_name=self.queue, backend=self.backend, run_after=run_after
        )


def task_at(path: str) -> Any:
    """The task that a name leads to, imported if necessary.

    Raises:
        ImportError: There is no task of that name.
    """
    found = import_string(path)
    if not isinstance(found, Task):
        raise ImportError(f"{path} is of type {type(found).__name__}, not a task")
    return found


def find_record(db: Database, job_id: int, backend: str) -> TaskRecord | None:
    """The record of a task of a backend, up to date; None if the job is of another kind, or its result is gone."""
    live = db.get_job(job_id)
    # Read after the job, so that a job that is gone by now has left its result.
    _, value = read_result(db.engine.ask(GET_RESULT, job_id))
    record = TaskRecord.read(value)
    if live is not None:
        record = record or _from_payload(live.payload, live.queue)
        if record is not None:
            is_running = live.state == "processing"
            record.status = (TaskResultStatus.RUNNING if is_running else TaskResultStatus.READY).value
            record.finished_at = None
            record.enqueued_at = live.created_at
    elif record is None or record.status not in _FINISHED:
        record = _of_dead(job_id, record)
    return record if record is not None and record.backend == backend else None


def _of_dead(job_id: int, record: TaskRecord | None) -> TaskRecord | None:
    """The record of a job that died without a word of its worker, which was killed, or whose record is not kept."""
    # Not imported: backends are made before models may be.
    dead = apps.get_model("honker", "Job").objects.filter(id=job_id, state="dead").first()
    if dead is None:
        return None  # cancelled
    record = record or _from_payload(dead.payload, dead.queue)
    if record is not None:
        record.status = TaskResultStatus.FAILED.value
        record.errors = [*record.errors, ["honker.errors.JobFailedError", dead.last_error or ""]]
        record.enqueued_at = dead.created_at
    return record


def _from_payload(payload: str, queue: str) -> TaskRecord | None:
    """The record of a job that has not started; None if it is no task of Django."""
    try:
        call = read_envelope(serialization.decode(payload))
    except ValueError:
        return None
    if call is None:
        return None
    path, at, backend = call.task.rpartition("@")
    if not at or not {"args", "kwargs"} <= call.kwargs.keys():
        return None
    return TaskRecord(path=path, backend=backend, queue=queue, **call.kwargs)


def _datetime(instant: float | None) -> datetime | None:
    """An instant as Django's ``timezone.now`` gives it."""
    if instant is None:
        return None
    if settings.USE_TZ:
        return datetime.fromtimestamp(instant, UTC)
    return timezone.make_naive(datetime.fromtimestamp(instant, UTC))
