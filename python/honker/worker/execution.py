"""Calling the handlers of claimed jobs: on the event loop, in a thread, or in another process."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import logging
import os
import types
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from honker import serialization
from honker.engine import HandlerScope
from honker.errors import JobCancelledError
from honker.job import Job
from honker.middleware import Middleware
from honker.queue.queue import Queue
from honker.task.running import RunningHandler, running_handler
from honker.worker.around import around_process
from honker.worker.forked_child import leave_if_forked
from honker.worker.leases import STUBBORN_S, Fate, Run
from honker.worker.outcome import (
    RESULT_MAX_CHARS,
    SPARE_RESULT_MAX_CHARS,
    EncodedResult,
    ErrorReport,
    Policy,
    describe,
    failure,
    failure_of,
    refuse_lazy,
    settlement_of,
    success,
    success_in_process,
    timed_out,
)
from honker.worker.process_child import Target
from honker.worker.process_pool import ProcessDied, Processes, RunningProcess
from honker.worker.retry_rules import NO_RULING
from honker.worker.settlement import (
    Ack,
    Cancel,
    Committed,
    FinishedJob,
    Outcome,
    Release,
    Retry,
    Settlement,
    awaited,
    encode,
)

# The usual value of a call; the test for awaitables of all kinds takes longer.
_COROUTINE: Final[Any] = types.CoroutineType
_WORK = "SELECT honker_work(?, ?, ?, ?, ?)"

logger = logging.getLogger("honker")


@dataclass(slots=True)
class Call:
    """The call of a handler for one job.

    Attributes:
        fn: A function of any kind: an awaitable that it returns is awaited.
        is_async: True to call it on the event loop, False to call it in a thread.
        target: The place where another process finds the function, if it is to be called there.
        tx: The transaction among its arguments, if any.
        name: The name of the task, for the log.
        middleware: Code around the call, which is part of ``fn`` unless the call has a ``target``.
    """

    fn: Callable[..., Any]
    args: Sequence[Any]
    kwargs: dict[str, Any]
    policy: Policy
    is_async: bool
    target: Target | None = None
    tx: HandlerScope | None = None
    name: str = ""
    middleware: Sequence[Middleware] = ()


#: Finds the call for a job, or the settlement of a job that has none.
Resolver: TypeAlias = "Callable[[Job], Call | Settlement | Awaitable[Call | Settlement]]"


def is_async_callable(fn: Callable[..., Any]) -> bool:
    """True if a call is certain to return a coroutine at once.

    False is a guess: the kind of a partial, a lambda or an object shows only in its return value. Such a function is
    called in a thread, where it cannot block the event loop, and an awaitable that it returns is awaited on the loop.
    """
    while isinstance(fn, functools.partial):
        fn = cast("functools.partial[Any]", fn).func
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(type(fn).__call__)


class _Awaited:
    """An awaitable that a handler has returned in its thread, and the transaction that goes on in it."""

    def __init__(self, value: Any, tx: HandlerScope | None = None) -> None:
        self.value = value
        self.tx = tx


class Execution:
    """Calls handlers; their ends become settlements.

    Args:
        queue: The queue.
        worker_id: The worker that has claimed the jobs.
        resolve: Finds the call for a job.
        concurrency: Handlers at once.
        on_end: Called with each run and its outcome.
        on_free: Called when a thread that was given up has ended.
        has_free_slot: True if the worker could start another handler now.
        grace_s: Seconds that a process has to end after a request to cancel its job.
    """

    def __init__(
        self,
        queue: Queue,
        worker_id: str,
        resolve: Resolver,
        concurrency: int,
        *,
        on_end: Callable[[Run, Outcome], None],
        on_free: Callable[[], None],
        has_free_slot: Callable[[], bool],
        grace_s: float,
    ) -> None:
        self._process_id = os.getpid()
        self._has_free_slot = has_free_slot
        self._grace_s = grace_s
        self._queue = queue
        self._engine = queue.db.engine
        self._worker_id = worker_id
        self._resolve = resolve
        self._on_end = on_end
        self._threads = _Threads(concurrency, worker_id, on_free)
        self._processes = Processes()

    @property
    def stray_count(self) -> int:
        """Threads whose handlers were given up; each fills a slot until it ends."""
        return self._threads.stray_count

    async def close(self) -> None:
        """End the idle processes and threads."""
        await self._processes.close()
        self._threads.close()

    async def run(self, run: Run) -> None:
        """Bring one job to its end; never raises."""
        job, call = run.job, None
        running_handler.set(RunningHandler(job, self._has_free_slot))
        try:
            found = self._resolve(job)
            # Exact types first: the general tests of an awaitable take a microsecond.
            call = found if type(found) is Call else await found if isinstance(found, Awaitable) else found
            if not isinstance(call, Call):
                outcome: Outcome = call
            else:
                run.name = call.name
                if call.target is not None or call.policy.timeout_s is not None:
                    outcome = await self._perform(run, call)
                elif not call.is_async or call.tx is not None:
                    outcome = await self._attempt(run, call)
                else:
                    outcome = await self._attempt_on_loop(job, call)
        except BaseException as error:
            if isinstance(error, GeneratorExit) and not _is_loop_running():
                raise  # This task was dropped together with its event loop.
            outcome = await self._outcome_of(run, call, error)
        self._on_end(run, outcome)

    async def _outcome_of(self, run: Run, call: Call | Settlement | None, error: BaseException) -> Outcome:
        """The outcome of a run that was cancelled, or could not be made."""
        if is_cancellation(error) and run.fate is Fate.OWN:
            # An event loop that shuts down cancels this task and the worker's in one step; the worker then sets the
            # fate. A handler that has cancelled its own task fails.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        if run.fate is Fate.CANCELLED:
            return Cancel()
        if run.fate is not Fate.OWN:
            return Release()
        if isinstance(call, Call):
            return failure_of(run.job, call.policy, error)
        text = describe(error).text
        logger.error("job %d cannot be handled: %s", run.job.id, text)
        return Retry(60, text)

    async def _perform(self, run: Run, call: Call) -> Outcome:
        """Call a handler in another process, or for a limited time."""
        job = run.job
        if call.target is not None:
            return await around_process(
                call.middleware, job, functools.partial(self._in_process, run, call, call.target)
            )
        timeout_s = call.policy.timeout_s
        if timeout_s is None:
            return await self._attempt(run, call)
        text = f"timeout after {timeout_s}s"
        watch = asyncio.get_running_loop().call_later(timeout_s + STUBBORN_S, _report_stubborn, job, text)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._attempt(run, call)
        except TimeoutError:  # Not the handler's own, which `_attempt` has made a failure.
            goes_on = "; its thread goes on and keeps its slot" if self._threads.is_stray(job) else ""
            return timed_out(job, call.policy, text + goes_on)
        finally:
            watch.cancel()

    async def _in_process(self, run: Run, call: Call, target: Target) -> Outcome:
        """Call a handler in another process, which is killed when this task is cancelled."""
        job, policy = run.job, call.policy
        max_chars = RESULT_MAX_CHARS if policy.sends_result(job) else SPARE_RESULT_MAX_CHARS
        request = {"args": call.args, "kwargs": call.kwargs, "result_max_chars": max_chars}

        def take(process: RunningProcess) -> None:
            run.ask = functools.partial(self._end_process, run, process)

        try:
            answer = await self._processes.call(target, request, policy.timeout_s, take)
        except TimeoutError:
            return timed_out(job, policy, f"timeout after {policy.timeout_s}s")
        except ProcessDied as death:
            return failure(job, policy, str(death))
        if "text" in answer:
            report = ErrorReport(**answer)
            rules = policy.rules if report.kinds else None
            ruling = NO_RULING if rules is None else rules.ruling_by_name(report.kinds)
            return settlement_of(job, policy, report, ruling)
        return success_in_process(job, policy, EncodedResult(*answer["result"]))

    def _end_process(self, run: Run, process: RunningProcess) -> None:
        """Ask the process of a handler to end, and kill it after a time."""
        process.ask_to_end(run.job.id)
        if run.task is not None:
            asyncio.get_running_loop().call_later(self._grace_s, run.task.cancel)

    async def _attempt_on_loop(self, job: Job, call: Call) -> Outcome:
        """As `_attempt`, for the most frequent calls: those of a coroutine function without a transaction."""
        try:
            value = call.fn(*call.args, **call.kwargs)
            if type(value) is _COROUTINE or inspect.isawaitable(value):
                value = await value
            leave_if_forked(self._process_id)
            if value is not None:
                refuse_lazy(value)
            return success(job, call.policy, value)
        except BaseException as error:
            leave_if_forked(self._process_id, error)
            if is_cancellation(error):
                raise
            return failure_of(job, call.policy, error)

    async def _attempt(self, run: Run, call: Call) -> Outcome:
        job = run.job
        # A thread ends the transaction itself: it may go on after this task has given it up.
        is_in_thread = not call.is_async
        try:
            if is_in_thread:
                end = await self._in_thread(run, call)
                if not isinstance(end, _Awaited):
                    return end
                is_in_thread = False
                value = end.value
            else:
                value = call.fn(*call.args, **call.kwargs)
            if type(value) is _COROUTINE or inspect.isawaitable(value):
                value = await value
            leave_if_forked(self._process_id)
            refuse_lazy(value)
            settlement = success(job, call.policy, value)
            if call.tx is None or not call.tx.is_active:
                return settlement
            if job.is_released:
                await call.tx.afinish(commits=True)
                return Committed(True)
            is_held = await self._ack_in(call.tx, job, settlement)
            await call.tx.afinish(commits=is_held)
            return Committed(is_held)
        except BaseException as error:
            leave_if_forked(self._process_id, error)
            # Any exception is the handler's failure: one that left this task would hold the slot for ever, and
            # KeyboardInterrupt or SystemExit would end the event loop with all its jobs.
            if not is_cancellation(error):
                return failure_of(job, call.policy, error)
            # A thread that goes on must not write either.
            if call.tx is not None:
                call.tx.revoke()
            raise
        finally:
            if call.tx is not None and not is_in_thread:
                await call.tx.afinish(commits=False)

    async def _ack_in(self, scope: HandlerScope, job: Job, ack: Ack) -> bool:
        """Acknowledge a job in the transaction of its handler. Returns true if the lease was held."""
        answer = await self._engine.acall(_WORK, *self._ack_parameters(job, ack), tx=scope.transaction)
        if (told := _awaited(ack, answer)) is not None:
            answer = await self._engine.acall(_WORK, *self._ack_parameters(job, told), tx=scope.transaction)
        return _is_held(job, answer)

    async def _in_thread(self, run: Run, call: Call) -> Outcome | _Awaited:
        run.ask = _leave_to_thread
        end = await self._threads.run(run.job, functools.partial(self._call_in_thread, run.job, call))
        run.ask = None  # An awaitable is awaited in this task, which a request cancels.
        if isinstance(end, _Awaited) and run.fate is Fate.CANCELLED:
            _close(end.value)
            return _Awaited(_refuse(run.job.id))
        return end

    def _call_in_thread(self, job: Job, call: Call) -> Outcome | _Awaited:
        is_over = True
        try:
            value = call.fn(*call.args, **call.kwargs)
            leave_if_forked(self._process_id)
            if inspect.isawaitable(value):
                is_over = False
                return _Awaited(value, call.tx)
            refuse_lazy(value)
            settlement = success(job, call.policy, value)
            if call.tx is None or not call.tx.is_active:
                return settlement
            if job.is_released:
                call.tx.finish(commits=True)
                return Committed(True)
            answer = self._engine.call(_WORK, *self._ack_parameters(job, settlement), tx=call.tx.transaction)
            if (told := _awaited(settlement, answer)) is not None:
                answer = self._engine.call(_WORK, *self._ack_parameters(job, told), tx=call.tx.transaction)
            is_held = _is_held(job, answer)
            call.tx.finish(commits=is_held)
            return Committed(is_held)
        except BaseException as error:
            leave_if_forked(self._process_id, error)
            return failure_of(job, call.policy, error)
        finally:
            if call.tx is not None and is_over:
                call.tx.finish(commits=False)

    def _ack_parameters(self, job: Job, ack: Ack) -> tuple[str, str, int, float, str]:
        lease_s = self._queue.visibility_timeout_s
        return self._queue.name, self._worker_id, 0, lease_s, encode([FinishedJob(job, ack)])


async def _refuse(job_id: int) -> None:
    """The place of an awaitable whose job was cancelled before it began.

    Raises:
        JobCancelledError: Always.
    """
    raise JobCancelledError(job_id)


def _leave_to_thread() -> None:
    """A thread cannot be cancelled: its handler asks `Job.is_cancelled`, and keeps its slot until it ends."""


def is_cancellation(error: BaseException) -> bool:
    """True if an exception ends this task from outside: by `asyncio.Task.cancel`, or with its event loop."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return isinstance(error, GeneratorExit) and not _is_loop_running()


def _report_stubborn(job: Job, reason: str) -> None:
    logger.warning("%r: %s, but its handler ignores the cancellation and keeps its slot", job, reason)


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _awaited(settlement: Ack, answer: str) -> Ack | None:
    """The settlement with the result, if the answer of ``honker_work`` asks for it."""
    return awaited(settlement, serialization.read(answer)["settled"][0])


def _is_held(job: Job, answer: str) -> bool:
    """True if the job was acknowledged in the transaction of its handler; else that is rolled back."""
    is_held: bool = serialization.read(answer)["settled"] == [1]
    if not is_held:
        logger.info("lease of job %d was lost; its transaction is rolled back", job.id)
    return is_held


class _Threads:
    """Threads for plain handlers. One that was given up goes on, and fills its slot until it ends."""

    def __init__(self, count: int, name: str, on_free: Callable[[], None]) -> None:
        self._count = count
        self._name = name
        self._on_free = on_free
        self._pool: ThreadPoolExecutor | None = None
        self._strays: set[Job] = set()

    @property
    def stray_count(self) -> int:
        return len(self._strays)

    def is_stray(self, job: Job) -> bool:
        """True if the thread of a job was given up and goes on."""
        return job in self._strays

    async def run(self, job: Job, fn: Callable[[], Outcome | _Awaited]) -> Outcome | _Awaited:
        """Call a function in a thread; the thread goes on when this is cancelled."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._count, thread_name_prefix=self._name)
        running = self._pool.submit(contextvars.copy_context().run, fn)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if running.done():
                _drop(running)
            elif not running.cancel():
                self._give_up(job, running)
            raise

    def _give_up(self, job: Job, running: Future[Outcome | _Awaited]) -> None:
        self._strays.add(job)
        loop = asyncio.get_running_loop()
        running.add_done_callback(functools.partial(self._when_stray_ends, loop, job))
        logger.warning("%r was given up; its thread goes on and keeps its slot", job)
        if len(self._strays) >= self._count:
            logger.warning(
                "%s: all %d slots are kept by threads that were given up; no job is claimed until one ends",
                self._name,
                self._count,
            )

    def _when_stray_ends(self, loop: asyncio.AbstractEventLoop, job: Job, running: Future[Outcome | _Awaited]) -> None:
        def leave() -> None:
            self._strays.discard(job)
            logger.info("the thread of %r has ended; its slot is free", job)
            self._on_free()

        try:
            _drop(running)
        finally:  # A rollback that fails must not keep the slot.
            try:
                loop.call_soon_threadsafe(leave)
            except RuntimeError:
                logger.debug("the thread of %r has ended after its event loop", job)

    def close(self) -> None:
        """Let the idle threads end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _drop(running: Future[Outcome | _Awaited]) -> None:
    """End the awaitable that a thread has returned after its handler was given up, and its transaction."""
    end = running.result() if running.exception() is None else None
    if isinstance(end, _Awaited):
        _close(end.value)
        if end.tx is not None:
            end.tx.finish(commits=False)


def _close(value: Any) -> None:
    """Close a coroutine that is not awaited any more."""
    if inspect.iscoroutine(value):
        value.close()
