"""One attempt of a claimed job, with the machinery of a worker and the exception that its handler raised."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Protocol

from honker.errors import JobFailedError
from honker.job import Job
from honker.worker.execution import Call, Execution
from honker.worker.leases import Run
from honker.worker.outcome import report
from honker.worker.settlement import Ack, Committed, Fail, Outcome, Retry, Settlement
from honker.worker.worker import Worker

#: Seconds that a process of a handler has to end.
_GRACE_S: Final = 10.0


class Here(Protocol):
    """Runs a function in the thread of the caller: `CallerThread.here`."""

    def __call__(self, fn: Callable[[], Any], /) -> Awaitable[Any]:
        """Run it, and return its value."""
        ...


class Recording:
    """The course of an attempt.

    Attributes:
        job: The job.
        outcome: The settlement; None while it runs.
        run_s: Seconds that it took.
        value: The value that the handler returned, as an object.
        error: The exception that it raised, or None.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.outcome: Outcome | None = None
        self.run_s = 0.0
        self.value: Any = None
        self.error: BaseException | None = None
        self._traceback: TracebackType | None = None

    @property
    def failure(self) -> BaseException | None:
        """The exception of a failed attempt; None if it did not fail, or asked for another end such as a snooze."""
        if not isinstance(self.outcome, (Retry, Fail)):
            return None
        return self.exception(self.outcome.error)

    def exception(self, text: str) -> BaseException:
        """The exception that the handler raised, with its traceback, or one with this text."""
        # A time limit cancels a coroutine; the text tells that.
        if self.error is None or isinstance(self.error, asyncio.CancelledError):
            return JobFailedError(self.job.id, text)
        # The worker drops the traceback of an exception that it has described.
        return self.error.with_traceback(self._traceback)

    def fn(self, call: Call) -> Callable[..., Any]:
        """The function of a call, which also notes its end here."""

        def recorded(*args: Any, **kwargs: Any) -> Any:
            try:
                value = call.fn(*args, **kwargs)
            except BaseException as error:
                self._note(error)
                raise
            if inspect.isawaitable(value):
                return self._awaited(value)
            self.value = value
            return value

        return recorded

    async def _awaited(self, value: Awaitable[Any]) -> Any:
        try:
            self.value = await value
        except BaseException as error:
            self._note(error)
            raise
        return self.value

    def _note(self, error: BaseException) -> None:
        self.error, self._traceback = error, error.__traceback__


async def attempt(worker: Worker, job: Job, here: Here | None, *, wrap: Wrap | None = None) -> Recording:
    """Run one job to its outcome, which is not written yet, unless the handler's transaction has.

    Args:
        worker: The worker that has claimed the job.
        job: The job.
        here: Runs plain handlers; None runs them in a thread.
        wrap: Makes another function of the handler's.
    """
    loop = asyncio.get_running_loop()
    recording, ended = Recording(job), loop.create_future()

    def recorded(found: Call | Settlement) -> Call | Settlement:
        if not isinstance(found, Call) or found.target is not None:
            return found
        fn = recording.fn(found)
        return dataclasses.replace(found, fn=fn if wrap is None else wrap(fn))

    async def recorded_later(found: Awaitable[Call | Settlement]) -> Call | Settlement:
        return recorded(await found)

    def resolve(claimed: Job) -> Call | Settlement | Awaitable[Call | Settlement]:
        found = worker._resolve(claimed)  # pyright: ignore[reportPrivateUsage] - a drain is a worker
        return recorded_later(found) if isinstance(found, Awaitable) else recorded(found)

    execution = Execution(
        worker.queue,
        worker.worker_id,
        resolve,
        1,
        on_end=lambda _, outcome: ended.set_result(outcome),
        on_free=lambda: None,
        has_free_slot=lambda: False,
        grace_s=_GRACE_S,
    )
    if here is not None:
        execution._threads = _Here(here)  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue] - as above
    run = Run(job, (job.id, job.attempts), loop.time())
    try:
        run.task = loop.create_task(execution.run(run))
        await run.task
    finally:
        await execution.close()
    recording.outcome = ended.result()
    recording.run_s = loop.time() - run.since_s
    if wrap is None and type(recording.outcome) not in {Ack, Committed}:
        report(job, run.name, ended.result(), recording.run_s)
    return recording


class _Here:
    """The place of a worker's threads."""

    stray_count = 0

    def __init__(self, here: Here) -> None:
        self._here = here

    def is_stray(self, job: Job) -> bool:
        """False: the drain waits for each function."""
        return False

    async def run(self, job: Job, fn: Callable[[], Any]) -> Any:
        """Run a function in the thread of the caller."""
        return await self._here(fn)

    def close(self) -> None:
        """Nothing is left."""


class Wrap(Protocol):
    """Makes another function of a handler's."""

    def __call__(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """The function to call."""
        ...
