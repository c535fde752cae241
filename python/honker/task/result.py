"""Results of jobs: kept, read, and waited for."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from honker import serialization
from honker.arguments import Call, Seconds, seconds
from honker.clock import monotonic
from honker.engine import Engine
from honker.errors import JobCancelledError, JobFailedError, ResultGoneError

#: Seconds after which a waiter looks even if no commit woke it.
POLL_S: Final = 15.0

GET_RESULT: Final = "SELECT honker_result_get(?)"
SWEEP_RESULTS: Final = "SELECT honker_result_sweep()"
_JOB_OUTCOME: Final = "SELECT honker_job_outcome(?)"


def save_result_call(job_id: int, value: Any, ttl: Seconds | None) -> Call:
    """The call that keeps the result of a job."""
    ttl_s = 0 if ttl is None else seconds(ttl, "ttl")
    return "SELECT honker_result_save(?, ?, ?)", job_id, serialization.encode(value), ttl_s


def read_result(text: str | None) -> tuple[bool, Any]:
    """``(True, value)``, or ``(False, None)`` when there is none."""
    return (False, None) if text is None else (True, serialization.decode(text))


class Outcome(NamedTuple):
    """The state of a job at one moment.

    Attributes:
        has_result: True if there is a result.
        value: The result.
        state: ``pending``, ``processing``, ``dead``, ``cancelled``, or ``gone``; of interest while there is no result.
    """

    has_result: bool
    value: Any
    state: str


def fetch_outcome(engine: Engine, job_id: int) -> Outcome:
    """The result of a job, or else its state.

    Raises:
        JobFailedError: It is dead.
        JobCancelledError: It was cancelled, less than a day ago.

    Source: SQL ``honker_result_get``, ``honker_job_outcome``.
    """
    found = _found(engine.ask(GET_RESULT, job_id))
    if found is not None:
        return found
    state = _state(job_id, engine.ask(_JOB_OUTCOME, job_id))
    # The job may have ended between the two reads; its result came in the same commit.
    return (_found(engine.ask(GET_RESULT, job_id)) if state == "gone" else None) or Outcome(False, None, state)


async def afetch_outcome(engine: Engine, job_id: int) -> Outcome:
    """As `fetch_outcome`, without blocking the event loop."""
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
    """The end of a wait for a result.

    Args:
        job_id: The job whose result is awaited.
        timeout: Seconds; None means for good.
    """

    def __init__(self, job_id: int, timeout: float | None) -> None:
        self._job_id = job_id
        self._timeout = timeout
        self._at = None if timeout is None else monotonic() + timeout

    def next_s(self) -> float:
        """Seconds until the next look, if no commit wakes the waiter before.

        Raises:
            TimeoutError: The time is over.
        """
        if self._at is None:
            return POLL_S
        left = self._at - monotonic()
        if left <= 0:
            raise TimeoutError(f"job {self._job_id} has no result after {self._timeout} s")
        return min(left, POLL_S)


async def wait_for_result(engine: Engine, job_id: int, timeout: float | None) -> Any:
    """The result of a job, waiting until it is there.

    Raises:
        JobFailedError: The job is dead.
        JobCancelledError: The job was cancelled.
        TimeoutError: The result did not come in time.
    """
    deadline = Deadline(job_id, timeout)
    updates = engine.updates()
    try:
        while not (outcome := await afetch_outcome(engine, job_id)).has_result:
            await updates.wait_async(deadline.next_s())
        return outcome.value
    finally:
        updates.close()


class TaskResult:
    """The future result of a task's call.

    Attributes:
        id: The job's id.
    """

    def __init__(self, engine: Engine, job_id: int, *, is_committed: bool = True) -> None:
        self.id = job_id
        self._engine = engine
        # A job of a transaction that may still be open is not missing before it has been seen.
        self._was_seen = is_committed

    def __repr__(self) -> str:
        return f"<honker.TaskResult of job {self.id}>"

    def get(self, timeout: float | None = None) -> Any:
        """The value, waiting until it is there; blocks the thread.

        Args:
            timeout: Seconds to wait; None waits for good.

        Returns:
            The value that the task returned, after its way through JSON.

        Raises:
            JobFailedError: The job is dead.
            JobCancelledError: The job was cancelled.
            ResultGoneError: The job ended and left no result; it is a TimeoutError too.
            TimeoutError: The result did not come in time.
        """
        deadline = Deadline(self.id, timeout)
        updates = self._engine.updates()
        try:
            while not self._check(outcome := fetch_outcome(self._engine, self.id)):
                updates.wait(deadline.next_s())
            return outcome.value
        finally:
            updates.close()

    async def aget(self, timeout: float | None = None) -> Any:
        """As `get`, without blocking the event loop."""
        deadline = Deadline(self.id, timeout)
        updates = self._engine.updates()
        try:
            while not self._check(outcome := await afetch_outcome(self._engine, self.id)):
                await updates.wait_async(deadline.next_s())
            return outcome.value
        finally:
            updates.close()

    def _check(self, outcome: Outcome) -> bool:
        """True if there is a result."""
        if outcome.state != "gone":
            self._was_seen = True
        elif not outcome.has_result and self._was_seen:
            raise ResultGoneError(f"job {self.id} is gone and left no result; none was kept, or its time is over")
        return outcome.has_result
