"""Running one call of a task, through the database and back."""

from __future__ import annotations

from typing import Any, Final, ParamSpec, TypeVar

from honker.errors import InvalidCallError
from honker.job import Job
from honker.task.result import TaskResult
from honker.task.task import Task
from honker.testing.attempt import Recording
from honker.testing.caller_thread import CallerThread
from honker.testing.draining import Port, blocking, finish, on_loop, settle
from honker.testing.target import tasks_of
from honker.worker.settlement import Ack, Committed, Release
from honker.worker.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")

_CANCEL: Final = "SELECT honker_cancel(?)"


def perform(task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Enqueue a call of a task, run it here, settle it and return its result.

    The arguments and the result travel as JSON, and the worker fills the parameters that it fills. Other jobs of the
    queue stay. A plain function runs in this thread.

    Args:
        task: The task.
        *args: Its arguments.
        **kwargs: Its arguments.

    Returns:
        The result, read from the file if the task stores results.

    Raises:
        JobFailedError: The attempt failed without an exception.
        InvalidCallError: The arguments do not fit, or the job cannot run now: its queue is paused, its key is full, or
            its unique key is taken.

    An exception of the function is raised, once the attempt is settled.
    """
    result = _prioritised(task)(*args, **kwargs)
    worker = _worker(task)
    with CallerThread() as caller:
        recording = finish(_perform(blocking(worker.queue.db, caller), worker, task, result))
    return result.get(0) if task.spec.store_result else recording.value


async def aperform(task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Like `perform`, on the running event loop: a coroutine function runs there, and a plain one in a thread."""
    result = await _prioritised(task).aenqueue(*args, **kwargs)
    worker = _worker(task)
    recording = await _perform(on_loop(worker.queue.db), worker, task, result)
    return await result.aget(0) if task.spec.store_result else recording.value


def _prioritised(task: Task[P, R]) -> Any:
    """The calls of a task that are claimed before all others."""
    return task.enqueue_with(priority=_queue(task).db.engine.limits.priority[1])


def _queue(task: Task[P, R]) -> Any:
    return task._queue  # pyright: ignore[reportPrivateUsage] - a friend


def _worker(task: Task[P, R]) -> Worker:
    queue = _queue(task)
    return Worker(queue, concurrency=1, registry_=tasks_of(queue.db), unknown_task_s=0)


async def _perform(port: Port, worker: Worker, task: Task[P, R], result: TaskResult[Any]) -> Recording:
    job = await port.claim(worker)
    if job is None or job.id != result.id:
        await _refuse(port, worker, result, job)
    assert job is not None
    job.priority = task.spec.priority
    recording = await port.attempt(worker, job)
    await settle(port, worker, recording)
    if not isinstance(recording.outcome, (Ack, Committed)):
        raise recording.exception(f"it ended as {recording.outcome}")
    return recording


async def _refuse(port: Port, worker: Worker, result: TaskResult[Any], other: Job | None) -> None:
    if other is not None:
        released = Recording(other)
        released.outcome = Release()
        await settle(port, worker, released)
    if result.is_duplicate:
        raise InvalidCallError(f"job {result.id} has the unique key of the call already; drain it first")
    await port.call(_CANCEL, result.id)
    raise InvalidCallError(
        f"job {result.id} cannot run now and is cancelled: queue {worker.queue.name!r} is paused, or a limit or a key "
        "holds the job back"
    )
