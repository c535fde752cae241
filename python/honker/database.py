"""What is in one database file: queues, streams, notifications, locks and rate limits."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from honker import payload as payloads
from honker.connection import SYNCHRONOUS
from honker.errors import InvalidArgumentError, QueueConflictError
from honker.lock import Lock
from honker.pool import Pool
from honker.pubsub import FALLBACK_POLL_S, Listener
from honker.queue import MAX_ATTEMPTS, VISIBILITY_TIMEOUT_S, Queue
from honker.retention import Retention
from honker.stats import QueueStats
from honker.stream import Stream
from honker.token_bucket import TokenBucket
from honker.types import Seconds, TransactionLike, optional_seconds, seconds

if TYPE_CHECKING:
    from honker.tasks import HasExpression, TaskDecorator

MAX_READERS: Final = 8

_INT64_MAX: Final = 2**63 - 1
_QUEUES_PER_PAGE: Final = 1_000


class Database(Pool):
    """A database file with honker in it; `honker.Database` adds what runs on it.

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
        super().__init__(path, max_readers, watcher_backend, watcher_poll_interval_ms, sqlite3, synchronous=synchronous)
        self._queues: dict[str, Queue] = {}
        self._streams: dict[str, Stream] = {}
        # Guards the two fields above.
        self._handles_lock = threading.Lock()
        try:
            self.call("SELECT honker_bootstrap()")
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<honker.Database {self.path!r}>"

    @property
    def _inner(self) -> Database:
        """Where existing callers look for `close`."""
        return self

    @property
    def _tx_depth(self) -> int:
        """1 while this thread is in a transaction, else 0; existing callers look at it."""
        return int(self._turn.is_mine)

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
        with self._handles_lock:
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

    def stats(self, count_limit: int | None = None) -> list[QueueStats]:
        """How much there is in each queue that holds a job, dead letters included, or is paused; by name.

        Args:
            count_limit: How far to count, 1 to 1,000,000; None means 10,000. Beyond it a count is a lower bound.

        Raises:
            InvalidArgumentError: ``count_limit`` is outside its range.

        Cost: O(log jobs + count_limit) for each queue, whatever the queues hold.
        Source: SQL ``honker_queue_list``.
        """
        found: list[QueueStats] = []
        while True:
            after = found[-1].queue if found else None
            text: str = self.ask("SELECT honker_queue_list(?, ?, ?)", after, _QUEUES_PER_PAGE, count_limit)
            page = [QueueStats(**row) for row in json.loads(text)]
            found += page
            if len(page) < _QUEUES_PER_PAGE:
                return found

    def stream(self, name: str) -> Stream:
        """The stream of that topic. Runs no SQL, so it may be called anywhere, in a transaction too.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.

        Returns:
            The same object for the same name.
        """
        with self._handles_lock:
            return self._streams.setdefault(name, Stream(self, name))

    def notify(self, channel: str, payload: Any, tx: TransactionLike = None) -> int:
        """Notify the listeners of a channel.

        Args:
            channel: Non-empty text, at most 255 UTF-8 bytes.
            payload: Anything JSON can carry.
            tx: The transaction to notify in: listeners hear of it if and only if that commits.

        Returns:
            The notification's id.

        Raises:
            InvalidPayloadError: The payload has no JSON form.

        Source: SQL ``notify``.
        """
        notification_id: int = self.call("SELECT notify(?, ?)", channel, payloads.encode(payload), tx=tx)
        return notification_id

    async def anotify(self, channel: str, payload: Any) -> int:
        """As `notify`, without blocking the event loop."""
        notification_id: int = await self.acall("SELECT notify(?, ?)", channel, payloads.encode(payload))
        return notification_id

    def listen(self, channel: str, fallback_poll_s: float | None = FALLBACK_POLL_S) -> Listener:
        """The notifications of a channel from now on, for ``for`` and ``async for``; see `honker.Listener`.

        Args:
            channel: Non-empty text, at most 255 UTF-8 bytes.
            fallback_poll_s: Seconds after which it looks even if nothing woke it; None never does.
        """
        return Listener(self, channel, fallback_poll_s)

    def prune_notifications(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Delete notifications of all channels. Sending does so by itself with those older than a day.

        Args:
            older_than_s: Delete what is older.
            max_keep: Delete all but the newest so many.
            tx: A transaction to delete them in.

        Returns:
            How many were deleted: those that either applies to.

        Raises:
            InvalidArgumentError: ``max_keep`` is negative.

        Source: SQL ``honker_notification_prune``.
        """
        if max_keep is not None and max_keep < 0:
            raise InvalidArgumentError(f"max_keep must not be negative, and is {max_keep}")
        if max_keep is not None and max_keep > _INT64_MAX:
            max_keep = None  # More than there can be.
        if older_than_s is None and max_keep is None:
            return 0
        age_s = optional_seconds(older_than_s, "older_than_s")
        sql = "SELECT honker_notification_prune(?, ?)"
        if tx is not None:
            return self.call(sql, age_s, max_keep, tx=tx)
        # Existing callers put a transaction of their own into `transaction`, so it is asked for one.
        with self.transaction() as own:
            (pruned,) = own.query(sql, (age_s, max_keep))[0].values()
        return pruned

    def lock(self, name: str, ttl: Seconds = 60, owner: str | None = None) -> Lock:
        """A named lock, for ``with`` and ``async with``; see `honker.Lock`. Runs no SQL.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.
            ttl: Seconds it is held for, more than 0.
            owner: Who asks for it; None makes up somebody new.
        """
        return Lock(self, name, ttl, owner)

    def try_rate_limit(self, name: str, limit: int, per: Seconds, tx: TransactionLike = None) -> bool:
        """Count one use of ``name``, unless its window is full.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.
            limit: Uses in a window, more than 0.
            per: The window's length in seconds, more than 0. Windows begin at multiples of it.
            tx: A transaction to count it in.

        Returns:
            Whether it was counted. Around a window's end, up to twice ``limit`` uses may fall into one length of it.

        Raises:
            InvalidArgumentError: ``limit`` or ``per`` is not positive.

        Source: SQL ``honker_rate_limit_try``.
        """
        return bool(self.call("SELECT honker_rate_limit_try(?, ?, ?)", name, limit, seconds(per, "per"), tx=tx))

    def sweep_rate_limits(self, older_than_s: Seconds = 3600, tx: TransactionLike = None) -> int:
        """Delete the windows that began longer ago; how many. New windows do so with some that have ended.

        Source: SQL ``honker_rate_limit_sweep``.
        """
        age_s = seconds(older_than_s, "older_than_s")
        count: int = self.call("SELECT honker_rate_limit_sweep(?)", age_s, tx=tx)
        return count

    def token_bucket(self, name: str, capacity: float, refill_per_s: float) -> TokenBucket:
        """The token bucket of that name: a rate limit that lets bursts pass; see `honker.TokenBucket`. Runs no SQL.

        Args:
            name: Non-empty text, at most 255 UTF-8 bytes.
            capacity: The most tokens it holds, and so the largest burst; more than 0.
            refill_per_s: Tokens that it gains per second; more than 0.
        """
        return TokenBucket(self, name, capacity, refill_per_s)

    def cancel(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Remove a job of any queue, waiting or leased. Whether there was one.

        Source: SQL ``honker_cancel``.
        """
        return bool(self.call("SELECT honker_cancel(?)", job_id, tx=tx))

    def requeue(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Put a dead letter of any queue back among the waiting jobs; see `Queue.requeue`. Whether there was one.

        Source: SQL ``honker_requeue``.
        """
        return bool(self.call("SELECT honker_requeue(?)", job_id, tx=tx))

    def retention(self) -> list[Retention]:
        """What `Queue.retain_dead` and `Stream.retain` have set, by kind and name.

        Source: SQL ``honker_retention_list``.
        """
        return [Retention(**row) for row in json.loads(self.ask("SELECT honker_retention_list()"))]

    def task(self, queue: str = "default", **options: Any) -> TaskDecorator:
        """Make a function a task of the queue of that name; see `Queue.task`."""
        return self.queue(queue).task(**options)

    def periodic_task(self, schedule: HasExpression, queue: str = "default", **options: Any) -> TaskDecorator:
        """Make a function a task that a schedule enqueues into the queue of that name; see `Queue.periodic_task`."""
        return self.queue(queue).periodic_task(schedule, **options)

    def malformed_rows(self, limit: int = 100, tx: TransactionLike = None) -> list[dict[str, Any]]:
        """Rows that somebody edited by hand into what cannot be understood.

        Nothing waits for such a row: a claim dead-letters what it meets, a tick passes over the schedule, a reader over
        the event, which it logs. But some no operation ever meets, such as a job whose time is a text.

        Args:
            limit: At most so many; negative means all.
            tx: A transaction to look in.

        Returns:
            For each: table, row (its rowid) and problem. Repair or delete it.

        Cost: reads every table from end to end, for maintenance.
        Source: SQL ``honker_malformed_rows``.
        """
        return json.loads(self.ask("SELECT honker_malformed_rows(?)", limit, tx=tx))

    def get_job(self, job_id: int, tx: TransactionLike = None) -> dict[str, Any] | None:
        """A waiting or leased job of any queue, or None; see `Queue.get_job`.

        Source: SQL ``honker_get_job``.
        """
        text: str = self.ask("SELECT honker_get_job(?)", job_id, tx=tx)
        return json.loads(text) if text else None


def _options(queue: Queue) -> tuple[float, int]:
    return queue.visibility_timeout_s, queue.max_attempts
