"""Noticing that the server was told to stop, before it waits for its open connections.

A server calls the end of an application's lifespan only after the last connection has closed, so an endless response
has to end before. The signal is the only sign that every server gives in time; the handler that is installed here calls
the server's own handler, too. uvicorn and gunicorn may also stop without a signal, for instance after a number of
requests; their objects, which own the handlers, are looked at.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from types import FrameType
from typing import Any, Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
# Seconds between two looks at the server's object.
_LOOK_S: Final = 1.0


class Stop:
    """The stop of this process's server."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: set[asyncio.Future[None]] = set()
        self._previous: dict[int, Any] = {}

    @property
    def is_set(self) -> bool:
        """True once the server was told to stop."""
        return self._is_set or _is_stopping(self._server())

    def watch(self) -> None:
        """Begin to notice signals, if this is the main thread. Idempotent."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            # Once only: a handler that was installed later may call this one, and must not be called by it.
            if number not in self._previous:
                self._previous[number] = signal.getsignal(number)
                signal.signal(number, self._receive)

    def unwatch(self) -> None:
        """Give the signals back to their former handlers, and forget a stop."""
        self._is_set = False
        if threading.current_thread() is not threading.main_thread():
            return
        for number, previous in self._previous.items():
            if signal.getsignal(number) == self._receive and previous is not None:
                signal.signal(number, previous)
        self._previous.clear()

    def set(self) -> None:
        """Wake all waiters."""
        self._is_set = True
        for waiter in list(self._waiters):
            waiter.get_loop().call_soon_threadsafe(_resolve, waiter)

    async def wait(self) -> None:
        """Wait for the stop."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            # The waiter as well: after the end of a lifespan the stop is forgotten before this task runs again.
            while not (waiter.done() or self.is_set):
                await asyncio.wait([waiter], timeout=_LOOK_S)
        finally:
            self._waiters.discard(waiter)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.set()
        previous = self._previous.get(number)
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _server(self) -> Any:
        """The object of uvicorn or gunicorn whose method handles SIGTERM; None for other servers."""
        handler = self._previous.get(signal.SIGTERM) or signal.getsignal(signal.SIGTERM)
        return getattr(handler, "__self__", None)


def _is_stopping(server: Any) -> bool:
    if getattr(server, "should_exit", False) is True:  # uvicorn
        return True
    if getattr(server, "alive", True) is False:  # a worker of gunicorn
        return True
    # uvicorn after `limit_max_requests`, which closes its listeners first.
    listeners = [each for each in getattr(server, "servers", ()) if isinstance(each, asyncio.Server)]
    return bool(listeners) and not any(each.is_serving() for each in listeners)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


#: Signals belong to the process, and so does this.
stop: Final = Stop()
