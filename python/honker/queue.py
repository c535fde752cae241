"""Durable job queues."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from honker import payload as payloads
from honker.claims import Claims
from honker.dead import DeadLetters
from honker.errors import InvalidArgumentError
from honker.job import Job
from honker.pool import Pool
from honker.producer import Producer
from honker.result import Patience, look
from honker.settler import Settler
from honker.stats import QueueStats
from honker.types import Call, Seconds, TransactionLike, seconds, whole

if TYPE_CHECKING:
    from honker.task_options import Executor
    from honker.tasks import HasExpression, TaskDecorator

VISIBILITY_TIMEOUT_S = 300
MAX_ATTEMPTS = 3

# Makes the decorators `Queue.task` and `Queue.periodic_task`. Tasks are a layer above queues, which says here what it
# does for them; see `use_decorators`.
_make_decorator: Callable[..., TaskDecorator] | None = None


def use_decorators(make: Callable[..., TaskDecorator]) -> None:
    """Set what makes a decorator for tasks from a queue and the options of `Queue.task`."""
    global _make_decorator  # noqa: PLW0603 - set once, when the layer above is imported
    _make_decorator = make


def _decorator(queue: Queue, **options: Any) -> TaskDecorator:
    if _make_decorator is None:
        raise InvalidArgumentError("tasks are not there: import honker, not only honker.queue")
    return _make_decorator(queue, **options)


class Queue(Producer, Settler, DeadLetters):
    """A durable queue of jobs, in a table of the application's own database.

    A job that is enqueued with ``tx=`` exists if and only if that transaction commits. It is delivered at least once:
    a worker leases it, and when the lease lapses before the job is settled, the next worker gets it. Handlers must
    tolerate repeats.

    Constructing a queue runs no SQL. Get one from `Database.queue`.

    Args:
        db: The database.
        name: Non-empty text, at most 255 UTF-8 bytes.
        visibility_timeout_s: Seconds that a claim is leased for, more than 0 and at most a year. Asked in whole
            seconds, a lease may hold up to one second longer, never shorter.
        max_attempts: Claims before a job is dead-lettered, 1 to 1,000,000; each job may have its own.

    Attributes:
        db: The database.
        name: The queue's name.
        visibility_timeout_s: As above.
        max_attempts: As above.
    """

    def __init__(
        self,
        db: Pool,
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

    def __repr__(self) -> str:
        return f"<honker.Queue {self.name!r} of {self.db.path!r}>"

    # Claiming

    def claim_one(self, worker_id: str, tx: TransactionLike = None) -> Job | None:
        """Lease the first due job to ``worker_id``; None when nothing is due. See `claim_batch`."""
        jobs = self.claim_batch(worker_id, 1, tx=tx)
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
        while True:
            jobs = self._jobs(self.db.call(*call, tx=tx))
            if jobs or not self.is_claimable(tx=tx):
                return jobs

    async def aclaim_batch(self, worker_id: str, n: int) -> list[Job]:
        """As `claim_batch`, without blocking the event loop.

        Cancelled while it waits for the write lock, it may still lease jobs, which nobody then hands out before the
        lease lapses; `claim` knows how to keep them.
        """
        if n <= 0:
            return []
        call = self._claim(worker_id, n)
        while True:
            jobs = self._jobs(await self.db.acall(*call))
            if jobs or not self.is_claimable():
                return jobs

    def claim_now(self, worker_id: str) -> Job | None:
        """As `claim_one`, without waiting for the write lock; may miss work behind dead rows.

        Raises:
            DatabaseBusyError: Somebody else is writing.
        """
        call = self._claim(worker_id, 1)
        jobs = self._jobs(self.db.call_now(*call))
        return jobs[0] if jobs else None

    def claim(self, worker_id: str, idle_poll_s: float | None = 5.0) -> Claims:
        """The queue's jobs as they become due, for ``for`` or ``async for``; see `honker.Claims`.

        Args:
            worker_id: Non-empty text, at most 255 UTF-8 bytes.
            idle_poll_s: Seconds after which it looks even if nothing woke it; None never does.

        Raises:
            DatabaseClosedError: The database is closed.
        """
        return Claims(self, worker_id, idle_poll_s)

    def _claim(self, worker_id: str, n: int) -> Call:
        return "SELECT honker_claim_batch(?, ?, ?, ?, 1)", self.name, worker_id, n, self.visibility_timeout_s

    def _jobs(self, text: str) -> list[Job]:
        # The usual answer of an idle queue is not worth parsing.
        return [] if text == "[]" else [Job(self, row) for row in payloads.read(text)]

    def next_claim_at(self, tx: TransactionLike = None) -> float | None:
        """The earliest moment at which a claim could return something.

        Returns:
            Unix seconds, not later than now when something is due, or None when nothing waits or the queue is
            paused.

        Cost: read-only; one seek for each priority at which nothing is due.
        Source: SQL ``honker_queue_next_claim_at``.
        """
        return self._next_claim_at(tx) or None

    def _next_claim_at(self, tx: TransactionLike = None) -> float:
        at: float = self.db.ask("SELECT honker_queue_next_claim_at(?)", self.name, tx=tx)
        return at

    def is_claimable(self, tx: TransactionLike = None) -> bool:
        """Whether a claim could return something now. Reads only."""
        at = self._next_claim_at(tx)
        return at != 0 and at <= time.time()

    def stats(self, count_limit: int | None = None, tx: TransactionLike = None) -> QueueStats:
        """How much there is in the queue; see `honker.QueueStats`. `Database.stats` tells of every queue.

        Args:
            count_limit: How far to count, 1 to 1,000,000; None means 10,000. Beyond it a count is a lower bound.
            tx: A transaction to read in, which then sees its own jobs.

        Raises:
            InvalidArgumentError: ``count_limit`` is outside its range.

        Cost: O(log jobs + count_limit), whatever the queue holds.
        Source: SQL ``honker_queue_stats``.
        """
        text: str = self.db.ask("SELECT honker_queue_stats(?, ?)", self.name, count_limit, tx=tx)
        return QueueStats(**json.loads(text))

    def pause(self, tx: TransactionLike = None) -> bool:
        """Hand out no jobs until `resume`; adding and settling go on. Whether it was running.

        Source: SQL ``honker_queue_pause``.
        """
        return bool(self.db.call("SELECT honker_queue_pause(?)", self.name, tx=tx))

    def resume(self, tx: TransactionLike = None) -> bool:
        """Hand out jobs again. Whether it was paused.

        Source: SQL ``honker_queue_resume``.
        """
        return bool(self.db.call("SELECT honker_queue_resume(?)", self.name, tx=tx))

    # Single jobs

    def cancel(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Remove a job of this queue, waiting or leased. Whether there was one.

        A handler at work on it is not interrupted; its lease is lost. `Database.cancel` reaches every queue.

        Source: SQL ``honker_cancel``.
        """
        return bool(self.db.call("SELECT honker_cancel(?, ?)", job_id, self.name, tx=tx))

    def get_job(self, job_id: int, tx: TransactionLike = None) -> dict[str, Any] | None:
        """A waiting or leased job of this queue, or None. `Database.get_job` reaches every queue.

        Returns:
            The columns of the job by name: id, queue, payload (JSON text), state, priority, run_at, worker_id,
            claim_expires_at, attempts, max_attempts, created_at, expires_at.

        Source: SQL ``honker_get_job``.
        """
        text: str = self.db.ask("SELECT honker_get_job(?, ?)", job_id, self.name, tx=tx)
        return json.loads(text) if text else None

    def sweep_expired(self, tx: TransactionLike = None) -> int:
        """Dead-letter every expired job that nobody is at work on; how many. Claims do so with what they meet.

        Source: SQL ``honker_sweep_expired``.
        """
        count: int = self.db.call("SELECT honker_sweep_expired(?)", self.name, tx=tx)
        return count

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
        ttl_s = 0 if ttl is None else seconds(ttl, "ttl")
        self.db.call("SELECT honker_result_save(?, ?, ?)", job_id, payloads.encode(value), ttl_s, tx=tx)

    def get_result(self, job_id: int, tx: TransactionLike = None) -> tuple[bool, Any]:
        """The result of a job: ``(True, value)``, or ``(False, None)`` when there is none or its time is over.

        Source: SQL ``honker_result_get``.
        """
        text: str | None = self.db.ask("SELECT honker_result_get(?)", job_id, tx=tx)
        return (False, None) if text is None else (True, payloads.decode(text))

    async def wait_result(self, job_id: int, timeout: float | None = None) -> Any:
        """The result of a job, waiting until it is there.

        Args:
            job_id: The job.
            timeout: Seconds to wait; None waits for good.

        Raises:
            JobFailedError: The job is dead.
            JobCancelledError: The job was cancelled.
            TimeoutError: The result did not come in time.
        """
        patience = Patience(job_id, timeout)
        updates = self.db.update_events()
        try:
            while True:
                outcome = look(self.db, job_id)
                if outcome.has_result:
                    return outcome.value
                await updates.wait_async(patience.next_s())
        finally:
            updates.close()

    def sweep_results(self, tx: TransactionLike = None) -> int:
        """Delete every result, of all queues, whose time is over; how many. Saving one does so bit by bit.

        Source: SQL ``honker_result_sweep``.
        """
        count: int = self.db.call("SELECT honker_result_sweep()", tx=tx)
        return count

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
        return _decorator(
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
        return _decorator(
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
