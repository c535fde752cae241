"""Adding jobs: methods of `honker.Queue`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from honker import serialization
from honker.arguments import Instant, OnConflict, OnParentFailure, Seconds, TransactionLike, UniqueUntil
from honker.job import JobQueue
from honker.queue.enqueue import (
    ForEach,
    enqueue_call,
    enqueue_many_call,
    is_only_keyed,
    keyed_series_call,
    related_call,
    series_call,
    unique_call,
)
from honker.queue.flow_options import JobReference, encode, flow_of_many, flow_options
from honker.records import Record


class EnqueuingQueue(JobQueue, Protocol):
    """The queue to which jobs are added: `honker.Queue`."""

    @property
    def max_attempts(self) -> int:
        """Claims before a job is dead-lettered."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class UniqueJob(Record):
    """The job of a unique key.

    Attributes:
        id: The job's id.
        is_duplicate: True if the unique key was taken before the call; the id is that of the job that has it.
    """

    id: int
    is_duplicate: bool


def enqueue(  # noqa: PLR0917 - the order that existing callers rely on
    self: EnqueuingQueue,
    payload: Any,
    tx: TransactionLike = None,
    run_at: Instant | None = None,
    delay: Seconds | None = None,
    priority: int = 0,
    expires: Seconds | None = None,
    max_attempts: int | None = None,
    *,
    key: str | None = None,
    unique_key: str | None = None,
    on_conflict: OnConflict | None = None,
    unique_until: UniqueUntil | None = None,
    unique_for_s: Seconds | None = None,
    debounce_s: Seconds | None = None,
    debounce_max_s: Seconds | None = None,
    after: Iterable[JobReference] | None = None,
    on_parent_failure: OnParentFailure | None = None,
) -> int:
    """Add a job.

    Args:
        payload: Any value that JSON can represent.
        tx: The transaction to add it in. The job exists if and only if it commits.
        run_at: Unix seconds or a datetime before which the job is not claimed.
        delay: Seconds from now before which the job is not claimed. Takes precedence over ``run_at``.
        priority: Larger values run sooner, within ±(2**53 - 1).
        expires: Seconds from now after which it is dead-lettered instead of claimed.
        max_attempts: Claims before it is dead-lettered; None uses the queue's ``max_attempts``.
        key: 1 to 255 bytes of UTF-8. Jobs of one key share the limits per key of the queue; see `configure`.
        unique_key: 1 to 255 bytes of UTF-8. At most one job of the queue has it. It is free again in the commit that
            ends the job; a retry keeps it.
        on_conflict: The effect of a unique key that is taken. ``"existing"`` (the default) returns the id of the job
            that has it. ``"replace"`` gives the new payload, priority, start, attempts and expiry to that job if it
            has not started. ``"rerun"`` runs the new job after a running one. ``"raise"`` raises an error.
        unique_until: ``"finished"`` (the default), or ``"started"`` to free the unique key at the job's start.
        unique_for_s: Seconds for which the unique key stays taken after the job has succeeded.
        debounce_s: Seconds from the last enqueue of the unique key after which the job starts. The last payload wins.
        debounce_max_s: Seconds from the first of these enqueues after which the job starts in any case.
        after: Jobs, or their ids, that have to end first.
        on_parent_failure: The effect of a job in ``after`` that fails. ``"cancel"`` (the default) makes this job a
            dead letter that names the parent, ``"run"`` runs it, ``"wait"`` waits until the parent is requeued and
            succeeds.

    Returns:
        The job's id, which is unique across all queues of the file and never reused. If the unique key is taken, the id
        of the job that has it; `enqueue_unique` tells the two apart.

    Raises:
        InvalidPayloadError: The payload has no JSON form.
        InvalidArgumentError: A value is outside its range, or two options contradict each other.
        UniqueKeyTakenError: The unique key is taken, and ``on_conflict`` is ``"raise"``.
        UnknownParentError: A job in ``after`` never existed, or has ended without a trace.
        DatabaseBusyError: The write lock was not free within the busy timeout.

    Cost: one row, one index entry and one statement. Consecutive jobs with the same options in one `Transaction` share
        the statement, whatever their keys, unless they have a unique key or parents. A unique key and each parent add a
        row. For many jobs at once see `enqueue_many`.
    Source: SQL ``honker_enqueue``.
    """
    text = serialization.encode(payload)
    call = enqueue_call(self.name, text, run_at, delay, priority, expires, max_attempts, self.max_attempts)
    flow = None
    # Most jobs have none of these options, and the comparison is shorter than the call.
    if not (
        key is unique_key is on_conflict is unique_until is unique_for_s is debounce_s is None
        and debounce_max_s is after is on_parent_failure is None
    ):
        flow = flow_options(
            key=key,
            unique_key=unique_key,
            on_conflict=on_conflict,
            unique_until=unique_until,
            unique_for_s=unique_for_s,
            debounce_s=debounce_s,
            debounce_max_s=debounce_max_s,
            after=after,
            on_parent_failure=on_parent_failure,
        )
    # A span that counts from now cannot wait for a shared statement.
    may_wait = tx is not None and delay is expires is None
    if flow is not None:
        plain, call = call, related_call(call, flow)
        if may_wait and is_only_keyed(flow):
            return self.db.engine.add(call, keyed_series_call(plain), (text, encode(flow)), tx)
    elif may_wait:
        return self.db.engine.add(call, series_call(call), text, tx)
    job_id: int = self.db.engine.call(*call, tx=tx)
    return job_id


async def aenqueue(  # noqa: PLR0917 - the order that existing callers rely on
    self: EnqueuingQueue,
    payload: Any,
    tx: TransactionLike = None,
    run_at: Instant | None = None,
    delay: Seconds | None = None,
    priority: int = 0,
    expires: Seconds | None = None,
    max_attempts: int | None = None,
    *,
    key: str | None = None,
    unique_key: str | None = None,
    on_conflict: OnConflict | None = None,
    unique_until: UniqueUntil | None = None,
    unique_for_s: Seconds | None = None,
    debounce_s: Seconds | None = None,
    debounce_max_s: Seconds | None = None,
    after: Iterable[JobReference] | None = None,
    on_parent_failure: OnParentFailure | None = None,
) -> int:
    """Like `enqueue`, without blocking the event loop.

    Calls of several tasks at the same time share a commit. A call that is cancelled before its commit has begun adds no
    job; one that is cancelled later may have added it.
    """
    text = serialization.encode(payload)
    call = enqueue_call(self.name, text, run_at, delay, priority, expires, max_attempts, self.max_attempts)
    flow = None
    # Most jobs have none of these options, and the comparison is shorter than the call.
    if not (
        key is unique_key is on_conflict is unique_until is unique_for_s is debounce_s is None
        and debounce_max_s is after is on_parent_failure is None
    ):
        flow = flow_options(
            key=key,
            unique_key=unique_key,
            on_conflict=on_conflict,
            unique_until=unique_until,
            unique_for_s=unique_for_s,
            debounce_s=debounce_s,
            debounce_max_s=debounce_max_s,
            after=after,
            on_parent_failure=on_parent_failure,
        )
    # In a transaction, a span that counts from now cannot wait for a shared statement.
    may_share = tx is None or delay is expires is None
    if flow is not None:
        plain, call = call, related_call(call, flow)
        if may_share and is_only_keyed(flow):
            return await self.db.engine.aadd(call, keyed_series_call(plain), (text, encode(flow)), tx)
    elif may_share:
        return await self.db.engine.aadd(call, series_call(call), text, tx)
    job_id: int = await self.db.engine.acall(*call, tx=tx)
    return job_id


def enqueue_unique(
    self: EnqueuingQueue,
    payload: Any,
    unique_key: str,
    *,
    tx: TransactionLike = None,
    run_at: Instant | None = None,
    delay: Seconds | None = None,
    priority: int = 0,
    expires: Seconds | None = None,
    max_attempts: int | None = None,
    key: str | None = None,
    on_conflict: OnConflict | None = None,
    unique_until: UniqueUntil | None = None,
    unique_for_s: Seconds | None = None,
    debounce_s: Seconds | None = None,
    debounce_max_s: Seconds | None = None,
    after: Iterable[JobReference] | None = None,
    on_parent_failure: OnParentFailure | None = None,
) -> UniqueJob:
    """Add a job with a unique key, or find the job that has it. Takes the arguments of `enqueue`.

    Two processes that add jobs of one unique key at once make one job::

        job = queue.enqueue_unique({"user": 7}, "welcome-7")
        if not job.is_duplicate: ...

    Args:
        payload: As for `enqueue`.
        unique_key: As for `enqueue`.
        tx: As for `enqueue`.
        run_at: As for `enqueue`.
        delay: As for `enqueue`.
        priority: As for `enqueue`.
        expires: As for `enqueue`.
        max_attempts: As for `enqueue`.
        key: As for `enqueue`.
        on_conflict: As for `enqueue`.
        unique_until: As for `enqueue`.
        unique_for_s: As for `enqueue`.
        debounce_s: As for `enqueue`.
        debounce_max_s: As for `enqueue`.
        after: As for `enqueue`.
        on_parent_failure: As for `enqueue`.

    Returns:
        The job's id, and True if the unique key was taken.

    Raises:
        InvalidPayloadError: The payload has no JSON form.
        InvalidArgumentError: A value is outside its range, or two options contradict each other.
        UniqueKeyTakenError: The unique key is taken, and ``on_conflict`` is ``"raise"``.
        UnknownParentError: A job in ``after`` never existed, or has ended without a trace.
        DatabaseBusyError: The write lock was not free within the busy timeout.

    Cost: two rows and O(log jobs).
    Source: SQL ``honker_enqueue_unique``.
    """
    text = serialization.encode(payload)
    call = enqueue_call(self.name, text, run_at, delay, priority, expires, max_attempts, self.max_attempts)
    flow = flow_options(
        key=key,
        unique_key=unique_key,
        on_conflict=on_conflict,
        unique_until=unique_until,
        unique_for_s=unique_for_s,
        debounce_s=debounce_s,
        debounce_max_s=debounce_max_s,
        after=after,
        on_parent_failure=on_parent_failure,
    )
    return _unique_job(self.db.engine.call(*unique_call(call, flow or {}), tx=tx))


async def aenqueue_unique(
    self: EnqueuingQueue,
    payload: Any,
    unique_key: str,
    *,
    tx: TransactionLike = None,
    run_at: Instant | None = None,
    delay: Seconds | None = None,
    priority: int = 0,
    expires: Seconds | None = None,
    max_attempts: int | None = None,
    key: str | None = None,
    on_conflict: OnConflict | None = None,
    unique_until: UniqueUntil | None = None,
    unique_for_s: Seconds | None = None,
    debounce_s: Seconds | None = None,
    debounce_max_s: Seconds | None = None,
    after: Iterable[JobReference] | None = None,
    on_parent_failure: OnParentFailure | None = None,
) -> UniqueJob:
    """Like `enqueue_unique`, without blocking the event loop."""
    text = serialization.encode(payload)
    call = enqueue_call(self.name, text, run_at, delay, priority, expires, max_attempts, self.max_attempts)
    flow = flow_options(
        key=key,
        unique_key=unique_key,
        on_conflict=on_conflict,
        unique_until=unique_until,
        unique_for_s=unique_for_s,
        debounce_s=debounce_s,
        debounce_max_s=debounce_max_s,
        after=after,
        on_parent_failure=on_parent_failure,
    )
    return _unique_job(await self.db.engine.acall(*unique_call(call, flow or {}), tx=tx))


def enqueue_many(
    self: EnqueuingQueue,
    payloads: Iterable[Any],
    *,
    tx: TransactionLike = None,
    run_at: ForEach[Instant | None] = None,
    delay: ForEach[Seconds | None] = None,
    priority: ForEach[int] = 0,
    expires: ForEach[Seconds | None] = None,
    max_attempts: ForEach[int | None] = None,
    key: ForEach[str | None] = None,
    unique_key: ForEach[str | None] = None,
    on_conflict: OnConflict | None = None,
    unique_until: UniqueUntil | None = None,
    unique_for_s: Seconds | None = None,
    debounce_s: Seconds | None = None,
    debounce_max_s: Seconds | None = None,
    after: Iterable[JobReference] | None = None,
    on_parent_failure: OnParentFailure | None = None,
) -> list[int]:
    """Add several jobs, all or none.

    The options from ``run_at`` to ``unique_key`` are one value for all jobs, or a sequence with one value per job::

        queue.enqueue_many([{"n": 1}, {"n": 2}], priority=[5, 0], delay=60, key=["acme", None])

    Args:
        payloads: At most 100,000 values that JSON can represent, together at most 100 MiB of JSON.
        tx: The transaction to add them in. The jobs exist if and only if it commits.
        run_at: As for `enqueue`.
        delay: As for `enqueue`.
        priority: As for `enqueue`.
        expires: As for `enqueue`.
        max_attempts: As for `enqueue`.
        key: As for `enqueue`.
        unique_key: As for `enqueue`.
        on_conflict: As for `enqueue`, for all jobs.
        unique_until: As for `enqueue`, for all jobs.
        unique_for_s: As for `enqueue`, for all jobs.
        debounce_s: As for `enqueue`, for all jobs.
        debounce_max_s: As for `enqueue`, for all jobs.
        after: As for `enqueue`, for all jobs.
        on_parent_failure: As for `enqueue`, for all jobs.

    Returns:
        The jobs' ids, in order. If a unique key is taken, also by an earlier job of the call, the id of the job that
        has it.

    Raises:
        InvalidPayloadError: A payload has no JSON form.
        InvalidArgumentError: A value is outside its range, or a sequence does not have one value per job.
        UniqueKeyTakenError: A unique key is taken, and ``on_conflict`` is ``"raise"``.
        UnknownParentError: A job in ``after`` never existed, or has ended without a trace.
        DatabaseBusyError: The write lock was not free within the busy timeout.

    Cost: one statement in all, and one row and one index entry per job.
    Source: SQL ``honker_enqueue_many``.
    """
    options = run_at, delay, priority, expires, max_attempts
    flow = flow_of_many(
        key=key,
        unique_key=unique_key,
        on_conflict=on_conflict,
        unique_until=unique_until,
        unique_for_s=unique_for_s,
        debounce_s=debounce_s,
        debounce_max_s=debounce_max_s,
        after=after,
        on_parent_failure=on_parent_failure,
    )
    call = enqueue_many_call(self.name, payloads, *options, self.max_attempts, flow)
    return json.loads(self.db.engine.call(*call, tx=tx))


async def aenqueue_many(
    self: EnqueuingQueue,
    payloads: Iterable[Any],
    *,
    tx: TransactionLike = None,
    run_at: ForEach[Instant | None] = None,
    delay: ForEach[Seconds | None] = None,
    priority: ForEach[int] = 0,
    expires: ForEach[Seconds | None] = None,
    max_attempts: ForEach[int | None] = None,
    key: ForEach[str | None] = None,
    unique_key: ForEach[str | None] = None,
    on_conflict: OnConflict | None = None,
    unique_until: UniqueUntil | None = None,
    unique_for_s: Seconds | None = None,
    debounce_s: Seconds | None = None,
    debounce_max_s: Seconds | None = None,
    after: Iterable[JobReference] | None = None,
    on_parent_failure: OnParentFailure | None = None,
) -> list[int]:
    """Like `enqueue_many`, without blocking the event loop."""
    options = run_at, delay, priority, expires, max_attempts
    flow = flow_of_many(
        key=key,
        unique_key=unique_key,
        on_conflict=on_conflict,
        unique_until=unique_until,
        unique_for_s=unique_for_s,
        debounce_s=debounce_s,
        debounce_max_s=debounce_max_s,
        after=after,
        on_parent_failure=on_parent_failure,
    )
    call = enqueue_many_call(self.name, payloads, *options, self.max_attempts, flow)
    return json.loads(await self.db.engine.acall(*call, tx=tx))


def _unique_job(text: str) -> UniqueJob:
    return UniqueJob.of(json.loads(text))
