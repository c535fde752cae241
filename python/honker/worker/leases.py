"""The leases of a worker's jobs: renewed while their handlers run, and noticed when they are lost or asked to end."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from honker import serialization
from honker.engine import FALLBACK_POLL_S, Updates
from honker.errors import HANDLE_ENDED, HonkerError
from honker.job import Job
from honker.queue.queue import Queue

#: Seconds after which a handler that was cancelled and goes on is reported.
STUBBORN_S: Final = 1.0

#: Seconds between two looks for requests to cancel, at least: a busy queue commits all the time.
_LOOK_PAUSE_S: Final = 0.1
#: The same after a failure.
_BLIND_PAUSE_S: Final = 1.0

_REQUESTS: Final = "SELECT honker_cancel_requests(?, ?)"
_GET_JOB: Final = "SELECT honker_get_job(?)"
_HEARTBEAT: Final = "SELECT honker_heartbeat_batch(?, ?, ?)"
_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode

logger = logging.getLogger("honker")


class Fate(Enum):
    """Events in a job's run that its handler does not decide."""

    OWN = 0  # none
    LOST = 1  # another worker has the job, or it was cancelled
    RELEASED = 2  # the worker stops and gives the job back
    CANCELLED = 3  # it was asked to end; the claim is still held, and the handler may yet succeed


@dataclass(slots=True, eq=False)
class Run:
    """A claimed job and the asyncio task that handles it.

    Attributes:
        key: The job's id and attempt: with the worker's name, they are the claim.
        since_s: The time of the event loop at which it was claimed.
        name: The name of its task, for the log; empty for a job without one.
        ask: Asks the handler to end; None cancels the asyncio task.
    """

    job: Job
    key: tuple[int, int]
    since_s: float
    name: str = ""
    task: asyncio.Task[None] | None = None
    fate: Fate = Fate.OWN
    ask: Callable[[], None] | None = None


class Leases:
    """The runs of one worker, each with its lease.

    Args:
        queue: The queue.
        worker_id: The worker that claims.
        on_left: Called with a run that has left its slot without the end of its handler.
    """

    def __init__(self, queue: Queue, worker_id: str, on_left: Callable[[Run], None]) -> None:
        self._queue = queue
        self._engine = queue.db.engine
        self._worker_id = worker_id
        self._on_left = on_left
        self._lease_s = queue.visibility_timeout_s
        self._runs: dict[tuple[int, int], Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def runs(self) -> list[Run]:
        """The runs, those that were claimed first first."""
        return list(self._runs.values())

    def add(self, run: Run) -> None:
        """Renew the lease of a run from now on."""
        self._runs[run.key] = run

    def remove(self, run: Run) -> bool:
        """Stop to renew the lease of a run.

        Returns:
            False if another run of the job, or its release at the end, has taken its place.
        """
        if self._runs.get(run.key) is not run:
            return False
        del self._runs[run.key]
        return True

    async def renew_for_ever(self) -> None:
        """Renew all leases at a third of their length: two renewals may fail before one is lost."""
        interval_s = self._lease_s / 3
        pause_s = interval_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._renew()
                await self._look_for_requests()
                pause_s = interval_s
            except Exception as error:
                # No kind of error may end the renewals: every running job would lose its lease.
                reason = error if isinstance(error, HonkerError) else repr(error)
                logger.warning("queue %r: leases were not renewed: %s", self._queue.name, reason)
                pause_s = min(interval_s / 4, 1.0)

    async def _renew(self) -> None:
        # A handler that was asked to end, and goes on, keeps its claim.
        runs = [run for run in self._runs.values() if run.fate in {Fate.OWN, Fate.CANCELLED}]
        if not runs:
            return
        claims = _ENCODE([run.key for run in runs])
        lost = {*serialization.read(await self._engine.acall(_HEARTBEAT, claims, self._worker_id, self._lease_s))}
        for run in runs:
            if run.job.id in lost and self._runs.get(run.key) is run:
                self._give_up(run)

    def _give_up(self, run: Run) -> None:
        logger.warning("lease of job %d was lost; its handler is cancelled", run.job.id)
        run.fate = Fate.LOST
        self._cancel(run, "the lease of its job was lost")

    def _cancel(self, run: Run, reason: str) -> None:
        if run.task is None:
            return
        # A task that is cancelled before it has begun never leaves its slot by itself.
        run.task.add_done_callback(functools.partial(self._leave, run))
        run.task.cancel(reason)
        asyncio.get_running_loop().call_later(STUBBORN_S, _report_stubborn, run)

    def _leave(self, run: Run, _: asyncio.Task[None]) -> None:
        if self.remove(run):
            self._on_left(run)

    async def watch_for_ever(self) -> None:
        """Ask handlers to end whose jobs are to be cancelled, soon after the commit of each request.

        A wake is only a hint: without one there is a look every 15 s, and one with each renewal. The subscription is
        not that of the event loop's other waiters: theirs is read at each commit, and this one after a pause. It has no
        commits announced, which would cost every writer while handlers run: a request to cancel always is.
        """
        updates: Updates | None = None
        try:
            while True:
                pause_s = _LOOK_PAUSE_S
                try:
                    updates = updates or self._engine.updates(overhears=True)
                    await updates.wait_async(FALLBACK_POLL_S)
                    await self._look_for_requests()
                except HANDLE_ENDED:
                    return  # The rounds of the worker end it.
                except Exception as error:
                    # As for renewals, no kind of error may end this.
                    logger.debug("queue %r: requests to cancel were not read: %r", self._queue.name, error)
                    pause_s = _BLIND_PAUSE_S
                    if updates is not None:
                        updates.close()
                        updates = None
                await asyncio.sleep(pause_s)
        finally:
            if updates is not None:
                updates.close()

    async def _look_for_requests(self) -> None:
        # A handler that has released its job holds no claim; nor does one that has settled it, which goes on.
        runs = {run.job.id: run for run in self._runs.values() if run.fate is Fate.OWN and not run.job.is_released}
        if not runs:
            return
        claims = _ENCODE([run.key for run in runs.values()])
        for job_id in serialization.read(await self._engine.aask(_REQUESTS, claims, self._worker_id)):
            run = runs[job_id]
            is_requested = await self._is_requested(run)
            if is_requested and self._runs.get(run.key) is run and run.fate is Fate.OWN:
                self._ask_to_end(run)

    async def _is_requested(self, run: Run) -> bool:
        """True if the claim is held and asked to end; a lost one is left to the renewals."""
        text: str = await self._engine.aask(_GET_JOB, run.job.id)
        if not text:
            return False
        row = serialization.read(text)
        is_held = (row["state"], row["worker_id"], row["attempts"]) == ("processing", self._worker_id, run.job.attempts)
        return is_held and row["cancel_requested_at"] is not None

    def _ask_to_end(self, run: Run) -> None:
        logger.info("job %d is to be cancelled; its handler is asked to end", run.job.id)
        run.fate = Fate.CANCELLED
        run.job.note_cancelled()
        if run.ask is not None:
            run.ask()
        else:
            self._cancel(run, f"job {run.job.id} was cancelled by request")

    async def cancel_all(self, timeout_s: float) -> list[Job]:
        """Cancel every handler.

        Args:
            timeout_s: Seconds for which their ends are waited for.

        Returns:
            The jobs whose handlers have not ended.
        """
        tasks: list[asyncio.Task[None]] = []
        for run in self._runs.values():
            run.fate = Fate.RELEASED if run.fate is Fate.OWN else run.fate
            if run.task is not None:
                run.task.cancel()
                tasks.append(run.task)
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        for run in self._runs.values():
            _report_stubborn(run)
        left = [run.job for run in self._runs.values()]
        self._runs.clear()
        return left


def _report_stubborn(run: Run) -> None:
    """Log that a handler has ignored its cancellation."""
    if run.task is not None and not run.task.done():
        logger.warning("job %d was cancelled, and its handler goes on and keeps its slot", run.job.id)
