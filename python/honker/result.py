"""What has become of a job, for those who wait for its result."""

from __future__ import annotations

import json
import time
from typing import Any, Final, NamedTuple

from honker import payload as payloads
from honker.errors import JobCancelledError, JobFailedError
from honker.pool import Pool

#: Seconds for which a waiter trusts that it will be woken.
POLL_S: Final = 15.0


class Outcome(NamedTuple):
    """What is known of a job now."""

    has_result: bool
    value: Any
    #: ``pending``, ``processing``, ``dead``, ``cancelled``, or ``gone``; of interest while there is no result.
    state: str


def look(db: Pool, job_id: int) -> Outcome:
    """The result of a job, or else its state.

    Raises:
        JobFailedError: It is dead.
        JobCancelledError: It was cancelled, less than a day ago.

    Source: SQL ``honker_result_get``, ``honker_job_outcome``.
    """
    found = _result(db, job_id)
    if found is not None:
        return found
    outcome: dict[str, Any] = json.loads(db.ask("SELECT honker_job_outcome(?)", job_id))
    state: str = outcome["state"]
    if state == "dead":
        raise JobFailedError(job_id, outcome["error"] or "")
    if state == "cancelled":
        raise JobCancelledError(job_id)
    # The job may have ended between the two looks; its result came in the same commit.
    return (_result(db, job_id) if state == "gone" else None) or Outcome(False, None, state)


def _result(db: Pool, job_id: int) -> Outcome | None:
    text: str | None = db.ask("SELECT honker_result_get(?)", job_id)
    return None if text is None else Outcome(True, payloads.decode(text), "gone")


class Patience:
    """How long a waiter still waits.

    Args:
        job_id: The job that is waited for.
        timeout: Seconds; None means for good.
    """

    def __init__(self, job_id: int, timeout: float | None) -> None:
        self._job_id = job_id
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def next_s(self) -> float:
        """Seconds until the next look, if nothing wakes the waiter before.

        Raises:
            TimeoutError: The time is over.
        """
        if self._deadline is None:
            return POLL_S
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"job {self._job_id} has no result after {self._timeout} s")
        return min(left, POLL_S)
