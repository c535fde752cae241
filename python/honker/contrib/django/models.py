"""The jobs of the database as a model without a table of its own, for the admin site and for queries that only read."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.db import models

from honker.contrib.django.settings import database_alias
from honker.contrib.django.vendor import jobs_table


class JobState(models.TextChoices):
    """The states of a job that is not finished."""

    PENDING = "pending"
    BLOCKED = "blocked"
    WAITING = "waiting"
    PROCESSING = "processing"
    DEAD = "dead"


class JobManager(models.Manager):
    """Queries jobs in the database of the setting ``HONKER``."""

    def get_queryset(self) -> Any:
        """All jobs."""
        return super().get_queryset().using(database_alias())


class Job(models.Model):
    """A waiting, running or dead job. Read-only: use `honker.Queue` and `honker.Database` to change jobs.

    Instants are Unix seconds.
    """

    id = models.BigIntegerField(primary_key=True)
    queue = models.TextField()
    payload = models.TextField()
    state = models.TextField(choices=JobState.choices)
    priority = models.IntegerField()
    run_at = models.FloatField()
    worker_id = models.TextField(null=True)
    claim_expires_at = models.FloatField(null=True)
    attempts = models.IntegerField()
    max_attempts = models.IntegerField()
    last_error = models.TextField(null=True)
    created_at = models.FloatField()

    objects = JobManager()

    class Meta:  # noqa: D106 - Django's name
        managed = False
        db_table = jobs_table()
        default_permissions: ClassVar = ("view",)
        permissions: ClassVar = (("requeue_job", "Can requeue dead jobs"), ("cancel_job", "Can cancel jobs"))
        ordering: ClassVar = ("-id",)

    def __str__(self) -> str:
        return f"job {self.id} of {self.queue}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse to write.

        Raises:
            TypeError: Always.
        """
        raise TypeError("jobs are read-only here; enqueue a task, or use honker.Database to cancel or requeue a job")

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse to delete.

        Raises:
            TypeError: Always.
        """
        raise TypeError("jobs are read-only here; use honker.Database.cancel")


def as_datetime(instant: float | None) -> datetime | None:
    """Unix seconds as a datetime of UTC; None outside the range of a datetime."""
    try:
        return None if instant is None else datetime.fromtimestamp(instant, UTC)
    except (ValueError, OverflowError, OSError):
        return None
