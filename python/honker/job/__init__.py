"""A claimed job."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from honker import serialization
from honker.arguments import Seconds, TransactionLike, is_text
from honker.clock import monotonic
from honker.errors import InvalidArgumentError, JobCancelledError
from honker.job import settle
from honker.job.headers import headers_of
from honker.job.history import ParentOutcome, read_parents
from honker.job.progress import Claim, ProgressReporter, Report
from honker.job.settle import JobQueue as JobQueue
from honker.records import Record

_UNDECODED: Final = object()
#: The ranges of the engine for the numbers and the remark of a report.
_AMOUNT_MAX: Final = 1e15
_NOTE_MAX_BYTES: Final = 1_000
#: Seconds between two looks of `Job.is_cancelled` into the file.
_LOOK_S: Final = 0.1

_CANCEL_REQUESTS: Final = "SELECT honker_cancel_requests(?, ?)"
_PARENTS: Final = "SELECT honker_job_parents(?)"


@dataclass(frozen=True, kw_only=True, eq=False)
class JobInfo(Record):
    """A waiting or leased job, as it was at one moment; its fields are also read by name, as in ``info["state"]``.

    Attributes:
        id: The job's id.
        queue: The queue's name.
        payload: JSON text.
        state: ``"pending"``, ``"processing"``, ``"blocked"`` while others of its key go first, or ``"waiting"`` for the
            jobs after which it runs.
        priority: Larger runs sooner.
        run_at: Unix seconds before which it is not claimed.
        worker_id: The worker that holds it, or None.
        claim_expires_at: Unix seconds of the last instant of the lease, or None.
        attempts: Claims so far.
        max_attempts: Claims before it is dead-lettered.
        created_at: Unix seconds at which it was enqueued.
        expires_at: Unix seconds from which it is not claimed any more, or None.
        unknown_since: Unix seconds since which workers have put it back because they do not know its task, or None.
        cancel_requested_at: Unix seconds of the request to end a running job, or None.
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
    cancel_requested_at: float | None


def job_info(text: str) -> JobInfo | None:
    """The job in an answer of ``honker_get_job``; None if it is empty."""
    return JobInfo.of(serialization.read(text)) if text else None


class Job:
    """A job that is leased to a worker until `claim_expires_at`.

    The holder of the lease settles it by `ack`, `retry`, `fail`, `snooze` or `cancel`, or extends the lease by
    `heartbeat`. Each method returns True if the lease was still held. False means that the lease was lost and nothing
    was changed. The methods identify the attempt by job id, worker id and attempt number. So a late handler cannot
    settle a later attempt, even under the same worker id.

    `aack`, `aretry`, `afail`, `asnooze`, `acancel` and `aheartbeat` do the same without blocking the event loop.

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
        key: The key of `Queue.enqueue`, or None.
        snoozes: The number of times that the job was put off.
        has_dependents: True if other jobs wait for this one, and may want its result.
        has_parents: True if the job has waited for others; see `parents`.
        state: ``"processing"``.
        is_released: True once `snooze` has given the lease back.
        is_settled: True once a method was called that settles the job, even if it failed or the lease was lost.
    """

    __slots__ = (
        "_is_cancelled",
        "_looked_at",
        "_payload",
        "_reporter",
        "_text",
        "attempts",
        "claim_expires_at",
        "created_at",
        "expires_at",
        "has_dependents",
        "has_parents",
        "id",
        "is_released",
        "is_settled",
        "key",
        "last_error",
        "max_attempts",
        "priority",
        "queue",
        "run_at",
        "snoozes",
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
        self.snoozes: int = row.get("snoozes", 0)
        self.has_dependents: bool = row.get("has_dependents", False)
        self.has_parents: bool = row.get("has_parents", False)
        self.state = "processing"
        self.is_released = False
        self.is_settled = False
        self._text: str = row["payload"]
        self._payload: Any = _UNDECODED
        self._is_cancelled = False
        self._looked_at = -math.inf
        self._reporter: ProgressReporter | None = None

    def __repr__(self) -> str:
        return f"<honker.Job {self.id} of {self.queue_name!r}, attempt {self.attempts}, held by {self.worker_id!r}>"

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

    @property
    def headers(self) -> Mapping[str, Any]:
        """The values that middleware has added to the call of a task, see `honker.Middleware.enqueue`.

        Empty for a job without headers, and for a payload that is no call of a task.

        Raises:
            UnreadablePayloadError: The stored text is not JSON.
        """
        return headers_of(self.payload)

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
        self.is_settled = True
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
        self.is_settled = True
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

        Source: SQL ``honker_snooze``.
        """
        self.is_settled = True
        is_held = settle.snooze(self.queue, self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx)
        self._note_release(is_held)
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
        self.is_settled = True
        return settle.fail(self.queue, self.id, self.worker_id, error, attempt=self.attempts, tx=tx)

    def cancel(self, tx: TransactionLike = None) -> bool:
        """End the job as cancelled: waiters for its result get a `JobCancelledError`.

        For a handler that ends because `is_cancelled` is true. The job need not have been asked to end.

        Args:
            tx: The transaction to run in.

        Returns:
            True if the lease was held.

        Raises:
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_cancel_held``.
        """
        self.is_settled = True
        return settle.cancel(self.queue, self.id, self.worker_id, attempt=self.attempts, tx=tx)

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
        self.is_settled = True
        return await settle.aack(self.queue, self.id, self.worker_id, attempt=self.attempts, tx=tx)

    async def aretry(self, delay_s: Seconds = 60, error: str | None = "", tx: TransactionLike = None) -> bool:
        """Like `retry`, without blocking the event loop."""
        self.is_settled = True
        return await settle.aretry(self.queue, self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx)

    async def asnooze(self, delay_s: Seconds, error: str | None = None, tx: TransactionLike = None) -> bool:
        """Like `snooze`, without blocking the event loop."""
        self.is_settled = True
        is_held = await settle.asnooze(
            self.queue, self.id, self.worker_id, delay_s, error, attempt=self.attempts, tx=tx
        )
        self._note_release(is_held)
        return is_held

    async def afail(self, error: str | None = "", tx: TransactionLike = None) -> bool:
        """Like `fail`, without blocking the event loop."""
        self.is_settled = True
        return await settle.afail(self.queue, self.id, self.worker_id, error, attempt=self.attempts, tx=tx)

    async def acancel(self, tx: TransactionLike = None) -> bool:
        """Like `cancel`, without blocking the event loop."""
        self.is_settled = True
        return await settle.acancel(self.queue, self.id, self.worker_id, attempt=self.attempts, tx=tx)

    async def aheartbeat(self, extend_s: Seconds | None = None, tx: TransactionLike = None) -> bool:
        """Like `heartbeat`, without blocking the event loop."""
        return await settle.aheartbeat(self.queue, self.id, self.worker_id, extend_s, attempt=self.attempts, tx=tx)

    # Progress

    def progress(self, done: float, total: float = 1.0, note: str | None = None) -> bool:
        """Report the progress of the handler, for `Queue.progress` and `TaskResult.progress`.

        The first report is written at once, later ones at most once a second: the last report of that second is written
        at its end. So a handler may report as often as it likes. A report that meets a transaction of the handler, or a
        busy database, is written later. The report is forgotten when the job leaves its worker.

        Args:
            done: The finished part of ``total``, from 0 on.
            total: The whole, more than 0, in the same unit.
            note: A remark of at most 1,000 bytes.

        Returns:
            False if the lease is known to be lost.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Cost: one row at most once a second, in a transaction of its own.
        Source: SQL ``honker_progress``.
        """
        return self._progress_reporter().report(_report(done, total, note))

    async def aprogress(self, done: float, total: float = 1.0, note: str | None = None) -> bool:
        """Like `progress`, without blocking the event loop."""
        return await self._progress_reporter().areport(_report(done, total, note))

    def _progress_reporter(self) -> ProgressReporter:
        if self._reporter is None:
            claim = Claim(self.id, self.worker_id, self.attempts)
            self._reporter = ProgressReporter(self.queue.db.engine, claim)
        return self._reporter

    # Cancellation

    @property
    def is_cancelled(self) -> bool:
        """True once the job was asked to end by `Queue.request_cancel`, or its lease is lost: end the handler then.

        Looks into the file at most every 100 ms, read-only, and never again once it is true. Cheap enough for each step
        of a loop.

        Source: SQL ``honker_cancel_requests``.
        """
        if self._must_look():
            self._is_cancelled = self._is_cancelled or self.queue.db.engine.ask(*self._cancel_call()) != "[]"
        return self._is_cancelled

    def check_cancelled(self) -> None:
        """Raise if `is_cancelled` is true. A task that raises this error ends as cancelled.

        Raises:
            JobCancelledError: The job was asked to end, or its lease is lost.
        """
        if self.is_cancelled:
            raise JobCancelledError(self.id)

    async def acheck_cancelled(self) -> None:
        """Like `check_cancelled`, without blocking the event loop."""
        if self._must_look():
            self._is_cancelled = self._is_cancelled or await self.queue.db.engine.aask(*self._cancel_call()) != "[]"
        if self._is_cancelled:
            raise JobCancelledError(self.id)

    def note_cancelled(self) -> None:
        """Make `is_cancelled` true. For a worker that has read the request itself."""
        self._is_cancelled = True

    def note_ended(self) -> None:
        """Drop a report of progress that is not written yet. For a worker, once the handler has ended."""
        if self._reporter is not None:
            self._reporter.close()

    def _must_look(self) -> bool:
        if self._is_cancelled or monotonic() - self._looked_at < _LOOK_S:
            return False
        self._looked_at = monotonic()
        return True

    def _cancel_call(self) -> tuple[str, str, str]:
        return _CANCEL_REQUESTS, json.dumps([[self.id, self.attempts]]), self.worker_id

    def _note_release(self, is_held: bool) -> None:
        """The next claim of a released job may have the same attempt number, so nothing more is written for it."""
        if is_held:
            self.is_released = True
            if self._reporter is not None:
                self._reporter.close()

    # Parents

    def parents(self, tx: TransactionLike = None) -> list[ParentOutcome]:
        """The jobs after which this one runs, with their results, in the order in which ``after`` named them.

        Their results are kept until this job has ended. Read-only. `has_parents` says if there are any.

        Raises:
            UnreadablePayloadError: A stored result is not JSON.

        Cost: O(parents).
        Source: SQL ``honker_job_parents``.
        """
        return read_parents(self.queue.db.engine.ask(_PARENTS, self.id, tx=tx))

    async def aparents(self, tx: TransactionLike = None) -> list[ParentOutcome]:
        """Like `parents`, without blocking the event loop."""
        return read_parents(await self.queue.db.engine.aask(_PARENTS, self.id, tx=tx))


def _report(done: float, total: float, note: str | None) -> Report:
    """The arguments of a report, checked: one that waits for its write must not fail in another thread."""
    _check_amount(done, "done")
    _check_amount(total, "total")
    if total == 0:
        raise InvalidArgumentError("total is 0; it must be more than 0")
    if note is not None and (not is_text(note) or len(note.encode()) > _NOTE_MAX_BYTES):
        raise InvalidArgumentError(f"note is {note!r:.60}; it must be text of at most {_NOTE_MAX_BYTES} bytes")
    return Report(done, total, note)


def _check_amount(value: object, argument: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _AMOUNT_MAX:
        raise InvalidArgumentError(f"{argument} is {value!r}; it must be a number from 0 to {_AMOUNT_MAX:g}")
