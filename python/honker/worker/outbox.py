"""Outboxes: side effects that are recorded with the rows that caused them, and delivered afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from honker.arguments import Instant, Seconds, TransactionLike, seconds
from honker.engine import Handle
from honker.errors import InvalidArgumentError, InvalidDeliveryError
from honker.job import Job
from honker.queue.queue import Queue
from honker.task.options import lazy_reason
from honker.worker.execution import Call, is_async_callable
from honker.worker.outcome import Policy
from honker.worker.runner import GRACE_S, Runner
from honker.worker.settlement import Fail

MAX_ATTEMPTS: Final = 5
BASE_BACKOFF_S: Final = 5
VISIBILITY_TIMEOUT_S: Final = 60
#: The longest pause between two deliveries: an hour after the other system is back, all are under way.
MAX_BACKOFF_S: Final = 3600.0
_SPREAD: Final = 0.1


class Outbox:
    """Delivers payloads to other systems, each at least once, and retries failed deliveries.

    A payload that is enqueued with ``tx=`` is delivered if and only if that transaction commits. A failed delivery is
    retried after ``base_backoff_s``, then after twice as long each time, up to an hour. Up to a tenth is added to each
    delay, so that deliveries which failed together are spread. Raise `honker.Retryable` to choose the delay. After
    ``max_attempts`` the payload is a dead letter, with its error.

    Constructing it runs no SQL. Get one from `Database.outbox`.

    Attributes:
        db: The database.
        name: The outbox's name.
        delivery: Called with each payload. A plain function is called in a thread; an awaitable that it returns is
            awaited.
        max_attempts: Attempts for each payload.
        base_backoff_s: Seconds before the second attempt.
        queue: The queue of the payloads, ``_outbox:<name>``.
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
        if (refusal := lazy_reason(delivery)) is not None:
            raise InvalidDeliveryError(f"delivery {refusal}")
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
        """Record a payload to deliver; see `Queue.enqueue`.

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
        """Like `enqueue`, without blocking the event loop."""
        return await self.queue.aenqueue(payload, tx=tx, priority=priority, delay=delay, run_at=run_at, expires=expires)

    async def run_worker(
        self, worker_id: str, stop_event: asyncio.Event | None = None, *, grace_s: float = GRACE_S
    ) -> None:
        """Deliver payloads one after the other until ``stop_event`` is set, then let the delivery under way end.

        Cancelled, it gives that delivery back at once, uncharged. As `run_workers`, it takes no signals: set the event
        in a signal handler of the event loop.

        Args:
            worker_id: Non-empty text, at most 255 UTF-8 bytes.
            stop_event: Ends it; it is only read, never set.
            grace_s: Seconds that the delivery has to end after the stop; then it is given back, uncharged.

        Raises:
            DatabaseClosedError: The database was closed.
            DatabaseReplacedError: Its file was deleted or replaced. Other database errors are logged and retried.
        """
        await Runner(self.queue, worker_id, self._resolve, grace_s=grace_s).run(stop_event)

    def _resolve(self, job: Job) -> Call | Fail:
        try:
            payload = job.payload
        except ValueError as error:
            return Fail(f"the payload is not JSON: {error}")
        return Call(self.delivery, [payload], {}, self._policy, self._is_async, name=self.queue.name)

    def _backoff_s(self, attempt: int) -> float:
        # The bound never shortens the delay that the caller chose.
        longest = max(MAX_BACKOFF_S, self.base_backoff_s)
        return min(self.base_backoff_s * 2 ** min(attempt - 1, 60), longest) * random.uniform(1, 1 + _SPREAD)
