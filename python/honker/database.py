"""The handle on one database file."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from types import ModuleType, TracebackType
from typing import Any, Final

from honker.errors import QueueConflictError
from honker.pool import Pool
from honker.queue import MAX_ATTEMPTS, VISIBILITY_TIMEOUT_S, Queue
from honker.types import Seconds, TransactionLike

MAX_READERS: Final = 8


class Database(Pool):
    """A database file with honker in it. Open one with `honker.open`, one per process and file, and share it.

    Safe to use from several threads and event loops. Not to be used across a fork: open it again in the child.

    Attributes:
        path: The database file, as it was given.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_readers: int = MAX_READERS,
        watcher_backend: str | None = None,
        watcher_poll_interval_ms: int | None = None,
        *,
        sqlite3: ModuleType = sqlite3,
    ) -> None:
        super().__init__(path, max_readers, watcher_backend, watcher_poll_interval_ms, sqlite3)
        self._queues: dict[str, Queue] = {}
        self._queues_lock = threading.Lock()
        try:
            self.call("SELECT honker_bootstrap()")
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<honker.Database {self.path!r}>"

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def queue(self, name: str, visibility_timeout_s: Seconds | None = None, max_attempts: int | None = None) -> Queue:
        """The queue of that name. Runs no SQL, so it may be called anywhere, in a transaction too.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.
            visibility_timeout_s: Seconds that a claim is leased for; 300 if not given.
            max_attempts: Claims before a job is dead-lettered; 3 if not given.

        Returns:
            The same object for the same name. Without options, whatever options it was opened with.

        Raises:
            QueueConflictError: It was already opened with other options; one that is not given counts as its default.
        """
        with self._queues_lock:
            known = self._queues.get(name)
            if known is not None and visibility_timeout_s is None and max_attempts is None:
                return known
            wanted = Queue(
                self,
                name,
                VISIBILITY_TIMEOUT_S if visibility_timeout_s is None else visibility_timeout_s,
                MAX_ATTEMPTS if max_attempts is None else max_attempts,
            )
            if known is None:
                self._queues[name] = wanted
                return wanted
        if _options(known) != _options(wanted):
            raise QueueConflictError(
                f"queue {name!r} was already opened with (visibility_timeout_s, max_attempts) = {_options(known)}, "
                f"not {_options(wanted)}; open it with the same options, or with none"
            )
        return known

    def cancel(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Remove a job of any queue, waiting or leased. Whether there was one.

        Source: SQL ``honker_cancel``.
        """
        return bool(self.call("SELECT honker_cancel(?)", job_id, tx=tx))

    def get_job(self, job_id: int, tx: TransactionLike = None) -> dict[str, Any] | None:
        """A waiting or leased job of any queue, or None; see `Queue.get_job`.

        Source: SQL ``honker_get_job``.
        """
        text: str = self.ask("SELECT honker_get_job(?)", job_id, tx=tx)
        return json.loads(text) if text else None


def _options(queue: Queue) -> tuple[float, int]:
    return queue.visibility_timeout_s, queue.max_attempts


def open(
    path: str | os.PathLike[str],
    max_readers: int = MAX_READERS,
    watcher_backend: str | None = None,
    watcher_poll_interval_ms: int | None = None,
    *,
    sqlite3: ModuleType = sqlite3,
) -> Database:
    """Open a database file, creating it and honker's tables if they are not there.

    Args:
        path: The file, or a ``file:`` URI; its directory must exist.
        max_readers: Reading connections, opened when first needed; 0 means 1.
        watcher_backend: How commits are noticed; None chooses.
        watcher_poll_interval_ms: Milliseconds between two looks, where looking is needed; 1 if not given.
        sqlite3: Another DB-API module of the same shape, such as ``pysqlite3``. It must be the only copy of SQLite
            that opens this file in the process.

    Returns:
        The handle; close it, or use it in a ``with`` block.

    Raises:
        InvalidArgumentError: An argument is refused.
        DatabaseOpenError: The file cannot be opened or created.
        DatabaseCorruptError: It is not a SQLite database, or a damaged one.
        DatabaseReadOnlyError: It cannot be written, and its honker tables are missing or old.
        SchemaTooNewError: A newer honker wrote it.
        ExtensionUnsupportedError: This Python's ``sqlite3`` cannot load the engine.
        ExtensionNotFoundError: The engine's library is missing.

    Cost: one connection; no write if the file is current.
    Source: SQL ``honker_bootstrap``.
    """
    return Database(path, max_readers, watcher_backend, watcher_poll_interval_ms, sqlite3=sqlite3)
