"""The clock of the server, by which the engine decides what is due."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from honker.clock import monotonic
from honker.errors import HonkerError

#: Seconds after which the server is asked again.
_FRESH_S: Final = 30.0


class ServerClock:
    """Unix seconds of the server, from one question and this machine's monotonic clock since then.

    Args:
        ask: Asks the server for its time in milliseconds.
        in_background: Calls a function in another thread, soon.
    """

    def __init__(self, ask: Callable[[], int], in_background: Callable[[Callable[[], None]], object]) -> None:
        self._ask = ask
        self._in_background = in_background
        # Guards the fields below. Never held while the server is asked.
        self._lock = threading.Lock()
        self._offset_s: float | None = None
        self._fresh_until = 0.0

    def now(self) -> float:
        """The time. Only the first call waits for the server; later ones have it asked now and then, in a thread."""
        if self._offset_s is None:
            self._read()
        now = monotonic()
        with self._lock:
            is_stale = now >= self._fresh_until
            if is_stale:
                self._fresh_until = now + _FRESH_S
        if is_stale:
            self._in_background(self._try_to_read)
        assert self._offset_s is not None
        return now + self._offset_s

    def _read(self) -> None:
        asked_at = monotonic()
        answer_s = self._ask() / 1000
        answered_at = monotonic()
        with self._lock:
            # The answer lies between the question and now.
            self._offset_s = answer_s - (asked_at + answered_at) / 2
            self._fresh_until = answered_at + _FRESH_S

    def _try_to_read(self) -> None:
        # A server that is gone for a while leaves the clock as it was.
        with contextlib.suppress(HonkerError):
            self._read()
