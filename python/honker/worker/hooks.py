"""The hooks of a worker: called before its first claim, and after its last handler has ended."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Final

from honker.errors import StartHookError
from honker.middleware import Hook
from honker.task.registry import TaskRegistry
from honker.worker.execution import is_async_callable
from honker.worker.outcome import message_of

#: Seconds that each stop hook has at least, after others have used up the grace period too.
_LEAST_S: Final = 1.0
#: Seconds after its cancellation in which a hook may clean up, before it counts as stuck.
_CLEAN_UP_S: Final = 1.0

#: The message of asyncio for a call that needs an event loop.
_NO_LOOP: Final = "no running event loop"
_LOOP_HINT: Final = "; plain start hooks are called in a thread: declare this one by `async def` to use the event loop"

logger = logging.getLogger("honker")


@contextlib.asynccontextmanager
async def hooks_around(
    tasks: TaskRegistry,
    grace_s: float,
    stop_event: asyncio.Event | None = None,
    on_stuck: Callable[[str], None] | None = None,
) -> AsyncGenerator[None]:
    """Call the start hooks of a registry, and at the end its stop hooks, the last one first.

    Plain start hooks are called in a thread, since one that blocks would hold up all else on the event loop. Plain stop
    hooks are called on the event loop. The stop hooks are called in any case: after a start hook that failed, after a
    cancellation, and after another stop hook that failed, which is logged.

    Args:
        tasks: The registry.
        grace_s: Seconds that the stop hooks have together, and that the start hooks have after a stop. Then the
            coroutine of the hook is cancelled; the thread of a plain start hook is left alone.
        stop_event: The stop.
        on_stuck: Called in another thread with the name of a stop hook that its cancellation has not ended.

    Raises:
        StartHookError: A start hook raised an error, or did not end after a stop; the later ones are not called.
    """
    try:
        await _start(tasks, grace_s, stop_event)
        # A signal that came during a plain function sets the stop event on the next turn of the loop.
        await asyncio.sleep(0)
        yield
    finally:
        await _stop(tasks, grace_s, on_stuck)


async def _start(tasks: TaskRegistry, grace_s: float, stop_event: asyncio.Event | None) -> None:
    # In this task, and not in tasks of their own: handlers see the context variables that a hook sets.
    async with asyncio.timeout(None) as limit:
        hooks = list(tasks.on_start)
        ending = None if stop_event is None or not hooks else asyncio.ensure_future(_limit(limit, stop_event, grace_s))
        try:
            for hook in hooks:
                await _start_one(hook, limit, grace_s)
        finally:
            if ending is not None:
                ending.cancel()


async def _limit(limit: asyncio.Timeout, stop_event: asyncio.Event, grace_s: float) -> None:
    await stop_event.wait()
    limit.reschedule(asyncio.get_running_loop().time() + grace_s)


async def _start_one(hook: Hook, limit: asyncio.Timeout, grace_s: float) -> None:
    name = _name_of(hook)
    try:
        await (_call(hook) if is_async_callable(hook) else _call_in_thread(hook, name))
    except asyncio.CancelledError as error:
        if not limit.expired():
            raise
        logger.error("start hook %s has not ended %g s after the stop, and is cancelled", name, grace_s)
        raise StartHookError(f"start hook {name} has not ended {grace_s:g} s after the stop") from error
    except (Exception, SystemExit) as error:
        logger.error("start hook %s failed", name, exc_info=error)
        hint = _LOOP_HINT if isinstance(error, RuntimeError) and _NO_LOOP in str(error) else ""
        raise StartHookError(f"start hook {name} failed: {message_of(error)}{hint}") from error


async def _call_in_thread(hook: Hook, name: str) -> None:
    """Call a plain function in a thread; the context variables that it sets are set here, too.

    A cancellation leaves the thread alone. It is a daemon, which no exit of the process waits for.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[object, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def note(value: object, error: BaseException | None) -> None:
        if not ended.done():
            ended.set_result((value, error))

    def run() -> None:
        value, failure = None, None
        try:
            value = context.run(hook)
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # The hook was given up, and the event loop is closed.
            loop.call_soon_threadsafe(note, value, failure)

    threading.Thread(target=run, name=f"honker-start-hook-{name}", daemon=True).start()
    value, error = await ended
    _take_over(context)
    if error is not None:
        raise error
    if inspect.isawaitable(value):
        await value


def _take_over(context: contextvars.Context) -> None:
    """Set the context variables of this task that have another value in a context."""
    here = contextvars.copy_context()
    for variable, value in context.items():
        if variable not in here or here[variable] is not value:
            variable.set(value)


async def _stop(tasks: TaskRegistry, grace_s: float, on_stuck: Callable[[str], None] | None) -> None:
    cancellation: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    deadline = loop.time() + grace_s
    for hook in reversed(list(tasks.on_stop)):
        name = _name_of(hook)
        limit_s = max(deadline - loop.time(), _LEAST_S)
        try:
            with _watched(name, limit_s, on_stuck):
                await _stop_one(hook, name, limit_s)
        except asyncio.CancelledError as error:
            cancellation = error
        except (Exception, SystemExit) as error:
            logger.error("stop hook %s failed", name, exc_info=error)
    if cancellation is not None:
        raise cancellation


async def _stop_one(hook: Hook, name: str, limit_s: float) -> None:
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            await _call(hook)
    except TimeoutError:
        if not limit.expired():
            raise
        logger.error("stop hook %s has not ended within the %g s left of the grace, and is cancelled", name, limit_s)


@contextlib.contextmanager
def _watched(name: str, limit_s: float, on_stuck: Callable[[str], None] | None) -> Generator[None]:
    """Report a stop hook that blocks the event loop, or that ignores its cancellation."""

    def report() -> None:
        logger.error("stop hook %s blocks the event loop or ignores its cancellation; the worker waits for it", name)
        if on_stuck is not None:
            on_stuck(name)

    timer = threading.Timer(limit_s + _CLEAN_UP_S, report)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


async def _call(hook: Hook) -> None:
    result = hook()
    if inspect.isawaitable(result):
        await result


def _name_of(hook: Any) -> str:
    name = getattr(hook, "__qualname__", None)
    return f"{hook.__module__}.{name}" if name else repr(hook)
