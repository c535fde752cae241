"""Coroutines on an event loop in a thread, whose plain functions run in the thread that waits for them.

A drain runs plain handlers where the test is: a connection of Django, a fixture or a mock belongs to that thread, and
no event loop runs there. Coroutine handlers, time limits and processes need a loop, which runs beside it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine
from queue import SimpleQueue
from typing import Any, Protocol, Self, TypeVar

T = TypeVar("T")


class Caller(Protocol):
    """A thread that waits for a coroutine, and runs functions for it meanwhile: `CallerThread`."""

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        ...

    def here(self, fn: Callable[[], T]) -> Awaitable[T]:
        """Run a function in the thread that waits."""
        ...


class CallerThread:
    """The event loop beside a thread, for ``with``."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._loop = asyncio.new_event_loop()
        # With the variables of the caller, which handlers may read.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._loop.run_forever,), name="honker-drain", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(_end_tasks(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, and meanwhile the functions that it passes to `here`."""
        running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        is_done = threading.Event()

        def end() -> None:
            is_done.set()

        running.add_done_callback(lambda _: self._work.put(end))
        while not is_done.is_set():
            self._work.get()()
        return running.result()

    async def here(self, fn: Callable[[], T]) -> T:
        """Run a function in the thread of the caller. It goes on when this is cancelled."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        run = contextvars.copy_context().run

        def work() -> None:
            try:
                value = run(fn)
            except BaseException as error:  # It belongs to the coroutine that waits, whatever it is.
                loop.call_soon_threadsafe(_fail, future, error)
            else:
                loop.call_soon_threadsafe(_resolve, future, value)

        self._work.put(work)
        return await future


def _resolve(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


async def _end_tasks() -> None:
    """End the tasks that handlers have left behind, as `asyncio.run` does."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for each in left:
        each.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
