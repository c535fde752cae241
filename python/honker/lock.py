"""Named locks over all processes that use the database."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from types import TracebackType

from honker.errors import DatabaseError, LockHeld
from honker.pool import Pool
from honker.types import Seconds, seconds


class Lock:
    """A lock that is held by at most one owner, for a limited time; for ``with`` and ``async with``.

    Not acquired before the block is entered. A holder that dies, or that does not `renew` in time, loses it. So that it
    cannot do harm when it wakes up late, what the lock protects should remember the largest `token` it has seen and
    refuse smaller ones. Get one from `Database.lock`.

    Attributes:
        db: The database.
        name: The lock's name.
        ttl: Seconds it is held for.
        owner: Who holds it; the same owner may acquire it again, which extends it.
        acquired: Whether this object holds it, as far as it knows.
    """

    def __init__(self, db: Pool, name: str, ttl: Seconds = 60, owner: str | None = None) -> None:
        self.db = db
        self.name = name
        self.ttl = seconds(ttl, "ttl")
        self.owner = uuid.uuid4().hex if owner is None else owner
        self.acquired = False

    def __repr__(self) -> str:
        return f"<honker.Lock {self.name!r} of {self.db.path!r}>"

    def try_acquire(self) -> bool:
        """Take the lock, or extend it when this owner holds it already; whether it is held now.

        Source: SQL ``honker_lock_acquire``.
        """
        self.acquired = bool(self.db.call("SELECT honker_lock_acquire(?, ?, ?)", self.name, self.owner, self.ttl))
        return self.acquired

    async def atry_acquire(self) -> bool:
        """As `try_acquire`, without blocking the event loop."""
        was_acquired = self.acquired
        try:
            held = await self.db.acall("SELECT honker_lock_acquire(?, ?, ?)", self.name, self.owner, self.ttl)
        except asyncio.CancelledError:
            if not was_acquired:
                # What has been handed to SQLite cannot be called back, and this event loop may end now. The thread
                # queues up behind it, and gives back what it came to.
                threading.Thread(target=self._give_back, name="honker-unlock").start()
            raise
        self.acquired = bool(held)
        return self.acquired

    def _give_back(self) -> None:
        with contextlib.suppress(DatabaseError):  # Then it lapses.
            self.release()

    def renew(self, ttl: Seconds | None = None) -> bool:
        """Hold the lock for ``ttl`` seconds from now; whether it was still held.

        One that has lapsed is not revived, even if nobody took it: somebody may have held it in between.

        Source: SQL ``honker_lock_renew``.
        """
        if not self.acquired:
            return False
        ttl_s = self.ttl if ttl is None else seconds(ttl, "ttl")
        self.acquired = bool(self.db.call("SELECT honker_lock_renew(?, ?, ?)", self.name, self.owner, ttl_s))
        return self.acquired

    async def arenew(self) -> bool:
        """As `renew`, without blocking the event loop."""
        if self.acquired:
            held = await self.db.acall("SELECT honker_lock_renew(?, ?, ?)", self.name, self.owner, self.ttl)
            self.acquired = bool(held)
        return self.acquired

    @property
    def token(self) -> int | None:
        """The fencing token: larger for each later holder. None when the lock is not held any more.

        Source: SQL ``honker_lock_token``.
        """
        token: int | None = self.db.ask("SELECT honker_lock_token(?, ?)", self.name, self.owner)
        return token

    def held_until(self) -> float | None:
        """The moment at which the lock lapses, whoever holds it; None when nobody does. Reads only.

        Source: SQL ``honker_lock_expires_at``.
        """
        until: float | None = self.db.ask("SELECT honker_lock_expires_at(?)", self.name)
        return until

    def release(self) -> None:
        """Give the lock up, if this owner holds it. Idempotent.

        Source: SQL ``honker_lock_release``.
        """
        self.acquired = False
        self.db.call("SELECT honker_lock_release(?, ?)", self.name, self.owner)

    async def arelease(self) -> None:
        """As `release`, without blocking the event loop."""
        self.acquired = False
        await self.db.acall("SELECT honker_lock_release(?, ?)", self.name, self.owner)

    def __enter__(self) -> Lock:
        if not self.try_acquire():
            raise LockHeld(f"lock {self.name!r} is held by somebody else; try again later")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> Lock:
        if not await self.atry_acquire():
            raise LockHeld(f"lock {self.name!r} is held by somebody else; try again later")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.arelease()
