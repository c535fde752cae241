"""Acknowledging each job of a loop together with the claim of the next one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from honker import serialization
from honker.job import Job, JobQueue

_WORK: Final = "SELECT honker_work(?, ?, 1, ?, ?)"

logger = logging.getLogger("honker")


class AutoAck:
    """The ack that a loop over claims owes, and the claim that carries it.

    If the process dies before the commit, the job is delivered again. A call that fails leaves the ack to the next one.

    Args:
        queue: The queue.
        worker_id: The worker that claims.

    Attributes:
        last: The job that was handed out last; None once it is acknowledged.
    """

    def __init__(self, queue: JobQueue, worker_id: str) -> None:
        self._queue = queue
        self._worker_id = worker_id
        self.last: Job | None = None

    @property
    def is_due(self) -> bool:
        """True if the last job is not settled."""
        # A method that settles it has the last word even if it failed: an ack after a failed retry would lose the job.
        return self.last is not None and not self.last.is_settled

    def claim_next(self, call: Callable[..., str]) -> Job | None:
        """Acknowledge the last job and lease the first due one, in one commit; the ack alone if no job is due.

        Args:
            call: Runs the function: `Engine.call` or `Engine.call_now`.
        """
        last, queue = self.last, self._queue
        assert last is not None
        settlements = f'[{{"id":{last.id},"attempt":{last.attempts},"do":"ack"}}]'
        answer = serialization.read(call(_WORK, queue.name, self._worker_id, queue.visibility_timeout_s, settlements))
        self.last = None
        if not answer["settled"][0]:
            logger.warning("%r: its lease was lost before its ack, so it may run again", last)
        return Job(queue, answer["jobs"][0]) if answer["jobs"] else None
