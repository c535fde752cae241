"""Durable job queues."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from honker import serialization
from honker.arguments import Call, Instant, Seconds, TransactionLike, seconds, whole
from honker.engine import Handle
from honker.errors import InvalidArgumentError
from honker.job import Job
from honker.queue import settle
from honker.queue.claims import Claims, jobs_of
from honker.queue.dead_letters import REQUEUE, prune_call, retain_call
from honker.queue.enqueue import ForEach, enqueue_call, enqueue_many_call, series_call
from honker.queue.stats import QueueStats
from honker.task.options import Executor
from honker.task.registry import HasExpression
from honker.task.result import GET_RESULT, SWEEP_RESULTS, read_result, save_result_call, wait_for_result
from honker.task.task import TaskDecorator, task_decorator

VISIBILITY_TIMEOUT_S = 300
MAX_ATTEMPTS = 3

# One claim buries a bounded number of dead rows and may find no job behind them. Bounded itself: a clock that is ahead
# of the engine's calls a job due that no claim finds.
_CLAIM_ROUNDS: Final = 100

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

    A job that is enqueued with ``tx=`` exists if and only if that transaction commits. It is delivered at least once:
    a worker leases it, and when the lease lapses before the job is settled, the next worker gets it. Handlers must
    tolerate repeats.

    Constructing a queue runs no SQL. Get one from `Database.queue`. Methods that begin with ``a`` do the same as their
    twins without blocking the event loop.

    Args:
        db: The database.
        name: Non-empty text, at most 255 UTF-8 bytes.
        visibility_timeout_s: Seconds that a claim is leased for, more than 0 and at most a year. A lease in whole
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
            payload: Anything JSON can carry.
            tx: The transaction to add it in: then it exists if and only if that commits.
            run_at: Unix seconds or a datetime; it is not claimed earlier.
            delay: Seconds from now; it is not claimed earlier. Wins over ``run_at``.
            priority: Larger runs sooner, within ±(2**53 - 1).
            expires: Seconds from now after which it is dead-lettered instead of claimed.
            max_attempts: Claims before it is dead-lettered; None means the queue's.

        Returns:
            The job's id, unique over all queues of the file and never used again.

        Raises:
            InvalidPayloadError: The payload has no JSON form.
            InvalidArgumentError: A value is outside its range.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one row and one index entry; one statement, which jobs with the same options that a `Transaction` adds one
        after the other share. For many jobs at once see `enqueue_many`.
        Source: SQL ``honker_enqueue``.
        """
        text = serialization.encode(payload)
        call = enqueue_call(self.name, text, run_at, delay, priority, expires, max_attempts, self.max_attempts)
        # A span that counts from now cannot wait for the statement of a series.
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
        """As `enqueue`, without blocking the event loop."""
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

        Each option is one value for all jobs, or a sequence with one for each::

            queue.enqueue_many([{"n": 1}, {"n": 2}], priority=[5, 0], delay=60)

        Args:
            payloads: At most 100,000, anything JSON can carry each; as JSON at most 100 MiB together.
            tx: The transaction to add them in: then they exist if and only if that commits.
            run_at: As for `enqueue`.
            delay: As for `enqueue`.
            priority: As for `enqueue`.
            expires: As for `enqueue`.
            max_attempts: As for `enqueue`.

        Returns:
            The jobs' ids, in order.

        Raises:
            InvalidPayloadError: A payload has no JSON form.
            InvalidArgumentError: A value is outside its range, or a sequence has not as many values as there are jobs.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one statement for all of them, and for each one row and one index entry.
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
        """As `enqueue_many`, without blocking the event loop."""
        options = run_at, delay, priority, expires, max_attempts
        call = enqueue_many_call(self.name, payloads, *options, self.max_attempts)
        return json.loads(await self._engine.acall(*call, tx=tx))

    # Claiming

    def claim_one(self, worker_id: str, tx: TransactionLike = None) -> Job | None:
        """Lease the first due job to ``worker_id``; None when nothing is due. See `claim_batch`."""
        jobs = self.claim_batch(worker_id, 1, tx=tx)
        return jobs[0] if jobs else None

    async def aclaim_one(self, worker_id: str, tx: TransactionLike = None) -> Job | None:
        """As `claim_one`, without blocking the event loop; see `aclaim_batch`."""
        jobs = await self.aclaim_batch(worker_id, 1, tx=tx)
        return jobs[0] if jobs else None

    def claim_batch(self, worker_id: str, n: int, tx: TransactionLike = None) -> list[Job]:
        """Lease up to ``n`` due jobs to ``worker_id``.

        One write transaction: two workers never hold the same attempt. A job whose lease lapses runs again, so
        handlers must tolerate repeats.

        Args:
            worker_id: Non-empty text, at most 255 UTF-8 bytes.
            n: Largest batch, up to 10,000; 0 or less claims nothing.
            tx: The transaction to claim in: the lease counts from now, and holds only if that commits.

        Returns:
            Zero to ``n`` jobs, highest priority first, then ``run_at``, then ``id``.

        Raises:
            InvalidArgumentError: A value is outside the range above.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: O(log queue + n), independent of the backlog.
        Source: SQL ``honker_claim_batch``.
        """
        if n <= 0:
            return []
        call = self._claim(worker_id, n)
        for _ in range(_CLAIM_ROUNDS):
            jobs = jobs_of(self, self._engine.call(*call, tx=tx))
            if jobs or not self.is_claimable(tx=tx):
                return jobs
        return []

    async def aclaim_batch(self, worker_id: str, n: int, tx: TransactionLike = None) -> list[Job]:
        """As `claim_batch`, without blocking the event loop.

        Cancelled while it waits for the write lock, it may still lease jobs, which are then handed out again only when
        the lease lapses; `claim` keeps them.
        """
        if n <= 0:
            return []
        call = self._claim(worker_id, n)
        for _ in range(_CLAIM_ROUNDS):
            jobs = jobs_of(self, await self._engine.acall(*call, tx=tx))
            if jobs or not await self.ais_claimable(tx=tx):
                return jobs
        return []

    def claim_now(self, worker_id: str) -> Job | None:
        """As `claim_one`, without waiting for the write lock; may miss work behind dead rows.

        Raises:
            DatabaseBusyError: Another thread, task or process is writing.
        """
        jobs = jobs_of(self, self._engine.call_now(*self._claim(worker_id, 1)))
        return jobs[0] if jobs else None

    def claim(self, worker_id: str, idle_poll_s: float | None = 5.0) -> Claims:
        """The queue's jobs as they become due, for ``for`` or ``async for``; see `honker.Claims`.

        Args:
            worker_id: Non-empty text, at most 255 UTF-8 bytes.
            idle_poll_s: Seconds after which it looks even if no commit woke it; None never does.

        Raises:
            DatabaseClosedError: The database is closed.
        """
        return Claims(self, worker_id, idle_poll_s)

    def _claim(self, worker_id: str, n: int) -> Call:
        return _CLAIM, self.name, worker_id, n, self.visibility_timeout_s

    def next_claim_at(self, tx: TransactionLike = None) -> float | None:
        """The earliest moment at which a claim could return something.

        Returns:
            Unix seconds, not later than now when something is due, or None when nothing waits or the queue is
            paused.

        Cost: read-only; one seek for each priority at which nothing is due.
        Source: SQL ``honker_queue_next_claim_at``.
        """
        return self._engine.ask(_NEXT_CLAIM_AT, self.name, tx=tx) or None

    def _next_claim_at(self) -> float:
        """As `next_claim_at`, with 0 for None; existing callers use it."""
        return self.next_claim_at() or 0

    async def anext_claim_at(self, tx: TransactionLike = None) -> float | None:
        """As `next_claim_at`, without blocking the event loop."""
        return await self._engine.aask(_NEXT_CLAIM_AT, self.name, tx=tx) or None

    def is_claimable(self, tx: TransactionLike = None) -> bool:
        """True if a claim could return something now. Reads only."""
        at = self.next_claim_at(tx)
        return at is not None and at <= self._engine.clock()

    async def ais_claimable(self, tx: TransactionLike = None) -> bool:
        """As `is_claimable`, without blocking the event loop."""
        at = await self.anext_claim_at(tx)
        return at is not None and at <= self._engine.clock()

    def stats(self, count_limit: int | None = None, tx: TransactionLike = None) -> QueueStats:
        """The number of jobs of the queue by state; see `honker.QueueStats`. `Database.stats` covers every queue.

        Args:
            count_limit: How far to count, 1 to 1,000,000; None means 10,000. Beyond it a count is a lower bound.
            tx: A transaction to read in, which then sees its own jobs.

        Raises:
            InvalidArgumentError: ``count_limit`` is outside its range.

        Cost: O(log jobs + count_limit), independent of the backlog.
        Source: SQL ``honker_queue_stats``.
        """
        text: str = self._engine.ask(_STATS, self.name, count_limit, tx=tx)
        return QueueStats(**json.loads(text))

    async def astats(self, count_limit: int | None = None, tx: TransactionLike = None) -> QueueStats:
        """As `stats`, without blocking the event loop."""
        text: str = await self._engine.aask(_STATS, self.name, count_limit, tx=tx)
        return QueueStats(**json.loads(text))

    def pause(self, tx: TransactionLike = None) -> bool:
        """Hand out no jobs until `resume`; adding and settling go on. True if the queue was running.

        Source: SQL ``honker_queue_pause``.
        """
        return bool(self._engine.call(_PAUSE, self.name, tx=tx))

    async def apause(self, tx: TransactionLike = None) -> bool:
        """As `pause`, without blocking the event loop."""
        return bool(await self._engine.acall(_PAUSE, self.name, tx=tx))

    def resume(self, tx: TransactionLike = None) -> bool:
        """Hand out jobs again. True if the queue was paused.

        Source: SQL ``honker_queue_resume``.
        """
        return bool(self._engine.call(_RESUME, self.name, tx=tx))

    async def aresume(self, tx: TransactionLike = None) -> bool:
        """As `resume`, without blocking the event loop."""
        return bool(await self._engine.acall(_RESUME, self.name, tx=tx))

    # Settling by id. `honker.Job` has the same methods without the first arguments, and is the easier way.

    def ack(self, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None) -> bool:
        """End a job that succeeded; see `Job.ack`.

        Args:
            job_id: The job.
            worker_id: The worker that claimed it.
            attempt: Which attempt; None trusts the worker id alone.
            tx: A transaction to end it in.

        Returns:
            True if the lease was held.

        Source: SQL ``honker_ack``.
        """
        return bool(self._engine.call(settle.ACK, job_id, worker_id, attempt, tx=tx))

    async def aack(
        self, job_id: int, worker_id: str, *, attempt: int | None = None, tx: TransactionLike = None
    ) -> bool:
        """As `ack`, without blocking the event loop."""
        return bool(await self._engine.acall(settle.ACK, job_id, worker_id, attempt, tx=tx))

    def ack_batch(self, job_ids: Iterable[int | Job], worker_id: str, tx: TransactionLike = None) -> int:
        """End several jobs that succeeded, in one transaction.

        Args:
            job_ids: Jobs, or ids, at most 10,000; for jobs the attempt counts, for ids the worker id alone.
            worker_id: The worker that claimed them.
            tx: A transaction to end them in.

        Returns:
            The number of leases that were held.

        Source: SQL ``honker_ack_batch``.
        """
        call = settle.ack_batch_call(job_ids, worker_id)
        return 0 if call is None else self._engine.call(*call, tx=tx)

    async def aack_batch(self, job_ids: Iterable[int | Job], worker_id: str, tx: TransactionLike = None) -> int:
        """As `ack_batch`, without blocking the event loop."""
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
        """Put a job back to run after ``delay_s``; see `Job.retry`.

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
        """As `retry`, without blocking the event loop."""
        call = settle.retry_call(job_id, worker_id, delay_s, error, attempt)
        return bool(await self._engine.acall(*call, tx=tx))

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
        """As `fail`, without blocking the event loop."""
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
        """Make a lease end ``extend_s`` from now; see `Job.heartbeat`.

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
        """As `heartbeat`, without blocking the event loop."""
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
        """As `cancel`, without blocking the event loop."""
        return bool(await self._engine.acall(_CANCEL, job_id, self.name, tx=tx))

    def get_job(self, job_id: int, tx: TransactionLike = None) -> dict[str, Any] | None:
        """A waiting or leased job of this queue, or None. `Database.get_job` reaches every queue.

        Returns:
            The columns of the job by name: id, queue, payload (JSON text), state, priority, run_at, worker_id,
            claim_expires_at, attempts, max_attempts, created_at, expires_at.

        Source: SQL ``honker_get_job``.
        """
        text: str = self._engine.ask(_GET_JOB, job_id, self.name, tx=tx)
        return json.loads(text) if text else None

    async def aget_job(self, job_id: int, tx: TransactionLike = None) -> dict[str, Any] | None:
        """As `get_job`, without blocking the event loop."""
        text: str = await self._engine.aask(_GET_JOB, job_id, self.name, tx=tx)
        return json.loads(text) if text else None

    def sweep_expired(self, tx: TransactionLike = None) -> int:
        """Dead-letter every expired job that is not leased, and return their number. Claims bury those they meet.

        Source: SQL ``honker_sweep_expired``.
        """
        return self._engine.call(_SWEEP_EXPIRED, self.name, tx=tx)

    async def asweep_expired(self, tx: TransactionLike = None) -> int:
        """As `sweep_expired`, without blocking the event loop."""
        return await self._engine.acall(_SWEEP_EXPIRED, self.name, tx=tx)

    # Dead letters

    def requeue(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Put a dead letter of this queue back among the waiting jobs. True if there was one.

        It keeps its id, is due at once and has all its attempts before it again; an expiry that has passed is dropped.
        `Database.requeue` reaches every queue.

        Source: SQL ``honker_requeue``.
        """
        return bool(self._engine.call(REQUEUE, job_id, self.name, tx=tx))

    async def arequeue(self, job_id: int, tx: TransactionLike = None) -> bool:
        """As `requeue`, without blocking the event loop."""
        return bool(await self._engine.acall(REQUEUE, job_id, self.name, tx=tx))

    def retain_dead(
        self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> None:
        """Set how long the queue's dead letters are kept, for every process and for good; no limit keeps them all.

        Rows beyond a limit are deleted in passing, a little with each burial. So some more may be there for a while,
        and a queue in which no job dies any more keeps its last dead letters until `prune_dead`.

        Args:
            max_age_s: Seconds for which a dead letter is kept.
            max_keep: How many of the newest are kept, at most 10,000,000.
            tx: A transaction to set it in.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_retention_set``.
        """
        self._engine.call(*retain_call(self.name, max_age_s, max_keep), tx=tx)

    async def aretain_dead(
        self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> None:
        """As `retain_dead`, without blocking the event loop."""
        await self._engine.acall(*retain_call(self.name, max_age_s, max_keep), tx=tx)

    def prune_dead(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Delete dead letters of the queue now.

        Args:
            older_than_s: Delete those that died longer ago.
            max_keep: Delete all but the newest so many.
            tx: A transaction to delete them in.

        Returns:
            The number deleted: those that either limit applies to.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_dead_prune``.
        """
        return self._engine.call(*prune_call(self.name, older_than_s, max_keep), tx=tx)

    async def aprune_dead(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """As `prune_dead`, without blocking the event loop."""
        return await self._engine.acall(*prune_call(self.name, older_than_s, max_keep), tx=tx)

    # Results

    def save_result(self, job_id: int, value: Any, ttl: Seconds | None = None, tx: TransactionLike = None) -> None:
        """Keep the result of a job, replacing an earlier one.

        Args:
            job_id: The job; it need not exist any more.
            value: Anything JSON can carry.
            ttl: Seconds to keep it; None, 0 or less keep it for good.
            tx: A transaction to save it in.

        Raises:
            InvalidPayloadError: The value has no JSON form.

        Source: SQL ``honker_result_save``.
        """
        self._engine.call(*save_result_call(job_id, value, ttl), tx=tx)

    async def asave_result(
        self, job_id: int, value: Any, ttl: Seconds | None = None, tx: TransactionLike = None
    ) -> None:
        """As `save_result`, without blocking the event loop."""
        await self._engine.acall(*save_result_call(job_id, value, ttl), tx=tx)

    def get_result(self, job_id: int, tx: TransactionLike = None) -> tuple[bool, Any]:
        """The result of a job: ``(True, value)``, or ``(False, None)`` when there is none or its time is over.

        Source: SQL ``honker_result_get``.
        """
        return read_result(self._engine.ask(GET_RESULT, job_id, tx=tx))

    async def aget_result(self, job_id: int, tx: TransactionLike = None) -> tuple[bool, Any]:
        """As `get_result`, without blocking the event loop."""
        return read_result(await self._engine.aask(GET_RESULT, job_id, tx=tx))

    async def wait_result(self, job_id: int, timeout: float | None = None) -> Any:
        """The result of a job, waiting until it is there; see also `TaskResult.get`.

        Args:
            job_id: The job.
            timeout: Seconds to wait; None waits for good.

        Raises:
            JobFailedError: The job is dead.
            JobCancelledError: The job was cancelled.
            TimeoutError: The result did not come in time.
        """
        return await wait_for_result(self._engine, job_id, timeout)

    def sweep_results(self, tx: TransactionLike = None) -> int:
        """Delete every result, of all queues, whose time is over, and return their number. Saving does so in passing.

        Source: SQL ``honker_result_sweep``.
        """
        return self._engine.call(SWEEP_RESULTS, tx=tx)

    async def asweep_results(self, tx: TransactionLike = None) -> int:
        """As `sweep_results`, without blocking the event loop."""
        return await self._engine.acall(SWEEP_RESULTS, tx=tx)

    # Tasks

    def task(
        self,
        name: str | None = None,
        *,
        retries: int | None = None,
        retry_delay_s: float = 60,
        backoff: float = 1.0,
        timeout_s: float | None = None,
        priority: int = 0,
        expires_s: Seconds | None = None,
        store_result: bool = True,
        result_ttl_s: float = 3600,
        executor: Executor = "thread",
    ) -> TaskDecorator:
        """Make a function a task of this queue: calling it enqueues a job, which a worker runs. See `honker.Task`.

        Runs no SQL. The function may be a plain one, which a worker calls in a thread, or a coroutine function. A
        first parameter that is annotated `honker.Job` gets the job; one that is annotated `honker.Transaction` (the
        first, or the one after the job) gets a transaction that is committed with the job's end.

        Args:
            name: Under which workers find it; by default its module and qualified name.
            retries: Attempts before a job is dead-lettered, 1 to 1,000,000; None means the queue's ``max_attempts``.
            retry_delay_s: Seconds between an attempt that failed and the next, 0 to 100 years.
            backoff: What the delay is multiplied by after each further failure, more than 0.
            timeout_s: Seconds that an attempt may take, more than 0; None for any.
            priority: Larger runs sooner, within ±(2**53 - 1).
            expires_s: Seconds after which a job is dead-lettered instead of run, more than 0.
            store_result: Whether what it returns is kept for `honker.TaskResult`.
            result_ttl_s: Seconds for which it is kept, up to 100 years; 0 for good.
            executor: ``"thread"``, or ``"process"`` to call a plain function in a process of its own: it has a whole
                processor to itself, a timeout or a lost lease really ends it, and a crash is one failed attempt. It is
                imported there by its module and name, so it must be a function of a module, and gets neither job nor
                transaction. What it took to import stays in memory, for each handler at once.

        Raises:
            InvalidArgumentError: An option is outside its range.
            InvalidTaskError: The function cannot be called in another process.
            TaskConflictError: Another function is registered under the name.
        """
        return task_decorator(
            self,
            name=name,
            retries=self.max_attempts if retries is None else retries,
            retry_delay_s=retry_delay_s,
            backoff=backoff,
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
        expires_s: int | None = None,
        priority: int = 0,
        store_result: bool = False,
        result_ttl_s: float = 3600,
        executor: Executor = "thread",
    ) -> TaskDecorator:
        """Make a function without arguments a task that a schedule enqueues. See `task`.

        Runs no SQL: the schedule is written when a worker of this queue or a `honker.Scheduler` starts, or by
        `honker.register_schedules`. It fires while a `honker.Scheduler` runs somewhere.

        Args:
            schedule: When; see `honker.crontab` and `honker.every_s`.
            name: Under which workers find it; by default its module and qualified name.
            scheduler_name: The schedule's name; by default the task's.
            expires_s: Whole seconds after its boundary from which a job is not claimed any more, 1 or more.
            priority: Larger runs sooner, within ±(2**53 - 1).
            store_result: Whether what it returns is kept.
            result_ttl_s: Seconds for which it is kept, up to 100 years; 0 for good.
            executor: As for `task`.

        Raises:
            InvalidArgumentError: An option is outside its range.
            InvalidTaskError: The function cannot be called in another process.
            TaskConflictError: Another function is registered under the name.
        """
        return task_decorator(
            self,
            name=name,
            schedule=schedule,
            scheduler_name=scheduler_name,
            expires_s=expires_s,
            priority=priority,
            store_result=store_result,
            result_ttl_s=result_ttl_s,
            executor=executor,
        )
