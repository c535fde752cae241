"""Locks that are held: a method of `honker.Database`, which the class binds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from honker.engine import Handle
from honker.inspection.pages import aevery_row, every_row
from honker.records import Record

_LIST: Final = "SELECT honker_lock_list(?, ?)"
_PER_PAGE: Final = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class LockInfo(Record):
    """A lock that is held.

    Attributes:
        name: Its name.
        owner: Its owner.
        expires_at: Unix seconds at which it expires.
        taken_at: Unix seconds at which the owner took or extended it; None if another program did.
        token: Its fencing token.
    """

    name: str
    owner: str
    expires_at: float
    taken_at: float | None
    token: int


def locks(self: Handle) -> list[LockInfo]:
    """Every lock that is held, by name.

    Cost: O(locks).
    Source: SQL ``honker_lock_list``.
    """
    return [LockInfo.of(row) for row in every_row(self, _LIST, "locks", _PER_PAGE)]


async def alocks(self: Handle) -> list[LockInfo]:
    """Like `locks`, without blocking the event loop."""
    return [LockInfo.of(row) for row in await aevery_row(self, _LIST, "locks", _PER_PAGE)]
