"""Outboxes: side effects that are recorded with the rows that caused them, and delivered afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from honker.arguments import Instant, Seconds, TransactionLike, seconds
from honker.engine import Handle
from honker.errors import InvalidArgumentError, InvalidDeliveryError
from honker.job import Job
from honker.queue.queue import Queue
from honker.worker.outcome import Call, Ending, Policy, is_async_callable
from honker.worker.runner import Runner

MAX_ATTEMPTS: Final = 5
BASE_BACKOFF_S: Final = 5
VISIBILITY_TIMEOUT_S: Final = 60
#: The longest pause between two deliveries: an hour after the other side is back, everything is under way.
MAX_BACKOFF_S: Final = 3600.0
_SPREAD: Final = 0.1


class Outbox:
    """Delivers payloads to the outside world, each at least once, trying again while that fails.

    What is enqueued with ``tx=`` is delivered if and only if that transaction commits. A delivery that fails is tried
    again after ``base_backoff_s``, and then after twice as long each time up to an hour, and up to a tenth longer so
    that those which failed together do not all come back together. Raise `honker.Retryable` to choose the delay.
    After ``max_attempts`` it is a dead letter, with its error.

    Constructing it runs no SQL. Get one from `Database.outbox`.

    Attributes:
        db: The database.
        name: The outbox's name.
        delivery: Called with each payload. A plain function is called in a thread; what it returns is awaited if it
            can be.
        max_attempts: Deliveries that are tried.
        base_backoff_s: Seconds.
        queue: Where the payloads wait, ``_outbox:<name>``.
    """

    def __init__(  # noqa: PLR0917 - the order that existing callers rely on
        self,
        db: Handle,
        name: str,
        delivery: Callable[[Any], Any],
        max_attempts: int = MAX_ATTEMPTS,
        base_backoff_s: Seconds = BASE_BACKOFF_S,
        visibility_timeout_s: Seconds = VISIBILITY_TIMEOUT_S,
    ) -> None:
        if not callable(delivery):
            raise InvalidDeliveryError(f"delivery must be callable, not {type(delivery).__name__}")
        self.db = db
        self.name = name
        self.delivery = delivery
        self.max_attempts = max_attempts
        self.base_backoff_s = seconds(base_backoff_s, "base_backoff_s")
        if self.base_backoff_s < 0:
            raise InvalidArgumentError(f"base_backoff_s is {base_backoff_s}; it must not be negative")
        self.queue = Queue(db, f"_outbox:{name}", visibility_timeout_s, max_attempts)
        self._policy = Policy(retry_delay_s=self._backoff_s)
        self._is_async = is_async_callable(delivery)

    def __repr__(self) -> str:
        return f"<honker.Outbox {self.name!r} of {self.db.path!r}>"

    def enqueue(  # noqa: PLR0917 - the order that existing callers rely on
        self,
        payload: Any,
        tx: TransactionLike = None,
        priority: int = 0,
        delay: Seconds | None = None,
        run_at: Instant | None = None,
        expires: Seconds | None = None,
    ) -> int:
        """Record something to deliver; see `Queue.enqueue`.

        Returns:
            The job's id.
        """
        return self.queue.enqueue(payload, tx=tx, priority=priority, delay=delay, run_at=run_at, expires=expires)

    async def aenqueue(  # noqa: PLR0917 - the order that existing callers rely on
        self,
        payload: Any,
        tx: TransactionLike = None,
        priority: int = 0,
        delay: Seconds | None = None,
        run_at: Instant | None = None,
        expires: Seconds | None = None,
    ) -> int:
        """As `enqueue`, without blocking the event loop."""
        return await self.queue.aenqueue(payload, tx=tx, priority=priority, delay=delay, run_at=run_at, expires=expires)

    async def run_worker(self, worker_id: str) -> None:
        """Deliver, one after the other, until cancelled. What was under way then is given back uncharged.

        Args:
            worker_id: Non-empty text, at most 255 UTF-8 bytes.

        Raises:
            DatabaseClosedError: The database was closed.
            DatabaseReplacedError: Its file was deleted or replaced. Any other trouble is logged and waited out.
        """
        await Runner(self.queue, worker_id, self._resolve).run()

    def _resolve(self, job: Job) -> Call | Ending:
        try:
            payload = job.payload
        except ValueError as error:
            return {"do": "fail", "error": f"the payload is not JSON: {error}"}
        return Call(self.delivery, [payload], {}, self._policy, self._is_async)

    def _backoff_s(self, attempt: int) -> float:
        # Never less than what was asked for, whatever the bound.
        longest = max(MAX_BACKOFF_S, self.base_backoff_s)
        return min(self.base_backoff_s * 2 ** min(attempt - 1, 60), longest) * random.uniform(1, 1 + _SPREAD)
