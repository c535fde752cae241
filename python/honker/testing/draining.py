"""Running the jobs that are due, in the test itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from honker.arguments import Call, TransactionLike
from honker.database import Database
from honker.engine import Handle
from honker.errors import NestedTransactionError
from honker.job import Job
from honker.schedule.registration import aregister_schedules, register_schedules
from honker.sqlite.engine_clock import note_testing_file
from honker.testing.attempt import Recording, Wrap, attempt
from honker.testing.caller_thread import Caller, CallerThread
from honker.testing.file_clock import ADVANCE, CLOCK
from honker.testing.target import Target, database_of, is_writing_here, queues_of, tasks_of
from honker.worker.settlement import Ack, Cancel, Committed, Fail, FinishedJob, Outcome, Release, Retry, Snoozed, encode
from honker.worker.worker import Worker

T = TypeVar("T")

LIMIT: Final = 1000

_TICK: Final = "SELECT honker_scheduler_tick(?)"
_SOONEST: Final = "SELECT honker_scheduler_soonest()"
_NEXT_CLAIM_AT: Final = "SELECT honker_queue_next_claim_at(?)"
_WORK: Final = "SELECT honker_work(?, ?, ?, ?, ?)"

_WORDS: Final[dict[type[Outcome], str]] = {
    Ack: "done",
    Committed: "done",
    Retry: "retried",
    Fail: "dead",
    Release: "released",
    Snoozed: "snoozed",
    Cancel: "cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """The number of attempts that a drain has run, by their ends.

    Attributes:
        ran: All attempts.
        done: Attempts that succeeded.
        retried: Attempts that failed and are followed by another; a job's last one too, if its budget is used up.
        dead: Jobs that their task gave up, such as after ``max_attempts``.
        snoozed: Attempts whose handler put the job off.
        released: Attempts that gave the job back.
        cancelled: Jobs that ended as cancelled.
        lost: Attempts whose lease was lost before they ended.
        fired: Jobs that schedules have enqueued.
        is_limited: True if the limit was reached while a job was due.
    """

    ran: int = 0
    done: int = 0
    retried: int = 0
    dead: int = 0
    snoozed: int = 0
    released: int = 0
    cancelled: int = 0
    lost: int = 0
    fired: int = 0
    is_limited: bool = False


def drain(
    target: Target,
    queue: str | None = None,
    *,
    advance: bool = False,
    limit: int = LIMIT,
    raise_errors: bool = True,
    tx: TransactionLike = None,
) -> Drained:
    """Run the jobs that are due, and those that they enqueue, until none is due.

    Schedules that are due enqueue their jobs first. The jobs are claimed and settled as by a worker: with retries,
    results, limits, injected parameters. A plain handler runs in this thread, a coroutine on an event loop beside it.

    Args:
        target: The app or the database.
        queue: The queue; None for all queues that have tasks.
        advance: True to move the clock of a testing file to the next instant at which a job is due, until no job is
            left. A schedule fires when the clock passes its boundary, but the clock is not moved for schedules alone.
        limit: The largest number of attempts.
        raise_errors: True to raise the first exception of a handler, once its attempt is settled. An exception that
            asks for a retry or a snooze is not raised.
        tx: The transaction to claim and settle in, for a test that commits nothing, such as a Django ``TestCase``:
            its connection. Handlers must use the same connection.

    Returns:
        The number of attempts by their ends.

    Raises:
        NoTasksError: No task is known.
        JobFailedError: A job failed without an exception: a time limit, an unknown task, a process that died.
        NestedTransactionError: A transaction of honker is open in this thread.

    Source: SQL ``honker_claim_batch``, ``honker_work``, ``honker_scheduler_tick``, ``honker_test_clock_advance``.
    """
    db = database_of(target)
    with CallerThread() as caller:
        runner = Drain(_Blocking(db, caller, tx), db, queue, advance=advance, limit=limit, raise_errors=raise_errors)
        return finish(runner.run())


async def adrain(
    target: Target,
    queue: str | None = None,
    *,
    advance: bool = False,
    limit: int = LIMIT,
    raise_errors: bool = True,
    tx: TransactionLike = None,
) -> Drained:
    """Like `drain`, on the running event loop: coroutine handlers run there, and plain ones in a thread."""
    db = database_of(target)
    runner = Drain(_Async(db, tx), db, queue, advance=advance, limit=limit, raise_errors=raise_errors)
    return await runner.run()


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, because its `Port` blocks."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()
    raise AssertionError("a port that blocks has waited")


class Port(Protocol):
    """The way in which a drain uses the engine: blocking, or on an event loop."""

    async def call(self, sql: str, *params: Any) -> Any:
        """Run a function that writes."""
        ...

    async def ask(self, sql: str, *params: Any) -> Any:
        """Run a function that reads."""
        ...

    async def claim(self, worker: Worker) -> Job | None:
        """Claim a due job."""
        ...

    async def attempt(self, worker: Worker, job: Job, wrap: Wrap | None = None) -> Recording:
        """Run a job."""
        ...

    async def register_schedules(self, queues: set[str]) -> None:
        """Write the schedules of the periodic tasks."""
        ...


class _Blocking:
    """Blocks the thread. Its coroutines never wait, and no event loop runs them: see `finish`."""

    def __init__(self, db: Handle, caller: Caller, tx: TransactionLike) -> None:
        self._db = db
        self._caller = caller
        self._tx = tx
        self._call, self._ask = db.engine.call, db.engine.ask
        if tx is None and is_writing_here(db.engine):
            raise NestedTransactionError("a transaction is open in this thread, and a drain writes; call it after that")

    async def call(self, sql: str, *params: Any) -> Any:
        return self._call(sql, *params, tx=self._tx)

    async def ask(self, sql: str, *params: Any) -> Any:
        return self._ask(sql, *params, tx=self._tx)

    async def claim(self, worker: Worker) -> Job | None:
        return worker.queue.claim_one(worker.worker_id, tx=self._tx)

    async def attempt(self, worker: Worker, job: Job, wrap: Wrap | None = None) -> Recording:
        return self._caller.wait_for(attempt(worker, job, self._caller.here, wrap=wrap))

    async def register_schedules(self, queues: set[str]) -> None:
        # Another connection would wait for the transaction.
        if self._tx is None:
            register_schedules(self._db, queues)


class _Async:
    def __init__(self, db: Handle, tx: TransactionLike) -> None:
        self._db = db
        self._tx = tx

    async def call(self, sql: str, *params: Any) -> Any:
        return await self._db.engine.acall(sql, *params, tx=self._tx)

    async def ask(self, sql: str, *params: Any) -> Any:
        return await self._db.engine.aask(sql, *params, tx=self._tx)

    async def claim(self, worker: Worker) -> Job | None:
        return await worker.queue.aclaim_one(worker.worker_id, tx=self._tx)

    async def attempt(self, worker: Worker, job: Job, wrap: Wrap | None = None) -> Recording:
        return await attempt(worker, job, None, wrap=wrap)

    async def register_schedules(self, queues: set[str]) -> None:
        if self._tx is None:
            await aregister_schedules(self._db, queues)


def blocking(db: Handle, caller: Caller) -> Port:
    """The port of a thread."""
    return _Blocking(db, caller, None)


def on_loop(db: Handle) -> Port:
    """The port of the running event loop."""
    return _Async(db, None)


async def settle(port: Port, worker: Worker, recording: Recording) -> bool:
    """Write the outcome of an attempt.

    Returns:
        True if the lease was still held.
    """
    outcome, job = recording.outcome, recording.job
    assert outcome is not None
    if isinstance(outcome, Committed):
        return outcome.is_held
    if job.is_released:
        return True
    run_s = None if type(outcome) is Ack else recording.run_s
    call: Call = _WORK, worker.queue.name, worker.worker_id, 0, worker.queue.visibility_timeout_s, ""
    answer: str = await port.call(*call[:-1], encode([FinishedJob(job, outcome, run_s)]))
    return json.loads(answer)["settled"] == [1]


class Drain:
    """One drain."""

    def __init__(
        self, port: Port, db: Database, queue: str | None, *, advance: bool, limit: int, raise_errors: bool
    ) -> None:
        self._port = port
        self._db = db
        self._advance = advance
        self._limit = limit
        self._raise_errors = raise_errors
        self._tasks = tasks_of(db)
        self._workers = [
            Worker(db.queue(name), concurrency=1, registry_=self._tasks, unknown_task_s=0)
            for name in queues_of(db, self._tasks, queue)
        ]
        self._counts: Counter[str] = Counter()

    async def run(self) -> Drained:
        """Run jobs until none is due."""
        if any(spec.schedule is not None for spec in self._tasks.specs(self._db.engine.identity)):
            await self._port.register_schedules({worker.queue.name for worker in self._workers})
        while True:
            await self._fire()
            has_run = False
            for worker in self._workers:
                if self._counts["ran"] >= self._limit:
                    return self._drained(is_limited=await self._is_due())
                job = await self._port.claim(worker)
                if job is not None:
                    has_run = True
                    await self._run(worker, job)
            if not has_run and not (self._advance and await self._move()):
                return self._drained()

    def _drained(self, *, is_limited: bool = False) -> Drained:
        counts: dict[str, Any] = dict(self._counts)
        return Drained(**counts, is_limited=is_limited)

    async def _fire(self) -> None:
        """Enqueue the jobs of the schedules that are due."""
        soonest, now = await self._port.ask(_SOONEST) or None, await self._port.ask(CLOCK)
        if soonest is not None and soonest <= now:
            self._counts["fired"] += len(json.loads(await self._port.call(_TICK, now)))

    async def _run(self, worker: Worker, job: Job) -> None:
        recording = await self._port.attempt(worker, job)
        is_held = await settle(self._port, worker, recording)
        assert recording.outcome is not None
        word = "snoozed" if job.is_released else _WORDS[type(recording.outcome)]
        self._counts.update(["ran", word if is_held else "lost"])
        failure = recording.failure
        if self._raise_errors and failure is not None:
            raise failure

    async def _next_at(self) -> float | None:
        """The first instant at which a claim could find a job."""
        found = [await self._port.ask(_NEXT_CLAIM_AT, worker.queue.name) for worker in self._workers]
        return min((at for at in found if at), default=None)

    async def _is_due(self) -> bool:
        at = await self._next_at()
        return at is not None and at <= await self._port.ask(CLOCK)

    async def _move(self) -> bool:
        """Move the clock to the next instant at which a job is due; False if there is none."""
        at = await self._next_at()
        if at is None:
            return False
        now = await self._port.ask(CLOCK)
        if at > now:
            await self._port.call(ADVANCE, at - now)
            note_testing_file(self._db.engine.identity)
        return at > now
