"""Ends the waits for servers that are gone without a word.

The kernel notices a machine that does not answer, see `honker.postgres.pool.DEFAULTS`. It does not notice a proxy that
takes the bytes and forwards none, nor a failover behind one. So a statement that takes long is looked up on the
server, by another connection. If the server is not working on it, or cannot be reached, the socket is shut down, and
the statement fails with `ConnectionLostError`. A statement on which the server is working may take any time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from honker.clock import monotonic
from honker.errors import ConnectionLostError, HonkerError

_log = logging.getLogger("honker")

#: Seconds between two looks.
LOOK_S: Final = 5.0
#: Seconds for which a statement runs before the server is asked about it.
LONG_S: Final = 15.0

# Behind a pooler the pids that clients see are not those of the server.
_IS_DIRECT: Final = "SELECT pg_backend_pid()"
_SESSIONS: Final = "SELECT pid, state, state_change FROM pg_stat_activity WHERE pid = ANY(%s)"

#: The evidence that the server does not work on a statement: the instant since which its session is idle, or a word.
_Evidence = Any


class _Watched:
    """A connection that is lent.

    Attributes:
        active_since: The first of the looks, without a pause, that found a statement under way.
        evidence: The evidence of the last look.
    """

    __slots__ = ("active_since", "evidence", "pid", "raw")

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw
        self.pid = raw.pgconn.backend_pid  # a connection that is closed has none
        self.active_since: float | None = None
        self.evidence: _Evidence = None


class Watchdog:
    """Looks after the connections that are lent, in a thread of its own.

    Args:
        connect: Makes a connection that the pool does not count.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        # Guards the connections: one that is forgotten may be closed, and its descriptor be that of another.
        # Reentrant: the garbage collector may end a transaction while this thread holds it.
        self._lock = threading.RLock()
        self._watched: dict[int, _Watched] = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def watch(self, raw: psycopg.Connection[Any]) -> None:
        """Look after a connection until `forget`."""
        with self._lock:
            self._watched[id(raw)] = _Watched(raw)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="honker-watchdog", daemon=True)
                self._thread.start()

    def forget(self, raw: psycopg.Connection[Any]) -> None:
        """Leave a connection alone, before it is closed or returned."""
        with self._lock:
            self._watched.pop(id(raw), None)

    def close(self) -> None:
        """End the thread, at its next look. Takes no lock: the garbage collector calls it too."""
        self._is_closed = True

    def _run(self) -> None:
        while not self._is_closed:
            time.sleep(LOOK_S)
            suspects = self._suspects()
            if suspects:
                found = self._ask([each.pid for each in suspects])
                for each in suspects:
                    self._judge(each, found.get(each.pid, found.get(0)))

    def _suspects(self) -> list[_Watched]:
        now = monotonic()
        with self._lock:
            for each in self._watched.values():
                if not _is_active(each.raw):
                    each.active_since, each.evidence = None, None
                elif each.active_since is None:
                    each.active_since = now
            return [
                each
                for each in self._watched.values()
                if each.active_since is not None and now - each.active_since >= LONG_S
            ]

    def _ask(self, pids: list[int]) -> dict[int, _Evidence]:
        """The evidence against each session; under 0 that against all others. None is evidence of work."""
        try:
            with contextlib.closing(self._connect()) as raw:
                if raw.execute(_IS_DIRECT).fetchone() != (raw.info.backend_pid,):
                    return {}
                rows = raw.execute(_SESSIONS, [pids]).fetchall()
        except ConnectionLostError:
            return {0: "the server cannot be reached"}
        except (HonkerError, psycopg.Error) as error:
            _log.debug("statements that take long were not looked up: %s", error)
            return {}
        idle = {pid: changed_at if state == "idle" else None for pid, state, changed_at in rows}
        return {0: "the session has ended", **idle}

    def _judge(self, each: _Watched, evidence: _Evidence) -> None:
        """Shut a connection down if two looks in a row have the same evidence: the statement may have been new."""
        with self._lock:
            is_certain = evidence is not None and evidence == each.evidence
            each.evidence = evidence
            if not is_certain or self._watched.get(id(each.raw)) is not each or not _is_active(each.raw):
                return
            _log.warning("a statement is given up: PostgreSQL does not work on it (%s)", evidence)
            with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(each.raw.fileno())) as stuck:
                stuck.shutdown(socket.SHUT_RDWR)


def _is_active(raw: psycopg.Connection[Any]) -> bool:
    return not raw.closed and raw.pgconn.transaction_status == TransactionStatus.ACTIVE
