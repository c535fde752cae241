"""The clock of the server, by which the engine decides what is due."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from honker.clock import monotonic

#: Seconds after which the server is asked again.
_FRESH_S: Final = 30.0


class ServerClock:
    """Unix seconds of the server, from one question and this machine's monotonic clock since then.

    Args:
        ask: Asks the server for its time in milliseconds.
    """

    def __init__(self, ask: Callable[[], int]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._read_at = -_FRESH_S
        self._offset_s = 0.0

    def now(self) -> float:
        """The time. Every half minute the call waits for an answer of the server."""
        with self._lock:
            now = monotonic()
            if now - self._read_at >= _FRESH_S or self._read_at < 0:
                answer_s = self._ask() / 1000
                self._read_at = monotonic()
                # The answer lies between the question and now.
                self._offset_s = answer_s - (now + self._read_at) / 2
                now = self._read_at
            return now + self._offset_s
