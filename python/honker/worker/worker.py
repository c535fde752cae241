"""Workers: they run the tasks whose calls wait in queues."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import math
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from honker.codec import Codec, sealing
from honker.engine import Handle, HandlerScope, Transaction
from honker.errors import ConnectionLostError, DatabaseBusyError, NoTasksError, PayloadMismatchError, UnknownTaskError
from honker.job import Job
from honker.middleware import Middleware
from honker.queue.queue import Queue
from honker.schedule.registration import aregister_schedules
from honker.task.message import opened, read_envelope, read_own_call
from honker.task.registry import TaskRegistry, TaskSpec, registry_of
from honker.worker.around import around
from honker.worker.ending import Ending
from honker.worker.execution import Call, is_async_callable
from honker.worker.hooks import hooks_around
from honker.worker.outcome import Policy
from honker.worker.parents import with_parents
from honker.worker.process_child import Target
from honker.worker.registration import Registration
from honker.worker.retry_rules import RetryRules
from honker.worker.runner import GRACE_S, Runner
from honker.worker.settlement import Fail, Release, Settlement
from honker.worker.unknown_task import UNKNOWN_TASK_S, check_limit, delay_until_next, final_error

_RAW: Final = "raw (non-decorated) payload on a decorated-task queue"
_numbers: Final = itertools.count()
#: Seconds between two attempts to reach a server before the first claim.
_RECONNECT_S: Final = 1.0

logger = logging.getLogger("honker")


class QueueDatabase(Handle, Protocol):
    """A database with queues."""

    def queue(self, name: str) -> Queue:
        """The queue of that name."""
        ...


class Worker:
    """Runs the tasks of one queue in this process, several at a time.

    A task runs at least once: the jobs of a worker that dies run again after their leases have lapsed. A plain function
    runs in a thread, a coroutine on the event loop. The lease of a job is renewed while its handler runs. A handler
    that loses its lease is cancelled, and its outcome is dropped.

    An attempt fails whatever its handler raises, KeyboardInterrupt and SystemExit included. A result that JSON cannot
    carry is dropped with a warning. Each attempt is logged at the level debug, to the logger ``honker``.

    Args:
        queue: The queue.
        concurrency: Handlers at once; None means the number of processors.
        registry_: The tasks, of which those of the queue's database are run; None means those of its app or process.
        grace_s: Seconds that handlers have to end after a stop; then their jobs are given back, uncharged.
        unknown_task_s: Seconds for which calls of a task that this process does not know are put back for other
            workers, uncharged, at growing intervals of up to a minute. They count from the first time that
            a worker puts the call back; then it is dead-lettered. 0 does so at once.
        burst: True to end once no job of the queue is due; see `run_workers`.
        max_jobs: Attempts after which it ends; None for no limit.

    Attributes:
        queue: The queue.
        worker_id: The name that it claims under.
    """

    def __init__(
        self,
        queue: Queue,
        *,
        concurrency: int | None = None,
        registry_: TaskRegistry | None = None,
        grace_s: float = GRACE_S,
        unknown_task_s: float = UNKNOWN_TASK_S,
        burst: bool = False,
        max_jobs: int | None = None,
    ) -> None:
        self.queue = queue
        self.worker_id = _worker_id(queue.name, queue.db.engine.limits.name_max_bytes)
        self._registry = registry_of(queue.db) if registry_ is None else registry_
        self._concurrency = (os.cpu_count() or 1) if concurrency is None else concurrency
        self._grace_s = grace_s
        self._unknown_task_s = check_limit(unknown_task_s, queue.db.engine.limits.span_max_s)
        self._ends = burst or max_jobs is not None
        self._burst = burst
        self._max_jobs = max_jobs
        self._runner(self._ending())  # checks the ranges
        self._plans: dict[str, _Plan] = {}

    def __repr__(self) -> str:
        return f"<honker.Worker {self.worker_id!r}>"

    async def run(self, stop_event: asyncio.Event | None = None) -> None:
        """Run tasks until ``stop_event`` is set, which is only read; then let handlers end within the grace period.

        Cancelled, it cancels handlers and gives their jobs back at once. It calls no start and stop hooks;
        `run_workers` does.

        Raises:
            DatabaseClosedError: The database was closed.
            DatabaseReplacedError: Its file was deleted or replaced. Other database errors are logged and retried.
        """
        await self.run_until(stop_event, self._ending())

    async def run_until(
        self, stop_event: asyncio.Event | None, ending: Ending | None, registration: Registration | None = None
    ) -> None:
        """Like `run`, with an ending and a registration that workers of other queues share."""
        await self._runner(ending, registration).run(stop_event)

    def _ending(self) -> Ending | None:
        return Ending(burst=self._burst, max_jobs=self._max_jobs) if self._ends else None

    def _runner(self, ending: Ending | None, registration: Registration | None = None) -> Runner:
        return Runner(
            self.queue,
            self.worker_id,
            self._resolve,
            concurrency=self._concurrency,
            grace_s=self._grace_s,
            ending=ending,
            registration=registration,
        )

    def _resolve(self, job: Job) -> Call | Settlement | Awaitable[Call | Settlement]:
        """Find the call of a job, or the settlement of a job without one."""
        try:
            payload = job.payload
        except ValueError as error:
            return Fail(f"the payload is not JSON: {error}")
        try:
            if (own := read_own_call(payload)) is not None:
                name, args, kwargs = own
                plan = self._plan(name)
                if plan.policy.codec is None:
                    return _call(job, plan, kwargs, args)
            return self._resolve_any(job, payload)
        except UnknownTaskError as error:
            return self._put_back(job, str(error))

    def _resolve_any(self, job: Job, payload: Any) -> Call | Settlement | Awaitable[Call | Settlement]:
        """As `_resolve`, for calls of every form.

        Raises:
            UnknownTaskError: No task has the name in the call.
        """
        invocation = read_envelope(payload)
        if invocation is None:
            return Fail(_RAW)
        plan = self._plan(invocation.task)
        codec = plan.policy.codec
        try:
            # A schedule enqueues calls without arguments, and has no codec.
            is_scheduled = plan.spec.schedule is not None and not invocation.args and not invocation.kwargs
            invocation = opened(invocation, codec, allows_plain=is_scheduled)
        except PayloadMismatchError as error:
            return Fail(f"the call cannot be read: {error}")
        if invocation.from_parents is None:
            return _call(job, plan, invocation.kwargs, invocation.args)
        call = functools.partial(_call, job, plan, invocation.kwargs)
        return with_parents(job, invocation.from_parents, invocation.args, call, codec)

    def _plan(self, name: str) -> _Plan:
        plan, codec, entries = self._plans.get(name), self._registry.codec, self._registry.entries(name)
        if plan is not None and plan.entries is entries and plan.policy.codec is codec:
            return plan
        spec = self._registry.get(name, self.queue.name, self.queue.db.engine.identity)
        if plan is None or plan.spec is not spec or plan.policy.codec is not codec:
            plan = _Plan.of(spec, codec, tuple(self._registry.middleware))
        plan = self._plans[name] = plan._replace(entries=entries)
        return plan

    def _put_back(self, job: Job, error: str) -> Fail | Release:
        delay_s = delay_until_next(job.unknown_since, self._unknown_task_s, job.queue.db.engine.clock())
        if delay_s is None:
            return Fail(final_error(error, job.unknown_since, self._unknown_task_s))
        logger.warning("job %d is put back for another worker, due again in %.1f s: %s", job.id, delay_s, error)
        return Release(delay_s, is_unknown=True)


def _worker_id(queue_name: str, max_bytes: int) -> str:
    number = next(_numbers)
    name = f"honker-worker-{os.getpid()}-{queue_name}-{number}"
    if len(name.encode()) <= max_bytes:
        return name
    # A queue's name may be as long as a worker's.
    return f"honker-worker-{os.getpid()}-{queue_name.encode()[:200].decode(errors='ignore')}-{number}"


class _Plan(NamedTuple):
    """The way to call a task, computed once for each.

    Attributes:
        is_simple: True if its arguments are passed as they are: none is converted or injected.
        entries: The tasks of its name in the registry, as of the last look.
    """

    spec: TaskSpec
    policy: Policy
    is_async: bool
    target: Target | None
    middleware: tuple[Middleware, ...] = ()
    is_simple: bool = False
    entries: Sequence[object] | None = None

    @classmethod
    def of(cls, spec: TaskSpec, codec: Codec | None = None, middleware: tuple[Middleware, ...] = ()) -> _Plan:
        policy = Policy(
            retry_delay_s=retry_delays(spec.retry_delay_s, spec.backoff, spec.max_retry_delay_s, spec.jitter),
            attempts=spec.retries,
            timeout_s=spec.timeout_s,
            keeps_result=spec.store_result,
            result_ttl_s=spec.result_ttl_s,
            rules=RetryRules.of(spec),
            types=spec.types,
            codec=codec,
        )
        is_elsewhere = spec.executor == "process"
        target = Target(spec.fn.__module__, spec.fn.__qualname__, spec.name) if is_elsewhere else None
        # Another process takes JSON, and converts it there.
        is_simple = not spec.injections and (target is not None or not spec.types.is_typed)
        return cls(spec, policy, is_async_callable(spec.fn), target, middleware, is_simple)

    def handler(self, job: Job) -> Callable[..., Any]:
        """The function to call for a job, within the middleware unless it runs in another process."""
        if not self.middleware or self.target is not None:
            return self.spec.fn
        return around(self.middleware, job, self.spec.fn, is_async=self.is_async)


def retry_delays(
    first_s: float, backoff: float, longest_s: float | None = None, jitter: float = 0
) -> Callable[[int], float]:
    """A function from the number of a failed attempt to the seconds until the next.

    Args:
        first_s: Seconds after the first attempt.
        backoff: The factor on the delay after each further attempt.
        longest_s: The longest delay, before the jitter; None for no limit.
        jitter: The largest part of a delay that is added to it, so that no retry is early.
    """

    def delay_s(attempt: int) -> float:
        try:
            delay = first_s and float(first_s) * float(backoff) ** (attempt - 1)
        except OverflowError:
            delay = math.inf
        if longest_s is not None:
            delay = min(delay, longest_s)
        return delay * random.uniform(1, 1 + jitter) if jitter else delay

    return delay_s


def _call(job: Job, plan: _Plan, kwargs: dict[str, Any], args: list[Any]) -> Call | Fail:
    spec, policy, is_async, target, middleware, is_simple, _ = plan
    if is_simple:
        return Call(plan.handler(job), args, kwargs, policy, is_async, target, None, spec.name, middleware)
    if spec.types.is_typed and target is None:
        try:
            args, kwargs = spec.types.decode(args, kwargs, shows_values=sealing.is_plain(policy.codec))
        except PayloadMismatchError as error:
            return Fail(str(error))
    if spec.injections:
        return _injected(job, plan, args, kwargs)
    return Call(plan.handler(job), args, kwargs, policy, is_async, target, None, spec.name, middleware)


def _injected(job: Job, plan: _Plan, args: list[Any], kwargs: dict[str, Any]) -> Call:
    """A call with the job and a transaction for the parameters that are annotated so."""
    args, kwargs = list(args), dict(kwargs)
    tx: HandlerScope | None = None
    for name, (position, kind) in plan.spec.injections.items():
        value: Job | Transaction = job
        if kind is not Job:
            tx = tx or job.queue.db.engine.handler_transaction()
            value = tx.transaction
        if position is not None and position <= len(args):
            args.insert(position, value)
        else:
            kwargs[name] = value
    return Call(plan.handler(job), args, kwargs, plan.policy, plan.is_async, tx=tx, name=plan.spec.name)


async def _register_schedules(db: Handle, queues: set[str], stop_event: asyncio.Event | None) -> None:
    """Write the schedules; retry while the database is locked, or its server is away."""
    while stop_event is None or not stop_event.is_set():
        try:
            await aregister_schedules(db, queues)
            return
        except (DatabaseBusyError, ConnectionLostError) as error:
            logger.warning("schedules are not registered yet: %s", error)
            await asyncio.sleep(0.1 if isinstance(error, DatabaseBusyError) else _RECONNECT_S)


def _other_databases(tasks: TaskRegistry) -> str:
    paths = sorted({str(spec.path) for spec in tasks.specs()})
    return f"; the {len(tasks.specs())} tasks of this process belong to {', '.join(map(repr, paths))}" if paths else ""


async def run_workers(
    db: QueueDatabase,
    queue: str | None = None,
    concurrency: int | None = None,
    registry_: TaskRegistry | None = None,
    stop_event: asyncio.Event | None = None,
    *,
    grace_s: float = GRACE_S,
    unknown_task_s: float = UNKNOWN_TASK_S,
    burst: bool = False,
    max_jobs: int | None = None,
) -> None:
    """Run the tasks of one queue, or of every queue that has tasks, until ``stop_event`` is set.

    The start hooks of the registry are called before the first claim. Its stop hooks are called after the last handler
    has ended, in any case, and have ``grace_s`` once more.

    Args:
        db: The database.
        queue: The queue's name; None means all queues that this process has tasks of the database for.
        concurrency: Handlers at once, for each queue; None means the number of processors.
        registry_: The tasks; None means those of the database.
        stop_event: Ends it; it is only read, never set.
        grace_s: Seconds that handlers have to end after a stop; then their jobs are given back, uncharged.
        unknown_task_s: Seconds for which calls of unknown tasks are put back, see `honker.Worker`.
        burst: True to end once no handler runs and no job of the queues is due. Jobs that are due later stay.
        max_jobs: Attempts, of all queues together, after which it ends; None for no limit. The last handlers may take
            their time.

    Raises:
        NoTasksError: There is no queue to work on.
        InvalidArgumentError: ``max_jobs`` or another number is outside its range.
        StartHookError: A start hook raised an error.
        DatabaseClosedError: The database was closed.
        DatabaseReplacedError: Its file was deleted or replaced. Other database errors are logged and retried.

    Source: SQL ``honker_work``, ``honker_heartbeat_batch``.
    """
    tasks = registry_of(db) if registry_ is None else registry_
    tasks.load()
    database = db.engine.identity
    queues = sorted(tasks.queues(database)) if queue is None else [queue]
    if not queues or not tasks.names(database):
        raise NoTasksError(
            f"no tasks registered for the database {db.path!r}: import the modules that define them before running "
            f"workers{_other_databases(tasks)}"
        )
    workers = [
        Worker(
            db.queue(name),
            concurrency=concurrency,
            registry_=tasks,
            grace_s=grace_s,
            unknown_task_s=unknown_task_s,
        )
        for name in queues
    ]
    ending = Ending(burst=burst, max_jobs=max_jobs) if burst or max_jobs is not None else None
    async with hooks_around(tasks, grace_s, stop_event):
        await run_together(db, workers, stop_event, ending)


async def run_together(
    db: QueueDatabase, workers: Sequence[Worker], stop_event: asyncio.Event | None, ending: Ending | None
) -> None:
    """Run the workers of several queues. One that fails ends the others."""
    await _register_schedules(db, {worker.queue.name for worker in workers}, stop_event)
    if stop_event is not None and stop_event.is_set():
        return
    registration = Registration(db.engine)
    running = [asyncio.ensure_future(worker.run_until(stop_event, ending, registration)) for worker in workers]
    try:
        await asyncio.gather(*running)
    finally:
        # Each gives its jobs back before it ends.
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
