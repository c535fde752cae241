"""One listening connection of a process, and the subscriptions that it wakes.

A commit is announced by NOTIFY only while a waiter of some process holds the lock IDLE, see
``sql/ground/announce.sql``. So `Listener` takes that lock when a subscription begins to wait. A writer that had taken
the lock WRITING before may not have seen it: the subscriptions are woken when each of these writers has ended. Every
later one sees the waiter. So each commit is found by a look or announced.

A worker that has no free slot does not wait, and ``honker_cancel_request`` announces itself without a look at IDLE.

A connection that is lost is made again, and then every subscription is woken too, because announcements were missed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import weakref
from typing import Any, Final

import psycopg

from honker.clock import monotonic
from honker.errors import HonkerError
from honker.postgres.pool import Pool
from honker.postgres.updates import PostgresUpdates

_log = logging.getLogger("honker")

_TAKE_IDLE: Final = "SELECT pg_advisory_lock_shared(1752133739, 1)"
_LEAVE_IDLE: Final = "SELECT pg_advisory_unlock_shared(1752133739, 1)"
# The transactions that hold WRITING. A new transaction of the same session has another number.
_WRITERS: Final = (
    "SELECT l.virtualtransaction FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.classid = 1752133739"
    " AND l.objid = 2 AND l.objsubid = 2 AND l.granted"
    " AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())"
)
#: Seconds between two looks for writers that were under way when the wait began: the first and the longest.
_LOOK_S: Final = (0.002, 0.05)
#: Seconds without a waiter after which commits are announced no longer.
_REST_S: Final = 1.0
#: Seconds without an announcement after which the connection is tried: a server may be gone without a word.
_TRY_S: Final = 15.0
#: Seconds between two attempts to connect: the first and the longest.
_RECONNECT_S: Final = (0.05, 5.0)
#: Seconds within which an announcement to itself proves that they arrive.
_PROOF_S: Final = 2.0
#: Seconds between two wakes where they do not, as behind a pooler that changes the connection with each transaction.
_POLL_S: Final = 0.2


class Listener:
    """The thread that listens, for all subscriptions of one engine in one process. It starts with the first of them."""

    def __init__(self, pool: Pool, path: str) -> None:
        self._pool = pool
        self._watchdog = pool.watchdog
        self.path = path
        # Reentrant: the garbage collector may end a subscription while this thread holds it.
        self._lock = threading.RLock()
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
        # Announcements that have woken no subscription yet.
        self._fresh = 0

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
        with self._lock, contextlib.suppress(BlockingIOError):  # It is full of pokes.
            if self._command >= 0:
                os.write(self._command, b"\0")

    def _wake_all(self) -> None:
        with self._lock:
            subscriptions = list(self._subscriptions)
        for each in subscriptions:
            each.wake()

    def _run(self) -> None:
        pause_s, is_told = _RECONNECT_S[0], False
        try:
            while not self._is_closed:
                try:
                    with contextlib.closing(self._pool.connect()) as raw:
                        if is_told:
                            _log.info("PostgreSQL is listened to again")
                        pause_s, is_told = _RECONNECT_S[0], False
                        self.connections += 1
                        self._watch_and_listen(raw)
                except (HonkerError, psycopg.Error, OSError) as error:
                    if self._is_closed:
                        return
                    level = logging.DEBUG if is_told else logging.WARNING
                    _log.log(level, "the connection that listens to PostgreSQL is lost, connecting again: %s", error)
                    is_told = True
                self._is_armed = False
                self._wake_all()
                self._wait(None, pause_s)
                pause_s = min(pause_s * 2, _RECONNECT_S[1])
        finally:
            with self._lock:
                self._is_closed = True
                os.close(self._command)
                self._command = -1
            os.close(self._commands)

    def _watch_and_listen(self, raw: psycopg.Connection[Any]) -> None:
        self._fresh = 0
        raw.add_notify_handler(self._note_event)
        self._watchdog.watch(raw)
        try:
            raw.execute("LISTEN honker")
            self.mode = "notify" if self._proves(raw) else "polling"
            self._wake_all()
            if self.mode == "notify":
                self._listen(raw)
            else:
                self._poll()
        finally:
            self._watchdog.forget(raw)

    def _proves(self, raw: psycopg.Connection[Any]) -> bool:
        """True if announcements arrive.

        Behind a pooler in transaction mode the session that listens is that of another client soon. Then only an
        announcement to itself would arrive, so another connection sends it.
        """
        if self._pool.has_pooler:
            with contextlib.closing(self._pool.connect()) as other:
                other.execute("NOTIFY honker")
        else:
            raw.execute("NOTIFY honker")
        deadline = monotonic() + _PROOF_S
        while not self._take_events(raw) and not self._is_closed:
            if monotonic() >= deadline:
                return False
            self._wait(raw, deadline - monotonic())
        return True

    def _poll(self) -> None:
        _log.warning(
            "NOTIFY does not arrive on this connection (a pooler in transaction mode?): looking every %g s", _POLL_S
        )
        while not self._is_closed:
            self._wait(None, _POLL_S)
            self._wake_all()

    def _listen(self, raw: psycopg.Connection[Any]) -> None:
        rest_at: float | None = None
        try_at = monotonic() + _TRY_S
        while not self._is_closed:
            now = monotonic()
            if self._waiting and not self._is_armed:
                self._arm(raw)
            elif self._waiting or not self._is_armed:
                rest_at = None
            else:
                rest_at = rest_at or now + _REST_S
                if now >= rest_at:
                    self._disarm(raw)
            # Statements read announcements too, so these are looked for before the wait.
            if self._take_events(raw):
                try_at = now + _TRY_S
            elif now >= try_at:
                raw.execute("SELECT 1")
                try_at = now + _TRY_S
            else:
                # A waiter that leaves does not poke, so the count is read now and then.
                self._wait(raw, _REST_S if self._is_armed else _TRY_S)

    def _disarm(self, raw: psycopg.Connection[Any]) -> None:
        with self._lock:
            if self._waiting:
                return
            self._is_armed = False  # A wait that begins from now on pokes.
        raw.execute(_LEAVE_IDLE)

    def _arm(self, raw: psycopg.Connection[Any]) -> None:
        raw.execute(_TAKE_IDLE)
        unaware = _writers(raw)
        self._is_armed = not unaware
        # What is committed by now is found by the look that this wakes.
        self._wake_all()
        pause_s = _LOOK_S[0]
        while unaware and not self._is_closed:
            self._wait(raw, pause_s)
            self._take_events(raw)
            left = unaware & _writers(raw)
            if left != unaware:
                self._wake_all()
            unaware, pause_s = left, min(pause_s * 2, _LOOK_S[1])
        self._is_armed = True

    def _note_event(self, _: Any) -> None:
        self._fresh += 1

    def _take_events(self, raw: psycopg.Connection[Any]) -> bool:
        """Wake the subscriptions if announcements have come, with the answers of statements or since."""
        raw.pgconn.consume_input()
        while raw.pgconn.notifies() is not None:
            self._fresh += 1
        fresh, self._fresh = self._fresh, 0
        if fresh:
            self.events += fresh
            self._wake_all()
        return fresh > 0

    def _wait(self, raw: psycopg.Connection[Any] | None, timeout_s: float) -> None:
        poller = select.poll()
        poller.register(self._commands, select.POLLIN)
        if raw is not None:
            poller.register(raw.fileno(), select.POLLIN)
        poller.poll(timeout_s * 1000)
        with contextlib.suppress(BlockingIOError):
            os.read(self._commands, 4096)


def _writers(raw: psycopg.Connection[Any]) -> set[str]:
    return {name for (name,) in raw.execute(_WRITERS)}
