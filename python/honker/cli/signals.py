"""Running a command until SIGINT or SIGTERM, and ending the process afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from types import FrameType
from typing import Any, Final, NoReturn, TypeAlias

from honker.worker.forked_signals import replace_after_fork

#: Exit codes beside 0 and click's 2 for usage errors. By convention, a signal's code is 128 plus its number.
FAILED: Final = 1
INTERRUPTED: Final = 128 + signal.SIGINT
BROKEN_PIPE: Final = 128 + signal.SIGPIPE

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

# The signals that end a command without a chance to clean up: of a supervisor, and of a terminal that is closed.
_ENDINGS: Final = (signal.SIGTERM, signal.SIGHUP)

# Seconds that cancelled tasks, and threads, have to end.
_CLEAN_UP_S: Final = 1.0

logger = logging.getLogger("honker")

_Step: TypeAlias = Callable[[], object]


@contextlib.contextmanager
def cleaned_up() -> Generator[None]:
    """Let SIGTERM and SIGHUP raise `SystemExit` in the block, as SIGINT raises `KeyboardInterrupt`.

    Without it these signals end the process at once, and leave its temporary files behind.
    """
    if threading.current_thread() is not threading.main_thread():  # Signals arrive in the main thread.
        yield
        return

    def end(number: int, _: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_until_signal(main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run a coroutine, which the first signal cancels.

    Returns:
        0 if it ended by itself, else the signal's exit code.
    """
    return _run(main, lambda task: [task.cancel])


def run_until_stopped(
    main: Callable[[asyncio.Event], Coroutine[Any, Any, None]], on_stop: Callable[[str], None]
) -> int:
    """Run a coroutine until it has stopped.

    The first signal sets the coroutine's event, and the coroutine may take its time to end. The second cancels it. The
    third kills the process, even if the application's code blocks the event loop.

    Args:
        main: Makes the coroutine from the event.
        on_stop: Called with the first signal's name.

    Returns:
        0 if it ended by itself or after the first signal, else the exit code of the second.
    """
    stop = asyncio.Event()
    received = _Received()

    def first() -> None:
        stop.set()
        on_stop(signal.Signals(received.number).name)

    return _run(lambda: main(stop), lambda task: [first, task.cancel], received)


class _Received:
    """The last signal received."""

    number: int = 0


def _run(
    main: Callable[[], Coroutine[Any, Any, None]],
    steps_of: Callable[[asyncio.Task[None]], Sequence[_Step]],
    received: _Received | None = None,
) -> int:
    # Not asyncio.run, which waits for threads of abandoned handlers, in Python 3.11 without a limit.
    received = received or _Received()
    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(main())
        _take_signals(loop, list(steps_of(task)), received)
        _run_to_end(loop, task)
    except asyncio.CancelledError:
        if not received.number:
            raise
        return 128 + received.number
    finally:
        _close(loop)
        # All work has ended, so a late signal may kill the process.
        _let_signals_kill()
    return 0


def _run_to_end(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    """Run the loop until the task ends.

    Signals raise nothing here, so a KeyboardInterrupt or SystemExit comes from the application's code: from a task that
    a handler has created, which asyncio lets through. The awaiting handler gets it, too, and fails.
    """
    while not task.done():
        try:
            loop.run_until_complete(task)
        except (KeyboardInterrupt, SystemExit) as error:
            if task.done():
                raise
            logger.error("a task of the application raised %r", error)
    task.result()


def _take_signals(loop: asyncio.AbstractEventLoop, steps: list[_Step], received: _Received) -> None:
    """Let each signal take the next step; after the last one, the system's default handling applies."""

    def take_step(number: int, _: FrameType | None) -> None:
        received.number = number
        loop.call_soon_threadsafe(steps.pop(0))
        if not steps:
            _let_signals_kill()

    for number in _SIGNALS:
        # The loop's handler wakes the loop, even if the signal comes just before a wait, but cannot run while a handler
        # of the application blocks the loop. So it does nothing, and the Python handler is replaced by ours.
        loop.add_signal_handler(number, lambda: None)
        signal.signal(number, take_step)
    replace_after_fork(functools.partial(_be_ordinary, take_step))


def _be_ordinary(ours: Callable[[int, FrameType | None], None]) -> None:
    """Give a process that a handler has forked Python's own signal handlers.

    With ours, `multiprocessing` could not terminate it, and its signals would wake the event loop of this process.
    """
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is ours:  # not a handler of the application
            signal.signal(number, default)
            signal.set_wakeup_fd(-1)


def _let_signals_kill() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop like `asyncio.run`, but without waiting for tasks and threads that do not end."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_CLEAN_UP_S))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def leave(code: int) -> NoReturn:
    """End the process with an exit code, without waiting for threads of abandoned handlers."""
    deadline = time.monotonic() + _CLEAN_UP_S
    threads = [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        # The interpreter's exit would wait for them. Their jobs are back in the queue, and their uncommitted writes are
        # rolled back by the system.
        leave_at_once(code)
    sys.exit(code)


def leave_at_once(code: int) -> NoReturn:
    """End the process with an exit code, from any thread, whatever the others do."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    logging.shutdown()
    os._exit(code)
