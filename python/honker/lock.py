"""Named locks, shared by all processes that use the database."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from types import TracebackType
from typing import Final, Self

from honker.arguments import Seconds, seconds
from honker.engine import Handle
from honker.errors import DatabaseError, LockHeld

_ACQUIRE: Final = "SELECT honker_lock_acquire(?, ?, ?)"
_RENEW: Final = "SELECT honker_lock_renew(?, ?, ?)"
_RELEASE: Final = "SELECT honker_lock_release(?, ?)"
_TOKEN: Final = "SELECT honker_lock_token(?, ?)"
_EXPIRES_AT: Final = "SELECT honker_lock_expires_at(?)"


class Lock:
    """A named lock with at most one owner and a time limit, for ``with`` and ``async with``.

    Entering the block acquires the lock. A holder that dies or does not `renew` in time loses it. A late holder may
    still act, so the protected resource should remember the largest `token` so far and reject smaller ones. Get a lock
    from `Database.lock`.

    Attributes:
        db: The database.
        name: The lock's name.
        ttl: Seconds for which the lock is held.
        owner: The owner's name. The same owner may acquire the lock again, which extends it.
        acquired: True after this object acquired the lock; the lock may have lapsed since.
    """

    def __init__(self, db: Handle, name: str, ttl: Seconds = 60, owner: str | None = None) -> None:
        self.db = db
        self.name = name
        self.ttl = seconds(ttl, "ttl")
        self.owner = uuid.uuid4().hex if owner is None else owner
        self.acquired = False
        self._engine = db.engine

    def __repr__(self) -> str:
        return f"<honker.Lock {self.name!r} of {self.db.path!r}>"

    def try_acquire(self) -> bool:
        """Acquire the lock, or extend it if this owner holds it already. True if it is held now.

        Source: SQL ``honker_lock_acquire``.
        """
        self.acquired = bool(self._engine.call(_ACQUIRE, self.name, self.owner, self.ttl))
        return self.acquired

    async def atry_acquire(self) -> bool:
        """Like `try_acquire`, without blocking the event loop."""
        was_acquired = self.acquired
        try:
            held = await self._engine.acall(_ACQUIRE, self.name, self.owner, self.ttl)
        except asyncio.CancelledError:
            if not was_acquired:
                # The statement may still run, and this event loop may end now. So a thread waits for the statement and
                # releases the lock if it was acquired.
                threading.Thread(target=self._give_back, name="honker-unlock").start()
            raise
        self.acquired = bool(held)
        return self.acquired

    def _give_back(self) -> None:
        with contextlib.suppress(DatabaseError):  # The lock then lapses by itself.
            self.release()

    def renew(self, ttl: Seconds | None = None) -> bool:
        """Hold the lock for ``ttl`` seconds from now. True if it was still held.

        A lapsed lock is not renewed, even if it is free: another owner may have held it in the meantime.

        Source: SQL ``honker_lock_renew``.
        """
        if not self.acquired:
            return False
        ttl_s = self.ttl if ttl is None else seconds(ttl, "ttl")
        self.acquired = bool(self._engine.call(_RENEW, self.name, self.owner, ttl_s))
        return self.acquired

    async def arenew(self, ttl: Seconds | None = None) -> bool:
        """Like `renew`, without blocking the event loop."""
        if not self.acquired:
            return False
        ttl_s = self.ttl if ttl is None else seconds(ttl, "ttl")
        self.acquired = bool(await self._engine.acall(_RENEW, self.name, self.owner, ttl_s))
        return self.acquired

    @property
    def token(self) -> int | None:
        """The fencing token, which grows with each new holder. None if the lock is no longer held.

        Source: SQL ``honker_lock_token``.
        """
        token: int | None = self._engine.ask(_TOKEN, self.name, self.owner)
        return token

    async def atoken(self) -> int | None:
        """Like `token`, without blocking the event loop."""
        token: int | None = await self._engine.aask(_TOKEN, self.name, self.owner)
        return token

    def held_until(self) -> float | None:
        """Unix seconds at which the lock lapses, for any holder; None if it is free. Read-only.

        Source: SQL ``honker_lock_expires_at``.
        """
        until: float | None = self._engine.ask(_EXPIRES_AT, self.name)
        return until

    async def aheld_until(self) -> float | None:
        """Like `held_until`, without blocking the event loop."""
        until: float | None = await self._engine.aask(_EXPIRES_AT, self.name)
        return until

    def release(self) -> None:
        """Release the lock if this owner holds it. Idempotent.

        Source: SQL ``honker_lock_release``.
        """
        self.acquired = False
        self._engine.call(_RELEASE, self.name, self.owner)

    async def arelease(self) -> None:
        """Like `release`, without blocking the event loop."""
        self.acquired = False
        await self._engine.acall(_RELEASE, self.name, self.owner)

    def __enter__(self) -> Self:
        if not self.try_acquire():
            raise LockHeld(f"lock {self.name!r} is held by another owner; try again later")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        if not await self.atry_acquire():
            raise LockHeld(f"lock {self.name!r} is held by another owner; try again later")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.arelease()
