"""A claimed job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from honker import serialization
from honker.arguments import Seconds, TransactionLike
from honker.errors import JobCancelledError
from honker.job import settle
from honker.job.settle import JobQueue as JobQueue
from honker.records import Record

_UNDECODED: Final = object()


@dataclass(frozen=True, kw_only=True, eq=False)
class JobInfo(Record):
    """A waiting or leased job, as it was at one moment; its fields are also read by name, as in ``info["state"]``.

    Attributes:
        id: The job's id.
        queue: The queue's name.
        payload: JSON text.
        state: ``"pending"`` or ``"processing"``.
        priority: Larger runs sooner.
        run_at: Unix seconds before which it is not claimed.
        worker_id: The worker that holds it, or None.
        claim_expires_at: Unix seconds of the last instant of the lease, or None.
        attempts: Claims so far.
        max_attempts: Claims before it is dead-lettered.
        created_at: Unix seconds at which it was enqueued.
        expires_at: Unix seconds from which it is not claimed any more, or None.
        unknown_since: Unix seconds since which workers have put it back because they do not know its task, or None.
    """

    id: int
    queue: str
    payload: str
    state: str
    priority: int
    run_at: float
    worker_id: str | None
    claim_expires_at: float | None
    attempts: int
    max_attempts: int
    created_at: float
    expires_at: float | None
    unknown_since: float | None


def job_info(text: str) -> JobInfo | None:
    """The job in an answer of ``honker_get_job``; None if it is empty."""
    return JobInfo.of(serialization.read(text)) if text else None


class Job:
    """A job that is leased to a worker until `claim_expires_at`.

    The holder of the lease settles it by `ack`, `retry`, `fail` or `snooze`, or extends the lease by `heartbeat`. Each
    method returns True if the lease was still held. False means that the lease was lost and nothing was changed. The
    methods identify the attempt by job id, worker id and attempt number. So a late handler cannot settle a later
    attempt, even under the same worker id.

    `aack`, `aretry`, `afail`, `asnooze` and `aheartbeat` do the same without blocking the event loop.

    Attributes:
        queue: The `honker.Queue` it was claimed from.
        id: The job's id.
        worker_id: The worker that claimed it.
        attempts: Claims so far, this one included.
        max_attempts: Claims before it is dead-lettered.
        claim_expires_at: Unix seconds at which the lease ends. A whole number includes that entire second.
        priority: Larger values run sooner.
        run_at: Unix seconds at which it became due.
        created_at: Unix seconds at which it was enqueued.
        expires_at: Unix seconds from which it is no longer claimed, or None.
        last_error: The error of the previous attempt, or None.
        unknown_since: Unix seconds since which workers have put it back because they do not know its task, or None.
        state: ``"processing"``.
        is_released: True once `snooze` has given the lease back.
    """

    __slots__ = (
        "_payload",
        "_text",
        "attempts",
        "claim_expires_at",
        "created_at",
        "expires_at",
        "has_dependents",
        "id",
        "is_cancelled",
        "is_released",
        "key",
        "last_error",
        "max_attempts",
        "priority",
        "queue",
        "run_at",
        "state",
        "unknown_since",
        "worker_id",
    )

    def __init__(self, queue: JobQueue, row: dict[str, Any]) -> None:
        self.queue = queue
        self.id: int = row["id"]
        self.worker_id: str = row["worker_id"]
        self.attempts: int = row["attempts"]
        self.max_attempts: int = row["max_attempts"]
        self.claim_expires_at: float = row["claim_expires_at"]
        self.priority: int = row["priority"]
        self.run_at: float = row["run_at"]
        self.created_at: float = row["created_at"]
        self.expires_at: float | None = row["expires_at"]
        self.last_error: str | None = row["last_error"]
        self.unknown_since: float | None = row["unknown_since"]
        self.key: str | None = row.get("key")
        self.has_dependents: bool = row.get("has_dependents", False)
        self.state = "processing"
        self.is_cancelled = False
        self.is_released = False
        self._text: str = row["payload"]
        self._payload: Any = _UNDECODED

    def __repr__(self) -> str:
        return f"<honker.Job {self.id} of {self.queue_name!r}, attempt {self.attempts}, held by {self.worker_id!r}>"

    def note_cancelled(self) -> None:
        """Remember that the job is asked to end; called by its worker."""
        self.is_cancelled = True

    def check_cancelled(self) -> None:
        """Raise if the job is asked to end."""
        if self.is_cancelled:
            raise JobCancelledError(self.id)

    @property
    def queue_name(self) -> str:
        """The queue's name."""
        return self.queue.name

    @property
    def payload(self) -> Any:
        """The enqueued value, decoded on first access.

        Raises:
            UnreadablePayloadError: The stored text is not JSON.
        """
        if self._payload is _UNDECODED:
            self._payload = serialization.decode(self._text)
        return self._payload

    def ack(self, tx: TransactionLike = None) -> bool:
        """Acknowledge the job: it succeeded.

        Args:
            tx: The transaction for the ack, so that the handler's writes and the ack commit together.

        Returns:
            True if the lease was held. If it was not, undo the handler's effects.

        Raises:
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_ack``.
        """
        return settle.ack(self.queue, self.id, self.worker_id, attempt=self.attempts, tx=tx)

    def retry(self, delay_s: Seconds = 60, error: str | None = "", tx: TransactionLike = None) -> bool:
        """Return the job to its queue to run again after a delay, or dead-letter it after its last attempt.

        Args:
            delay_s: Seconds from now, 0 or more. The job never runs earlier.
            error: The reason, kept with the job.
            tx: The transaction to run in.

        Returns:
            True if the lease was held.

        Raises:
            InvalidArgumentError: The delay is negative or not a number.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_retry``.
        """
        return settle.retry(self.queue, self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx)

    def snooze(self, delay_s: Seconds, error: str | None = None, tx: TransactionLike = None) -> bool:
        """Put the job off to run again after a delay, without a charge: the attempt does not count.

        For a job that has to wait, as for a rate limit, and has not failed. In a handler of a worker,
        ``raise honker.Snooze(delay_s)`` does the same and ends the handler. The next claim has the same attempt number,
        so do not settle the job after this.

        Args:
            delay_s: Seconds from now, 0 or more. The job never runs earlier.
            error: The reason, kept with the job; None leaves its last error as it is.
            tx: The transaction to run in.

        Returns:
            True if the lease was held.

        Raises:
            InvalidArgumentError: The delay is negative or not a number.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_work``.
        """
        is_held = settle.snooze(self.queue, self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx)
        self.is_released = self.is_released or is_held
        return is_held

    def fail(self, error: str | None = "", tx: TransactionLike = None) -> bool:
        """Dead-letter the job: it must not run again.

        Args:
            error: The reason, kept with the dead letter.
            tx: The transaction to run in.

        Returns:
            True if the lease was held.

        Raises:
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_fail``.
        """
        return settle.fail(self.queue, self.id, self.worker_id, error, attempt=self.attempts, tx=tx)

    def heartbeat(self, extend_s: Seconds | None = None, tx: TransactionLike = None) -> bool:
        """Set the end of the lease to some time from now, even if that is sooner than before.

        Args:
            extend_s: Seconds from now, more than 0; None means the queue's visibility timeout.
            tx: The transaction to run in.

        Returns:
            True if the lease was held. A lapsed lease is not renewed.

        Raises:
            InvalidArgumentError: ``extend_s`` is not a positive number.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_heartbeat``.
        """
        return settle.heartbeat(self.queue, self.id, self.worker_id, extend_s, attempt=self.attempts, tx=tx)

    async def aack(self, tx: TransactionLike = None) -> bool:
        """Like `ack`, without blocking the event loop."""
        return await settle.aack(self.queue, self.id, self.worker_id, attempt=self.attempts, tx=tx)

    async def aretry(self, delay_s: Seconds = 60, error: str | None = "", tx: TransactionLike = None) -> bool:
        """Like `retry`, without blocking the event loop."""
        return await settle.aretry(self.queue, self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx)

    async def asnooze(self, delay_s: Seconds, error: str | None = None, tx: TransactionLike = None) -> bool:
        """Like `snooze`, without blocking the event loop."""
        is_held = await settle.asnooze(
            self.queue, self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx
        )
        self.is_released = self.is_released or is_held
        return is_held

    async def afail(self, error: str | None = "", tx: TransactionLike = None) -> bool:
        """Like `fail`, without blocking the event loop."""
        return await settle.afail(self.queue, self.id, self.worker_id, error, attempt=self.attempts, tx=tx)

    async def aheartbeat(self, extend_s: Seconds | None = None, tx: TransactionLike = None) -> bool:
        """Like `heartbeat`, without blocking the event loop."""
        return await settle.aheartbeat(self.queue, self.id, self.worker_id, extend_s, attempt=self.attempts, tx=tx)
