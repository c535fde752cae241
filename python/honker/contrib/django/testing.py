"""Running jobs in a test of a Django project, on the connection of the test.

`django.test.TestCase` and the fixture ``db`` of pytest-django keep the rows of a test in a transaction that is never
committed. No worker sees them, so `drain` claims, calls and settles in the thread of the test.
"""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from asgiref.sync import async_to_sync

from honker.contrib.django import app
from honker.errors import DeadlockError
from honker.job import Job
from honker.queue.queue import Queue
from honker.task.running import RunningHandler, running_handler
from honker.worker.execution import Call
from honker.worker.outcome import failure_of, is_judged, refuse_lazy, success
from honker.worker.settlement import Ack, FinishedJob, Settlement, encode
from honker.worker.worker import Worker

#: Jobs after which `drain` gives up: a task that enqueues itself would keep it busy for ever.
LIMIT: Final = 1000

_WORK: Final = "SELECT honker_work(?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Drained:
    """The number of attempts that `drain` has run.

    Attributes:
        done: Attempts that succeeded.
        failed: Attempts that did not, and jobs that were put off.
    """

    done: int
    failed: int


def drain(queue: str | None = None, *, limit: int = LIMIT, raise_errors: bool = True) -> Drained:
    """Run the due jobs of the project, those that they enqueue included, in this thread and on its connection.

    A job that is delayed, or waits for its next attempt, stays where it is.

    Args:
        queue: The queue; None means all queues that have tasks.
        limit: The largest number of attempts.
        raise_errors: True to raise the exception of a task, after its job is settled.

    Raises:
        RuntimeError: There were more attempts than ``limit``.
    """
    names = sorted(app.registry.queues()) if queue is None else [queue]
    done = failed = 0
    while settlements := [settlement for name in names for settlement in _round(name, raise_errors=raise_errors)]:
        done += sum(isinstance(each, Ack) for each in settlements)
        failed += sum(not isinstance(each, Ack) for each in settlements)
        if done + failed > limit:
            raise RuntimeError(f"drain has run {done + failed} jobs and there are more; raise limit= if that is right")
    return Drained(done, failed)


def _round(name: str, *, raise_errors: bool) -> list[Settlement]:
    """Run the due jobs of one queue, one after the other."""
    queue = app.queue(name)
    worker = Worker(queue, concurrency=1)
    settlements: list[Settlement] = []
    while (job := queue.claim_one(worker.worker_id)) is not None:
        settlement, error = _run(worker, job)
        _settle(queue, job, settlement)
        if error is not None and raise_errors:
            raise error
        settlements.append(settlement)
    return settlements


def _run(worker: Worker, job: Job) -> tuple[Settlement, BaseException | None]:
    found: Any = worker._resolve(job)
    if inspect.isawaitable(found):
        found = _wait(found)
    if not isinstance(found, Call):
        return found, None
    token = running_handler.set(RunningHandler(job, lambda: False))
    try:
        return success(job, found.policy, _value(found)), None
    except BaseException as error:
        trace = error.__traceback__  # which the settlement drops
        settlement = failure_of(job, found.policy, error)
        return settlement, error.with_traceback(trace) if is_judged(error) else None
    finally:
        running_handler.reset(token)


def _value(call: Call) -> Any:
    if call.tx is not None:
        raise DeadlockError(
            f"the task {call.name} takes a honker.Transaction, which would wait for the transaction of the test; "
            "use transaction.atomic() in tasks of a Django project"
        )
    value = call.fn(*call.args, **call.kwargs)
    if inspect.isawaitable(value):
        value = _wait(value)
    refuse_lazy(value)
    return value


def _wait(awaitable: Awaitable[Any]) -> Any:
    async def wait() -> Any:
        return await awaitable

    wait_in_thread: Callable[[], Any] = async_to_sync(wait)
    return wait_in_thread()


def _settle(queue: Queue, job: Job, settlement: Settlement) -> None:
    finished = encode([FinishedJob(job, settlement)])
    queue.db.engine.call(_WORK, queue.name, job.worker_id, 0, queue.visibility_timeout_s, finished)
