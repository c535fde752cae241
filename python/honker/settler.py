"""Settling jobs: the part of a queue that ends leases or extends them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from honker.job import Job
from honker.pool import Pool
from honker.types import Call, Seconds, TransactionLike, seconds, whole


class Settler:
    """What a queue does with jobs that are leased.

    `honker.Job` has the same under the same names, and is the easier way.

    Attributes:
        db: The database.
        visibility_timeout_s: Seconds that a heartbeat extends a lease by, if it does not say.
    """

    db: Pool
    visibility_timeout_s: int | float

    def ack(self, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None) -> bool:
        """End a job that succeeded; see `Job.ack`.

        Args:
            job_id: The job.
            worker_id: Who claimed it.
            attempt: Which attempt; None trusts the worker id alone.
            tx: A transaction to end it in.

        Returns:
            Whether the lease was held.

        Source: SQL ``honker_ack``.
        """
        return bool(self.db.call("SELECT honker_ack(?, ?, ?)", job_id, worker_id, attempt, tx=tx))

    async def aack(
        self, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None
    ) -> bool:
        """As `ack`, without blocking the event loop."""
        return bool(await self.db.acall("SELECT honker_ack(?, ?, ?)", job_id, worker_id, attempt, tx=tx))

    def ack_batch(self, job_ids: Iterable[int | Job], worker_id: str, tx: TransactionLike = None) -> int:
        """End several jobs that succeeded, in one transaction.

        Args:
            job_ids: Jobs, or ids, at most 10,000; for jobs the attempt counts, for ids the worker id alone.
            worker_id: Who claimed them.
            tx: A transaction to end them in.

        Returns:
            How many of the leases were held.

        Source: SQL ``honker_ack_batch``.
        """
        jobs = list(job_ids)
        if not jobs:
            return 0
        ids = json.dumps([job.id if isinstance(job, Job) else whole(job, "job_ids") for job in jobs])
        attempts = json.dumps([job.attempts if isinstance(job, Job) else None for job in jobs])
        count: int = self.db.call("SELECT honker_ack_batch(?, ?, ?)", ids, worker_id, attempts, tx=tx)
        return count

    def retry(
        self,
        job_id: int,
        worker_id: str,
        delay_s: Seconds,
        error: str | None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """Put a job back to run after ``delay_s``; see `Job.retry`.

        Source: SQL ``honker_retry``.
        """
        call = self._retry(job_id, worker_id, delay_s, error, attempt)
        return bool(self.db.call(*call, tx=tx))

    async def aretry(
        self,
        job_id: int,
        worker_id: str,
        delay_s: Seconds,
        error: str | None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """As `retry`, without blocking the event loop."""
        call = self._retry(job_id, worker_id, delay_s, error, attempt)
        return bool(await self.db.acall(*call, tx=tx))

    def _retry(self, job_id: int, worker_id: str, delay_s: Seconds, error: str | None, attempt: int | None) -> Call:
        delay_s = seconds(delay_s, "delay_s")
        return "SELECT honker_retry(?, ?, ?, ?, ?)", job_id, worker_id, delay_s, error, attempt

    def fail(
        self,
        job_id: int,
        worker_id: str,
        error: str | None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """Dead-letter a job; see `Job.fail`.

        Source: SQL ``honker_fail``.
        """
        return bool(self.db.call("SELECT honker_fail(?, ?, ?, ?)", job_id, worker_id, error, attempt, tx=tx))

    async def afail(
        self,
        job_id: int,
        worker_id: str,
        error: str | None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """As `fail`, without blocking the event loop."""
        sql = "SELECT honker_fail(?, ?, ?, ?)"
        return bool(await self.db.acall(sql, job_id, worker_id, error, attempt, tx=tx))

    def heartbeat(
        self,
        job_id: int,
        worker_id: str,
        extend_s: Seconds | None = None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """Make a lease end ``extend_s`` from now; see `Job.heartbeat`.

        Source: SQL ``honker_heartbeat``.
        """
        call = self._heartbeat(job_id, worker_id, extend_s, attempt)
        return bool(self.db.call(*call, tx=tx))

    async def aheartbeat(
        self,
        job_id: int,
        worker_id: str,
        extend_s: Seconds | None = None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """As `heartbeat`, without blocking the event loop."""
        call = self._heartbeat(job_id, worker_id, extend_s, attempt)
        return bool(await self.db.acall(*call, tx=tx))

    def _heartbeat(self, job_id: int, worker_id: str, extend_s: Seconds | None, attempt: int | None) -> Call:
        lease_s = self.visibility_timeout_s if extend_s is None else seconds(extend_s, "extend_s")
        return "SELECT honker_heartbeat(?, ?, ?, ?)", job_id, worker_id, lease_s, attempt
