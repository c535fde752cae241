"""The calls of handlers within the middleware of their tasks."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from honker.errors import HandlerProcessError
from honker.job import Job
from honker.middleware import Middleware, enter_all, enter_all_async
from honker.worker.settlement import Ack, Fail, Outcome, Retry


def around(middleware: Sequence[Middleware], job: Job, fn: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
    """A handler within middleware, of the same kind: a coroutine function if ``is_async``."""

    def call(*args: Any, **kwargs: Any) -> Any:
        value = None  # the result if middleware swallows the handler's exception
        with ExitStack() as stack:
            enter_all(stack, middleware, job)
            value = fn(*args, **kwargs)
        # The function did not look like a coroutine function. Its awaitable runs on the event loop, in another context.
        return finish(value) if inspect.isawaitable(value) else value

    async def finish(value: Awaitable[Any]) -> Any:
        async with AsyncExitStack() as stack:
            await enter_all_async(stack, middleware, job)
            return await value
        return _swallowed()

    async def call_async(*args: Any, **kwargs: Any) -> Any:
        async with AsyncExitStack() as stack:
            await enter_all_async(stack, middleware, job)
            return await fn(*args, **kwargs)
        return _swallowed()

    return call_async if is_async else call


async def around_process(middleware: Sequence[Middleware], job: Job, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """The outcome of a handler in another process, called within middleware that runs here."""
    if not middleware:
        return await call()
    outcome: Outcome | None = None
    failed: HandlerProcessError | None = None
    try:
        async with AsyncExitStack() as stack:
            await enter_all_async(stack, middleware, job)
            outcome = await call()
            if isinstance(outcome, (Retry, Fail)):
                failed = HandlerProcessError(outcome.error)
                raise failed
            return outcome
    except HandlerProcessError as error:
        if error is not failed or outcome is None:
            raise
        return outcome
    _swallowed()
    return Ack()


def _swallowed() -> None:
    """The result after middleware has swallowed an exception.

    Raises:
        asyncio.CancelledError: The attempt was cancelled, so the handler has not done its work: the worker stops, the
            lease is lost, the time is over, or the job is cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
