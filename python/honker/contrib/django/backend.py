"""A backend that runs the tasks of ``django.tasks`` as jobs of honker.

Needed if an application, or a package that it uses, defines its tasks by Django's own decorator. Others use
``honker.contrib.django.app`` directly, which offers more.

    TASKS = {"default": {"BACKEND": "honker.contrib.django.backend.HonkerBackend", "OPTIONS": {"max_attempts": 5}}}

``OPTIONS`` are the options of `honker.Queue.task` for all tasks of the backend: ``max_attempts`` (3), ``retry_delay_s``
(60), ``backoff``, ``max_retry_delay_s``, ``jitter``, ``timeout_s``, ``expires_s``, ``retry_on``, ``give_up_on``, and
``result_ttl_s``, the seconds for which the results are kept (7 days; the results of failed tasks are kept as long as
the dead job). ``QUEUES`` is a list of queues, of which an empty one allows every queue.

A job is enqueued on Django's own connection, so it commits with the ``atomic()`` block around it. A failed attempt that
will be repeated has the status READY. The signals ``task_started`` and ``task_finished`` are sent by the worker,
``task_finished`` after the last attempt and just before the outcome is committed. A task whose worker dies runs again.
A task that is cancelled leaves no result.
"""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from django.apps import apps
from django.core import checks
from django.utils import timezone

from honker.contrib.django import app
from honker.contrib.django.task_record import TaskRecord, find_record, task_at
from honker.contrib.django.task_runner import carrier_name, make_runner
from honker.contrib.django.tasks_api import (
    BaseTaskBackend,
    InvalidTask,
    InvalidTaskBackend,
    TaskResultDoesNotExist,
    normalize_json,
    task_enqueued,
)
from honker.errors import InvalidArgumentError

#: Seconds for which results are kept, without the option.
RESULT_TTL_S: Final = 7 * 86_400

_ALLOWED: Final = frozenset(
    {
        "max_attempts",
        "retry_delay_s",
        "backoff",
        "max_retry_delay_s",
        "jitter",
        "timeout_s",
        "expires_s",
        "retry_on",
        "give_up_on",
        "result_ttl_s",
    }
)
_ID_MAX: Final = 2**63 - 1

# By alias, path and queue: backends are made for each thread, and functions of a registry need one identity.
_runners: Final[dict[tuple[str, str], Callable[..., Any]]] = {}


class HonkerBackend(BaseTaskBackend):
    """See the module, and Django's documentation of task backends."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        unknown = sorted(set(self.options) - _ALLOWED)
        if unknown:
            raise InvalidTaskBackend(
                f"TASKS[{alias!r}]: unknown OPTIONS {', '.join(unknown)}; known are {', '.join(sorted(_ALLOWED))}"
            )
        self._ttl_s = self.options.get("result_ttl_s", RESULT_TTL_S)
        self._tasks: dict[tuple[str, str], Any] = {}

    def validate_task(self, task: Any) -> None:
        """Check a task where it is declared, and register it for workers of this process.

        Raises:
            InvalidTask: The task cannot run here.
        """
        super().validate_task(task)
        self._registered(task)

    def _registered(self, task: Any) -> Any:
        """The `honker.Task` that carries a task of Django in its queue."""
        path, queue = task.module_path, task.queue_name
        if (path, queue) not in self._tasks:
            runner = _runners.setdefault((self.alias, path), make_runner(type(self), self.alias, path, self._ttl_s))
            options = {**self.options, "result_ttl_s": self._ttl_s}
            try:
                declare = app.queue(queue).task(name=carrier_name(path, self.alias), **options)
                self._tasks[path, queue] = declare(runner)
            except InvalidArgumentError as error:
                raise InvalidTask(str(error)) from error
        return self._tasks[path, queue]

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Add a job that calls a task, in the ``atomic()`` block of this thread if there is one.

        Raises:
            InvalidTask: The task cannot run here, or a worker could not find it.
            TypeError: An argument has no JSON form.
            HonkerError: The job cannot be added.

        Source: SQL ``honker_enqueue``.
        """
        self.validate_task(task)
        if not _is_found(task):
            raise InvalidTask(f"{task.module_path} is not this task; workers import the task by that name")
        call = {
            "args": normalize_json(list(args)),
            "kwargs": normalize_json(dict(kwargs)),
            "run_after": None if task.run_after is None else task.run_after.isoformat(),
            "priority": task.priority,
        }
        carrier = self._registered(task)
        job = carrier.enqueue_with(priority=task.priority, run_at=task.run_after)(**call)
        record = TaskRecord(path=task.module_path, backend=self.alias, queue=task.queue_name, **call)
        record.enqueued_at = timezone.now().timestamp()
        result = record.as_result(job.id)
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> Any:
        """The state of a task by the id of its result, as committed or as this ``atomic()`` block sees it.

        Raises:
            TaskResultDoesNotExist: There is no such result, or it is no longer kept.
        """
        record = None
        if str(result_id).isdecimal() and int(result_id) <= _ID_MAX:
            record = find_record(app.db, int(result_id), self.alias)
        if record is None:
            raise TaskResultDoesNotExist(f"no task of the backend {self.alias!r} has the result {result_id!r}")
        return record.as_result(int(result_id))

    def check(self, **_: Any) -> Iterator[checks.CheckMessage]:
        """The findings, for ``manage.py check``."""
        if not apps.is_installed("honker.contrib.django"):
            yield checks.Error(
                f"TASKS[{self.alias!r}] is a HonkerBackend, but honker.contrib.django is not installed.",
                hint='Add "honker.contrib.django" to INSTALLED_APPS.',
                id="honker.E004",
            )


def _is_found(task: Any) -> bool:
    """True if a worker finds the function of a task by the task's path."""
    try:
        return task_at(task.module_path).func is task.func
    except ImportError:
        return False
