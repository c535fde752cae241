"""The rounds of a worker: finished jobs are settled and every free slot is filled, in one transaction per round.

Knows nothing of tasks: a resolver finds the call for a job. Rounds, handlers and the renewal of leases go on at once,
on one event loop. Only rounds write, apart from renewals and the transactions of handlers, so the order of events in
the life of a job is the order of the rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from typing import Any, Final

from honker import serialization
from honker.arguments import SQLValue
from honker.engine import Updates
from honker.engine.limits import LIMITS
from honker.errors import (
    HANDLE_ENDED,
    ConnectionLostError,
    DatabaseBusyError,
    DatabaseError,
    HonkerError,
    InvalidArgumentError,
    WatcherError,
)
from honker.job import Job
from honker.queue.queue import Queue
from honker.task.running import mark_worker_loop
from honker.worker.ending import Ending
from honker.worker.execution import Execution, Resolver
from honker.worker.forked_child import leave_if_forked
from honker.worker.leases import Fate, Leases, Run
from honker.worker.outcome import cancelled_outcome, report, word_of
from honker.worker.registration import Registration, Report
from honker.worker.settlement import (
    HELD,
    Ack,
    Backlog,
    Cancel,
    Committed,
    Fail,
    FinishedJob,
    Outcome,
    Release,
    awaited,
    encode,
)

#: Seconds that handlers have to end after a stop, before their leases are given back.
GRACE_S: Final = 10.0
#: As many jobs as one claim can hand out.
MAX_CONCURRENCY: Final = LIMITS.claim_batch[1]
#: Seconds after which an idle runner looks even if nothing woke it; and if there is no watcher to wake it. The first
#: bounds the delay of a missed wake; the scheduler's equal `_STANDBY_POLL_S` bounds the delay after a changed clock.
_IDLE_POLL_S: Final = 5.0
_BLIND_POLL_S: Final = 1.0
#: Seconds between two rounds that fail, from the first to the longest.
_BACK_OFF_S: Final = (0.05, 5.0)
#: Seconds that cancelled handlers have to clean up, and that the last settling may take.
_CLEAN_UP_S: Final = 1.0

#: Seconds for which a runner with free slots does not look again once all slots of the queue are taken. A process that
#: settles a job fills the slot in the same commit, so a look at each commit of others is nearly always in vain. This
#: bounds the delay of a slot that is left free.
_FULL_PAUSE_S: Final = 0.005

_WORK: Final = "SELECT honker_work(?, ?, ?, ?, ?)"
_WORK_AND_REPORT: Final = "SELECT honker_work(?, ?, ?, ?, ?, ?)"

logger = logging.getLogger("honker")


class Runner:
    """Runs up to ``concurrency`` jobs of a queue at once, until it is stopped.

    Leases are renewed while handlers run. A handler that loses its lease is cancelled, and its outcome is dropped.
    Database errors are retried with backoff; only a closed database ends a runner.

    Args:
        queue: The queue.
        worker_id: The name to claim under.
        resolve: Finds the call for a job, or the settlement of one that cannot be handled.
        concurrency: Handlers at once, 1 to 10,000.
        grace_s: Seconds that handlers have to end after a stop.
        ending: Ends it without a stop; None never does.
        registration: The row in the list of workers that it shares; None makes one.
    """

    def __init__(
        self,
        queue: Queue,
        worker_id: str,
        resolve: Resolver,
        *,
        concurrency: int = 1,
        grace_s: float = GRACE_S,
        ending: Ending | None = None,
        registration: Registration | None = None,
    ) -> None:
        self._process_id = os.getpid()
        self._queue = queue
        self._engine = queue.db.engine
        most = self._engine.limits.claim_batch[1]
        if not 1 <= concurrency <= most:
            raise InvalidArgumentError(f"concurrency is {concurrency}; 1 to {most} are allowed")
        self._worker_id = worker_id
        self._concurrency = concurrency
        self._grace_s = grace_s
        self._ending = ending
        self._registration = Registration(self._engine) if registration is None else registration
        # Invariant: each claim of this worker is in exactly one of these two, until the round that settles it.
        self._leases = Leases(queue, worker_id, self._leave)
        self._backlog = Backlog(self._engine.limits.settle_batch_max)
        self._execution = Execution(
            queue,
            worker_id,
            resolve,
            concurrency,
            on_end=self._finish,
            on_free=self.wake,
            has_free_slot=lambda: self._free > 0,
            grace_s=grace_s,
        )
        self._stopping = asyncio.Event()
        self._failures = 0
        self._is_connection_lost = False
        self._claim_count = 0
        self._is_full = False
        # As of the last round: moves are recorded; nothing but a settlement follows an ack, apart from a log.
        self._is_recorded = False
        self._is_quiet = False
        self._claiming: asyncio.Task[str] | None = None
        # Passed to the round that is under way.
        self._report: Report | None = None
        self._signalled: asyncio.Future[None] | None = None
        self._updates: Updates | None = None

    async def run(self, stop_event: asyncio.Event | None = None) -> None:
        """Run jobs until ``stop_event`` is set or the ending comes, then wait for handlers, then give jobs back.

        Cancelled, it gives back at once.

        Raises:
            DatabaseClosedError: The database was closed.
            DatabaseReplacedError: Its file was deleted or replaced.
        """
        self._loop = asyncio.get_running_loop()
        mark_worker_loop()
        beside = [
            asyncio.ensure_future(self._leases.renew_for_ever()),
            asyncio.ensure_future(self._leases.watch_for_ever()),
        ]
        if stop_event is not None:
            beside.append(asyncio.ensure_future(self._stop_after(stop_event)))
        try:
            # Before the first look at the queue: a commit between a look and a wait must not be missed.
            self._subscribe()
            if self._ending is not None:
                self._ending.add(self)
            self._registration.add(self)
            while not self._stopping.is_set():
                await self._round()
                if self._ending is not None and await self._ending.is_over(self):
                    break
                await self._wait()
            await self._wait_for_handlers()
        finally:
            self._stopping.set()
            if self._ending is not None:
                self._ending.remove(self)
            for task in beside:
                task.cancel()
            await self._give_back()
            if self._updates is not None:
                self._updates.close()
            await self._execution.close()
            await self._registration.remove(self)

    async def _stop_after(self, stop_event: asyncio.Event) -> None:
        await stop_event.wait()
        self._stopping.set()
        self.wake()

    # For its registration

    @property
    def queue_name(self) -> str:
        """The queue's name."""
        return self._queue.name

    @property
    def worker_id(self) -> str:
        """The name that it claims under."""
        return self._worker_id

    @property
    def concurrency(self) -> int:
        """Handlers at once."""
        return self._concurrency

    @property
    def is_stopping(self) -> bool:
        """True once it claims no more."""
        return self._stopping.is_set()

    @property
    def runs(self) -> list[Run]:
        """The jobs at work."""
        return self._leases.runs

    # For its ending

    @property
    def is_idle(self) -> bool:
        """True if it holds no job and its last round has succeeded."""
        return not (self._leases or self._backlog or self._claiming or self._failures)

    async def is_due(self) -> bool:
        """True if a job of the queue could be claimed now, or if that is not known."""
        try:
            at = await self._queue.anext_claim_at()
        except HANDLE_ENDED:
            raise
        except DatabaseError:
            return True
        return at is not None and at <= self._engine.clock()

    @property
    def _free(self) -> int:
        if self._stopping.is_set() or (self._ending is not None and self._ending.is_draining):
            return 0
        return max(self._concurrency - len(self._leases) - self._execution.stray_count, 0)

    # Rounds

    async def _round(self) -> None:
        """Settle finished jobs and fill every free slot."""
        leave_if_forked(self._process_id)  # A handler of a child has let the event loop go on.
        if self._ending is None:
            await self._settle_and_claim(self._free)
            return
        free, before = self._ending.reserve(self._free), self._claim_count
        try:
            await self._settle_and_claim(free)
        finally:
            self._ending.note_claims(free, self._claim_count - before)

    async def _settle_and_claim(self, free: int) -> None:
        finished = self._backlog.take()
        if not free and not finished:
            return
        try:
            answer = serialization.read(await self._work(free, finished))
        except HANDLE_ENDED:
            raise
        except InvalidArgumentError:
            if not finished:
                raise  # The claim itself is refused, and always will be.
            self._registration.note_failed_round()
            await self._settle_singly(finished)
        except HonkerError as error:
            self._registration.note_failed_round()
            self._backlog.put_back(finished)
            await self._back_off(error)
        except BaseException:
            self._backlog.put_back(finished)
            raise
        else:
            self._note_success()
            self._take_answer(answer, finished)

    def _note_success(self) -> None:
        self._failures = 0
        if self._is_connection_lost:
            self._is_connection_lost = False
            logger.info("queue %r: the server answers again", self._queue.name)

    def _take_answer(self, answer: dict[str, Any], finished: list[FinishedJob]) -> None:
        for settled, one in zip(answer["settled"], finished, strict=True):
            if settled == HELD:
                continue
            if (told := awaited(one.settlement, settled)) is not None:
                self._backlog.add(one.job, told, one.run_s, one.task)
            elif not settled:
                logger.info("lease of job %d was lost; its outcome is dropped", one.job.id)
        self._is_full = answer.get("is_full", False)
        self._is_recorded = answer.get("is_recorded", False)
        self._is_quiet = not self._is_recorded and self._ending is None
        self._claim_count += len(answer["jobs"])
        now_s, queue, add = self._loop.time(), self._queue, self._leases.add
        create_task, execute = self._loop.create_task, self._execution.run
        for row in answer["jobs"]:
            job = Job(queue, row)
            run = Run(job, (job.id, job.attempts), now_s)
            add(run)
            run.task = create_task(execute(run))
        if self._report is not None and (next_in_s := answer.get("report_in_s")) is not None:
            claimed = [(row["id"], row["attempts"]) for row in answer["jobs"]]
            self._registration.note_report(self._report, claimed, next_in_s)

    async def _work(self, n: int, finished: list[FinishedJob]) -> str:
        """One round with the database: at once if the write lock is free, else without blocking the event loop."""
        texts = encode(finished) if finished else "[]"
        params: tuple[SQLValue, ...] = self._queue.name, self._worker_id, n, self._queue.visibility_timeout_s, texts
        sql = _WORK
        self._report = self._registration.due_report() if finished else None
        if self._report is not None:
            sql, params = _WORK_AND_REPORT, (*params, self._report.text)
        if not self._engine.is_commit_slow:
            with contextlib.suppress(DatabaseBusyError):
                now: str = self._engine.call_now(sql, *params)
                return now
        # A task, so that a claim is not lost if this one is cancelled meanwhile; see `_give_back`.
        self._claiming = asyncio.ensure_future(self._engine.acall(sql, *params))
        text = await asyncio.shield(self._claiming)
        self._claiming = None
        return text

    async def _settle_singly(self, finished: list[FinishedJob]) -> None:
        """Settle jobs one by one after a refusal; the job whose settlement is refused fails with the refusal."""
        for one in finished:
            try:
                answer = serialization.read(await self._work(0, [one]))
                self._take_answer(answer, [one])
            except InvalidArgumentError as error:
                logger.error("settlement of job %d is refused: %s", one.job.id, error)
                if not isinstance(one.settlement, Fail):
                    self._backlog.add(one.job, Fail(str(error)))
            except DatabaseError as error:
                self._backlog.add(*one)
                await self._back_off(error)

    async def _back_off(self, error: HonkerError) -> None:
        self._claiming = None
        shortest, longest = _BACK_OFF_S
        delay_s = min(shortest * 2 ** min(self._failures, 20), longest) * random.uniform(0.5, 1)
        self._failures += 1
        # A server that is away for an hour is reported once, and its return too.
        is_told = self._is_connection_lost and isinstance(error, ConnectionLostError)
        self._is_connection_lost = isinstance(error, ConnectionLostError)
        level = logging.DEBUG if is_told else logging.WARNING
        logger.log(level, "queue %r: %s; trying again in %.2f s", self._queue.name, error, delay_s)
        if self._stopping.is_set():
            await asyncio.sleep(min(delay_s, _CLEAN_UP_S / 4))
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay_s)

    def _finish(self, run: Run, outcome: Outcome) -> None:
        """Free the slot of a run whose handler has ended, and settle its job in the next round."""
        run.job.note_ended()
        is_ours = self._leases.remove(run) and run.fate is not Fate.LOST
        # A job that its handler has released may be claimed again under the same attempt number, and must stay so.
        is_ours = is_ours and not run.job.is_released
        is_usual = is_ours and self._is_quiet and run.fate is Fate.OWN and not logger.isEnabledFor(logging.DEBUG)
        if is_usual and type(outcome) is Ack:
            # The history has no attempts that succeeded.
            self._backlog.add(run.job, outcome)
            self.wake()
            return
        run_s = self._loop.time() - run.since_s
        if is_ours and run.fate is Fate.CANCELLED:
            outcome = cancelled_outcome(run.job, outcome)
        if is_ours and not isinstance(outcome, Committed):
            if self._is_recorded:
                self._backlog.add(run.job, outcome, run_s, run.name)
            else:
                self._backlog.add(run.job, outcome, None if type(outcome) is Ack else run_s)
        if self._ending is not None:
            self._ending.counts[word_of(outcome) if is_ours else "lost"] += 1
        self.wake()
        # At last: a logging handler of the application may raise.
        if is_ours and (type(outcome) is not Ack or logger.isEnabledFor(logging.DEBUG)):
            report(run.job, run.name, outcome, run_s)

    def _leave(self, run: Run) -> None:
        """Settle the job of a run that was cancelled before its handler began."""
        if run.fate is Fate.CANCELLED:
            self._backlog.add(run.job, Cancel())
        self.wake()

    # Waiting

    def wake(self) -> None:
        """Wake the runner: a job has finished, or the runner is to stop."""
        if self._signalled is not None and not self._signalled.done():
            self._signalled.set_result(None)

    async def _wait(self) -> None:
        """Wait until there is something to do."""
        if self._backlog or self._stopping.is_set():
            return
        if not self._free:
            await self._wait_for_signal(None)
            return
        try:
            if self._is_full:
                await self._wait_for_signal(_FULL_PAUSE_S)
                if self._backlog or not self._free:
                    return
            patience_s = await self._patience_s()
            # A signal that came meanwhile has woken nothing.
            if not self._backlog and self._free:
                await self._wait_for_signal(patience_s, listens=True)
        except HANDLE_ENDED:
            raise
        except WatcherError as error:
            logger.warning("queue %r: %s; looking every %g s until it is back", self._queue.name, error, _BLIND_POLL_S)
            self._updates = None
        except DatabaseError as error:
            await self._back_off(error)

    async def _patience_s(self) -> float:
        """Seconds to wait if no commit comes."""
        if self._updates is None:
            self._subscribe()
        longest = _BLIND_POLL_S if self._updates is None else _IDLE_POLL_S
        at = await self._queue.anext_claim_at()
        return longest if at is None else min(longest, max(0.0, at - self._engine.clock()))

    def _subscribe(self) -> None:
        try:
            self._updates = self._engine.updates()
        except HANDLE_ENDED:
            raise
        except DatabaseError as error:
            logger.warning("queue %r: commits cannot be watched: %s", self._queue.name, error)

    async def _wait_for_signal(self, timeout_s: float | None, *, listens: bool = False) -> None:
        """Wait for a signal, for a commit if it ``listens``, or for the time to pass."""
        if timeout_s is not None and timeout_s <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = self._loop.create_future()
        self._signalled = woken
        updates = self._updates if listens else None
        descriptor = -1 if updates is None else updates.fileno()
        timer = None if timeout_s is None else self._loop.call_later(timeout_s, _resolve, woken)
        if descriptor >= 0:
            self._loop.add_reader(descriptor, _resolve, woken)
        try:
            await woken
        finally:
            self._signalled = None
            if timer is not None:
                timer.cancel()
            if descriptor >= 0:
                self._loop.remove_reader(descriptor)
        if updates is not None:
            updates.wait(0)
            # While all slots are taken, commits would be announced in vain.
            updates.rest()

    # The end

    async def _wait_for_handlers(self) -> None:
        """Settle the jobs that finish within the grace period."""
        deadline = self._loop.time() + self._grace_s
        while (self._leases or self._backlog) and self._loop.time() < deadline:
            await self._round()
            if self._leases and not self._backlog:
                await self._wait_for_signal(deadline - self._loop.time())

    async def _give_back(self) -> None:
        """Cancel the handlers that still run, and give their leases back uncharged, within a moment."""
        await self._finish_claiming()
        for job in await self._leases.cancel_all(_CLEAN_UP_S):
            self._backlog.add(job, Release())
        try:
            await asyncio.wait_for(self._settle_the_rest(), _CLEAN_UP_S)
        except (HonkerError, TimeoutError) as error:
            count = len(self._backlog)
            logger.warning("queue %r: %d leases are left to lapse: %s", self._queue.name, count, error)

    async def _finish_claiming(self) -> None:
        """Release the jobs of a claim that was under way when this runner was cancelled."""
        if self._claiming is None:
            return
        await asyncio.wait([self._claiming], timeout=_CLEAN_UP_S)
        if self._claiming.done() and not self._claiming.cancelled() and self._claiming.exception() is None:
            for row in serialization.read(self._claiming.result())["jobs"]:
                self._backlog.add(Job(self._queue, row), Release())

    async def _settle_the_rest(self) -> None:
        while self._backlog:
            await self._round()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
