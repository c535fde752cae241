"""The hooks of a worker: called before its first claim, and after its last handler has ended."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncGenerator
from typing import Any

from honker.errors import StartHookError
from honker.middleware import Hook
from honker.task.registry import TaskRegistry
from honker.worker.outcome import message_of

logger = logging.getLogger("honker")


@contextlib.asynccontextmanager
async def hooks_around(tasks: TaskRegistry) -> AsyncGenerator[None]:
    """Call the start hooks of a registry, and at the end its stop hooks, the last one first.

    Plain functions are called on the event loop. The stop hooks are called in any case: after a start hook that failed,
    after a cancellation, and after another stop hook that failed, which is logged.

    Raises:
        StartHookError: A start hook raised an error; the later ones are not called.
    """
    try:
        for hook in list(tasks.on_start):
            try:
                await _call(hook)
            except (Exception, SystemExit) as error:
                logger.error("start hook %s failed", _name_of(hook), exc_info=error)
                raise StartHookError(f"start hook {_name_of(hook)} failed: {message_of(error)}") from error
        # A signal that came during a plain function sets the stop event on the next turn of the loop.
        await asyncio.sleep(0)
        yield
    finally:
        await _stop(tasks)


async def _stop(tasks: TaskRegistry) -> None:
    cancellation: asyncio.CancelledError | None = None
    for hook in reversed(list(tasks.on_stop)):
        try:
            await _call(hook)
        except asyncio.CancelledError as error:
            cancellation = error
        except (Exception, SystemExit) as error:
            logger.error("stop hook %s failed", _name_of(hook), exc_info=error)
    if cancellation is not None:
        raise cancellation


async def _call(hook: Hook) -> None:
    result = hook()
    if inspect.isawaitable(result):
        await result


def _name_of(hook: Any) -> str:
    name = getattr(hook, "__qualname__", None)
    return f"{hook.__module__}.{name}" if name else repr(hook)
