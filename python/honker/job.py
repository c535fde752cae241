"""A claimed job, as its handler sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from honker import serialization
from honker.arguments import Seconds, TransactionLike

if TYPE_CHECKING:
    from honker.queue.queue import Queue

_UNDECODED: Final = object()


class Job:
    """A job that is leased to a worker until `claim_expires_at`.

    Whoever holds the lease settles it: `ack`, `retry` or `fail`, or `heartbeat` to hold it longer. Each says whether
    the lease was still held; if not, somebody else has or will have the job, and nothing was changed. What they pass
    on is id, worker and attempt, so a handler that overslept cannot settle a later attempt, not even under the same
    worker id.

    The methods that begin with ``a`` do the same without blocking the event loop.

    Attributes:
        queue: The `honker.Queue` it was claimed from.
        id: The job's id.
        worker_id: Who claimed it.
        attempts: Claims so far, this one included.
        max_attempts: Claims before it is dead-lettered.
        claim_expires_at: Unix seconds of the last instant of the lease; an int holds to the end of that second.
        priority: Larger runs sooner.
        run_at: Unix seconds at which it became due.
        created_at: Unix seconds at which it was enqueued.
        expires_at: Unix seconds from which it would not be claimed any more, or None.
        last_error: The error of the attempt before, or None.
        state: ``"processing"``.
    """

    __slots__ = (
        "_payload",
        "_text",
        "attempts",
        "claim_expires_at",
        "created_at",
        "expires_at",
        "id",
        "last_error",
        "max_attempts",
        "priority",
        "queue",
        "run_at",
        "state",
        "worker_id",
    )

    def __init__(self, queue: Queue, row: dict[str, Any]) -> None:
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
        self.state = "processing"
        self._text: str = row["payload"]
        self._payload: Any = _UNDECODED

    def __repr__(self) -> str:
        return f"<honker.Job {self.id} of {self.queue_name!r}, attempt {self.attempts}, held by {self.worker_id!r}>"

    @property
    def queue_name(self) -> str:
        """The queue's name."""
        return self.queue.name

    @property
    def payload(self) -> Any:
        """What was enqueued, decoded when first asked for.

        Raises:
            UnreadablePayloadError: The stored text is not JSON.
        """
        if self._payload is _UNDECODED:
            self._payload = serialization.decode(self._text)
        return self._payload

    def ack(self, tx: TransactionLike = None) -> bool:
        """End the job: it succeeded.

        Args:
            tx: A transaction to end it in, so that the handler's writes and the ack commit together.

        Returns:
            Whether the lease was held; if not, undo what the handler did.

        Raises:
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_ack``.
        """
        return self.queue.ack(self.id, self.worker_id, attempt=self.attempts, tx=tx)

    def retry(self, delay_s: Seconds = 60, error: str | None = "", tx: TransactionLike = None) -> bool:
        """Put the job back to run again after a delay, or dead-letter it if this was its last attempt.

        Args:
            delay_s: Seconds from now, 0 or more, never early.
            error: Why, kept with the job.
            tx: A transaction to do it in.

        Returns:
            Whether the lease was held.

        Raises:
            InvalidArgumentError: The delay is negative or not a number.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_retry``.
        """
        return self.queue.retry(self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx)

    def fail(self, error: str | None = "", tx: TransactionLike = None) -> bool:
        """Dead-letter the job: it must not run again.

        Args:
            error: Why, kept with the dead letter.
            tx: A transaction to do it in.

        Returns:
            Whether the lease was held.

        Raises:
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_fail``.
        """
        return self.queue.fail(self.id, self.worker_id, error, attempt=self.attempts, tx=tx)

    def heartbeat(self, extend_s: Seconds | None = None, tx: TransactionLike = None) -> bool:
        """Make the lease end some time from now, also when that is sooner than before.

        Args:
            extend_s: Seconds from now, more than 0; None means the queue's visibility timeout.
            tx: A transaction to do it in.

        Returns:
            Whether the lease was held; one that has lapsed is not revived.

        Raises:
            InvalidArgumentError: Not a positive number.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_heartbeat``.
        """
        return self.queue.heartbeat(self.id, self.worker_id, extend_s, attempt=self.attempts, tx=tx)

    async def aack(self, tx: TransactionLike = None) -> bool:
        """As `ack`, without blocking the event loop."""
        return await self.queue.aack(self.id, self.worker_id, attempt=self.attempts, tx=tx)

    async def aretry(self, delay_s: Seconds = 60, error: str | None = "", tx: TransactionLike = None) -> bool:
        """As `retry`, without blocking the event loop."""
        return await self.queue.aretry(self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx)

    async def afail(self, error: str | None = "", tx: TransactionLike = None) -> bool:
        """As `fail`, without blocking the event loop."""
        return await self.queue.afail(self.id, self.worker_id, error, attempt=self.attempts, tx=tx)

    async def aheartbeat(self, extend_s: Seconds | None = None, tx: TransactionLike = None) -> bool:
        """As `heartbeat`, without blocking the event loop."""
        return await self.queue.aheartbeat(self.id, self.worker_id, extend_s, attempt=self.attempts, tx=tx)
