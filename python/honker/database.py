"""The database handle for applications."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any, Final, Self, cast

from honker import counters as counting, malformed, rate_limit, serialization
from honker.arguments import INT64_MAX, Parameters, Row, Seconds, TransactionLike, optional_seconds
from honker.engine import FALLBACK_POLL_S, Engine, Transaction
from honker.engine.forwarding import ForwardingEngine
from honker.errors import InvalidArgumentError, OutboxConflictError, QueueConflictError
from honker.inspection import (
    bulk,
    dead_groups as _dead_groups,
    detail,
    listing,
    locks as _locks,
    schedules as _schedules,
    streams as _streams,
    workflows as _workflows,
)
from honker.lock import Lock
from honker.opening import MAX_READERS, database_location, opener
from honker.postgres.location import without_password
from honker.queue import every_queue
from honker.queue.queue import MAX_ATTEMPTS, VISIBILITY_TIMEOUT_S, Queue
from honker.rate_limit import TokenBucket
from honker.sqlite.connection import SYNCHRONOUS
from honker.sqlite.process_engine import HandleEngine
from honker.sqlite.watcher import UpdateEvents
from honker.stream.notifications import Listener
from honker.stream.retention import Retention
from honker.stream.stream import Stream
from honker.task import declaring, workflow_record
from honker.task.registry import TaskRegistry, registry
from honker.task.workflow import Workflow
from honker.worker import listing as worker_listing, outbox
from honker.worker.outbox import Outbox
from honker.worker.runner import GRACE_S
from honker.worker.unknown_task import UNKNOWN_TASK_S
from honker.worker.worker import run_workers

_NOTIFY: Final = "SELECT notify(?, ?)"
_PRUNE_NOTIFICATIONS: Final = "SELECT honker_notification_prune(?, ?)"
_RETENTION: Final = "SELECT honker_retention_list()"


class Database:
    """A handle to a database file with honker's tables, from `honker.open` or `honker.App`. One per file is enough.

    Several threads and event loops may share a handle. In a forked child it opens the file again by itself, except if
    the parent was using the file at the fork: then each use raises `ForkError`. Transactions, iterators and
    subscriptions are not inherited. The asynchronous methods (``aquery`` for ``query``) do the same without blocking
    the event loop.

    Attributes:
        path: The database file: an absolute path, or a ``file:`` URI with one.
        engine: The underlying storage engine; applications do not need it.
        registry: The tasks that workers of this handle run: those of its `honker.App`, or those of this process.
    """

    _engine: ForwardingEngine[Any]
    registry: TaskRegistry

    def __init__(
        self,
        path: str | os.PathLike[str],
        max_readers: int = MAX_READERS,
        watcher_backend: str | None = None,
        watcher_poll_interval_ms: int | None = None,
        *,
        synchronous: str = SYNCHRONOUS[0],
        foreign_keys: bool | None = None,
        sqlite3: ModuleType = sqlite3,
    ) -> None:
        make = opener(
            {
                "max_readers": max_readers,
                "watcher_backend": watcher_backend,
                "watcher_poll_interval_ms": watcher_poll_interval_ms,
                "synchronous": synchronous,
                "foreign_keys": foreign_keys,
                "sqlite3": sqlite3,
            }
        )
        self._bind(HandleEngine(database_location(path), make), registry())

    def _bind(self, engine: ForwardingEngine[Any], tasks: TaskRegistry) -> None:
        self._engine = engine
        self.registry = tasks
        # Without a lock, which a forked child might inherit locked: each is changed by one `setdefault` only.
        self._queues: dict[str, Queue] = {}
        self._streams: dict[str, Stream] = {}
        self._outboxes: dict[str, Outbox] = {}

    def _join(self, host: Database) -> None:
        for name, queue in self._queues.items():
            if name in host._queues and _queue_options(queue) != (VISIBILITY_TIMEOUT_S, MAX_ATTEMPTS):
                _check_options(host._queues[name], queue)
        host.registry.include(self.registry)
        # Nothing is refused from here on.
        for name, queue in self._queues.items():
            known = host._queues.setdefault(name, queue)
            queue.visibility_timeout_s, queue.max_attempts = _queue_options(known)
        host._streams.update(self._streams)
        host._outboxes.update(self._outboxes)
        self._queues, self._streams, self._outboxes = host._queues, host._streams, host._outboxes
        self.registry = host.registry

    def __repr__(self) -> str:
        return f"<honker.Database {self.path!r}>"

    @property
    def path(self) -> str:
        """The database file: an absolute path, or a ``file:`` URI with one; or a URL without its password."""
        return without_password(self._engine.path)

    @property
    def engine(self) -> Engine:
        """The underlying storage engine, for the objects that belong to this database."""
        return self._engine

    @property
    def _inner(self) -> Database:
        """This database, kept for existing callers of ``_inner.close()``."""
        return self

    @property
    def _tx_depth(self) -> int:
        """1 while this thread is in a transaction, else 0; kept for existing callers."""
        return int(self._engine.is_writing_here)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """Close every connection. Idempotent. An open transaction may still end."""
        self._engine.close()

    async def aclose(self) -> None:
        """Like `close`, without blocking the event loop."""
        await asyncio.to_thread(self._engine.close)

    # Statements of the application

    def transaction(self) -> Transaction:
        """A write transaction, for ``with`` or ``async with``; see `honker.Transaction`."""
        return self._engine.transaction()

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one read-only statement and return its rows, each a dict by column label.

        It sees all data committed before it begins, even while a transaction is open. To read uncommitted rows of a
        transaction, use `Transaction.query`.

        Args:
            sql: One SQL statement.
            params: Positional parameters, each None, bool, int, float, str or bytes.

        Raises:
            UnsupportedParameterError: The parameters are not as above.
            DatabaseReadOnlyError: The statement writes; use `transaction`.
            DatabaseBusyError: All reading connections stayed in use for a minute.
            DatabaseError: The statement failed.
        """
        return self._engine.query(sql, params)

    async def aquery(self, sql: str, params: Parameters = None) -> list[Row]:
        """Like `query`, without blocking the event loop."""
        return await self._engine.aquery(sql, params)

    def update_events(self) -> UpdateEvents:
        """Subscribe to commits of any connection in any process, from this moment on.

        Raises:
            WatcherError: The file cannot be watched by the requested backend, or was replaced.
            DatabaseClosedError: The database is closed.

        Cost: the first subscription starts a native thread for the file, which all others share.
        Source: ``honker_watcher_open`` of ``include/honker.h``; SQL ``honker_update_watcher_open`` is the same.
        """
        return cast("UpdateEvents", self._engine.updates())

    # Queues, streams, outboxes

    def queue(self, name: str, visibility_timeout_s: Seconds | None = None, max_attempts: int | None = None) -> Queue:
        """Get the queue of that name. Runs no SQL, so it may be called anywhere, even in a transaction.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.
            visibility_timeout_s: Seconds for which a claim is leased; 300 by default.
            max_attempts: Claims before a job is dead-lettered; 3 by default.

        Returns:
            The same object for the same name. Without options, the queue as it was first opened.

        Raises:
            QueueConflictError: The queue was already opened with other options. A missing option counts as its default.
        """
        known = self._queues.get(name)
        is_any = visibility_timeout_s is None and max_attempts is None
        if known is not None and is_any:
            return known
        wanted = Queue(
            self,
            name,
            VISIBILITY_TIMEOUT_S if visibility_timeout_s is None else visibility_timeout_s,
            MAX_ATTEMPTS if max_attempts is None else max_attempts,
        )
        known = self._queues.setdefault(name, wanted)
        if not is_any:
            _check_options(known, wanted)
        return known

    task = declaring.task
    periodic_task = declaring.periodic_task

    def workflow(self, name: str = "") -> Workflow:
        """Begin a workflow: steps that wait for each other; see `honker.Workflow`. Runs no SQL.

        Args:
            name: Its name, for people and lists of workflows.
        """
        return Workflow(self, name)

    workflow_result = workflow_record.workflow_result
    aworkflow_result = workflow_record.aworkflow_result

    def stream(self, name: str) -> Stream:
        """Get the stream of that topic. Runs no SQL, so it may be called anywhere, even in a transaction.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.

        Returns:
            The same object for the same name.
        """
        return self._streams.setdefault(name, Stream(self, name))

    def outbox(
        self,
        name: str,
        delivery: Callable[[Any], Any],
        max_attempts: int = outbox.MAX_ATTEMPTS,
        base_backoff_s: Seconds = outbox.BASE_BACKOFF_S,
        visibility_timeout_s: Seconds = outbox.VISIBILITY_TIMEOUT_S,
    ) -> Outbox:
        """Get the outbox of that name; see `honker.Outbox`. Runs no SQL, so it may be called in a transaction.

        Args:
            name: Non-empty text; with the prefix ``_outbox:`` at most 255 UTF-8 bytes.
            delivery: Called with each payload; a plain function or a coroutine function.
            max_attempts: Delivery attempts before the payload is dead-lettered.
            base_backoff_s: Seconds until the second attempt; doubled each time, up to an hour.
            visibility_timeout_s: Seconds after which the payload of a dead worker is delivered again.

        Returns:
            The same object for the same name.

        Raises:
            InvalidDeliveryError: ``delivery`` is not callable.
            OutboxConflictError: The outbox was already opened with other options or another delivery.
        """
        wanted = Outbox(
            self,
            name,
            delivery,
            max_attempts=max_attempts,
            base_backoff_s=base_backoff_s,
            visibility_timeout_s=visibility_timeout_s,
        )
        known = self._outboxes.setdefault(name, wanted)
        # Bound methods of one object are equal but not identical.
        if known.delivery != wanted.delivery or _outbox_options(known) != _outbox_options(wanted):
            raise OutboxConflictError(
                f"outbox {name!r} was already opened with (max_attempts, base_backoff_s, visibility_timeout_s) = "
                f"{_outbox_options(known)} and {known.delivery!r}, not {_outbox_options(wanted)} and {delivery!r}; "
                "open it with the same options and delivery"
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
        burst: bool = False,
        max_jobs: int | None = None,
    ) -> None:
        """Run the tasks of one queue, or of every queue with tasks; see `honker.run_workers`."""
        await run_workers(
            self,
            queue,
            concurrency,
            stop_event=stop_event,
            grace_s=grace_s,
            unknown_task_s=unknown_task_s,
            burst=burst,
            max_jobs=max_jobs,
        )

    # Notifications

    def notify(self, channel: str, payload: Any, tx: TransactionLike = None) -> int:
        """Notify the listeners of a channel.

        Args:
            channel: Non-empty text, at most 255 UTF-8 bytes.
            payload: Any value that JSON can represent.
            tx: The transaction to notify in. Listeners are notified if and only if it commits.

        Returns:
            The notification's id.

        Raises:
            InvalidPayloadError: The payload has no JSON form.

        Source: SQL ``notify``.
        """
        return self._engine.call(_NOTIFY, channel, serialization.encode(payload), tx=tx)

    async def anotify(self, channel: str, payload: Any, tx: TransactionLike = None) -> int:
        """Like `notify`, without blocking the event loop."""
        return await self._engine.acall(_NOTIFY, channel, serialization.encode(payload), tx=tx)

    def listen(self, channel: str, fallback_poll_s: float | None = FALLBACK_POLL_S) -> Listener:
        """Listen to the notifications of a channel from now on, by ``for`` or ``async for``; see `honker.Listener`.

        Args:
            channel: Non-empty text, at most 255 UTF-8 bytes.
            fallback_poll_s: Seconds between checks without a commit; None disables these checks.
        """
        return Listener(self, channel, fallback_poll_s)

    async def alisten(self, channel: str, fallback_poll_s: float | None = FALLBACK_POLL_S) -> Listener:
        """Like `listen`, without blocking the event loop."""
        return await asyncio.to_thread(self.listen, channel, fallback_poll_s)

    def prune_notifications(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Delete notifications of all channels. Sending one also deletes those older than a day.

        Args:
            older_than_s: Delete notifications older than this many seconds.
            max_keep: Delete all but this many of the newest.
            tx: A transaction to delete them in.

        Returns:
            The number of deleted rows, which are those beyond either limit.

        Raises:
            InvalidArgumentError: ``max_keep`` is negative.

        Source: SQL ``honker_notification_prune``.
        """
        limits = _prune_limits(older_than_s, max_keep)
        if limits is None:
            return 0
        if tx is not None:
            return self._engine.call(_PRUNE_NOTIFICATIONS, *limits, tx=tx)
        # Existing callers replace the method `transaction`, so the transaction comes from there.
        with self.transaction() as entered:
            own: Any = entered
            if isinstance(own, Transaction):
                return self._engine.call(_PRUNE_NOTIFICATIONS, *limits, tx=own)
            (pruned,) = own.query(_PRUNE_NOTIFICATIONS, limits)[0].values()
        return pruned

    async def aprune_notifications(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Like `prune_notifications`, without blocking the event loop."""
        limits = _prune_limits(older_than_s, max_keep)
        return 0 if limits is None else await self._engine.acall(_PRUNE_NOTIFICATIONS, *limits, tx=tx)

    # Locks and limits

    def lock(self, name: str, ttl: Seconds = 60, owner: str | None = None) -> Lock:
        """Make a named lock, for ``with`` and ``async with``; see `honker.Lock`. Runs no SQL.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.
            ttl: Seconds for which it is held, more than 0.
            owner: The owner's name; None generates a new one.
        """
        return Lock(self, name, ttl, owner)

    try_rate_limit = rate_limit.try_rate_limit
    atry_rate_limit = rate_limit.atry_rate_limit
    sweep_rate_limits = rate_limit.sweep_rate_limits
    asweep_rate_limits = rate_limit.asweep_rate_limits

    def token_bucket(self, name: str, capacity: float, refill_per_s: float) -> TokenBucket:
        """Get the token bucket of that name, a rate limit that allows bursts; see `honker.TokenBucket`. Runs no SQL.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.
            capacity: The largest number of tokens, and so the largest burst; more than 0.
            refill_per_s: Tokens added per second; more than 0.
        """
        return TokenBucket(self, name, capacity, refill_per_s)

    # Inspection and repair, of every queue

    stats = every_queue.stats
    astats = every_queue.astats
    get_job = every_queue.get_job
    aget_job = every_queue.aget_job
    cancel = every_queue.cancel
    acancel = every_queue.acancel
    request_cancel = every_queue.request_cancel
    arequest_cancel = every_queue.arequest_cancel
    requeue = every_queue.requeue
    arequeue = every_queue.arequeue
    jobs = listing.jobs
    ajobs = listing.ajobs
    job = detail.job
    ajob = detail.ajob
    apply = bulk.apply
    aapply = bulk.aapply
    workers = worker_listing.workers
    aworkers = worker_listing.aworkers
    dead_groups = _dead_groups.dead_groups
    adead_groups = _dead_groups.adead_groups
    streams = _streams.streams
    astreams = _streams.astreams
    locks = _locks.locks
    alocks = _locks.alocks
    workflows = _workflows.workflows
    aworkflows = _workflows.aworkflows
    schedules = _schedules.schedules
    aschedules = _schedules.aschedules
    counters = counting.counters
    acounters = counting.acounters
    counter_totals = counting.counter_totals
    acounter_totals = counting.acounter_totals
    configure = counting.configure
    aconfigure = counting.aconfigure
    settings = counting.settings
    asettings = counting.asettings

    def retention(self) -> list[Retention]:
        """The policies set by `Queue.retain_dead` and `Stream.retain`, by kind and name.

        Source: SQL ``honker_retention_list``.
        """
        return [Retention(**row) for row in json.loads(self._engine.ask(_RETENTION))]

    async def aretention(self) -> list[Retention]:
        """Like `retention`, without blocking the event loop."""
        return [Retention(**row) for row in json.loads(await self._engine.aask(_RETENTION))]

    malformed_rows = malformed.malformed_rows
    amalformed_rows = malformed.amalformed_rows


def database_on(engine: ForwardingEngine[Any], tasks: TaskRegistry) -> Database:
    """A database on an engine that may not be open yet, with tasks of its own. Opens nothing."""
    db = Database.__new__(Database)
    db._bind(engine, tasks)  # pyright: ignore[reportPrivateUsage] - a friend in the same module
    return db


def _prune_limits(older_than_s: Seconds | None, max_keep: int | None) -> tuple[float | None, int | None] | None:
    """Convert the two limits for the engine; None without limits."""
    if max_keep is not None and max_keep < 0:
        raise InvalidArgumentError(f"max_keep must not be negative; it is {max_keep}")
    if max_keep is not None and max_keep > INT64_MAX:
        max_keep = None  # More rows than a table can have.
    if older_than_s is None and max_keep is None:
        return None
    return optional_seconds(older_than_s, "older_than_s"), max_keep


def join(db: Database, host: Database) -> None:
    """Make the queues, streams, outboxes and tasks of a database those of another one too, now and later.

    Raises:
        QueueConflictError: A queue has other options there. The default options give way.
        TaskConflictError: A task there has the same name.
    """
    db._join(host)  # pyright: ignore[reportPrivateUsage] - a friend in the same module


def _check_options(known: Queue, wanted: Queue) -> None:
    if _queue_options(known) != _queue_options(wanted):
        raise QueueConflictError(
            f"queue {known.name!r} was already opened with (visibility_timeout_s, max_attempts) = "
            f"{_queue_options(known)}, not {_queue_options(wanted)}; open it with the same options, or with none"
        )


def _queue_options(queue: Queue) -> tuple[float, int]:
    return queue.visibility_timeout_s, queue.max_attempts


def _outbox_options(each: Outbox) -> tuple[int, float, float]:
    return each.max_attempts, each.base_backoff_s, each.queue.visibility_timeout_s


def open(
    path: str | os.PathLike[str],
    max_readers: int = MAX_READERS,
    watcher_backend: str | None = None,
    watcher_poll_interval_ms: int | None = None,
    *,
    synchronous: str = SYNCHRONOUS[0],
    foreign_keys: bool | None = None,
    sqlite3: ModuleType = sqlite3,
) -> Database:
    """Open a database file or a PostgreSQL database, creating the file and honker's tables if they are missing.

    Args:
        path: The file, or a ``file:`` URI; its directory must exist. Or a ``postgresql://`` URL, for which the options
            about watchers and foreign keys must be left out.
        max_readers: Reading connections, opened when first needed; 0 means 1.
        watcher_backend: How commits are detected: ``"polling"``, ``"kernel"`` or ``"shm"``; None selects one.
        watcher_poll_interval_ms: Milliseconds between two checks, if the backend needs them; 1 by default.
        synchronous: The durability of commits. ``"NORMAL"``: commits survive the end of the process, but a power cut
            may undo the last ones. ``"FULL"`` or ``"EXTRA"``: each commit waits for a sync of the disk, and survives a
            power cut too.
        foreign_keys: True enforces the application's foreign keys in `Database.transaction`, False does not, as in
            SQLite's own default; None leaves the default of the SQLite library.
        sqlite3: A compatible DB-API module, such as ``pysqlite3``. It must be the only copy of SQLite that
            loads the engine in this process; a second one gets `TwoSQLitesError`.

    Returns:
        The handle; close it, or use it in a ``with`` block.

    Raises:
        InvalidArgumentError: An argument is invalid.
        DatabaseOpenError: The file cannot be opened or created.
        DatabaseCorruptError: The file is not a SQLite database, or is damaged.
        DatabaseReadOnlyError: The file cannot be written, and its honker tables are missing or old.
        SchemaTooNewError: The file was written by a newer honker.
        ExtensionUnsupportedError: This Python's ``sqlite3`` cannot load the engine.
        ExtensionNotFoundError: The engine's library is missing.

    Cost: one connection; no write if the file is up to date.
    Source: SQL ``honker_bootstrap``.
    """
    return Database(
        path,
        max_readers,
        watcher_backend,
        watcher_poll_interval_ms,
        synchronous=synchronous,
        foreign_keys=foreign_keys,
        sqlite3=sqlite3,
    )
