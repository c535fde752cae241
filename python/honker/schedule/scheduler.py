"""The scheduler, which enqueues jobs at the boundaries of schedules, in one of several processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from honker import serialization
from honker.arguments import Call, TransactionLike, optional_whole, whole
from honker.engine import Handle, Updates
from honker.errors import DatabaseError, HonkerError, LeadershipLost, LockHeld
from honker.lock import Lock
from honker.records import Record
from honker.schedule.registration import LIST, REGISTER, UNREGISTER, aregister_schedules
from honker.task.options import check_schedule
from honker.task.registry import HasExpression

T = TypeVar("T")

_OnStandby: TypeAlias = Callable[[LeadershipLost | None], None]

logger = logging.getLogger("honker")


class _Unset:
    """The default of parameters for which None is a value."""


_UNSET: Final = _Unset()

#: Seconds between a standby's checks of the leader without a commit, because clocks may be changed.
_STANDBY_POLL_S: Final = 5.0
#: Seconds between a leader's looks at the schedules without a commit, for the same reason.
_CLOCK_POLL_S: Final = 5.0
#: Seconds that a file in whole seconds may add to the end of a lock.
_ROUNDING_S: Final = 1.0
#: Seconds between two tries of a step that failed, from the first to the longest.
_BACK_OFF_S: Final = (0.05, 5.0)

_PAUSE: Final = "SELECT honker_scheduler_pause(?)"
_RESUME: Final = "SELECT honker_scheduler_resume(?)"
_UPDATE: Final = "SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SOONEST: Final = "SELECT honker_scheduler_soonest()"
_TICK: Final = "SELECT honker_scheduler_tick(?)"
_LOCK_TOKEN: Final = "SELECT honker_lock_token(?, ?)"


@dataclass(frozen=True, kw_only=True, eq=False)
class ScheduleInfo(Record):
    """A schedule, as it was at one moment; its fields are also read by name, as in ``info["enabled"]``.

    Attributes:
        name: The schedule's name.
        queue: The queue its jobs go to.
        cron_expr: The cron expression or interval.
        payload: The payload of its jobs, JSON text.
        priority: That of its jobs.
        expires_s: Seconds after its boundary from which a job is not claimed any more, or None.
        next_fire_at: Unix seconds of its next boundary.
        enabled: False while it is paused.
        max_attempts: Claims of a job before it is dead-lettered.
        time_zone: An IANA name; None means the zone of the process that computes boundaries.
        misfire: ``"catch_up"``, ``"once"`` or ``"skip"``.
        last_error: The reason why it had to be passed over, or None.
        overlap: ``"queue"`` or ``"skip"``.
        when_paused: ``"enqueue"`` or ``"skip"``.
        last_job_id: The id of the last job that it enqueued, or None.
    """

    name: str
    queue: str
    cron_expr: str
    payload: str
    priority: int
    expires_s: float | None
    next_fire_at: float
    enabled: bool
    max_attempts: int
    time_zone: str | None
    misfire: str
    last_error: str | None
    overlap: str
    when_paused: str
    last_job_id: int | None


# In the class below `list` names the method.
Schedules: TypeAlias = "list[ScheduleInfo]"


def _schedules(text: str) -> Schedules:
    return [ScheduleInfo.of(row) for row in json.loads(text)]


class Scheduler:
    """A scheduler, which enqueues a job at each boundary of a schedule.

    Schedules are rows of the database, so they outlive the process. Any number of processes may run a scheduler; one of
    them leads, by a lock, and the others stand by. Each boundary fires exactly once: a tick, the check that its process
    still leads, and the schedule's next boundary commit together. The asynchronous methods (``alist`` for ``list``) do
    the same without blocking the event loop.

    Attributes:
        lock_name: The leader's lock.
        lock_ttl: Seconds after which a dead leader is replaced.
        heartbeat_interval: Seconds between two renewals of the lock.
    """

    LOCK_NAME = "honker-scheduler"
    LOCK_TTL = 60
    HEARTBEAT_INTERVAL = 30

    def __init__(self, db: Handle, lock_name: str | None = None) -> None:
        self.db = db
        self.lock_name = self.LOCK_NAME if lock_name is None else lock_name
        self.lock_ttl: float = self.LOCK_TTL
        self.heartbeat_interval: float = self.HEARTBEAT_INTERVAL
        self._engine = db.engine
        self._registered: set[str] = set()

    def add(
        self,
        *,
        name: str,
        queue: str,
        schedule: HasExpression,
        payload: Any = None,
        priority: int = 0,
        expires: int | None = None,
        max_attempts: int = 3,
        misfire: str = "catch_up",
        overlap: str = "queue",
        when_paused: str = "enqueue",
        tx: TransactionLike = None,
    ) -> None:
        """Add a schedule, or replace the one of that name. An unchanged expression keeps its next boundary.

        Args:
            name: The schedule's name.
            queue: The queue its jobs go to.
            schedule: The times to fire; see `honker.crontab` and `honker.every_s`.
            payload: The payload of its jobs, any value that JSON can represent.
            priority: The priority of its jobs.
            expires: Seconds after its boundary from which a job is no longer claimed.
            max_attempts: Claims of a job before it is dead-lettered.
            misfire: How to treat boundaries that passed without a leader: ``catch_up`` fires each, up to 64, ``once``
                fires once for all, ``skip`` fires none that is more than a minute late.
            overlap: How to treat a boundary that comes while the job of the last firing has not ended: ``queue``
                enqueues another job, ``skip`` enqueues none.
            when_paused: How to treat a boundary that comes while the queue is paused: ``enqueue`` enqueues a job that
                waits for the end of the pause, ``skip`` enqueues none.
            tx: A transaction to write it in.

        Raises:
            InvalidArgumentError: A value is invalid.
            InvalidPayloadError: The payload has no JSON form.

        Source: SQL ``honker_scheduler_register``.
        """
        policies = misfire, overlap, when_paused
        call = _register_call(name, queue, schedule, payload, (priority, expires, max_attempts), policies)
        self._engine.call(*call, tx=tx)
        if tx is None:  # the transaction may roll back; `run` looks into the table
            self._registered.add(name)

    async def aadd(
        self,
        *,
        name: str,
        queue: str,
        schedule: HasExpression,
        payload: Any = None,
        priority: int = 0,
        expires: int | None = None,
        max_attempts: int = 3,
        misfire: str = "catch_up",
        overlap: str = "queue",
        when_paused: str = "enqueue",
        tx: TransactionLike = None,
    ) -> None:
        """Like `add`, without blocking the event loop."""
        policies = misfire, overlap, when_paused
        call = _register_call(name, queue, schedule, payload, (priority, expires, max_attempts), policies)
        await self._engine.acall(*call, tx=tx)
        if tx is None:  # the transaction may roll back; `run` looks into the table
            self._registered.add(name)

    def remove(self, name: str, tx: TransactionLike = None) -> bool:
        """Delete a schedule. True if there was one.

        Source: SQL ``honker_scheduler_unregister``.
        """
        self._registered.discard(name)
        return bool(self._engine.call(UNREGISTER, name, tx=tx))

    async def aremove(self, name: str, tx: TransactionLike = None) -> bool:
        """Like `remove`, without blocking the event loop."""
        self._registered.discard(name)
        return bool(await self._engine.acall(UNREGISTER, name, tx=tx))

    def pause(self, name: str, tx: TransactionLike = None) -> bool:
        """Stop a schedule from firing. True if it was enabled.

        Source: SQL ``honker_scheduler_pause``.
        """
        return bool(self._engine.call(_PAUSE, name, tx=tx))

    async def apause(self, name: str, tx: TransactionLike = None) -> bool:
        """Like `pause`, without blocking the event loop."""
        return bool(await self._engine.acall(_PAUSE, name, tx=tx))

    def resume(self, name: str, tx: TransactionLike = None) -> bool:
        """Let a paused schedule fire again. True if it was paused.

        Source: SQL ``honker_scheduler_resume``.
        """
        return bool(self._engine.call(_RESUME, name, tx=tx))

    async def aresume(self, name: str, tx: TransactionLike = None) -> bool:
        """Like `resume`, without blocking the event loop."""
        return bool(await self._engine.acall(_RESUME, name, tx=tx))

    def list(self, tx: TransactionLike = None) -> list[ScheduleInfo]:
        """Every schedule, by name.

        Source: SQL ``honker_scheduler_list``.
        """
        return _schedules(self._engine.ask(LIST, tx=tx))

    async def alist(self, tx: TransactionLike = None) -> Schedules:
        """Like `list`, without blocking the event loop."""
        return _schedules(await self._engine.aask(LIST, tx=tx))

    def update(
        self,
        name: str,
        *,
        schedule: HasExpression | None = None,
        payload: Any = _UNSET,
        priority: int | None = None,
        expires: int | _Unset | None = _UNSET,
        max_attempts: int | _Unset | None = _UNSET,
        misfire: str | None = None,
        overlap: str | None = None,
        when_paused: str | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """Change a schedule; arguments that are not given leave its values as they are.

        Args:
            name: The schedule's name.
            schedule: The new times to fire; the next boundary is the first one from now.
            payload: The payload of its jobs; None is a value.
            priority: The priority of its jobs.
            expires: As in `add`; None removes it.
            max_attempts: As in `add`; None means 3.
            misfire: As in `add`.
            overlap: As in `add`.
            when_paused: As in `add`.
            tx: A transaction to change it in.

        Returns:
            True if there is such a schedule and any value was given.

        Source: SQL ``honker_scheduler_update``.
        """
        policies = misfire, overlap, when_paused
        call = _update_call(name, schedule, payload, priority, (expires, max_attempts), policies)
        return bool(self._engine.call(*call, tx=tx))

    async def aupdate(
        self,
        name: str,
        *,
        schedule: HasExpression | None = None,
        payload: Any = _UNSET,
        priority: int | None = None,
        expires: int | _Unset | None = _UNSET,
        max_attempts: int | _Unset | None = _UNSET,
        misfire: str | None = None,
        overlap: str | None = None,
        when_paused: str | None = None,
        tx: TransactionLike = None,
    ) -> bool:
        """Like `update`, without blocking the event loop."""
        policies = misfire, overlap, when_paused
        call = _update_call(name, schedule, payload, priority, (expires, max_attempts), policies)
        return bool(await self._engine.acall(*call, tx=tx))

    async def run(
        self,
        stop_event: asyncio.Event | None = None,
        *,
        standby: bool = False,
        on_leading: Callable[[], None] | None = None,
        on_standby: _OnStandby | None = None,
    ) -> None:
        """Lead and fire schedules until ``stop_event`` is set.

        It continues while every schedule is paused, and promptly applies changes by other processes. Errors that may
        pass, such as a database that is locked for long, are logged and retried with backoff.

        Args:
            stop_event: The event that ends the run; it is only awaited, never set.
            standby: Wait while another process leads, and take over when it ends; also after this one has lost its
                leadership.
            on_leading: Called each time this scheduler begins to lead.
            on_standby: Called each time it begins to stand by: with the error after a loss of the leadership, with None
                while another process leads.

        Raises:
            LockHeld: Another process leads, and ``standby`` is off.
            LeadershipLost: Another process took over, because this one did not renew its lock in time, and ``standby``
                is off.
            DatabaseError: There are no schedules, or the error is none that may pass.
        """
        # The wait for the event starts before this scheduler can become the leader.
        stop = _Stop(stop_event)
        try:
            await self._retried(stop, lambda: aregister_schedules(self.db))
            if not self._registered and await self._retried(stop, self.alist) == []:
                raise DatabaseError("no registered tasks: add a schedule before running the scheduler")
            lock = Lock(self.db, self.lock_name, self.lock_ttl)
            with contextlib.closing(self._engine.updates()) as updates:
                waits = on_standby
                while await self._take_over(lock, stop, updates, waits, standby=standby):
                    try:
                        await self._lead(lock, stop, updates, on_leading)
                        return
                    except LeadershipLost as error:
                        if not standby:
                            raise
                        logger.warning("scheduler: %s; standing by", error)
                        waits = None
                        if on_standby is not None:
                            on_standby(error)
        finally:
            stop.close()

    async def _retried(self, stop: _Stop, operation: Callable[[], Awaitable[T]]) -> T | None:
        """The result of an operation, tried again while its error may pass; None if the stop event came first."""
        failures = 0
        while True:
            try:
                return await operation()
            except HonkerError as error:
                if not error.is_retryable:
                    raise
                await self._back_off(stop, failures, error)
                failures += 1
                if stop.is_set:
                    return None

    async def _back_off(self, stop: _Stop, failures: int, error: HonkerError) -> None:
        shortest_s, longest_s = _BACK_OFF_S
        delay_s = min(shortest_s * 2 ** min(failures, 20), longest_s)
        logger.warning("scheduler: %s; trying again in %.2f s", error, delay_s)
        await stop.wait_for(asyncio.sleep(delay_s))

    async def _take_over(
        self,
        lock: Lock,
        stop: _Stop,
        updates: Updates,
        on_standby: _OnStandby | None,
        *,
        standby: bool,
    ) -> bool:
        """Become the leader; False if the stop event came first.

        Each commit wakes a standby, so it first reads the state of the lock. An attempt to acquire it each time would
        take the write lock from processes that need it. An end beyond the lock's length was stored before the clock was
        set back; an attempt then measures it again.
        """
        measure_at = time.monotonic()
        while not stop.is_set:
            held_until = await self._retried(stop, lock.aheld_until) if standby else None
            if stop.is_set:
                return False
            held_s = 0.0 if held_until is None else held_until - self._engine.clock()
            is_due = held_until is None
            if held_s > lock.ttl + _ROUNDING_S and time.monotonic() >= measure_at:
                is_due, measure_at = True, time.monotonic() + _STANDBY_POLL_S
            if is_due and await self._retried(stop, lock.atry_acquire):
                return True
            if not standby:
                raise LockHeld(f"lock {self.lock_name!r} is held: another scheduler leads; pass standby=True to wait")
            if on_standby is not None:
                on_standby(None)
                on_standby = None
            timeout_s = _STANDBY_POLL_S if held_until is None else min(_STANDBY_POLL_S, max(held_s, 0.0))
            await stop.wait_for(updates.wait_async(timeout_s))
        return False

    async def _lead(self, lock: Lock, stop: _Stop, updates: Updates, on_leading: Callable[[], None] | None) -> None:
        """Fire schedules until the stop event or the end of the leadership.

        A failed step is tried again: a renewal too, until the lock has lapsed and a renewal says that it is lost. Each
        tick checks the lock in its own transaction, so a leader that does not know of its loss fires nothing.
        """
        failures, renew_at = 0, time.monotonic() + self.heartbeat_interval
        try:
            if on_leading is not None:
                on_leading()
            while not stop.is_set:
                try:
                    if time.monotonic() >= renew_at:
                        if not await lock.arenew():
                            raise self._lost()
                        renew_at = time.monotonic() + self.heartbeat_interval
                    await self._fire_or_wait(lock, stop, updates, renew_at)
                    failures = 0
                except HonkerError as error:
                    if not error.is_retryable:
                        raise
                    await self._back_off(stop, failures, error)
                    failures += 1
        finally:
            # A lost lock belongs to another owner, and this release does not affect it.
            await self._release(lock)

    async def _release(self, lock: Lock) -> None:
        try:
            await lock.arelease()
        except HonkerError as error:
            if not error.is_retryable:
                raise
            logger.warning("scheduler: lock %r is left to lapse: %s", self.lock_name, error)

    async def _fire_or_wait(self, lock: Lock, stop: _Stop, updates: Updates, renew_at: float) -> None:
        """Fire what is due, or wait until something may be, or the lock is to be renewed."""
        soonest: float | None = await self._engine.aask(_SOONEST) or None
        now = self._engine.clock()
        if soonest is not None and soonest <= now:
            await self._tick(lock)
            return
        # Not longer than a while: a clock that is set forward makes a schedule due without a commit.
        timeout_s = min(renew_at - time.monotonic(), _CLOCK_POLL_S)
        if soonest is not None:
            timeout_s = min(timeout_s, soonest - now)
        await stop.wait_for(updates.wait_async(max(timeout_s, 0.0)))

    async def _tick(self, lock: Lock) -> None:
        """Fire the schedules that are due, if this process still leads; both are checked under the write lock."""
        async with self._engine.transaction() as tx:
            if await self._engine.aask(_LOCK_TOKEN, lock.name, lock.owner, tx=tx) is None:
                raise self._lost()
            await self._engine.acall(_TICK, self._engine.clock(), tx=tx)

    def _lost(self) -> LeadershipLost:
        return LeadershipLost(f"leadership was lost: lock {self.lock_name!r} has lapsed or another scheduler holds it")


def _register_call(  # noqa: PLR0917 - the options of the public method
    name: str,
    queue: str,
    schedule: HasExpression,
    payload: Any,
    job_options: tuple[int, int | None, int],
    policies: tuple[str, str, str],
) -> Call:
    check_schedule(schedule)
    time_zone = getattr(schedule, "time_zone", None)
    priority, expires, max_attempts = job_options
    return (
        REGISTER,
        name,
        queue,
        schedule.expr,
        serialization.encode(payload),
        whole(priority, "priority"),
        optional_whole(expires, "expires"),
        whole(max_attempts, "max_attempts"),
        time_zone,
        *policies,
    )


def _update_call(  # noqa: PLR0917 - the options of the public method
    name: str,
    schedule: HasExpression | None,
    payload: Any,
    priority: int | None,
    clearable: tuple[int | _Unset | None, int | _Unset | None],
    policies: tuple[str | None, str | None, str | None],
) -> Call:
    expires, max_attempts = clearable
    if schedule is not None:
        check_schedule(schedule)
    return (
        _UPDATE,
        name,
        None if schedule is None else schedule.expr,
        None if isinstance(payload, _Unset) else serialization.encode(payload),
        optional_whole(priority, "priority"),
        None if isinstance(expires, _Unset) else optional_whole(expires, "expires"),
        not isinstance(expires, _Unset),
        None if isinstance(max_attempts, _Unset) else optional_whole(max_attempts, "max_attempts"),
        not isinstance(max_attempts, _Unset),
        None if schedule is None else getattr(schedule, "time_zone", None) or "",
        *policies,
    )


class _Stop:
    """The caller's stop event, waited for beside other things."""

    def __init__(self, event: asyncio.Event | None) -> None:
        self._event = event
        self._waiting = None if event is None else asyncio.ensure_future(event.wait())

    @property
    def is_set(self) -> bool:
        """True if the event is set, or was set at any time."""
        return self._event is not None and (
            self._event.is_set() or (self._waiting is not None and self._waiting.done())
        )

    async def wait_for(self, other: Any) -> None:
        """Wait for another awaitable or the event, whichever comes first."""
        task = asyncio.ensure_future(other)
        try:
            both = [task] if self._waiting is None else [task, self._waiting]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            task.cancel()

    def close(self) -> None:
        """Stop waiting for the event."""
        if self._waiting is not None:
            self._waiting.cancel()
