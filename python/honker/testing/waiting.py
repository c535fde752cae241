"""Waiting until a job has reached a state."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, TypeAlias, get_args

from honker.clock import monotonic
from honker.engine import FALLBACK_POLL_S, Engine
from honker.errors import InvalidArgumentError, JobCancelledError, JobFailedError
from honker.job import Job
from honker.task.result import TaskResult
from honker.testing.target import Target, database_of

#: The states to wait for.
State: TypeAlias = Literal["pending", "processing", "done", "dead", "cancelled"]

_GET_JOB: Final = "SELECT honker_get_job(?)"
_OUTCOME: Final = "SELECT honker_job_outcome(?)"
_TIMEOUT_S: Final = 10.0

_ENDS: Final = frozenset({"done", "dead", "cancelled"})


def wait_for_sync(
    job: Job | TaskResult[Any] | int, state: State, *, target: Target | None = None, timeout_s: float = _TIMEOUT_S
) -> str:
    """Like `wait_for`; blocks the thread."""
    wait = _Wait(job, state, target, timeout_s)
    updates = wait.engine.updates()
    try:
        while True:
            text: str = wait.engine.ask(_GET_JOB, wait.job_id)
            ended = "" if text else wait.engine.ask(_OUTCOME, wait.job_id)
            reached = wait.reached(text, ended)
            if reached is not None:
                return reached
            updates.wait(wait.left_s(text))
    finally:
        updates.close()


async def wait_for(
    job: Job | TaskResult[Any] | int, state: State, *, target: Target | None = None, timeout_s: float = _TIMEOUT_S
) -> str:
    """Wait until a job has reached a state, or has passed it.

    Args:
        job: The job: a result of a task's call, a claimed job, or an id.
        state: ``"pending"``, ``"processing"``, ``"done"``, ``"dead"`` or ``"cancelled"``. A job that runs again after a
            failure has passed ``"processing"``.
        target: The app or the database, for an id.
        timeout_s: Seconds of real time to wait.

    Returns:
        The state that it has now, such as ``"done"`` for a wait for ``"processing"``.

    Raises:
        JobFailedError: The job is dead, and so never reaches the state.
        JobCancelledError: It is cancelled, likewise.
        InvalidArgumentError: The job ended in another way, the state is none of these, or an id has no target.
        TimeoutError: The state was not reached in time.

    Source: SQL ``honker_get_job``, ``honker_job_outcome``.
    """
    wait = _Wait(job, state, target, timeout_s)
    updates = wait.engine.loop_updates()
    try:
        while True:
            text: str = await wait.engine.aask(_GET_JOB, wait.job_id)
            ended = "" if text else await wait.engine.aask(_OUTCOME, wait.job_id)
            reached = wait.reached(text, ended)
            if reached is not None:
                return reached
            await updates.wait_async(wait.left_s(text))
    finally:
        updates.close()


class _Wait:
    def __init__(self, job: Job | TaskResult[Any] | int, state: State, target: Target | None, timeout_s: float) -> None:
        if state not in get_args(State):
            raise InvalidArgumentError(f"state is {state!r}; choose one of {', '.join(get_args(State))}")
        self.job_id = job if isinstance(job, int) else job.id
        self.engine = _engine_of(job, target)
        self._state = state
        self._timeout_s = timeout_s
        self._deadline = monotonic() + timeout_s

    def reached(self, text: str, ended: str) -> str | None:
        """The state of the job, if it is the awaited one or follows it."""
        if text:
            row: dict[str, Any] = json.loads(text)
            is_past = self._state == "processing" and row["attempts"] > 0
            return row["state"] if is_past or self._state in {"pending", row["state"]} else None
        outcome: dict[str, Any] = json.loads(ended)
        state = {"gone": "done"}.get(outcome["state"], outcome["state"])
        if state not in _ENDS:
            return None  # Between the two reads it came back, or its transaction has not committed.
        if state == self._state or self._state not in _ENDS:
            return state
        if state == "dead":
            raise JobFailedError(self.job_id, outcome["error"] or "")
        if state == "cancelled":
            raise JobCancelledError(self.job_id)
        raise InvalidArgumentError(f"job {self.job_id} is done, and so never becomes {self._state!r}")

    def left_s(self, text: str) -> float:
        """Seconds until the next look without a commit.

        Raises:
            TimeoutError: The time is over.
        """
        left = self._deadline - monotonic()
        if left > 0:
            return min(left, FALLBACK_POLL_S)
        state = json.loads(text)["state"] if text else "unknown"
        raise TimeoutError(f"job {self.job_id} is {state!r} after {self._timeout_s} s, not {self._state!r}")


def _engine_of(job: Job | TaskResult[Any] | int, target: Target | None) -> Engine:
    if target is not None:
        return database_of(target).engine
    if isinstance(job, Job):
        return job.queue.db.engine
    if isinstance(job, int):
        raise InvalidArgumentError(f"job is the id {job}; pass target= too, the app or the database")
    return job._engine  # pyright: ignore[reportPrivateUsage] - a friend
