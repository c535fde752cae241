"""The death of a worker, simulated."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

from honker.errors import InvalidArgumentError, InvalidCallError
from honker.job import Job
from honker.sqlite.engine_clock import note_testing_file
from honker.testing.caller_thread import CallerThread
from honker.testing.draining import Port, blocking, finish, on_loop
from honker.testing.file_clock import ADVANCE
from honker.testing.target import Target, database_of, queues_of, tasks_of
from honker.worker.worker import Worker

#: The moment of the death.
Moment: TypeAlias = Literal["after_claim", "before_ack"]
_MOMENTS: Final = ("after_claim", "before_ack")

#: A lease of whole seconds holds for up to a second more.
_AFTER_LEASE_S: Final = 1.001


def crash(target: Target, at: Moment = "before_ack", *, queue: str | None = None) -> Job:
    """Claim a job as a worker does that dies, and let its lease lapse.

    No process is killed: the job is claimed, its handler runs or not, nothing is settled, and the clock of the testing
    file moves behind the end of the lease. Then the next claim finds the job, its attempt charged, as it does after a
    SIGKILL. Run ``drain`` afterwards to see if the handler tolerates the repeat.

    Args:
        target: The app or the database, on a testing file.
        at: ``"after_claim"``: the handler does not run. ``"before_ack"``: it runs to its end, its own transaction is
            rolled back, and its result is lost.
        queue: The queue; None for the first due job of any queue with tasks.

    Returns:
        The job as it was claimed.

    Raises:
        InvalidCallError: No job is due.
        InvalidArgumentError: The file is no testing file, or ``at`` is another text.
        NoTasksError: No task is known.

    An exception of the handler is raised.
    """
    db = database_of(target)
    with CallerThread() as caller:
        return finish(_crash(blocking(db, caller), target, at, queue))


async def acrash(target: Target, at: Moment = "before_ack", *, queue: str | None = None) -> Job:
    """Like `crash`, on the running event loop."""
    return await _crash(on_loop(database_of(target)), target, at, queue)


class _Died(BaseException):
    """Ends a handler's attempt, and so rolls back its transaction."""


async def _crash(port: Port, target: Target, at: str, queue: str | None) -> Job:
    if at not in _MOMENTS:
        raise InvalidArgumentError(f"at is {at!r}; choose one of {', '.join(_MOMENTS)}")
    db = database_of(target)
    tasks = tasks_of(db)
    # Before the claim: an ordinary file refuses it.
    await port.call(ADVANCE, 0)
    note_testing_file(db.engine.identity)
    for name in queues_of(db, tasks, queue):
        worker = Worker(db.queue(name), concurrency=1, registry_=tasks, unknown_task_s=0)
        job = await port.claim(worker)
        if job is None:
            continue
        if at == "before_ack":
            recording = await port.attempt(worker, job, _dying)
            if recording.error is not None:
                raise recording.exception("")
        await port.call(ADVANCE, worker.queue.visibility_timeout_s + _AFTER_LEASE_S)
        return job
    raise InvalidCallError(f"no job is due in {'any queue' if queue is None else f'queue {queue!r}'}")


def _dying(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def dying(*args: Any, **kwargs: Any) -> Any:
        value = fn(*args, **kwargs)
        if inspect.isawaitable(value):
            return _die_after(value)
        raise _Died

    return dying


async def _die_after(value: Awaitable[Any]) -> Any:
    await value
    raise _Died
