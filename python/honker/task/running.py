"""The handler that runs here, for code that it calls and that may wait for the worker's other work."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Callable
from typing import Final, NamedTuple

from honker.job import Job


class RunningHandler(NamedTuple):
    """A handler that runs in this context.

    Attributes:
        job: Its job.
        has_free_slot: True if its worker could start another handler now.
    """

    job: Job
    has_free_slot: Callable[[], bool]


#: The handler that runs in this context, on the event loop or in a thread; None outside of handlers.
running_handler: Final[contextvars.ContextVar[RunningHandler | None]] = contextvars.ContextVar(
    "honker_running_handler", default=None
)


def current_job() -> Job | None:
    """The job whose handler runs in this context; None outside of handlers.

    For code that a task calls, such as a report of progress: ``honker.current_job().progress(3, 10)``. It is known in
    the handler, in its coroutines and in the tasks that it creates, and in ``asyncio.to_thread``. A thread that the
    handler starts itself, or another process, has none. Runs no SQL.
    """
    handler = running_handler.get()
    return None if handler is None else handler.job


# The event loops that have run a worker. Blocking one holds up all of its handlers, rounds and renewals of leases.
_worker_loops: Final[weakref.WeakSet[asyncio.AbstractEventLoop]] = weakref.WeakSet()


def mark_worker_loop() -> None:
    """Remember that the running event loop runs a worker."""
    _worker_loops.add(asyncio.get_running_loop())


def is_on_worker_loop() -> bool:
    """True if the caller runs on an event loop that runs a worker, and so must not block."""
    try:
        return asyncio.get_running_loop() in _worker_loops
    except RuntimeError:
        return False
