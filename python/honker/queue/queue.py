"""Durable job queues.

`Queue` has the methods for adding, claiming and inspecting jobs. The methods of another subject are functions in the
module of that subject, with the queue as the first parameter; the class binds them by assignment.
"""

from __future__ import annotations

import json
from typing import Final

from honker.arguments import Call, Seconds, TransactionLike, seconds, whole
from honker.engine import Handle
from honker.errors import InvalidArgumentError
from honker.job import Job, JobInfo, job_info, settle
from honker.queue import acknowledge, dead_letters, inspection, pauses, producing, results, settings as queue_settings
from honker.queue.cancelled_claim import claim_or_release
from honker.queue.claims import Claims, jobs_of
from honker.queue.stats import QueueStats
from honker.task import decorators

VISIBILITY_TIMEOUT_S = 300
MAX_ATTEMPTS = 3

# One claim buries a bounded number of dead rows and may find no job behind them. Bounded itself: a clock that is ahead
# of the engine's calls a job due that no claim finds.
_CLAIM_ROUNDS: Final = 100

_CLAIM: Final = "SELECT honker_claim_batch(?, ?, ?, ?, 1)"
_NEXT_CLAIM_AT: Final = "SELECT honker_queue_next_claim_at(?)"
_STATS: Final = "SELECT honker_queue_stats(?, ?)"
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

    enqueue = producing.enqueue
    aenqueue = producing.aenqueue
    enqueue_unique = producing.enqueue_unique
    aenqueue_unique = producing.aenqueue_unique
    enqueue_many = producing.enqueue_many
    aenqueue_many = producing.aenqueue_many

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
        for _ in range(_CLAIM_ROUNDS):
            jobs = jobs_of(self, self._engine.call(*call, tx=tx))
            if jobs or not self.is_claimable(tx=tx):
                return jobs
        return []

    async def aclaim_batch(self, worker_id: str, n: int, tx: TransactionLike = None) -> list[Job]:
        """Like `claim_batch`, without blocking the event loop.

        A call that is cancelled while it waits may still lease jobs. They are released at once, unless the event loop
        ends before; then they are claimed again after their leases lapse. `claim` loses no jobs on cancellation.
        """
        if n <= 0:
            return []
        call = self._claim(worker_id, n)
        for _ in range(_CLAIM_ROUNDS):
            # A transaction takes its claim with it, and a claim that waits for nothing is not cancelled.
            if tx is None and self._engine.is_commit_slow:
                jobs = jobs_of(self, await claim_or_release(self._engine, call))
            else:
                jobs = jobs_of(self, await self._engine.acall(*call, tx=tx))
            if jobs or not await self.ais_claimable(tx=tx):
                return jobs
        return []

    def claim_now(self, worker_id: str) -> Job | None:
        """Like `claim_one`, without waiting for the write lock. May miss due jobs behind dead rows.

        Raises:
            DatabaseBusyError: Another thread, task or process is writing.
        """
        jobs = jobs_of(self, self._engine.call_now(*self._claim(worker_id, 1)))
        return jobs[0] if jobs else None

    def claim(self, worker_id: str, idle_poll_s: float | None = 5.0, *, auto_ack: bool = False) -> Claims:
        """Iterate over the queue's jobs as they become due, by ``for`` or ``async for``; see `honker.Claims`.

        With ``auto_ack``, a job is acknowledged when the loop asks for the next one. The ack and the next claim are one
        commit, and if no job is due, the ack does not wait for one. The job at which ``break``, ``return`` or an
        exception leaves the loop is not acknowledged: it stays leased, and runs again unless it is settled before its
        lease lapses. So call `Job.ack` before a ``break`` that follows the work. A program that catches the exception
        and asks the same iterator again acknowledges that job. A job that the loop settles itself, by a method of
        `honker.Job`, is left as it is, even if that method failed.

        Args:
            worker_id: Non-empty text, at most 255 UTF-8 bytes.
            idle_poll_s: Seconds between checks for due jobs without a commit; None disables these checks.
            auto_ack: True to acknowledge each job whose loop body has ended.

        Raises:
            DatabaseClosedError: The database is closed.

        Source: SQL ``honker_claim_batch``; with ``auto_ack`` also ``honker_work``.
        """
        return Claims(self, worker_id, idle_poll_s, auto_ack=auto_ack)

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

    # Settings and pauses

    configure = queue_settings.configure
    aconfigure = queue_settings.aconfigure
    settings = queue_settings.settings
    asettings = queue_settings.asettings
    pause = pauses.pause
    apause = pauses.apause
    resume = pauses.resume
    aresume = pauses.aresume
    pause_key = pauses.pause_key
    apause_key = pauses.apause_key
    resume_key = pauses.resume_key
    aresume_key = pauses.aresume_key

    # Settling by id. `honker.Job` has the same methods without the first arguments, and is easier to use.

    ack = settle.ack
    aack = settle.aack
    retry = settle.retry
    aretry = settle.aretry
    snooze = settle.snooze
    asnooze = settle.asnooze
    fail = settle.fail
    afail = settle.afail
    heartbeat = settle.heartbeat
    aheartbeat = settle.aheartbeat
    ack_batch = acknowledge.ack_batch
    aack_batch = acknowledge.aack_batch

    # Single jobs

    def cancel(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Remove a job of this queue, waiting or leased. True if a job was removed.

        A running handler is not interrupted; its lease is lost. `request_cancel` asks it to end. `Database.cancel`
        reaches every queue.

        Source: SQL ``honker_cancel``.
        """
        return bool(self._engine.call(_CANCEL, job_id, self.name, tx=tx))

    async def acancel(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Like `cancel`, without blocking the event loop."""
        return bool(await self._engine.acall(_CANCEL, job_id, self.name, tx=tx))

    request_cancel = inspection.request_cancel
    arequest_cancel = inspection.arequest_cancel
    attempts = inspection.attempts
    aattempts = inspection.aattempts
    finished = inspection.finished
    afinished = inspection.afinished
    progress = inspection.progress
    aprogress = inspection.aprogress

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

    requeue = dead_letters.requeue
    arequeue = dead_letters.arequeue
    retain_dead = dead_letters.retain_dead
    aretain_dead = dead_letters.aretain_dead
    prune_dead = dead_letters.prune_dead
    aprune_dead = dead_letters.aprune_dead

    # Results

    save_result = results.save_result
    asave_result = results.asave_result
    get_result = results.get_result
    aget_result = results.aget_result
    wait_result = results.wait_result
    sweep_results = results.sweep_results
    asweep_results = results.asweep_results

    # Tasks

    task = decorators.task
    periodic_task = decorators.periodic_task
