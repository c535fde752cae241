"""Running the jobs of a queue: what finished is settled and every free slot is filled, in one transaction per round.

Knows nothing of tasks: a resolver tells what is to be called for a job. Three things are going on at once, all on one
event loop: rounds with the database, handlers, and the renewal of leases. Only rounds write, apart from renewals and
handlers' own transactions, so the order of what happens to a job is the order of the rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import json
import logging
import random
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from honker import serialization
from honker.engine import Updates
from honker.errors import (
    HANDLE_ENDED,
    DatabaseBusyError,
    DatabaseError,
    HonkerError,
    InvalidArgumentError,
    Retryable,
    WatcherError,
)
from honker.job import Job
from honker.queue.queue import Queue
from honker.worker.outcome import Call, Ending, Resolver, Target, described, failure, success
from honker.worker.process_pool import ProcessDied, Processes

#: Seconds that handlers have to end after a stop, before their leases are given back.
GRACE_S: Final = 10.0
#: As many jobs as one claim can hand out.
MAX_CONCURRENCY: Final = 10_000
#: Characters of all results in one round: a round is one SQL argument, which has an upper bound.
_ROUND_MAX_CHARS: Final = 32 * 1024 * 1024
#: Seconds after which an idle runner looks even if nothing woke it; and if there is no watcher to wake it.
_IDLE_POLL_S: Final = 5.0
_BLIND_POLL_S: Final = 1.0
#: Seconds between two tries while the database refuses, from the first to the longest.
_BACK_OFF_S: Final = (0.05, 5.0)
#: Seconds that cancelled handlers have to clean up, and that the last settling may take.
_CLEAN_UP_S: Final = 1.0

_WORK: Final = "SELECT honker_work(?, ?, ?, ?, ?)"
_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode

logger = logging.getLogger("honker")


class _Fate(Enum):
    """What happened to a running job apart from its handler."""

    OWN = 0
    LOST = 1
    RELEASED = 2


@dataclass(slots=True, eq=False)
class _Run:
    job: Job
    task: asyncio.Task[None] | None = None
    fate: _Fate = _Fate.OWN


@dataclass(slots=True)
class _Settlement:
    job: Job
    ending: Ending

    def as_json(self) -> dict[str, Any]:
        return {"id": self.job.id, "attempt": self.job.attempts, **self.ending}


# A handler whose job is settled already, by the commit of its own transaction, or not to be settled at all.
_NOTHING: Final[Ending] = {}


@dataclass(slots=True)
class _Backlog:
    """What has finished and is not settled yet, oldest first."""

    items: deque[_Settlement] = field(default_factory=deque[_Settlement])

    def take(self) -> list[_Settlement]:
        """As many as fit into one round."""
        taken: list[_Settlement] = []
        chars = 0
        while self.items and chars < _ROUND_MAX_CHARS and len(taken) < MAX_CONCURRENCY:
            chars += len(self.items[0].ending.get("result", ""))
            taken.append(self.items.popleft())
        return taken

    def put_back(self, taken: list[_Settlement]) -> None:
        self.items.extendleft(reversed(taken))


class Runner:
    """Runs up to ``concurrency`` jobs of a queue at once, until it is stopped.

    Leases are renewed while handlers run. A handler whose lease is lost all the same is cancelled, and what it says is
    not heard. A database that refuses is tried again, later and later; nothing but a closed database ends a runner.

    Args:
        queue: The queue.
        worker_id: Who claims.
        resolve: What to call for a job, or what is to become of one that cannot be handled.
        concurrency: Handlers at once, 1 to 10,000.
        grace_s: Seconds that handlers have to end after a stop.
    """

    def __init__(
        self, queue: Queue, worker_id: str, resolve: Resolver, *, concurrency: int = 1, grace_s: float = GRACE_S
    ) -> None:
        if not 1 <= concurrency <= MAX_CONCURRENCY:
            raise InvalidArgumentError(f"concurrency is {concurrency}; 1 to {MAX_CONCURRENCY} are allowed")
        self._queue = queue
        self._engine = queue.db.engine
        self._worker_id = worker_id
        self._resolve = resolve
        self._concurrency = concurrency
        self._grace_s = grace_s
        self._lease_s = queue.visibility_timeout_s
        # Invariant: each claim that is ours is in exactly one of these two, until the round that settles it.
        self._running: dict[tuple[int, int], _Run] = {}
        self._finished = _Backlog()
        # Threads whose handlers were given up; they cannot be stopped, and each goes on to fill a slot.
        self._stray_count = 0
        self._stopping = asyncio.Event()
        self._failures = 0
        self._claiming: asyncio.Task[str] | None = None
        self._signalled: asyncio.Future[None] | None = None
        self._updates: Updates | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._processes = Processes()

    async def run(self, stop_event: asyncio.Event | None = None) -> None:
        """Run jobs until ``stop_event`` is set, then wait for handlers, then give back what is left.

        Cancelled, it gives back at once.

        Raises:
            DatabaseClosedError: The database was closed.
            DatabaseReplacedError: Its file was deleted or replaced.
        """
        self._loop = asyncio.get_running_loop()
        beside = [asyncio.ensure_future(self._renew_for_ever())]
        if stop_event is not None:
            beside.append(asyncio.ensure_future(self._stop_after(stop_event)))
        try:
            # Before the first look at the queue: a commit between a look and a wait must not be missed.
            self._subscribe()
            while not self._stopping.is_set():
                await self._round()
                await self._wait()
            await self._wait_for_handlers()
        finally:
            self._stopping.set()
            for task in beside:
                task.cancel()
            await self._give_back()
            if self._updates is not None:
                self._updates.close()
            await self._processes.close()
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)

    async def _stop_after(self, stop_event: asyncio.Event) -> None:
        await stop_event.wait()
        self._stopping.set()
        self._signal()

    @property
    def _free(self) -> int:
        return 0 if self._stopping.is_set() else max(self._concurrency - len(self._running) - self._stray_count, 0)

    # Rounds

    async def _round(self) -> None:
        """Settle what has finished and fill every free slot."""
        free = self._free
        settlements = self._finished.take()
        if not free and not settlements:
            return
        try:
            answer = serialization.read(await self._work(free, settlements))
        except HANDLE_ENDED:
            raise
        except InvalidArgumentError:
            if not settlements:
                raise  # It is the claim that is refused, and will always be.
            await self._settle_singly(settlements)
        except HonkerError as error:
            self._finished.put_back(settlements)
            await self._back_off(error)
        except BaseException:
            self._finished.put_back(settlements)
            raise
        else:
            self._failures = 0
            self._take_answer(answer, settlements)

    def _take_answer(self, answer: dict[str, Any], settlements: list[_Settlement]) -> None:
        for is_held, settlement in zip(answer["settled"], settlements, strict=True):
            if not is_held:
                logger.info("lease of job %d was lost; its outcome is dropped", settlement.job.id)
        for row in answer["jobs"]:
            run = _Run(Job(self._queue, row))
            self._running[run.job.id, run.job.attempts] = run
            run.task = self._loop.create_task(self._handle(run))

    async def _work(self, n: int, settlements: list[_Settlement]) -> str:
        """One round with the database: at once if the write lock is free, else without blocking the event loop."""
        texts = _ENCODE([each.as_json() for each in settlements]) if settlements else "[]"
        params = self._queue.name, self._worker_id, n, self._lease_s, texts
        try:
            text: str = self._engine.call_now(_WORK, *params)
            return text
        except DatabaseBusyError:
            # A task of its own: if this one is cancelled meanwhile, what was claimed is not lost, see `_give_back`.
            self._claiming = asyncio.ensure_future(self._engine.acall(_WORK, *params))
        text = await asyncio.shield(self._claiming)
        self._claiming = None
        return text

    async def _settle_singly(self, settlements: list[_Settlement]) -> None:
        """One of them is refused, and must not keep the others from being settled: its job fails with the refusal."""
        for settlement in settlements:
            try:
                answer = serialization.read(await self._work(0, [settlement]))
                self._take_answer(answer, [settlement])
            except InvalidArgumentError as error:
                logger.error("settlement of job %d is refused: %s", settlement.job.id, error)
                if settlement.ending["do"] != "fail":
                    self._finished.items.append(_Settlement(settlement.job, {"do": "fail", "error": str(error)}))
            except DatabaseError as error:
                self._finished.items.append(settlement)
                await self._back_off(error)

    async def _back_off(self, error: HonkerError) -> None:
        self._claiming = None
        shortest, longest = _BACK_OFF_S
        delay_s = min(shortest * 2 ** min(self._failures, 20), longest) * random.uniform(0.5, 1)
        self._failures += 1
        logger.warning("queue %r: %s; trying again in %.2f s", self._queue.name, error, delay_s)
        if self._stopping.is_set():
            await asyncio.sleep(min(delay_s, _CLEAN_UP_S / 4))
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay_s)

    # Waiting

    def _signal(self) -> None:
        """Something has finished, or it is to stop."""
        if self._signalled is not None and not self._signalled.done():
            self._signalled.set_result(None)

    async def _wait(self) -> None:
        """Until there is something to do."""
        if self._finished.items or self._stopping.is_set():
            return
        if not self._free:
            await self._wait_for_signal(None)
            return
        try:
            await self._wait_for_signal(await self._patience_s(), listens=True)
        except HANDLE_ENDED:
            raise
        except WatcherError as error:
            logger.warning("queue %r: %s; looking every %g s until it is back", self._queue.name, error, _BLIND_POLL_S)
            self._updates = None
        except DatabaseError as error:
            await self._back_off(error)

    async def _patience_s(self) -> float:
        """How long it is worth waiting if no commit comes."""
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

    # Handlers

    async def _handle(self, run: _Run) -> None:
        """Bring one job to its end; never raises."""
        job = run.job
        try:
            call = self._resolve(job)
            ending = call if isinstance(call, dict) else await self._perform(job, call)
        except asyncio.CancelledError:
            if run.fate is _Fate.RELEASED:
                ending = {"do": "release"}
            else:
                ending = {"do": "retry", "delay_s": 0, "error": "the handler was cancelled"}
        except Exception as error:
            logger.exception("job %d cannot be handled", job.id)
            ending = {"do": "retry", "delay_s": 60, "error": described(error)}
        # Not if another run of the job, or its release at the end, has taken the place.
        if self._running.get((job.id, job.attempts)) is run:
            del self._running[job.id, job.attempts]
            if run.fate is not _Fate.LOST and ending is not _NOTHING:
                _report(job, ending)
                self._finished.items.append(_Settlement(job, ending))
        self._signal()

    async def _perform(self, job: Job, call: Call) -> Ending:
        """Call a handler; what is to become of its job."""
        if call.target is not None:
            return await self._in_process(job, call, call.target)
        timeout_s = call.policy.timeout_s
        if timeout_s is None:
            return await self._attempt(job, call)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._attempt(job, call)
        except TimeoutError:  # Not the handler's own: of those a failure has been made.
            return failure(job, call.policy, f"timeout after {timeout_s}s")

    async def _in_process(self, job: Job, call: Call, target: Target) -> Ending:
        """Call a handler in another process, which is killed when this is cancelled."""
        policy = call.policy
        request = {
            "args": call.args,
            "kwargs": call.kwargs,
            "keeps_result": policy.keeps_result,
            "result_ttl_s": policy.result_ttl_s,
        }
        try:
            answer = await self._processes.call(target, request, policy.timeout_s)
        except TimeoutError:
            return failure(job, policy, f"timeout after {policy.timeout_s}s")
        except ProcessDied as death:
            return failure(job, policy, str(death))
        if "ending" in answer:
            return answer["ending"]
        return failure(job, policy, answer["error"], answer["delay_s"])

    async def _attempt(self, job: Job, call: Call) -> Ending:
        # A thread ends its transaction itself: it may go on when this has given it up.
        is_in_thread = not call.is_async
        try:
            if is_in_thread:
                is_over, value = await self._in_thread(job, call)
                if is_over:
                    return value
                is_in_thread = False
            else:
                value = call.fn(*call.args, **call.kwargs)
            if inspect.isawaitable(value):
                value = await value
            return self._conclude(job, call, value)
        except Retryable as error:
            return failure(job, call.policy, str(error), error.delay_s)
        except (Exception, SystemExit) as error:
            return failure(job, call.policy, described(error))
        except asyncio.CancelledError:
            # Also what a thread that goes on would still write.
            if call.tx is not None:
                call.tx.revoke()
            raise
        finally:
            if call.tx is not None and not is_in_thread:
                call.tx.finish(commits=False)

    def _conclude(self, job: Job, call: Call, value: Any) -> Ending:
        """The end of a handler that returned, committed with its transaction if it has begun one."""
        ending = success(call.policy, value)
        tx = call.tx
        if tx is None or not tx.is_active:
            return ending
        if ending["do"] != "ack":
            tx.finish(commits=False)
            return ending
        text = _ENCODE([_Settlement(job, ending).as_json()])
        answer = serialization.read(
            self._engine.call(_WORK, self._queue.name, self._worker_id, 0, self._lease_s, text, tx=tx.transaction)
        )
        is_held = answer["settled"] == [1]
        tx.finish(commits=is_held)
        if not is_held:
            logger.info("lease of job %d was lost; its transaction is rolled back", job.id)
        return _NOTHING

    async def _in_thread(self, job: Job, call: Call) -> tuple[bool, Any]:
        """Call a handler in a thread: whether that was all, and then its end, or else what is to be awaited."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._concurrency, thread_name_prefix=self._worker_id)
        context = contextvars.copy_context()
        running = self._threads.submit(context.run, self._call_in_thread, job, call)
        try:
            is_over, value, error = await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if not running.cancel() and not running.done():
                self._stray_count += 1
                running.add_done_callback(self._when_stray_ends)
                logger.warning("job %d was given up; its thread goes on and keeps its slot", job.id)
            raise
        if error is not None:
            raise error
        return is_over, value

    def _call_in_thread(self, job: Job, call: Call) -> tuple[bool, Any, BaseException | None]:
        """The error is handed over as a value: some kinds cannot be raised through a future."""
        is_over = True
        try:
            value = call.fn(*call.args, **call.kwargs)
            is_over = not inspect.isawaitable(value)
            return is_over, self._conclude(job, call, value) if is_over else value, None
        except StopIteration as error:
            return True, None, RuntimeError(f"handler raised {error!r}")
        except BaseException as error:
            return True, None, error
        finally:
            if call.tx is not None and is_over:
                call.tx.finish(commits=False)

    def _when_stray_ends(self, _: Future[Any]) -> None:
        def end() -> None:
            self._stray_count -= 1
            self._signal()

        try:
            self._loop.call_soon_threadsafe(end)
        except RuntimeError:
            logger.debug("a handler ended after its event loop")

    # Leases

    async def _renew_for_ever(self) -> None:
        """Renew all leases at a third of their length: two renewals may fail before one is lost."""
        interval_s = self._lease_s / 3
        pause_s = interval_s
        while True:
            await asyncio.sleep(pause_s)
            pause_s = interval_s
            runs = [run for run in self._running.values() if run.fate is _Fate.OWN]
            if not runs:
                continue
            claims = _ENCODE([[run.job.id, run.job.attempts] for run in runs])
            sql = "SELECT honker_heartbeat_batch(?, ?, ?)"
            try:
                lost = serialization.read(await self._engine.acall(sql, claims, self._worker_id, self._lease_s))
            except HonkerError as error:
                logger.warning("queue %r: leases were not renewed: %s", self._queue.name, error)
                pause_s = min(interval_s / 4, 1.0)
                continue
            self._give_up({*lost}, runs)

    def _give_up(self, lost: set[int], runs: list[_Run]) -> None:
        for run in runs:
            if run.job.id in lost and self._running.get((run.job.id, run.job.attempts)) is run:
                logger.warning("lease of job %d was lost; its handler is cancelled", run.job.id)
                run.fate = _Fate.LOST
                if run.task is not None:
                    # One that is cancelled before it has begun never comes to leave its slot by itself.
                    run.task.add_done_callback(functools.partial(self._leave, run))
                    run.task.cancel()

    def _leave(self, run: _Run, _: asyncio.Task[None]) -> None:
        if self._running.get((run.job.id, run.job.attempts)) is run:
            del self._running[run.job.id, run.job.attempts]
            self._signal()

    # The end

    async def _wait_for_handlers(self) -> None:
        """Settle what ends within the grace period."""
        deadline = self._loop.time() + self._grace_s
        while (self._running or self._finished.items) and self._loop.time() < deadline:
            await self._round()
            if self._running and not self._finished.items:
                await self._wait_for_signal(deadline - self._loop.time())

    async def _give_back(self) -> None:
        """Cancel what still runs, and give its leases back uncharged, as well as that can be done in a moment."""
        await self._finish_claiming()
        tasks: list[asyncio.Task[None]] = []
        for run in self._running.values():
            run.fate = _Fate.RELEASED if run.fate is _Fate.OWN else run.fate
            if run.task is not None:
                run.task.cancel()
                tasks.append(run.task)
        if tasks:
            await asyncio.wait(tasks, timeout=_CLEAN_UP_S)
        for run in self._running.values():
            self._finished.items.append(_Settlement(run.job, {"do": "release"}))
        self._running.clear()
        with_deadline = asyncio.wait_for(self._settle_the_rest(), _CLEAN_UP_S)
        try:
            await with_deadline
        except (HonkerError, TimeoutError) as error:
            count = len(self._finished.items)
            logger.warning("queue %r: %d leases are left to lapse: %s", self._queue.name, count, error)

    async def _finish_claiming(self) -> None:
        """A claim that was under way when this was cancelled: it may still come, and nobody else knows of it."""
        if self._claiming is None:
            return
        await asyncio.wait([self._claiming], timeout=_CLEAN_UP_S)
        if self._claiming.done() and not self._claiming.cancelled() and self._claiming.exception() is None:
            for row in serialization.read(self._claiming.result())["jobs"]:
                self._finished.items.append(_Settlement(Job(self._queue, row), {"do": "release"}))

    async def _settle_the_rest(self) -> None:
        while self._finished.items:
            await self._round()


def _report(job: Job, ending: Ending) -> None:
    """Tell the log of a failure; who watches a worker sees it there before it is a dead letter."""
    if ending["do"] == "retry":
        logger.warning("%r failed; again in %.3g s: %s", job, ending["delay_s"], ending["error"])
    elif ending["do"] == "fail":
        logger.error("%r failed for good: %s", job, ending["error"])


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
