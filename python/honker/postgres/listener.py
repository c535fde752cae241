"""One listening connection of a process, and the subscriptions that it wakes.

A commit is announced by NOTIFY only while a waiter of some process holds the lock IDLE, see
``sql/ground/announce.sql``. So
`Listener` takes that lock when a subscription begins to wait, and wakes every subscription once as soon as it is sure
that each later commit is announced: what was committed in between is found by that look.

A connection that is lost is made again, and then every subscription is woken too, because announcements were missed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

import psycopg

from honker.clock import monotonic
from honker.errors import HonkerError
from honker.postgres.updates import PostgresUpdates

_log = logging.getLogger("honker")

_CLASS: Final = 1752133739
_TAKE_IDLE: Final = "SELECT pg_advisory_lock_shared(1752133739, 1)"
_LEAVE_IDLE: Final = "SELECT pg_advisory_unlock_shared(1752133739, 1)"
# True if no writer is under way that may have seen nobody wait.
_NONE_WRITING: Final = (
    "SELECT CASE WHEN pg_try_advisory_lock(1752133739, 2) THEN pg_advisory_unlock(1752133739, 2) ELSE false END"
)
#: Seconds between two looks for writers that were under way when the wait began.
_LOOK_S: Final = 0.005
#: Seconds without a waiter after which commits are announced no longer.
_REST_S: Final = 1.0
#: Seconds between two attempts to connect: the first and the longest.
_RECONNECT_S: Final = (0.05, 5.0)
#: Seconds after which a listening connection proves that announcements arrive, and within which it must do so.
_PROOF_S: Final = 2.0
#: Seconds between two wakes where they do not, as behind a pooler that changes the connection with each transaction.
_POLL_S: Final = 0.2


class Listener:
    """The thread that listens, for all subscriptions of one engine in one process. It starts with the first of them."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], path: str) -> None:
        self._connect = connect
        self.path = path
        self._lock = threading.Lock()
        self._subscriptions: weakref.WeakSet[PostgresUpdates] = weakref.WeakSet()
        self._waiting = 0
        self._is_armed = False
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._commands, self._command = os.pipe()
        os.set_blocking(self._commands, False)
        os.set_blocking(self._command, False)
        #: Facts for `Updates.stats`.
        self.mode = "notify"
        self.events = self.connections = 0

    def join(self, updates: PostgresUpdates) -> None:
        """Add a subscription."""
        with self._lock:
            self._subscriptions.add(updates)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="honker-listener", daemon=True)
                self._thread.start()

    def leave(self, updates: PostgresUpdates) -> None:
        """Remove a subscription."""
        with self._lock:
            self._subscriptions.discard(updates)

    def begin_wait(self) -> None:
        """Tell that a subscription waits, and that commits have to be announced."""
        with self._lock:
            self._waiting += 1
            must_arm = not self._is_armed
        if must_arm:
            self._poke()

    def end_wait(self) -> None:
        """Tell that it waits no longer."""
        with self._lock:
            self._waiting -= 1

    @property
    def subscribers(self) -> int:
        """The number of subscriptions."""
        with self._lock:
            return len(self._subscriptions)

    def close(self) -> None:
        """End the thread. Idempotent."""
        self._is_closed = True
        self._poke()

    def _poke(self) -> None:
        with contextlib.suppress(OSError):  # The pipe is full of pokes, or closed.
            os.write(self._command, b"\0")

    def _wake_all(self) -> None:
        with self._lock:
            subscriptions = list(self._subscriptions)
        for each in subscriptions:
            each.wake()

    def _run(self) -> None:
        pause_s = _RECONNECT_S[0]
        try:
            while not self._is_closed:
                try:
                    with contextlib.closing(self._connect()) as raw:
                        self.connections += 1
                        pause_s = _RECONNECT_S[0]
                        self._listen(raw)
                except (HonkerError, psycopg.Error, OSError) as error:
                    if self._is_closed:
                        return
                    _log.warning("the connection that listens to PostgreSQL is lost, connecting again: %s", error)
                self._is_armed = False
                self._wake_all()
                self._wait(None, pause_s)
                pause_s = min(pause_s * 2, _RECONNECT_S[1])
        finally:
            for descriptor in (self._commands, self._command):
                os.close(descriptor)

    def _listen(self, raw: psycopg.Connection[Any]) -> None:
        raw.execute("LISTEN honker")
        self.mode = "notify" if _proves(raw) else "polling"
        if self.mode == "polling":
            _log.warning(
                "NOTIFY does not arrive on this connection (a pooler in transaction mode?): looking every %g s", _POLL_S
            )
        self._wake_all()
        rest_at: float | None = None
        while not self._is_closed:
            if self.mode == "polling":
                self._wait(None, _POLL_S)
                self._wake_all()
                continue
            if self._waiting and not self._is_armed:
                self._arm(raw)
                continue
            if self._is_armed and not self._waiting:
                now = monotonic()
                rest_at = rest_at or now + _REST_S
                if now >= rest_at:
                    raw.execute(_LEAVE_IDLE)
                    self._is_armed, rest_at = False, None
                    continue
            else:
                rest_at = None
            # A waiter that leaves does not poke, so the count is read now and then.
            self._wait(raw, _REST_S)
            self._take_events(raw)

    def _arm(self, raw: psycopg.Connection[Any]) -> None:
        raw.execute(_TAKE_IDLE)
        while not self._is_closed and not raw.execute(_NONE_WRITING).fetchone()[0]:  # type: ignore[index]
            self._wait(raw, _LOOK_S)
            self._take_events(raw)
            self._wake_all()
        self._is_armed = True
        self._wake_all()

    def _take_events(self, raw: psycopg.Connection[Any]) -> None:
        events = list(raw.notifies(timeout=0))
        if events:
            self.events += len(events)
            self._wake_all()

    def _wait(self, raw: psycopg.Connection[Any] | None, timeout_s: float) -> None:
        poller = select.poll()
        poller.register(self._commands, select.POLLIN)
        if raw is not None:
            poller.register(raw.fileno(), select.POLLIN)
        poller.poll(timeout_s * 1000)
        with contextlib.suppress(BlockingIOError):
            os.read(self._commands, 4096)


def _proves(raw: psycopg.Connection[Any]) -> bool:
    """True if a notification to itself arrives."""
    raw.execute("NOTIFY honker")
    return bool(list(raw.notifies(timeout=_PROOF_S, stop_after=1)))
