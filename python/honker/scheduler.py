"""The scheduler: enqueues jobs when schedules say so, in one of several processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any, Final

from honker import payload as payloads
from honker.database import Database
from honker.errors import DatabaseError, LeadershipLost, LockHeld
from honker.lock import Lock
from honker.tasks import HasExpression, register_schedules
from honker.types import TransactionLike
from honker.watcher import UpdateEvents


class _Unset:
    """For parameters to which None means something."""


_UNSET: Final = _Unset()

#: How often a standby looks whether the leader is gone, if nothing wakes it: clocks may be set.
_STANDBY_POLL_S: Final = 5.0


class Scheduler:
    """Fires schedules: at each boundary it enqueues a job, which workers then run.

    Schedules are rows of the database, so they outlive the process. Any number of processes may run a scheduler; one
    of them leads, by a lock, and the others stand by. Each boundary fires exactly once: a tick, the check that its
    process still leads, and the schedule's next boundary commit together.

    Attributes:
        lock_name: The leader's lock.
        lock_ttl: Seconds after which a dead leader is replaced.
        heartbeat_interval: Seconds between two renewals of the lock.
    """

    LOCK_NAME = "honker-scheduler"
    LOCK_TTL = 60
    HEARTBEAT_INTERVAL = 30

    def __init__(self, db: Database, lock_name: str | None = None) -> None:
        self.db = db
        self.lock_name = self.LOCK_NAME if lock_name is None else lock_name
        self.lock_ttl: float = self.LOCK_TTL
        self.heartbeat_interval: float = self.HEARTBEAT_INTERVAL
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
            payload: What its jobs carry, anything JSON can.
            priority: That of its jobs.
            expires: Seconds after its boundary from which a job is not claimed any more.
            max_attempts: Claims of a job before it is dead-lettered.
            misfire: What to do about boundaries that passed while nobody led: ``catch_up`` fires each, up to 64,
                ``once`` fires once for all, ``skip`` none that is later than a minute.
            tx: A transaction to keep it in.

        Raises:
            InvalidArgumentError: A value is refused.
            InvalidPayloadError: The payload has no JSON form.

        Source: SQL ``honker_scheduler_register``.
        """
        self.db.call(
            "SELECT honker_scheduler_register(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            name,
            queue,
            schedule.expr,
            payloads.encode(payload),
            priority,
            expires,
            max_attempts,
            getattr(schedule, "time_zone", None),
            misfire,
            tx=tx,
        )
        self._registered.add(name)

    def remove(self, name: str, tx: TransactionLike = None) -> bool:
        """Forget a schedule. Whether there was one.

        Source: SQL ``honker_scheduler_unregister``.
        """
        self._registered.discard(name)
        return bool(self.db.call("SELECT honker_scheduler_unregister(?)", name, tx=tx))

    def pause(self, name: str, tx: TransactionLike = None) -> bool:
        """Stop a schedule from firing. Whether it did fire before.

        Source: SQL ``honker_scheduler_pause``.
        """
        return bool(self.db.call("SELECT honker_scheduler_pause(?)", name, tx=tx))

    def resume(self, name: str, tx: TransactionLike = None) -> bool:
        """Let a paused schedule fire again. Whether it was paused.

        Source: SQL ``honker_scheduler_resume``.
        """
        return bool(self.db.call("SELECT honker_scheduler_resume(?)", name, tx=tx))

    def list(self, tx: TransactionLike = None) -> list[dict[str, Any]]:
        """Every schedule, by name.

        Returns:
            For each: name, queue, cron_expr, payload (JSON text), priority, expires_s, next_fire_at, enabled,
            max_attempts, time_zone, misfire, and last_error, which says why a schedule had to be passed over.

        Source: SQL ``honker_scheduler_list``.
        """
        return json.loads(self.db.ask("SELECT honker_scheduler_list()", tx=tx))

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
        """Change a schedule; what is not given stays.

        Args:
            name: The schedule's name.
            schedule: When; its next boundary is then the first from now.
            payload: What its jobs carry; None is a value.
            priority: That of its jobs.
            expires: As in `add`; None removes it.
            max_attempts: As in `add`; None means 3.
            misfire: As in `add`.
            tx: A transaction to change it in.

        Returns:
            Whether there is such a schedule and anything was given.

        Source: SQL ``honker_scheduler_update``.
        """
        changed = self.db.call(
            "SELECT honker_scheduler_update(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            name,
            None if schedule is None else schedule.expr,
            None if isinstance(payload, _Unset) else payloads.encode(payload),
            priority,
            None if isinstance(expires, _Unset) else expires,
            not isinstance(expires, _Unset),
            None if isinstance(max_attempts, _Unset) else max_attempts,
            not isinstance(max_attempts, _Unset),
            None if schedule is None else getattr(schedule, "time_zone", None) or "",
            misfire,
            tx=tx,
        )
        return bool(changed)

    async def run(
        self,
        stop_event: asyncio.Event | None = None,
        *,
        standby: bool = False,
        on_leading: Callable[[], None] | None = None,
    ) -> None:
        """Lead and fire schedules until ``stop_event`` is set.

        Goes on while every schedule is paused, and notices within a moment what other processes add or change.

        Args:
            stop_event: Ends it; it is only waited for, never set.
            standby: Wait while another process leads, and take over when it is gone.
            on_leading: Called when it begins to lead.

        Raises:
            LockHeld: Another process leads, and ``standby`` is off.
            LeadershipLost: Another process took over, because this one was too slow to renew its lock.
            DatabaseError: There is no schedule at all.
        """
        # It waits for the event by the time that anybody can see this scheduler lead.
        stop = _Stop(stop_event)
        try:
            await asyncio.to_thread(register_schedules, self.db)
            if not self._registered and not self.list():
                raise DatabaseError("no registered tasks: add a schedule before running the scheduler")
            lock = Lock(self.db, self.lock_name, self.lock_ttl)
            with contextlib.closing(self.db.update_events()) as updates:
                if await self._take_over(lock, stop, updates, standby=standby):
                    await self._lead(lock, stop, updates, on_leading)
        finally:
            stop.close()

    async def _take_over(self, lock: Lock, stop: _Stop, updates: UpdateEvents, *, standby: bool) -> bool:
        """Become the leader; whether that came before the stop.

        Each commit of anybody wakes a standby. So it asks first, which only reads: trying the lock each time would take
        the write lock from those who have something to write.
        """
        while True:
            held_until = lock.held_until() if standby else None
            if held_until is None and await lock.atry_acquire():
                return True
            if not standby:
                raise LockHeld(f"lock {self.lock_name!r} is held: another scheduler leads; pass standby=True to wait")
            patience_s = _STANDBY_POLL_S
            if held_until is not None:
                patience_s = min(patience_s, max(held_until - time.time(), 0.0))
            await stop.wait_for(updates.wait_async(patience_s))
            if stop.is_set:
                return False

    async def _lead(
        self, lock: Lock, stop: _Stop, updates: UpdateEvents, on_leading: Callable[[], None] | None
    ) -> None:
        renew_at = time.monotonic() + self.heartbeat_interval
        try:
            if on_leading is not None:
                on_leading()
            while not stop.is_set:
                if time.monotonic() >= renew_at:
                    if not await lock.arenew():
                        raise self._lost()
                    renew_at = time.monotonic() + self.heartbeat_interval
                soonest = self._soonest()
                if soonest is not None and soonest <= time.time():
                    await self._tick(lock)
                    continue
                patience = renew_at - time.monotonic()
                if soonest is not None:
                    patience = min(patience, soonest - time.time())
                await stop.wait_for(updates.wait_async(max(patience, 0.0)))
        finally:
            # If it was lost the row is another's, and stays: releasing is by owner.
            await lock.arelease()

    def _soonest(self) -> float | None:
        soonest: float = self.db.ask("SELECT honker_scheduler_soonest()")
        return soonest or None

    async def _tick(self, lock: Lock) -> None:
        """Fire what is due, if this process still leads; both are looked at under the write lock."""
        async with self.db.transaction() as tx:
            if tx.scalar("SELECT honker_lock_token(?, ?)", (lock.name, lock.owner)) is None:
                raise self._lost()
            tx.scalar("SELECT honker_scheduler_tick(?)", (time.time(),))

    def _lost(self) -> LeadershipLost:
        return LeadershipLost(f"leadership was lost: lock {self.lock_name!r} has lapsed or another scheduler holds it")


class _Stop:
    """The caller's stop event, waited for beside other things."""

    def __init__(self, event: asyncio.Event | None) -> None:
        self._event = event
        self._waiting = None if event is None else asyncio.ensure_future(event.wait())

    @property
    def is_set(self) -> bool:
        """Whether the event is or was set: once is enough."""
        return self._event is not None and (
            self._event.is_set() or (self._waiting is not None and self._waiting.done())
        )

    async def wait_for(self, other: Any) -> None:
        """Wait for something else or the event, whichever comes first."""
        task = asyncio.ensure_future(other)
        try:
            both = [task] if self._waiting is None else [task, self._waiting]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            task.cancel()

    def close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
