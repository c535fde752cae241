"""Adding jobs: the part of a queue that enqueues."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias, TypeVar, cast

from honker import payload as payloads
from honker.pool import Pool
from honker.transaction import Transaction
from honker.types import (
    Call,
    Instant,
    Seconds,
    SQLValue,
    TransactionLike,
    optional_instant,
    optional_seconds,
    whole,
)

T = TypeVar("T")

#: An option of several jobs: one value for all of them, or a sequence with one for each.
ForEach: TypeAlias = T | Sequence[T]

_ENQUEUE: Final = "SELECT honker_enqueue(?, ?, ?, ?, ?, ?, ?)"
_ENQUEUE_MANY: Final = "SELECT honker_enqueue_many(?2, ?1, ?3, ?4, ?5, ?6, ?7)"
# Of a job without options. What is the same in each call is not passed: a parameter costs Python as much as a column
# costs SQLite.
_PLAIN: Final = "SELECT honker_enqueue(?, ?, NULL, NULL, 0, ?, NULL)"
_PLAIN_MANY: Final = "SELECT honker_enqueue_many(?2, ?1, NULL, NULL, 0, ?3, NULL)"


class Producer:
    """What a queue does with jobs that are not there yet.

    Attributes:
        db: The database.
        name: The queue's name.
        max_attempts: Claims before a job is dead-lettered, if it does not say.
    """

    db: Pool
    name: str
    max_attempts: int

    def enqueue(  # noqa: PLR0917 - the order that existing callers rely on
        self,
        payload: Any,
        tx: TransactionLike = None,
        run_at: Instant | None = None,
        delay: Seconds | None = None,
        priority: int = 0,
        expires: Seconds | None = None,
        max_attempts: int | None = None,
    ) -> int:
        """Add a job.

        Args:
            payload: Anything JSON can carry.
            tx: The transaction to add it in: then it exists if and only if that commits.
            run_at: Unix seconds or a datetime; it is not claimed earlier.
            delay: Seconds from now; it is not claimed earlier. Wins over ``run_at``.
            priority: Larger runs sooner, within ±(2**53 - 1).
            expires: Seconds from now after which it is dead-lettered instead of claimed.
            max_attempts: Claims before it is dead-lettered; None means the queue's.

        Returns:
            The job's id, unique over all queues of the file and never used again.

        Raises:
            InvalidPayloadError: The payload has no JSON form.
            InvalidArgumentError: A value is outside its range.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one row and one index entry; one statement, which jobs with the same options that a `Transaction` adds one
        after the other share. For many jobs at once see `enqueue_many`.
        Source: SQL ``honker_enqueue``.
        """
        text = payloads.encode(payload)
        call = self._enqueue(text, run_at, delay, priority, expires, max_attempts)
        # A span that counts from now cannot wait.
        if delay is expires is None and isinstance(tx, Transaction):
            if call[0] is _PLAIN:
                return tx.add_in_series(call, (_PLAIN_MANY, self.name, self.max_attempts), text)
            return tx.add_in_series(call, (_ENQUEUE_MANY, self.name, *call[3:]), text)
        job_id: int = self.db.call(*call, tx=tx)
        return job_id

    async def aenqueue(  # noqa: PLR0917 - that of `enqueue`
        self,
        payload: Any,
        tx: TransactionLike = None,
        run_at: Instant | None = None,
        delay: Seconds | None = None,
        priority: int = 0,
        expires: Seconds | None = None,
        max_attempts: int | None = None,
    ) -> int:
        """As `enqueue`, without blocking the event loop."""
        if tx is not None:
            return self.enqueue(payload, tx, run_at, delay, priority, expires, max_attempts)
        text = payloads.encode(payload)
        job_id: int = await self.db.acall(*self._enqueue(text, run_at, delay, priority, expires, max_attempts))
        return job_id

    def _enqueue(  # noqa: PLR0917 - by position, since this is called for every job
        self,
        text: str,
        run_at: Instant | None,
        delay: Seconds | None,
        priority: int,
        expires: Seconds | None,
        max_attempts: int | None,
    ) -> Call:
        if run_at is delay is expires is max_attempts is None and type(priority) is int and priority == 0:
            return _PLAIN, self.name, text, self.max_attempts
        return (
            _ENQUEUE,
            self.name,
            text,
            optional_instant(run_at, "run_at"),
            optional_seconds(delay, "delay"),
            whole(priority, "priority"),
            self.max_attempts if max_attempts is None else whole(max_attempts, "max_attempts"),
            optional_seconds(expires, "expires"),
        )

    def enqueue_many(
        self,
        payloads: Iterable[Any],
        *,
        tx: TransactionLike = None,
        run_at: ForEach[Instant | None] = None,
        delay: ForEach[Seconds | None] = None,
        priority: ForEach[int] = 0,
        expires: ForEach[Seconds | None] = None,
        max_attempts: ForEach[int | None] = None,
    ) -> list[int]:
        """Add several jobs, all or none.

        Each option is one value for all jobs, or a sequence with one for each::

            queue.enqueue_many([{"n": 1}, {"n": 2}], priority=[5, 0], delay=60)

        Args:
            payloads: At most 100,000, anything JSON can carry each; as JSON at most 100 MiB together.
            tx: The transaction to add them in: then they exist if and only if that commits.
            run_at: As for `enqueue`.
            delay: As for `enqueue`.
            priority: As for `enqueue`.
            expires: As for `enqueue`.
            max_attempts: As for `enqueue`.

        Returns:
            The jobs' ids, in order.

        Raises:
            InvalidPayloadError: A payload has no JSON form.
            InvalidArgumentError: A value is outside its range, or a sequence has not as many values as there are jobs.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one statement for all of them, and for each one row and one index entry.
        Source: SQL ``honker_enqueue_many``.
        """
        call = self._enqueue_many(payloads, run_at, delay, priority, expires, max_attempts)
        return json.loads(self.db.call(*call, tx=tx))

    async def aenqueue_many(
        self,
        payloads: Iterable[Any],
        *,
        tx: TransactionLike = None,
        run_at: ForEach[Instant | None] = None,
        delay: ForEach[Seconds | None] = None,
        priority: ForEach[int] = 0,
        expires: ForEach[Seconds | None] = None,
        max_attempts: ForEach[int | None] = None,
    ) -> list[int]:
        """As `enqueue_many`, without blocking the event loop."""
        call = self._enqueue_many(payloads, run_at, delay, priority, expires, max_attempts)
        return json.loads(await self.db.acall(*call, tx=tx))

    def _enqueue_many(  # noqa: PLR0917 - those of `enqueue_many`
        self,
        values: Iterable[Any],
        run_at: ForEach[Instant | None],
        delay: ForEach[Seconds | None],
        priority: ForEach[int],
        expires: ForEach[Seconds | None],
        max_attempts: ForEach[int | None],
    ) -> Call:
        return (
            "SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?)",
            self.name,
            payloads.encode_all(values),
            _each(run_at, "run_at", optional_instant),
            _each(delay, "delay", optional_seconds),
            _each(priority, "priority", whole),
            _each(max_attempts, "max_attempts", self._budget),
            _each(expires, "expires", optional_seconds),
        )

    def _budget(self, max_attempts: int | None, argument: str) -> int:
        return self.max_attempts if max_attempts is None else whole(max_attempts, argument)


def _each(option: ForEach[T], argument: str, check: Callable[[T, str], SQLValue]) -> SQLValue:
    """An option as the engine takes it: one value, or a JSON array of them."""
    if isinstance(option, Sequence) and not isinstance(option, (str, bytes)):
        values = cast("Sequence[T]", option)
        return json.dumps([check(value, f"{argument} at position {n}") for n, value in enumerate(values)])
    return check(cast("T", option), argument)
