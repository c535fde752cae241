"""Iteration over the jobs of a queue, which waits while no job is due."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Final, Protocol, Self

from honker import serialization
from honker.clock import monotonic
from honker.engine.wakes import Wakes
from honker.errors import DatabaseBusyError, HonkerError
from honker.job import Job, JobQueue
from honker.queue.auto_ack import AutoAck

_RELEASE: Final = "SELECT honker_release(?, ?, ?)"

# Seconds before a claim that follows a fruitless one although a job is due, from the first to the longest: a clock that
# is ahead of the engine's must not make an iterator spin.
_PAUSE_S: Final = 0.001
_LONGEST_PAUSE_S: Final = 0.5

# A loop that has not waited for so many claims and seconds stops listening: its own commits wake its process, for
# nothing. To begin again takes milliseconds, so a loop that waits now and then keeps listening.
_BUSY_CLAIMS: Final = 100
_BUSY_S: Final = 0.1


class ClaimableQueue(JobQueue, Protocol):
    """The queue of an iterator of claims: `honker.Queue`."""

    def claim_one(self, worker_id: str) -> Job | None:
        """Lease the first due job."""
        ...

    def claim_now(self, worker_id: str) -> Job | None:
        """Lease the first due job without waiting for the write lock."""
        ...

    def next_claim_at(self) -> float | None:
        """The earliest moment at which a claim could return something."""
        ...

    async def anext_claim_at(self) -> float | None:
        """Like `next_claim_at`, without blocking the event loop."""
        ...


def jobs_of(queue: JobQueue, answer: str) -> list[Job]:
    """The jobs in the answer to a claim."""
    # The usual answer of an idle queue needs no parsing.
    return [] if answer == "[]" else [Job(queue, row) for row in serialization.read(answer)]


class Claims:
    """An endless iterator over the due jobs of a queue. Each job is leased when it is returned.

    Works with ``for`` and ``async for``. While no job is due, it waits for a commit of any process, for the moment at
    which a delayed job becomes due or a lease lapses, or for ``idle_poll_s``, whichever comes first. Waiting holds no
    transaction and writes nothing. After each commit, a read checks for due jobs before the write lock is taken.

    The iterator stays usable after a cancelled ``await``, such as an ``asyncio.wait_for`` that times out. No job is
    lost: a job whose claim was in progress is returned by the next call.

    With ``auto_ack`` of `Queue.claim`, asking for a job acknowledges the one before, and one thread or task at a time
    may use the iterator. If that fails, the next call acknowledges it. An ack whose lease was lost is logged.
    """

    def __init__(
        self, queue: ClaimableQueue, worker_id: str, idle_poll_s: float | None, *, auto_ack: bool = False
    ) -> None:
        self._queue = queue
        self._auto_ack = AutoAck(queue, worker_id) if auto_ack else None
        self._worker_id = worker_id
        self._idle_poll_s = idle_poll_s
        # Claims in a row that found no job, and the answer of the last look.
        self._fruitless = 0
        self._is_due = False
        self._engine = queue.db.engine
        # Subscribed before the first read of the queue, so that no commit between a read and a wait is missed. The
        # first wait after a rest subscribes and returns at once.
        self._updates = Wakes(self._engine)
        # Claims since the last wait, and the moment of its end.
        self._busy_claims = 0
        self._waited_at = monotonic()
        # A claim that waits in a thread for another process's write lock. It outlives a cancelled ``await``, and even
        # the event loop: the next call returns its job.
        self._thread: ThreadPoolExecutor | None = None
        self._claiming: Future[Job | None] | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Job:
        self._updates.check_process()
        while True:
            job = self._claim_one() if self._claiming is None else self._result(self._claiming)
            if job is not None:
                return self._hand_out(job)
            self._fruitless += 1
            # After an idle poll, only the cheaper read-only check runs.
            while not self._updates.wait(self._timeout_s(self._queue.next_claim_at())) and not self._is_due:
                pass
            self._note_wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Job:
        self._updates.check_process()
        while True:
            job = await self._claim()
            if job is not None:
                return self._hand_out(job)
            self._fruitless += 1
            while True:
                timeout = self._timeout_s(await self._queue.anext_claim_at())
                if await self._updates.wait_async(timeout) or self._is_due:
                    break
            self._note_wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening for commits. Jobs already returned stay leased, also the last one with ``auto_ack``.

        A job that was claimed for a cancelled wait and not returned is given back, uncharged.
        """
        self._updates.close()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        claiming, self._claiming = self._claiming, None
        if claiming is not None:
            thread.submit(self._give_back, claiming)
        # An event loop must not wait for the claim; a thread may, so that the job is free when this returns.
        thread.shutdown(wait=asyncio._get_running_loop() is None)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the constructor may have failed, or the interpreter be at its end
            self.close()

    @staticmethod
    def _give_back(claiming: Future[Job | None]) -> None:
        """Release the job of a claim that has ended; runs behind it in its thread."""
        if claiming.exception() is not None:
            return
        job = claiming.result()
        if job is not None:
            with contextlib.suppress(HonkerError):  # then the lease lapses
                job.queue.db.engine.call(_RELEASE, job.id, job.worker_id, job.attempts)

    def _hand_out(self, job: Job) -> Job:
        self._fruitless = 0
        if self._auto_ack is not None:
            self._auto_ack.last = job
        self._busy_claims += 1
        if self._busy_claims == _BUSY_CLAIMS:
            self._busy_claims = 0
            if not self._updates.is_resting and monotonic() - self._waited_at >= _BUSY_S:
                self._updates.rest()
        return job

    def _note_wait(self) -> None:
        self._busy_claims = 0
        self._waited_at = monotonic()

    def _claim_one(self) -> Job | None:
        if self._auto_ack is not None and self._auto_ack.is_due:
            return self._auto_ack.claim_next(self._engine.call)
        return self._queue.claim_one(self._worker_id)

    def _claim_now(self) -> Job | None:
        if self._auto_ack is not None and self._auto_ack.is_due:
            return self._auto_ack.claim_next(self._engine.call_now)
        return self._queue.claim_now(self._worker_id)

    async def _claim(self) -> Job | None:
        """Claim at once if the write lock is free, else in a thread, which a cancelled wait leaves running."""
        if self._claiming is None:
            if not self._engine.is_commit_slow:
                with contextlib.suppress(DatabaseBusyError):
                    return self._claim_now()
            if self._thread is None:
                self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="honker-claim")
            self._claiming = self._thread.submit(self._claim_one)
        claiming = self._claiming
        await asyncio.wait([asyncio.shield(asyncio.wrap_future(claiming))])
        return self._result(claiming)

    def _result(self, claiming: Future[Job | None]) -> Job | None:
        """The job of a claim in a thread. A failure ends that claim, not the iteration."""
        try:
            return claiming.result()
        finally:
            self._claiming = None
            if self._thread is not None:  # an idle thread for each of many iterators would cost memory
                self._thread.shutdown(wait=False)
                self._thread = None

    def _timeout_s(self, next_claim_at: float | None) -> float | None:
        """Seconds to wait if no commit comes; sets `_is_due` if a claim is worthwhile after them."""
        until_due = None if next_claim_at is None else max(0.0, next_claim_at - self._engine.clock())
        self._is_due = until_due == 0.0
        if self._is_due and self._fruitless > 1:
            return min(_PAUSE_S * 2 ** min(self._fruitless, 20), _LONGEST_PAUSE_S)
        known = [span for span in (until_due, self._until_poll_s()) if span is not None]
        return min(known, default=None)

    def _until_poll_s(self) -> float | None:
        """Align the checks of all idle iterators: the first warms the processor's caches for the others."""
        if self._idle_poll_s is None or self._idle_poll_s <= 0:
            return self._idle_poll_s
        return self._idle_poll_s - monotonic() % self._idle_poll_s
