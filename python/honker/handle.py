"""The handle that applications use: a database with everything that runs on it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from types import ModuleType
from typing import Any

from honker import database
from honker.connection import SYNCHRONOUS
from honker.database import MAX_READERS
from honker.errors import OutboxConflictError
from honker.outbox import BASE_BACKOFF_S, MAX_ATTEMPTS, VISIBILITY_TIMEOUT_S, Outbox
from honker.putback import UNKNOWN_TASK_S
from honker.runner import GRACE_S
from honker.types import Seconds
from honker.worker import run_workers


class Database(database.Database):
    """A database file with honker in it. Open one with `honker.open`, one per process and file, and share it.

    Safe to use from several threads and event loops. Not to be used across a fork: open it again in the child.

    Attributes:
        path: The database file: an absolute path, or a ``file:`` URI with one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_readers: int = MAX_READERS,
        watcher_backend: str | None = None,
        watcher_poll_interval_ms: int | None = None,
        *,
        synchronous: str = SYNCHRONOUS[0],
        sqlite3: ModuleType = sqlite3,
    ) -> None:
        # Guarded by the lock of the other handles.
        self._outboxes: dict[str, Outbox] = {}
        super().__init__(
            path,
            max_readers,
            watcher_backend,
            watcher_poll_interval_ms,
            synchronous=synchronous,
            sqlite3=sqlite3,
        )

    def __enter__(self) -> Database:
        return self

    def outbox(
        self,
        name: str,
        delivery: Callable[[Any], Any],
        max_attempts: int = MAX_ATTEMPTS,
        base_backoff_s: Seconds = BASE_BACKOFF_S,
        visibility_timeout_s: Seconds = VISIBILITY_TIMEOUT_S,
    ) -> Outbox:
        """The outbox of that name; see `honker.Outbox`. Runs no SQL, so it may be called in a transaction too.

        Args:
            name: Non-empty text; with the prefix ``_outbox:`` at most 255 UTF-8 bytes.
            delivery: Called with each payload; a plain function or a coroutine function.
            max_attempts: Deliveries that are tried before the payload is dead-lettered.
            base_backoff_s: Seconds until the second; then twice as long each time, up to an hour.
            visibility_timeout_s: Seconds after which the payload of a worker that died is delivered again.

        Returns:
            The same object for the same name.

        Raises:
            InvalidDeliveryError: ``delivery`` is not callable.
            OutboxConflictError: It was already opened with other options or another delivery.
        """
        wanted = Outbox(
            self,
            name,
            delivery,
            max_attempts=max_attempts,
            base_backoff_s=base_backoff_s,
            visibility_timeout_s=visibility_timeout_s,
        )
        with self._handles_lock:
            known = self._outboxes.setdefault(name, wanted)
        # Two bound methods of one object are equal and never the same.
        if known.delivery != wanted.delivery or _options(known) != _options(wanted):
            raise OutboxConflictError(
                f"outbox {name!r} was already opened with (max_attempts, base_backoff_s, visibility_timeout_s) = "
                f"{_options(known)} and {known.delivery!r}, not {_options(wanted)} and {delivery!r}"
            )
        return known

    async def run_workers(
        self,
        queue: str | None = None,
        concurrency: int | None = None,
        stop_event: asyncio.Event | None = None,
        *,
        grace_s: float = GRACE_S,
        unknown_task_s: float = UNKNOWN_TASK_S,
    ) -> None:
        """Run the tasks of one queue, or of every queue that has some; see `honker.run_workers`."""
        await run_workers(
            self, queue, concurrency, stop_event=stop_event, grace_s=grace_s, unknown_task_s=unknown_task_s
        )


def _options(outbox: Outbox) -> tuple[int, float, float]:
    return outbox.max_attempts, outbox.base_backoff_s, outbox.queue.visibility_timeout_s


def open(
    path: str | os.PathLike[str],
    max_readers: int = MAX_READERS,
    watcher_backend: str | None = None,
    watcher_poll_interval_ms: int | None = None,
    *,
    synchronous: str = SYNCHRONOUS[0],
    sqlite3: ModuleType = sqlite3,
) -> Database:
    """Open a database file, creating it and honker's tables if they are not there.

    Args:
        path: The file, or a ``file:`` URI; its directory must exist.
        max_readers: Reading connections, opened when first needed; 0 means 1.
        watcher_backend: How commits are noticed; None chooses.
        watcher_poll_interval_ms: Milliseconds between two looks, where looking is needed; 1 if not given.
        synchronous: What a commit waits for. ``"NORMAL"``: nothing; it survives the end of the process, but a power cut
            may undo the last commits. ``"FULL"`` or ``"EXTRA"``: a sync of the disk, and it survives that too.
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
    return Database(
        path,
        max_readers,
        watcher_backend,
        watcher_poll_interval_ms,
        synchronous=synchronous,
        sqlite3=sqlite3,
    )
