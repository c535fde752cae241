"""Saving, reading and awaiting results of jobs."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from honker import serialization
from honker.arguments import Call, Seconds, TransactionLike, seconds
from honker.clock import monotonic
from honker.engine import FALLBACK_POLL_S, Engine, Fate
from honker.errors import DeadlockError, JobCancelledError, JobFailedError, ResultGoneError
from honker.job.history import CancelOutcome, Progress, read_progress
from honker.task.running import is_on_worker_loop, running_handler

#: Seconds between a waiter's checks while the transaction that enqueued the job is open: its rollback is no commit.
_OPEN_POLL_S: Final = 0.1

_GET_PROGRESS: Final = "SELECT honker_progress_get(?)"
_REQUEST_CANCEL: Final = "SELECT honker_cancel_request(?)"
GET_RESULT: Final = "SELECT honker_result_get(?)"
SWEEP_RESULTS: Final = "SELECT honker_result_sweep()"
_JOB_OUTCOME: Final = "SELECT honker_job_outcome(?)"

R = TypeVar("R")

logger = logging.getLogger("honker")


def save_result_call(job_id: int, value: Any, ttl: Seconds | None) -> Call:
    """The call that keeps the result of a job."""
    ttl_s = 0 if ttl is None else seconds(ttl, "ttl")
    return "SELECT honker_result_save(?, ?, ?)", job_id, serialization.encode(value), ttl_s


def read_result(text: str | None) -> tuple[bool, Any]:
    """Decode a result: ``(True, value)``, or ``(False, None)`` if it is missing."""
    return (False, None) if text is None else (True, serialization.decode(text))


class Outcome(NamedTuple):
    """The state of a job at one moment.

    Attributes:
        has_result: True if there is a result.
        value: The result.
        state: ``pending``, ``processing``, ``dead``, ``cancelled``, ``gone``, or ``unknown`` for an id that no
            committed job has had; relevant only without a result.
    """

    has_result: bool
    value: Any
    state: str


def fetch_outcome(engine: Engine, job_id: int) -> Outcome:
    """The result of a job, or else its state.

    Raises:
        JobFailedError: The job is dead.
        JobCancelledError: The job was cancelled less than a day ago.

    Source: SQL ``honker_result_get``, ``honker_job_outcome``.
    """
    found = _found(engine.ask(GET_RESULT, job_id))
    if found is not None:
        return found
    state = _state(job_id, engine.ask(_JOB_OUTCOME, job_id))
    # The job may have ended between the two reads; its result came in the same commit.
    return (_found(engine.ask(GET_RESULT, job_id)) if state == "gone" else None) or Outcome(False, None, state)


async def afetch_outcome(engine: Engine, job_id: int) -> Outcome:
    """Like `fetch_outcome`, without blocking the event loop."""
    found = _found(await engine.aask(GET_RESULT, job_id))
    if found is not None:
        return found
    state = _state(job_id, await engine.aask(_JOB_OUTCOME, job_id))
    return (_found(await engine.aask(GET_RESULT, job_id)) if state == "gone" else None) or Outcome(False, None, state)


def _found(text: str | None) -> Outcome | None:
    return None if text is None else Outcome(True, serialization.decode(text), "gone")


def _state(job_id: int, text: str) -> str:
    outcome: dict[str, Any] = json.loads(text)
    state: str = outcome["state"]
    if state == "dead":
        raise JobFailedError(job_id, outcome["error"] or "")
    if state == "cancelled":
        raise JobCancelledError(job_id)
    return state


class Deadline:
    """The deadline of a wait for a result.

    Args:
        job_id: The job whose result is awaited.
        timeout: Seconds to wait; None waits without limit.
    """

    def __init__(self, job_id: int, timeout: float | None) -> None:
        self._job_id = job_id
        self._timeout = timeout
        self._at = None if timeout is None else monotonic() + timeout

    def next_s(self) -> float:
        """Seconds until the next check, unless a commit wakes the waiter first.

        Raises:
            TimeoutError: The timeout has passed.
        """
        if self._at is None:
            return FALLBACK_POLL_S
        left = self._at - monotonic()
        if left <= 0:
            raise TimeoutError(f"job {self._job_id} has no result after {self._timeout} s")
        return min(left, FALLBACK_POLL_S)


async def wait_for_result(engine: Engine, job_id: int, timeout: float | None) -> Any:
    """Wait for the result of a job and return it.

    Raises:
        JobFailedError: The job is dead.
        JobCancelledError: The job was cancelled.
        ResultGoneError: The job ended and left no result.
        TimeoutError: The result did not come in time.
    """
    return await TaskResult[Any](engine, job_id, is_committed=False).aget(timeout)


class _Origin:
    """The transaction that a job was enqueued in, as long as it may be open."""

    def __init__(self, fate: Fate) -> None:
        self.fate = fate
        self._thread_id = threading.get_ident()
        self._task = _current_task()

    def blocks(self, *, is_async: bool) -> bool:
        """True if the transaction cannot end while the caller waits.

        A task that waits lets the other tasks of its thread go on; a thread that waits stops them all.
        """
        if threading.get_ident() != self._thread_id:
            return False
        return not is_async or _current_task() is self._task


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


class ResultReader(Protocol):
    """Reads the results of a task: `honker.task.payloads.TaskPayloads`."""

    def read_result(self, job_id: int, value: Any) -> Any:
        """The result of a job, from its JSON value."""
        ...


class TaskResult(Generic[R]):
    """The future result of a task's call.

    Attributes:
        id: The job's id.
        is_duplicate: True if the call enqueued no job, because another one has its unique key: the result is that
            job's.
    """

    def __init__(
        self,
        engine: Engine,
        job_id: int,
        *,
        is_committed: bool = True,
        tx: TransactionLike = None,
        is_duplicate: bool = False,
        payloads: ResultReader | None = None,
    ) -> None:
        self.id = job_id
        self.is_duplicate = is_duplicate
        self._engine = engine
        self._payloads = payloads
        self._is_committed = is_committed and tx is None
        self._origin = None if tx is None else _Origin(engine.fate(tx))

    def __repr__(self) -> str:
        return f"<honker.TaskResult of job {self.id}>"

    def get(self, timeout: float | None = None) -> R:
        """Wait for the value and return it; blocks the thread.

        A handler that waits for another job keeps its slot. If its worker has no other slot free, that is logged as a
        warning: another worker must run the job, or the wait never ends.

        Args:
            timeout: Seconds to wait; None waits without limit.

        Returns:
            The task's return value, of the type that its function is annotated with.

        Raises:
            JobFailedError: The job is dead.
            JobCancelledError: The job was cancelled.
            ResultGoneError: The job ended without a result, or its transaction was rolled back; also a TimeoutError.
            TimeoutError: The result did not come in time.
            PayloadMismatchError: The result is not of the annotated type, or another codec wrote it.
            DeadlockError: The wait would never end: on the event loop of a worker, or in the transaction that enqueued
                the job.
        """
        wait = _Wait(self.id, timeout)
        updates = self._engine.updates()
        try:
            while True:
                is_over = self._is_over()
                outcome = fetch_outcome(self._engine, self.id)
                if self._check(outcome, is_over=is_over):
                    return self._value(outcome.value)
                next_s = wait.next_s(outcome, is_open=not is_over)
                self._refuse_deadlock(is_async=False)
                updates.wait(next_s)
        finally:
            updates.close()

    async def aget(self, timeout: float | None = None) -> R:
        """Like `get`, without blocking the event loop."""
        wait = _Wait(self.id, timeout)
        updates = self._engine.loop_updates()
        try:
            while True:
                is_over = self._is_over()
                outcome = await afetch_outcome(self._engine, self.id)
                if self._check(outcome, is_over=is_over):
                    return self._value(outcome.value)
                next_s = wait.next_s(outcome, is_open=not is_over)
                self._refuse_deadlock(is_async=True)
                await updates.wait_async(next_s)
        finally:
            updates.close()

    def progress(self) -> Progress | None:
        """The progress that the handler has reported; None if it does not run, or has reported none.

        Cost: read-only; one seek. Each report is a commit, which wakes `Database.update_events`.
        Source: SQL ``honker_progress_get``.
        """
        return None if self._is_rolled_back() else read_progress(self._engine.ask(_GET_PROGRESS, self.id))

    async def aprogress(self) -> Progress | None:
        """Like `progress`, without blocking the event loop."""
        return None if self._is_rolled_back() else read_progress(await self._engine.aask(_GET_PROGRESS, self.id))

    def cancel(self, tx: TransactionLike = None) -> CancelOutcome:
        """Cancel the job; if it runs, ask its handler to end.

        A coroutine handler gets an ``asyncio.CancelledError``. A handler in a thread goes on until it asks
        `Job.is_cancelled` or `Job.check_cancelled`. One in another process gets SIGTERM, and is killed after the
        worker's grace period. A handler that succeeds before it notices wins, and the job ends as done.

        Args:
            tx: The transaction to run in.

        Returns:
            ``"cancelled"`` if the job waited and is removed, ``"requested"`` if its handler is asked to end, ``"gone"``
            if it has ended, or its transaction was rolled back.

        Raises:
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Source: SQL ``honker_cancel_request``.
        """
        if self._is_rolled_back():
            return "gone"
        outcome: CancelOutcome = self._engine.call(_REQUEST_CANCEL, self.id, tx=tx)
        return outcome

    async def acancel(self, tx: TransactionLike = None) -> CancelOutcome:
        """Like `cancel`, without blocking the event loop."""
        if self._is_rolled_back():
            return "gone"
        outcome: CancelOutcome = await self._engine.acall(_REQUEST_CANCEL, self.id, tx=tx)
        return outcome

    def _value(self, value: Any) -> R:
        return value if self._payloads is None else self._payloads.read_result(self.id, value)

    def _is_rolled_back(self) -> bool:
        """True if the transaction that enqueued the job was rolled back; the id may be that of another job now."""
        return self._origin is not None and self._origin.fate.is_committed is False

    def _is_over(self) -> bool:
        """True if the transaction that enqueued the job has ended. Asked before the job is looked for, see `_check`.

        Raises:
            ResultGoneError: It was rolled back; the id may be that of another job now.
        """
        if self._origin is None:
            return True
        fate = self._origin.fate
        if not fate.is_over:
            return False
        if self._is_rolled_back():
            raise ResultGoneError(f"job {self.id} was never enqueued: its transaction was rolled back")
        self._is_committed = self._is_committed or fate.is_committed is True
        return True

    def _check(self, outcome: Outcome, *, is_over: bool) -> bool:
        """True if there is a result.

        Raises:
            ResultGoneError: There is none and there will be none. A job that cannot be found is lost only if its
                transaction had ended before.
        """
        if outcome.has_result:
            return True
        if outcome.state not in {"gone", "unknown"}:
            self._is_committed, self._origin = True, None
        elif is_over and (self._origin is not None or self._is_committed or outcome.state == "gone"):
            if outcome.state == "unknown":
                raise ResultGoneError(f"job {self.id} is not in the database: its transaction was rolled back")
            raise ResultGoneError(f"job {self.id} is gone and left no result; none was kept, or its time is over")
        return False

    def _refuse_deadlock(self, *, is_async: bool) -> None:
        """Refuse a wait that holds up the job that it is for.

        Raises:
            DeadlockError: It does.
        """
        if self._origin is not None and not self._origin.fate.is_over and self._origin.blocks(is_async=is_async):
            raise DeadlockError(
                f"job {self.id} is not committed yet, and its transaction cannot end while this waits; "
                "wait for the result after the transaction"
            )
        if not is_async and is_on_worker_loop():
            raise DeadlockError(
                f"waiting for job {self.id} would block the event loop of a worker; use `await result.aget()`"
            )


class _Wait:
    """A wait for a result: its deadline, and the warning of a handler that may wait for itself."""

    def __init__(self, job_id: int, timeout: float | None) -> None:
        self._job_id = job_id
        self._deadline = Deadline(job_id, timeout)
        self._handler = running_handler.get()

    def next_s(self, outcome: Outcome, *, is_open: bool) -> float:
        """Seconds until the next look, if no commit wakes the waiter before.

        Raises:
            TimeoutError: The time is over.
        """
        next_s = self._deadline.next_s()
        handler = self._handler
        if handler is not None and outcome.state == "pending" and not handler.has_free_slot():
            self._handler = None  # once is enough
            logger.warning(
                "%r waits for job %d while every slot of its worker is taken; if no other worker runs that job, the "
                "wait never ends: raise the concurrency, or do not wait in a handler",
                handler.job,
                self._job_id,
            )
        # A rollback does not wake the waiter.
        return min(next_s, _OPEN_POLL_S) if is_open else next_s
