"""Durable job queues."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, overload

from honker import serialization
from honker.arguments import Call, Instant, Seconds, TransactionLike, seconds, whole
from honker.engine import Handle, Transaction
from honker.errors import InvalidArgumentError
from honker.job import Job, JobInfo, job_info
from honker.queue import settle
from honker.queue.claims import Claims, jobs_of
from honker.queue.dead_letters import REQUEUE, prune_call, retain_call
from honker.queue.enqueue import ForEach, enqueue_call, enqueue_many_call, series_call
from honker.queue.stats import QueueStats
from honker.task.options import JITTER, Executor, Misfire, attempts_of, check_schedule
from honker.task.registry import HasExpression
from honker.task.result import GET_RESULT, SWEEP_RESULTS, read_result, save_result_call, wait_for_result
from honker.task.task import Task, TaskDecorator, task_decorator

P = ParamSpec("P")
R = TypeVar("R")

VISIBILITY_TIMEOUT_S = 300
MAX_ATTEMPTS = 3

_CLAIM: Final = "SELECT honker_claim_batch(?, ?, ?, ?, 1)"
_NEXT_CLAIM_AT: Final = "SELECT honker_queue_next_claim_at(?)"
_STATS: Final = "SELECT honker_queue_stats(?, ?)"
_PAUSE: Final = "SELECT honker_queue_pause(?)"
_RESUME: Final = "SELECT honker_queue_resume(?)"
_CANCEL: Final = "SELECT honker_cancel(?, ?)"
_GET_JOB: Final = "SELECT honker_get_job(?, ?)"
_SWEEP_EXPIRED: Final = "SELECT honker_sweep_expired(?)"


class Queue:
    """A durable queue of jobs, in a table of the application's own database.

    A job that is enqueued with ``tx=`` exists if and only if that transaction commits. It is delivered at least once: a
    worker leases it, and if the lease lapses before the job is settled, another worker claims it. So handlers must
    tolerate repeats.

    Constructing a queue runs no SQL. Get one from `Database.queue`. The asynchronous methods (``aenqueue`` for
    ``enqueue``) do the same without blocking the event loop.

    Args:
        db: The database.
        name: Non-empty text, at most 255 UTF-8 bytes.
        visibility_timeout_s: Seconds for which a claim is leased, more than 0 and at most a year. A lease in whole
            seconds may hold up to one second longer, never shorter.
        max_attempts: Claims before a job is dead-lettered, 1 to 1,000,000; each job may have its own.

    Attributes:
        db: The database.
        name: The queue's name.
        visibility_timeout_s: As above.
        max_attempts: As above.
    """

    def __init__(
        self,
        db: Handle,
        name: str,
        visibility_timeout_s: Seconds = VISIBILITY_TIMEOUT_S,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self.db = db
        self.name = name
        self.visibility_timeout_s = seconds(visibility_timeout_s, "visibility_timeout_s")
        self.max_attempts = whole(max_attempts, "max_attempts")
        if self.visibility_timeout_s <= 0:
            raise InvalidArgumentError(f"visibility_timeout_s is {visibility_timeout_s}; it must be positive")
        if self.max_attempts < 1:
            raise InvalidArgumentError(f"max_attempts is {max_attempts}; it must be at least 1")
        self._engine = db.engine

    def __repr__(self) -> str:
        return f"<honker.Queue {self.name!r} of {self.db.path!r}>"

    # Enqueueing

    def enqueue(  # noqa: PLR0917 - the order that existing callers rely on
        self,
        payload: Any,
        tx: TransactionLike = None,
        run_at: Instant | None = None,
        delay: Seconds | None = None,
        priority: int = 0,
        expires: Seconds | None = None,
        max_attempts: int | None = None,
    ) -> int:
        """Add a job.

        Args:
            payload: Any value that JSON can represent.
            tx: The transaction to add it in. The job exists if and only if it commits.
            run_at: Unix seconds or a datetime before which the job is not claimed.
            delay: Seconds from now before which the job is not claimed. Takes precedence over ``run_at``.
            priority: Larger values run sooner, within ±(2**53 - 1).
            expires: Seconds from now after which it is dead-lettered instead of claimed.
            max_attempts: Claims before it is dead-lettered; None uses the queue's ``max_attempts``.

        Returns:
            The job's id, which is unique across all queues of the file and never reused.

        Raises:
            InvalidPayloadError: The payload has no JSON form.
            InvalidArgumentError: A value is outside its range.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one row, one index entry and one statement. Consecutive jobs with the same options in one `Transaction`
            share the statement. For many jobs at once see `enqueue_many`.
        Source: SQL ``honker_enqueue``.
        """
        text = serialization.encode(payload)
        call = enqueue_call(self.name, text, run_at, delay, priority, expires, max_attempts, self.max_attempts)
        # A span that counts from now cannot wait for a shared statement.
        if tx is not None and delay is expires is None:
            return self._engine.add(call, series_call(call), text, tx)
        job_id: int = self._engine.call(*call, tx=tx)
        return job_id

    async def aenqueue(  # noqa: PLR0917 - the order that existing callers rely on
        self,
        payload: Any,
        tx: TransactionLike = None,
        run_at: Instant | None = None,
        delay: Seconds | None = None,
        priority: int = 0,
        expires: Seconds | None = None,
        max_attempts: int | None = None,
    ) -> int:
        """Like `enqueue`, without blocking the event loop."""
        if tx is not None:
            return self.enqueue(payload, tx, run_at, delay, priority, expires, max_attempts)
        text = serialization.encode(payload)
        call = enqueue_call(self.name, text, run_at, delay, priority, expires, max_attempts, self.max_attempts)
        job_id: int = await self._engine.acall(*call)
        return job_id

    def enqueue_many(
        self,
        payloads: Iterable[Any],
        *,
        tx: TransactionLike = None,
        run_at: ForEach[Instant | None] = None,
        delay: ForEach[Seconds | None] = None,
        priority: ForEach[int] = 0,
        expires: ForEach[Seconds | None] = None,
        max_attempts: ForEach[int | None] = None,
    ) -> list[int]:
        """Add several jobs, all or none.

        Each option is one value for all jobs, or a sequence with one value per job::

            queue.enqueue_many([{"n": 1}, {"n": 2}], priority=[5, 0], delay=60)

        Args:
            payloads: At most 100,000 values that JSON can represent, together at most 100 MiB of JSON.
            tx: The transaction to add them in. The jobs exist if and only if it commits.
            run_at: As for `enqueue`.
            delay: As for `enqueue`.
            priority: As for `enqueue`.
            expires: As for `enqueue`.
            max_attempts: As for `enqueue`.

        Returns:
            The jobs' ids, in order.

        Raises:
            InvalidPayloadError: A payload has no JSON form.
            InvalidArgumentError: A value is outside its range, or a sequence does not have one value per job.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one statement in all, and one row and one index entry per job.
        Source: SQL ``honker_enqueue_many``.
        """
        options = run_at, delay, priority, expires, max_attempts
        call = enqueue_many_call(self.name, payloads, *options, self.max_attempts)
        return json.loads(self._engine.call(*call, tx=tx))

    async def aenqueue_many(
        self,
        payloads: Iterable[Any],
        *,
        tx: TransactionLike = None,
        run_at: ForEach[Instant | None] = None,
        delay: ForEach[Seconds | None] = None,
        priority: ForEach[int] = 0,
        expires: ForEach[Seconds | None] = None,
        max_attempts: ForEach[int | None] = None,
    ) -> list[int]:
        """Like `enqueue_many`, without blocking the event loop."""
        options = run_at, delay, priority, expires, max_attempts
        call = enqueue_many_call(self.name, payloads, *options, self.max_attempts)
        return json.loads(await self._engine.acall(*call, tx=tx))

    # Claiming

    def claim_one(self, worker_id: str, tx: TransactionLike = None) -> Job | None:
        """Lease the first due job to ``worker_id``; None if no job is due. See `claim_batch`."""
        jobs = self.claim_batch(worker_id, 1, tx=tx)
        return jobs[0] if jobs else None

    async def aclaim_one(self, worker_id: str, tx: TransactionLike = None) -> Job | None:
        """Like `claim_one`, without blocking the event loop; see `aclaim_batch`."""
        jobs = await self.aclaim_batch(worker_id, 1, tx=tx)
        return jobs[0] if jobs else None

    def claim_batch(self, worker_id: str, n: int, tx: TransactionLike = None) -> list[Job]:
        """Lease up to ``n`` due jobs to ``worker_id``.

        One write transaction: two workers never hold the same attempt. A job whose lease lapses runs again, so
        handlers must tolerate repeats.

        Args:
            worker_id: Non-empty text, at most 255 UTF-8 bytes.
            n: The largest batch, up to 10,000; 0 or less claims nothing.
            tx: The transaction to claim in. The lease starts now, and holds only if it commits.

        Returns:
            Zero to ``n`` jobs, ordered by priority (highest first), ``run_at`` and ``id``.

        Raises:
            InvalidArgumentError: A value is outside the range above.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: O(log queue + n), independent of the backlog.
        Source: SQL ``honker_claim_batch``.
        """
        if n <= 0:
            return []
        call = self._claim(worker_id, n)
        while True:
            jobs = jobs_of(self, self._engine.call(*call, tx=tx))
            if jobs or not self.is_claimable(tx=tx):
                return jobs

    async def aclaim_batch(self, worker_id: str, n: int, tx: TransactionLike = None) -> list[Job]:
        """Like `claim_batch`, without blocking the event loop.

        A call that is cancelled while it waits for the write lock may still lease jobs. They are claimed again only
        after their leases lapse. `claim` loses no jobs on cancellation.
        """
        if n <= 0:
            return []
        call = self._claim(worker_id, n)
        while True:
            jobs = jobs_of(self, await self._engine.acall(*call, tx=tx))
            if jobs or not await self.ais_claimable(tx=tx):
                return jobs

    def claim_now(self, worker_id: str) -> Job | None:
        """Like `claim_one`, without waiting for the write lock. May miss due jobs behind dead rows.

        Raises:
            DatabaseBusyError: Another thread, task or process is writing.
        """
        jobs = jobs_of(self, self._engine.call_now(*self._claim(worker_id, 1)))
        return jobs[0] if jobs else None

    def claim(self, worker_id: str, idle_poll_s: float | None = 5.0) -> Claims:
        """Iterate over the queue's jobs as they become due, by ``for`` or ``async for``; see `honker.Claims`.

        Args:
            worker_id: Non-empty text, at most 255 UTF-8 bytes.
            idle_poll_s: Seconds between checks for due jobs without a commit; None disables these checks.

        Raises:
            DatabaseClosedError: The database is closed.
        """
        return Claims(self, worker_id, idle_poll_s)

    def _claim(self, worker_id: str, n: int) -> Call:
        return _CLAIM, self.name, worker_id, n, self.visibility_timeout_s

    def next_claim_at(self, tx: TransactionLike = None) -> float | None:
        """The earliest moment at which a claim could return a job.

        Returns:
            Unix seconds, not later than now if a job is due; None if no job waits or the queue is paused.

        Cost: read-only; one seek for each priority at which nothing is due.
        Source: SQL ``honker_queue_next_claim_at``.
        """
        return self._engine.ask(_NEXT_CLAIM_AT, self.name, tx=tx) or None

    def _next_claim_at(self) -> float:
        """Like `next_claim_at`, with 0 for None; kept for existing callers."""
        return self.next_claim_at() or 0

    async def anext_claim_at(self, tx: TransactionLike = None) -> float | None:
        """Like `next_claim_at`, without blocking the event loop."""
        return await self._engine.aask(_NEXT_CLAIM_AT, self.name, tx=tx) or None

    def is_claimable(self, tx: TransactionLike = None) -> bool:
        """True if a claim could return a job now. Read-only."""
        at = self.next_claim_at(tx)
        return at is not None and at <= self._engine.clock()

    async def ais_claimable(self, tx: TransactionLike = None) -> bool:
        """Like `is_claimable`, without blocking the event loop."""
        at = await self.anext_claim_at(tx)
        return at is not None and at <= self._engine.clock()

    def stats(self, count_limit: int | None = None, tx: TransactionLike = None) -> QueueStats:
        """The number of jobs of the queue by state; see `honker.QueueStats`. `Database.stats` covers every queue.

        Args:
            count_limit: The largest number to count to, 1 to 1,000,000; None means 10,000. A count that stops there is
                a lower bound.
            tx: A transaction to read in, so that its own jobs are counted.

        Raises:
            InvalidArgumentError: ``count_limit`` is outside its range.

        Cost: O(log jobs + count_limit), independent of the backlog.
        Source: SQL ``honker_queue_stats``.
        """
        text: str = self._engine.ask(_STATS, self.name, count_limit, tx=tx)
        return QueueStats(**json.loads(text))

    async def astats(self, count_limit: int | None = None, tx: TransactionLike = None) -> QueueStats:
        """Like `stats`, without blocking the event loop."""
        text: str = await self._engine.aask(_STATS, self.name, count_limit, tx=tx)
        return QueueStats(**json.loads(text))

    def pause(self, tx: TransactionLike = None) -> bool:
        """Stop claims until `resume`; jobs can still be added and settled. True if the queue was running.

        Source: SQL ``honker_queue_pause``.
        """
        return bool(self._engine.call(_PAUSE, self.name, tx=tx))

    async def apause(self, tx: TransactionLike = None) -> bool:
        """Like `pause`, without blocking the event loop."""
        return bool(await self._engine.acall(_PAUSE, self.name, tx=tx))

    def resume(self, tx: TransactionLike = None) -> bool:
        """Allow claims again. True if the queue was paused.

        Source: SQL ``honker_queue_resume``.
        """
        return bool(self._engine.call(_RESUME, self.name, tx=tx))

    async def aresume(self, tx: TransactionLike = None) -> bool:
        """Like `resume`, without blocking the event loop."""
        return bool(await self._engine.acall(_RESUME, self.name, tx=tx))

    # Settling by id. `honker.Job` has the same methods without the first arguments, and is easier to use.

    def ack(self, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None) -> bool:
        """Acknowledge a job that succeeded; see `Job.ack`.

        Args:
            job_id: The job.
            worker_id: The worker that claimed it.
            attempt: The number of the attempt; None compares the worker id alone.
            tx: A transaction for the ack.

        Returns:
            True if the lease was held.

        Source: SQL ``honker_ack``.
        """
        return bool(self._engine.call(settle.ACK, job_id, worker_id, attempt, tx=tx))

    async def aack(
        self, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None
    ) -> bool:
        """Like `ack`, without blocking the event loop."""
        return bool(await self._engine.acall(settle.ACK, job_id, worker_id, attempt, tx=tx))

    def ack_batch(self, job_ids: Iterable[int | Job], worker_id: str, tx: TransactionLike = None) -> int:
        """Acknowledge several jobs that succeeded, in one transaction.

        Args:
            job_ids: At most 10,000 jobs or ids. For a job, its attempt must match too; for an id, the worker id alone.
            worker_id: The worker that claimed them.
            tx: A transaction for the acks.

        Returns:
            The number of leases that were held.

        Source: SQL ``honker_ack_batch``.
        """
        call = settle.ack_batch_call(job_ids, worker_id)
        return 0 if call is None else self._engine.call(*call, tx=tx)

    async def aack_batch(self, job_ids: Iterable[int | Job], worker_id: str, tx: TransactionLike = None) -> int:
        """Like `ack_batch`, without blocking the event loop."""
        call = settle.ack_batch_call(job_ids, worker_id)
        return 0 if call is None else await self._engine.acall(*call, tx=tx)

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
        """Return a job to the queue to run after ``delay_s``; see `Job.retry`.

        Source: SQL ``honker_retry``.
        """
        call = settle.retry_call(job_id, worker_id, delay_s, error, attempt)
        return bool(self._engine.call(*call, tx=tx))

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
        """Like `retry`, without blocking the event loop."""
        call = settle.retry_call(job_id, worker_id, delay_s, error, attempt)
        return bool(await self._engine.acall(*call, tx=tx))

    def snooze(
        self,
        job_id: int,
        worker_id: str,
        delay_s: Seconds,
        error: str | None = None,
        *,
        attempt: int,
        tx: TransactionLike = None,
    ) -> bool:
        """Put a job off, uncharged, to run after ``delay_s``; see `Job.snooze`.

        Source: SQL ``honker_work``.
        """
        call = settle.snooze_call(self.name, job_id, worker_id, delay_s, error, attempt)
        return settle.was_held(self._engine.call(*call, tx=tx))

    async def asnooze(
        self,
        job_id: int,
        worker_id: str,
        delay_s: Seconds,
        error: str | None = None,
        *,
        attempt: int,
        tx: TransactionLike = None,
    ) -> bool:
        """Like `snooze`, without blocking the event loop."""
        call = settle.snooze_call(self.name, job_id, worker_id, delay_s, error, attempt)
        return settle.was_held(await self._engine.acall(*call, tx=tx))

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
        return bool(self._engine.call(settle.FAIL, job_id, worker_id, error, attempt, tx=tx))

    async def afail(
        self,
        job_id: int,
        worker_id: str,
        error: str | None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """Like `fail`, without blocking the event loop."""
        return bool(await self._engine.acall(settle.FAIL, job_id, worker_id, error, attempt, tx=tx))

    def heartbeat(
        self,
        job_id: int,
        worker_id: str,
        extend_s: Seconds | None = None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """Set the end of a lease to ``extend_s`` from now; see `Job.heartbeat`.

        Source: SQL ``honker_heartbeat``.
        """
        lease_s = self.visibility_timeout_s if extend_s is None else extend_s
        return bool(self._engine.call(*settle.heartbeat_call(job_id, worker_id, lease_s, attempt), tx=tx))

    async def aheartbeat(
        self,
        job_id: int,
        worker_id: str,
        extend_s: Seconds | None = None,
        *,
        attempt: int | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """Like `heartbeat`, without blocking the event loop."""
        lease_s = self.visibility_timeout_s if extend_s is None else extend_s
        return bool(await self._engine.acall(*settle.heartbeat_call(job_id, worker_id, lease_s, attempt), tx=tx))

    # Single jobs

    def cancel(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Remove a job of this queue, waiting or leased. True if a job was removed.

        A running handler is not interrupted; its lease is lost. `Database.cancel` reaches every queue.

        Source: SQL ``honker_cancel``.
        """
        return bool(self._engine.call(_CANCEL, job_id, self.name, tx=tx))

    async def acancel(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Like `cancel`, without blocking the event loop."""
        return bool(await self._engine.acall(_CANCEL, job_id, self.name, tx=tx))

    def get_job(self, job_id: int, tx: TransactionLike = None) -> JobInfo | None:
        """A waiting or leased job of this queue, or None. `Database.get_job` reaches every queue.

        Source: SQL ``honker_get_job``.
        """
        return job_info(self._engine.ask(_GET_JOB, job_id, self.name, tx=tx))

    async def aget_job(self, job_id: int, tx: TransactionLike = None) -> JobInfo | None:
        """Like `get_job`, without blocking the event loop."""
        return job_info(await self._engine.aask(_GET_JOB, job_id, self.name, tx=tx))

    def sweep_expired(self, tx: TransactionLike = None) -> int:
        """Dead-letter every expired job that is not leased, and return the number of jobs.

        Claims also dead-letter the expired jobs that they find.

        Source: SQL ``honker_sweep_expired``.
        """
        return self._engine.call(_SWEEP_EXPIRED, self.name, tx=tx)

    async def asweep_expired(self, tx: TransactionLike = None) -> int:
        """Like `sweep_expired`, without blocking the event loop."""
        return await self._engine.acall(_SWEEP_EXPIRED, self.name, tx=tx)

    # Dead letters

    def requeue(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Return a dead letter of this queue to the waiting jobs. True if a job was requeued.

        The job keeps its id, is due at once and has its full number of attempts again. A past expiry is removed.
        `Database.requeue` reaches every queue.

        Source: SQL ``honker_requeue``.
        """
        return bool(self._engine.call(REQUEUE, job_id, self.name, tx=tx))

    async def arequeue(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Like `requeue`, without blocking the event loop."""
        return bool(await self._engine.acall(REQUEUE, job_id, self.name, tx=tx))

    def retain_dead(
        self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> None:
        """Set the retention of the queue's dead letters, permanently and for every process.

        Without limits, all dead letters are kept. Rows beyond a limit are deleted in small steps, each time a job is
        dead-lettered. So a queue may exceed its limits for a while. If no more jobs are dead-lettered, the last rows
        remain until `prune_dead`.

        Args:
            max_age_s: Seconds to keep a dead letter.
            max_keep: The number of newest dead letters to keep, at most 10,000,000.
            tx: A transaction to set it in.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_retention_set``.
        """
        self._engine.call(*retain_call(self.name, max_age_s, max_keep), tx=tx)

    async def aretain_dead(
        self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> None:
        """Like `retain_dead`, without blocking the event loop."""
        await self._engine.acall(*retain_call(self.name, max_age_s, max_keep), tx=tx)

    def prune_dead(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Delete dead letters of the queue now.

        Args:
            older_than_s: Delete jobs that were dead-lettered more than this many seconds ago.
            max_keep: Delete all but this many of the newest.
            tx: A transaction to delete them in.

        Returns:
            The number of deleted rows, which are those beyond either limit.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_dead_prune``.
        """
        return self._engine.call(*prune_call(self.name, older_than_s, max_keep), tx=tx)

    async def aprune_dead(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Like `prune_dead`, without blocking the event loop."""
        return await self._engine.acall(*prune_call(self.name, older_than_s, max_keep), tx=tx)

    # Results

    def save_result(self, job_id: int, value: Any, ttl: Seconds | None = None, tx: TransactionLike = None) -> None:
        """Keep the result of a job, replacing an earlier one.

        Args:
            job_id: The job; it may no longer exist.
            value: Any value that JSON can represent.
            ttl: Seconds to keep it; None, 0 or less keeps it forever.
            tx: A transaction to save it in.

        Raises:
            InvalidPayloadError: The value has no JSON form.

        Source: SQL ``honker_result_save``.
        """
        self._engine.call(*save_result_call(job_id, value, ttl), tx=tx)

    async def asave_result(
        self, job_id: int, value: Any, ttl: Seconds | None = None, tx: TransactionLike = None
    ) -> None:
        """Like `save_result`, without blocking the event loop."""
        await self._engine.acall(*save_result_call(job_id, value, ttl), tx=tx)

    def get_result(self, job_id: int, tx: TransactionLike = None) -> tuple[bool, Any]:
        """The result of a job: ``(True, value)``, or ``(False, None)`` if it is missing or has expired.

        Source: SQL ``honker_result_get``.
        """
        return read_result(self._engine.ask(GET_RESULT, job_id, tx=tx))

    async def aget_result(self, job_id: int, tx: TransactionLike = None) -> tuple[bool, Any]:
        """Like `get_result`, without blocking the event loop."""
        return read_result(await self._engine.aask(GET_RESULT, job_id, tx=tx))

    async def wait_result(self, job_id: int, timeout: float | None = None) -> Any:
        """Wait for the result of a job and return it; see also `TaskResult.get`.

        Args:
            job_id: The job.
            timeout: Seconds to wait; None waits without limit.

        Raises:
            JobFailedError: The job is dead.
            JobCancelledError: The job was cancelled.
            ResultGoneError: The job ended and left no result. An id that no job has had yet is waited for.
            TimeoutError: The result did not come in time.
        """
        return await wait_for_result(self._engine, job_id, timeout)

    def sweep_results(self, tx: TransactionLike = None) -> int:
        """Delete the expired results of all queues, and return the number of results.

        Saving a result also deletes expired ones.

        Source: SQL ``honker_result_sweep``.
        """
        return self._engine.call(SWEEP_RESULTS, tx=tx)

    async def asweep_results(self, tx: TransactionLike = None) -> int:
        """Like `sweep_results`, without blocking the event loop."""
        return await self._engine.acall(SWEEP_RESULTS, tx=tx)

    # Tasks

    @overload
    def task(self, name: Callable[Concatenate[Job, Transaction, P], R], /) -> Task[P, R]: ...
    @overload
    def task(self, name: Callable[Concatenate[Job, P], R], /) -> Task[P, R]: ...
    @overload
    def task(self, name: Callable[Concatenate[Transaction, P], R], /) -> Task[P, R]: ...
    @overload
    def task(self, name: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(
        self,
        name: str | None = None,
        *,
        max_attempts: int | None = None,
        retries: int | None = None,
        retry_delay_s: float = 60,
        backoff: float = 1.0,
        max_retry_delay_s: float | None = None,
        jitter: float = JITTER,
        timeout_s: float | None = None,
        priority: int = 0,
        expires_s: Seconds | None = None,
        store_result: bool = True,
        result_ttl_s: float = 3600,
        executor: Executor = "thread",
    ) -> TaskDecorator: ...
    def task(
        self,
        name: Callable[..., Any] | str | None = None,
        *,
        max_attempts: int | None = None,
        retries: int | None = None,
        retry_delay_s: float = 60,
        backoff: float = 1.0,
        max_retry_delay_s: float | None = None,
        jitter: float = JITTER,
        timeout_s: float | None = None,
        priority: int = 0,
        expires_s: Seconds | None = None,
        store_result: bool = True,
        result_ttl_s: float = 3600,
        executor: Executor = "thread",
    ) -> Any:
        """Make a function a task of this queue: calling it enqueues a job, which a worker runs. See `honker.Task`.

        Runs no SQL. A worker calls a plain function in a thread, and awaits a coroutine function. A first parameter
        annotated `honker.Job` receives the job. A parameter annotated `honker.Transaction` (the first, or the one after
        the job) receives a transaction that commits together with the ack.

        Args:
            name: The name under which workers find the task; by default its module and qualified name. The decorator
                also works without parentheses.
            max_attempts: Attempts before a job is dead-lettered, the first one included, 1 to 1,000,000; None uses the
                queue's ``max_attempts``.
            retries: The older name of ``max_attempts``, with the same meaning: 1 tries once. Give one of them.
            retry_delay_s: Seconds between a failed attempt and the next, 0 to 100 years.
            backoff: The factor on the delay after each further failure, more than 0.
            max_retry_delay_s: The longest delay that ``backoff`` leads to, before the jitter; None for no limit.
            jitter: The largest part of a delay that is added to it at random, 0 to 1. A retry is never early; 0 keeps
                delays exact.
            timeout_s: Seconds that an attempt may take, more than 0; None for no limit.
            priority: Larger values run sooner, within ±(2**53 - 1).
            expires_s: Seconds after which a job is dead-lettered instead of run, more than 0.
            store_result: True to keep the return value for `honker.TaskResult`.
            result_ttl_s: Seconds to keep the result, up to 100 years; 0 keeps it forever.
            executor: ``"thread"``, or ``"process"`` to call a plain function in a separate process. The function then
                has a processor to itself, a timeout or a lost lease ends it, and a crash is one failed attempt. The
                process imports the function by module and name, so it must be a module-level function, and it receives
                neither job nor transaction. Its imports stay in memory, once per concurrent handler.

        Raises:
            InvalidArgumentError: An option is outside its range.
            InvalidTaskError: The function cannot be a task, or cannot be called in another process.
            TaskConflictError: Another function is registered under the name.
        """
        if callable(name):
            return self.task()(name)
        return task_decorator(
            self,
            name=name,
            retries=attempts_of(retries, max_attempts, self.max_attempts),
            retry_delay_s=retry_delay_s,
            backoff=backoff,
            max_retry_delay_s=max_retry_delay_s,
            jitter=jitter,
            timeout_s=timeout_s,
            priority=priority,
            expires_s=expires_s,
            store_result=store_result,
            result_ttl_s=result_ttl_s,
            executor=executor,
        )

    def periodic_task(
        self,
        schedule: HasExpression,
        *,
        name: str | None = None,
        scheduler_name: str | None = None,
        max_attempts: int | None = None,
        retries: int | None = None,
        retry_delay_s: float = 60,
        backoff: float = 1.0,
        max_retry_delay_s: float | None = None,
        jitter: float = JITTER,
        timeout_s: float | None = None,
        misfire: Misfire | None = None,
        expires_s: int | None = None,
        priority: int = 0,
        store_result: bool = False,
        result_ttl_s: float = 3600,
        executor: Executor = "thread",
    ) -> TaskDecorator:
        """Make a function without arguments a task that a schedule enqueues. See `task`.

        Runs no SQL: the schedule is written when a worker of this queue or a `honker.Scheduler` starts, or by
        `honker.register_schedules`, if its declaration here has changed since the last time. What
        `Scheduler.update` changes stays until then. It fires while any process runs a `honker.Scheduler`.

        Args:
            schedule: The times to enqueue it; see `honker.crontab` and `honker.every_s`.
            name: The name under which workers find the task; by default its module and qualified name.
            scheduler_name: The schedule's name; by default the task's.
            max_attempts: As for `task`.
            retries: As for `task`.
            retry_delay_s: As for `task`.
            backoff: As for `task`.
            max_retry_delay_s: As for `task`.
            jitter: As for `task`.
            timeout_s: As for `task`.
            misfire: How to treat boundaries that passed without a leader, see `Scheduler.add`; None means ``catch_up``.
            expires_s: Whole seconds after its boundary from which a job is no longer claimed, 1 or more.
            priority: Larger values run sooner, within ±(2**53 - 1).
            store_result: True to keep the return value.
            result_ttl_s: Seconds to keep the result, up to 100 years; 0 keeps it forever.
            executor: As for `task`.

        Raises:
            InvalidArgumentError: An option is outside its range.
            InvalidTaskError: The function cannot be a task or has required parameters, or cannot be called in another
                process.
            TaskConflictError: Another function is registered under the name.
        """
        check_schedule(schedule)
        return task_decorator(
            self,
            name=name,
            schedule=schedule,
            scheduler_name=scheduler_name,
            retries=attempts_of(retries, max_attempts, self.max_attempts),
            retry_delay_s=retry_delay_s,
            backoff=backoff,
            max_retry_delay_s=max_retry_delay_s,
            jitter=jitter,
            timeout_s=timeout_s,
            misfire=misfire,
            expires_s=expires_s,
            priority=priority,
            store_result=store_result,
            result_ttl_s=result_ttl_s,
            executor=executor,
        )
