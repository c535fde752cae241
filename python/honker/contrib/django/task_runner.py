"""The handler of a job that calls a task of Django."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, Final

from honker.contrib.django.task_record import TaskRecord, task_at
from honker.contrib.django.tasks_api import (
    TaskContext,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)
from honker.errors import Discard, HonkerError, JobCancelledError, RateLimited, Snooze
from honker.job import Job
from honker.queue.queue import Queue
from honker.task.registry import registry_of
from honker.worker.outcome import ruling_of
from honker.worker.retry_rules import RetryRules

#: Ends of an attempt that are no failures of the task.
_NO_FAILURE: Final = (Snooze, RateLimited, asyncio.CancelledError, GeneratorExit)

logger = logging.getLogger("honker")


def carrier_name(path: str, alias: str) -> str:
    """The name of the `honker.Task` that calls a task of Django."""
    return f"{path}@{alias}"


def make_runner(backend: type, alias: str, path: str, ttl_s: float) -> Callable[..., Any]:
    """Make the handler of a task.

    Args:
        backend: The class of the backend, the sender of its signals.
        alias: The backend's alias.
        path: The place of the task, as for an import.
        ttl_s: Seconds for which its record is kept.
    """

    def run(job: Job, args: list[Any], kwargs: dict[str, Any], run_after: str | None = None, priority: int = 0) -> Any:
        record = TaskRecord(path, alias, job.queue_name, args, kwargs, run_after, priority)
        record.enqueued_at = job.created_at
        attempt = _Attempt(backend, job, record, ttl_s)
        attempt.start()
        # The worker awaits a coroutine on its event loop.
        return attempt.arun() if iscoroutinefunction(attempt.task.func) else attempt.run()

    run.__qualname__ = f"run[{path}]"
    return run


class _Attempt:
    """One attempt of a task, from its start to the value for the worker or the exception."""

    def __init__(self, backend: type, job: Job, record: TaskRecord, ttl_s: float) -> None:
        self.task = task_at(record.path)
        self._backend = backend
        self._name = carrier_name(record.path, record.backend)
        self._job = job
        self._ttl_s = ttl_s
        self._record = self._earlier() or record
        self._result: Any = None
        self._begun_s = 0.0

    @property
    def _queue(self) -> Queue:
        return self._job.queue  # pyright: ignore[reportReturnType]

    def _earlier(self) -> TaskRecord | None:
        """The record of the attempts before this one."""
        if self._job.attempts <= 1 and not self._job.snoozes:
            return None
        return TaskRecord.read(self._queue.get_result(self._job.id)[1])

    def start(self) -> None:
        """Record the start, and send the signal."""
        record = self._record
        # Of the engine, whose clock a test may have moved. The end is computed, since a failed handler may have left
        # Django's connection in a state in which it answers nothing.
        now = self._queue.db.engine.clock()
        self._begun_s = time.monotonic()
        record.status = TaskResultStatus.RUNNING.value
        record.started_at = record.started_at or now
        record.last_attempted_at = now
        record.finished_at = None
        record.worker_ids.append(self._job.worker_id)
        self._queue.save_result(self._job.id, record.as_json(), self._ttl_s)
        self._result = record.as_result(self._job.id)
        task_started.send(sender=self._backend, task_result=self._result)

    def run(self) -> dict[str, Any]:
        """Call a plain function."""
        try:
            self._succeed(self.task.call(*self._arguments(), **self._record.kwargs))
        except BaseException as error:
            if self._fail(error):
                self._keep(error)
            if self._result.is_finished:
                task_finished.send(self._backend, task_result=self._result)
            raise
        task_finished.send(self._backend, task_result=self._result)
        return self._record.as_json()

    async def arun(self) -> dict[str, Any]:
        """Await a coroutine function."""
        try:
            self._succeed(await self.task.acall(*self._arguments(), **self._record.kwargs))
        except BaseException as error:
            if self._fail(error):
                await self._akeep(error)
            if self._result.is_finished:
                await task_finished.asend(self._backend, task_result=self._result)
            raise
        await task_finished.asend(self._backend, task_result=self._result)
        return self._record.as_json()

    def _arguments(self) -> list[Any]:
        context = [TaskContext(task_result=self._result)] if self.task.takes_context else []
        return [*context, *self._record.args]

    def _succeed(self, value: Any) -> None:
        self._record.return_value = normalize_json(value)
        self._end(TaskResultStatus.SUCCESSFUL)

    def _fail(self, error: BaseException) -> bool:
        """Note the end of an attempt. True if it failed, False if it was put off or taken away."""
        # The cancellation of another job, whose result it has waited for, is a failure.
        is_cancelled = isinstance(error, JobCancelledError) and error.job_id == self._job.id
        if is_cancelled or isinstance(error, _NO_FAILURE):
            return False
        kind = type(error)
        self._record.errors.append(
            [f"{kind.__module__}.{kind.__qualname__}", "".join(traceback.format_exception(error))]
        )
        self._end(TaskResultStatus.FAILED if self._is_last(error) else TaskResultStatus.READY)
        return True

    def _is_last(self, error: BaseException) -> bool:
        """True if the worker will end the job after this failure."""
        job = self._job
        if isinstance(error, Discard) or job.attempts >= job.max_attempts:
            return True
        spec = registry_of(self._queue.db).get(self._name, self._queue.name)
        return job.attempts >= spec.retries or ruling_of(job, RetryRules.of(spec), error).gives_up

    def _end(self, status: Any) -> None:
        self._record.status = status.value
        if status != TaskResultStatus.READY:
            begun_at = self._record.last_attempted_at or 0.0
            self._record.finished_at = begun_at + time.monotonic() - self._begun_s
        self._result = self._record.as_result(self._job.id)

    def _keep(self, error: BaseException) -> None:
        try:
            self._queue.save_result(self._job.id, self._record.as_json(), self._ttl_s)
        except HonkerError:
            _report(self._job, error)

    async def _akeep(self, error: BaseException) -> None:
        try:
            await self._queue.asave_result(self._job.id, self._record.as_json(), self._ttl_s)
        except HonkerError:
            _report(self._job, error)


def _report(job: Job, error: BaseException) -> None:
    """The failure of the task counts; the failure to record it must not take its place."""
    logger.exception("%r failed with %r, which cannot be recorded for django.tasks", job, error)
