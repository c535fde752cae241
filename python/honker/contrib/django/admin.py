"""Pages of the admin site: the jobs of the project, with actions that requeue and cancel them.

The permissions are ``honker.view_job``, ``honker.requeue_job`` and ``honker.cancel_job``.
"""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import connections
from django.db.models.functions import Substr
from django.db.transaction import atomic
from django.template.defaultfilters import date as formatted
from django.utils import timezone
from django.utils.functional import cached_property

from honker.contrib.django import app
from honker.contrib.django.models import Job, JobState, as_datetime
from honker.contrib.django.settings import database_alias
from honker.contrib.django.vendor import vendor_of

#: Rows to which a page counts: a count without limit reads the whole table.
_COUNT_LIMIT: Final = 10_000
#: Characters of an error in the list, and of a payload or an error on the page of a job.
_ERROR_CHARS: Final = 120
_TEXT_CHARS: Final = 20_000
#: Jobs that an action changes in one transaction.
_BATCH: Final = 500


class BoundedPaginator(Paginator):
    """A paginator that counts to a limit."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or the limit."""
        return self.object_list.order_by()[:_COUNT_LIMIT].count()


class StateFilter(admin.SimpleListFilter):
    """Jobs of one state."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        """The states."""
        return JobState.choices

    def queryset(self, request: Any, queryset: Any) -> Any:
        """The jobs of the selected state."""
        return queryset.filter(state=self.value()) if self.value() else queryset


class QueueFilter(admin.SimpleListFilter):
    """Jobs of one queue; the choices come from honker's own list of queues, which does not read all jobs."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: Any, model_admin: Any) -> Any:
        """The queues that have jobs."""
        return [(each.queue, each.queue) for each in app.db.stats(count_limit=1)]

    def queryset(self, request: Any, queryset: Any) -> Any:
        """The jobs of the selected queue."""
        return queryset.filter(queue=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):
    """The list of jobs, and the page of one."""

    list_display = ("id", "task", "queue", "state", "attempt", "due", "enqueued", "error")
    list_filter = (StateFilter, QueueFilter)
    search_fields = ("=id",)
    search_help_text = "The id of a job"
    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    actions = ("requeue", "cancel")
    fields = (
        ("id", "queue", "state"),
        "task",
        ("enqueued", "due", "lease_end"),
        ("attempt", "priority", "worker_id"),
        "call",
        "last_error_text",
        "failed_attempts",
    )

    def get_queryset(self, request: Any) -> Any:
        """Jobs, with the parts of long texts that a list shows."""
        task_name = vendor_of(connections[database_alias()]).task_name()
        return (
            super()
            .get_queryset(request)
            .annotate(task_name=task_name, error_start=Substr("last_error", 1, _ERROR_CHARS))
            .defer("payload", "last_error")
        )

    # Permissions

    def has_add_permission(self, request: Any) -> bool:
        """False: tasks enqueue jobs."""
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        """False: actions change jobs."""
        return False

    def has_delete_permission(self, request: Any, obj: Any = None) -> bool:
        """False: a job is cancelled."""
        return False

    def has_requeue_permission(self, request: Any) -> bool:
        """True for users with ``honker.requeue_job``."""
        return request.user.has_perm("honker.requeue_job")

    def has_cancel_permission(self, request: Any) -> bool:
        """True for users with ``honker.cancel_job``."""
        return request.user.has_perm("honker.cancel_job")

    # Actions

    @admin.action(description="Requeue selected dead jobs", permissions=["requeue"])
    def requeue(self, request: Any, queryset: Any) -> None:
        """Return dead jobs to their queues."""
        ids = list(queryset.filter(state=JobState.DEAD).values_list("id", flat=True))
        outcomes = _each(ids, lambda job_id: "requeued" if app.db.requeue(job_id) else "gone")
        count = outcomes.count("requeued")
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"{_jobs(count)} requeued. Only dead jobs can be.", level)

    @admin.action(description="Cancel selected jobs", permissions=["cancel"])
    def cancel(self, request: Any, queryset: Any) -> None:
        """Remove waiting jobs, and ask the workers of running ones to end them."""
        ids = list(queryset.exclude(state=JobState.DEAD).values_list("id", flat=True))
        outcomes = _each(ids, app.db.request_cancel)
        removed, asked = outcomes.count("cancelled"), outcomes.count("requested")
        level = messages.SUCCESS if removed or asked else messages.WARNING
        self.message_user(request, f"{_jobs(removed)} cancelled, {asked} running asked to end.", level)

    # Columns

    @admin.display(description="task", empty_value="(raw payload)")
    def task(self, job: Any) -> str | None:
        """The name of the task that a job calls."""
        return job.task_name

    @admin.display(ordering="attempts")
    def attempt(self, job: Any) -> str:
        """The number of attempts, and of those that it may have."""
        return f"{job.attempts} of {job.max_attempts}"

    @admin.display(ordering="run_at")
    def due(self, job: Any) -> str | None:
        """The instant before which it does not run."""
        return _local(job.run_at)

    @admin.display(ordering="created_at")
    def enqueued(self, job: Any) -> str | None:
        """The instant at which it was enqueued."""
        return _local(job.created_at)

    @admin.display(description="lease ends")
    def lease_end(self, job: Any) -> str | None:
        """The end of the lease of a running job."""
        return _local(job.claim_expires_at)

    @admin.display(description="last error")
    def error(self, job: Any) -> str | None:
        """The first line of the last error."""
        return (job.error_start or "").partition("\n")[0] or None

    @admin.display(description="payload")
    def call(self, job: Any) -> str:
        """The payload, indented if it is JSON."""
        try:
            text = json.dumps(json.loads(job.payload), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = job.payload
        return _shortened(text)

    @admin.display(description="last error")
    def last_error_text(self, job: Any) -> str | None:
        """The last error with its traceback."""
        return _shortened(job.last_error) if job.last_error else None

    @admin.display(description="failed attempts")
    def failed_attempts(self, job: Any) -> str | None:
        """The attempts that did not succeed, one a line."""
        lines = [
            f"{each.attempt}: {each.outcome} at {_local(each.ended_at)} by {each.worker_id}"
            for each in app.queue(job.queue).attempts(job.id)
        ]
        return "\n".join(lines) or None

    def get_readonly_fields(self, request: Any, obj: Any = None) -> Any:
        """All fields."""
        return [name for row in self.fields for name in (row if isinstance(row, tuple) else (row,))]


def _each(ids: list[int], act: Callable[[int], str]) -> list[str]:
    """The outcomes of an action on jobs, in transactions of some hundred jobs."""
    outcomes: list[str] = []
    for start in range(0, len(ids), _BATCH):
        block: Any = atomic(using=database_alias())
        with block:
            outcomes += [act(job_id) for job_id in ids[start : start + _BATCH]]
    return outcomes


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


def _shortened(text: str) -> str:
    return text if len(text) <= _TEXT_CHARS else f"{text[:_TEXT_CHARS]}\n... {len(text)} characters"


def _local(instant: float | None) -> str | None:
    """An instant in the time zone of the user."""
    moment = as_datetime(instant)
    return None if moment is None else formatted(timezone.localtime(moment), "Y-m-d H:i:s T")
