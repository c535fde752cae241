"""The scheduler: enqueues jobs at the boundaries of schedules, in one of several processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any, Final

from honker import serialization
from honker.arguments import Call, TransactionLike
from honker.engine import Handle, Updates
from honker.errors import DatabaseError, LeadershipLost, LockHeld
from honker.lock import Lock
from honker.schedule.registration import REGISTER, aregister_schedules
from honker.task.registry import HasExpression


class _Unset:
    """For parameters to which None is a value."""


_UNSET: Final = _Unset()

#: How often a standby looks for the end of the leader, if no commit wakes it: clocks may be set.
_STANDBY_POLL_S: Final = 5.0

_UNREGISTER: Final = "SELECT honker_scheduler_unregister(?)"
_PAUSE: Final = "SELECT honker_scheduler_pause(?)"
_RESUME: Final = "SELECT honker_scheduler_resume(?)"
_LIST: Final = "SELECT honker_scheduler_list()"
_UPDATE: Final = "SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SOONEST: Final = "SELECT honker_scheduler_soonest()"
_TICK: Final = "SELECT honker_scheduler_tick(?)"
_LOCK_TOKEN: Final = "SELECT honker_lock_token(?, ?)"


class Scheduler:
    """Fires schedules: at each boundary it enqueues a job, which workers then run.

    Schedules are rows of the database, so they outlive the process. Any number of processes may run a scheduler; one
    of them leads, by a lock, and the others stand by. Each boundary fires exactly once: a tick, the check that its
    process still leads, and the schedule's next boundary commit together. Methods that begin with ``a`` do the same as
    their twins without blocking the event loop.

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
        tx: TransactionLike = None,
    ) -> None:
        """Keep a schedule, replacing one of that name; its next boundary stays while its expression does.

        Args:
            name: The schedule's name.
            queue: The queue its jobs go to.
            schedule: When; see `honker.crontab` and `honker.every_s`.
            payload: The payload of its jobs, anything JSON can carry.
            priority: That of its jobs.
            expires: Seconds after its boundary from which a job is not claimed any more.
            max_attempts: Claims of a job before it is dead-lettered.
            misfire: How to treat boundaries that passed without a leader: ``catch_up`` fires each, up to 64,
                ``once`` fires once for all, ``skip`` none that is later than a minute.
            tx: A transaction to keep it in.

        Raises:
            InvalidArgumentError: A value is refused.
            InvalidPayloadError: The payload has no JSON form.

        Source: SQL ``honker_scheduler_register``.
        """
        call = _register_call(name, queue, schedule, payload, (priority, expires, max_attempts), misfire)
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
        tx: TransactionLike = None,
    ) -> None:
        """As `add`, without blocking the event loop."""
        call = _register_call(name, queue, schedule, payload, (priority, expires, max_attempts), misfire)
        await self._engine.acall(*call, tx=tx)
        if tx is None:  # the transaction may roll back; `run` looks into the table
            self._registered.add(name)

    def remove(self, name: str, tx: TransactionLike = None) -> bool:
        """Delete a schedule. True if there was one.

        Source: SQL ``honker_scheduler_unregister``.
        """
        self._registered.discard(name)
        return bool(self._engine.call(_UNREGISTER, name, tx=tx))

    async def aremove(self, name: str, tx: TransactionLike = None) -> bool:
        """As `remove`, without blocking the event loop."""
        self._registered.discard(name)
        return bool(await self._engine.acall(_UNREGISTER, name, tx=tx))

    def pause(self, name: str, tx: TransactionLike = None) -> bool:
        """Stop a schedule from firing. True if it was enabled.

        Source: SQL ``honker_scheduler_pause``.
        """
        return bool(self._engine.call(_PAUSE, name, tx=tx))

    async def apause(self, name: str, tx: TransactionLike = None) -> bool:
        """As `pause`, without blocking the event loop."""
        return bool(await self._engine.acall(_PAUSE, name, tx=tx))

    def resume(self, name: str, tx: TransactionLike = None) -> bool:
        """Let a paused schedule fire again. True if it was paused.

        Source: SQL ``honker_scheduler_resume``.
        """
        return bool(self._engine.call(_RESUME, name, tx=tx))

    async def aresume(self, name: str, tx: TransactionLike = None) -> bool:
        """As `resume`, without blocking the event loop."""
        return bool(await self._engine.acall(_RESUME, name, tx=tx))

    def list(self, tx: TransactionLike = None) -> list[dict[str, Any]]:
        """Every schedule, by name.

        Returns:
            For each: name, queue, cron_expr, payload (JSON text), priority, expires_s, next_fire_at, enabled,
            max_attempts, time_zone, misfire, and last_error, the reason why a schedule had to be passed over.

        Source: SQL ``honker_scheduler_list``.
        """
        return json.loads(self._engine.ask(_LIST, tx=tx))

    # `list` names the method in this class's annotations.
    async def alist(self, tx: TransactionLike = None) -> Any:
        """As `list`, without blocking the event loop."""
        return json.loads(await self._engine.aask(_LIST, tx=tx))

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
        tx: TransactionLike = None,
    ) -> bool:
        """Change a schedule; arguments that are not given leave its values as they are.

        Args:
            name: The schedule's name.
            schedule: When; its next boundary is then the first from now.
            payload: The payload of its jobs; None is a value.
            priority: That of its jobs.
            expires: As in `add`; None removes it.
            max_attempts: As in `add`; None means 3.
            misfire: As in `add`.
            tx: A transaction to change it in.

        Returns:
            True if there is such a schedule and any value was given.

        Source: SQL ``honker_scheduler_update``.
        """
        call = _update_call(name, schedule, payload, priority, (expires, max_attempts), misfire)
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
        tx: TransactionLike = None,
    ) -> bool:
        """As `update`, without blocking the event loop."""
        call = _update_call(name, schedule, payload, priority, (expires, max_attempts), misfire)
        return bool(await self._engine.acall(*call, tx=tx))

    async def run(
        self,
        stop_event: asyncio.Event | None = None,
        *,
        standby: bool = False,
        on_leading: Callable[[], None] | None = None,
    ) -> None:
        """Lead and fire schedules until ``stop_event`` is set.

        Goes on while every schedule is paused, and notices within a moment when other processes add or change one.

        Args:
            stop_event: Ends it; it is only waited for, never set.
            standby: Wait while another process leads, and take over when it is gone.
            on_leading: Called when it begins to lead.

        Raises:
            LockHeld: Another process leads, and ``standby`` is off.
            LeadershipLost: Another process took over, because this one was too slow to renew its lock.
            DatabaseError: There is no schedule at all.
        """
        # Waits for the event before any other process can see this scheduler lead.
        stop = _Stop(stop_event)
        try:
            await aregister_schedules(self.db)
            if not self._registered and not await self.alist():
                raise DatabaseError("no registered tasks: add a schedule before running the scheduler")
            lock = Lock(self.db, self.lock_name, self.lock_ttl)
            with contextlib.closing(self._engine.updates()) as updates:
                if await self._take_over(lock, stop, updates, standby=standby):
                    await self._lead(lock, stop, updates, on_leading)
        finally:
            stop.close()

    async def _take_over(self, lock: Lock, stop: _Stop, updates: Updates, *, standby: bool) -> bool:
        """Become the leader; False if the stop came first.

        Each commit wakes a standby. So it asks first, which only reads: trying the lock each time would take the write
        lock from processes that have something to write.
        """
        while True:
            held_until = await lock.aheld_until() if standby else None
            if held_until is None and await lock.atry_acquire():
                return True
            if not standby:
                raise LockHeld(f"lock {self.lock_name!r} is held: another scheduler leads; pass standby=True to wait")
            timeout_s = _STANDBY_POLL_S
            if held_until is not None:
                timeout_s = min(timeout_s, max(held_until - self._engine.clock(), 0.0))
            await stop.wait_for(updates.wait_async(timeout_s))
            if stop.is_set:
                return False

    async def _lead(self, lock: Lock, stop: _Stop, updates: Updates, on_leading: Callable[[], None] | None) -> None:
        renew_at = time.monotonic() + self.heartbeat_interval
        try:
            if on_leading is not None:
                on_leading()
            while not stop.is_set:
                if time.monotonic() >= renew_at:
                    if not await lock.arenew():
                        raise self._lost()
                    renew_at = time.monotonic() + self.heartbeat_interval
                soonest: float | None = await self._engine.aask(_SOONEST) or None
                if soonest is not None and soonest <= self._engine.clock():
                    await self._tick(lock)
                    continue
                timeout_s = renew_at - time.monotonic()
                if soonest is not None:
                    timeout_s = min(timeout_s, soonest - self._engine.clock())
                await stop.wait_for(updates.wait_async(max(timeout_s, 0.0)))
        finally:
            # If it was lost the row belongs to another owner, and stays: release is by owner.
            await lock.arelease()

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
    misfire: str,
) -> Call:
    time_zone = getattr(schedule, "time_zone", None)
    return REGISTER, name, queue, schedule.expr, serialization.encode(payload), *job_options, time_zone, misfire


def _update_call(  # noqa: PLR0917 - the options of the public method
    name: str,
    schedule: HasExpression | None,
    payload: Any,
    priority: int | None,
    clearable: tuple[int | _Unset | None, int | _Unset | None],
    misfire: str | None,
) -> Call:
    expires, max_attempts = clearable
    return (
        _UPDATE,
        name,
        None if schedule is None else schedule.expr,
        None if isinstance(payload, _Unset) else serialization.encode(payload),
        priority,
        None if isinstance(expires, _Unset) else expires,
        not isinstance(expires, _Unset),
        None if isinstance(max_attempts, _Unset) else max_attempts,
        not isinstance(max_attempts, _Unset),
        None if schedule is None else getattr(schedule, "time_zone", None) or "",
        misfire,
    )


class _Stop:
    """The caller's stop event, waited for beside other things."""

    def __init__(self, event: asyncio.Event | None) -> None:
        self._event = event
        self._waiting = None if event is None else asyncio.ensure_future(event.wait())

    @property
    def is_set(self) -> bool:
        """True if the event is or was set: once is enough."""
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
