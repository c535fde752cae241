"""Token buckets and windows of uses, shared by all processes that use the database.

The functions on windows are methods of `honker.Database`, which the class binds.
"""

# Docstrings of those functions do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

from typing import Final

from honker.arguments import Seconds, TransactionLike, seconds, whole
from honker.engine import Handle

_RATE_LIMIT: Final = "SELECT honker_rate_limit_try(?, ?, ?)"
_SWEEP_RATE_LIMITS: Final = "SELECT honker_rate_limit_sweep(?)"
_TAKE: Final = "SELECT honker_token_bucket_take(?, ?, ?, ?)"


class TokenBucket:
    """A rate limit that allows bursts: each use takes tokens from a bucket that refills steadily.

    Unlike `Database.try_rate_limit`, it has no window boundary at which twice the rate could pass. All callers of one
    name share the bucket, and should pass the same capacity and rate. Get one from `Database.token_bucket`.

    To wait for a token::

        while wait_s := bucket.take():
            time.sleep(wait_s)

    Attributes:
        db: The database.
        name: The bucket's name.
        capacity: The largest number of tokens in the bucket.
        refill_per_s: Tokens added per second.
    """

    def __init__(self, db: Handle, name: str, capacity: float, refill_per_s: float) -> None:
        self.db = db
        self.name = name
        self.capacity = capacity
        self.refill_per_s = refill_per_s
        self._engine = db.engine

    def __repr__(self) -> str:
        return f"<honker.TokenBucket {self.name!r} of {self.db.path!r}>"

    def take(self, tokens: float = 1, tx: TransactionLike = None) -> float:
        """Take tokens, all or none.

        Args:
            tokens: More than 0, at most the capacity.
            tx: The transaction to take them in. A rollback returns them to the bucket.

        Returns:
            0 if they were taken, else the seconds until enough tokens are available, if no other caller takes any.

        Raises:
            InvalidArgumentError: ``tokens`` is outside its range, or capacity or refill rate is not above 0 and at most
                1,000,000,000.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: O(log buckets).
        Source: SQL ``honker_token_bucket_take``.
        """
        wait_s: float = self._engine.call(_TAKE, self.name, self.capacity, self.refill_per_s, tokens, tx=tx)
        return wait_s

    async def atake(self, tokens: float = 1, tx: TransactionLike = None) -> float:
        """Like `take`, without blocking the event loop."""
        wait_s: float = await self._engine.acall(_TAKE, self.name, self.capacity, self.refill_per_s, tokens, tx=tx)
        return wait_s

    def try_take(self, tokens: float = 1, tx: TransactionLike = None) -> bool:
        """Like `take`, but return True if the tokens were taken."""
        return self.take(tokens, tx) == 0

    async def atry_take(self, tokens: float = 1, tx: TransactionLike = None) -> bool:
        """Like `try_take`, without blocking the event loop."""
        return await self.atake(tokens, tx) == 0


def try_rate_limit(self: Handle, name: str, limit: int, per: Seconds, tx: TransactionLike = None) -> bool:
    """Count one use of ``name``, unless its window is full.

    Args:
        name: Non-empty text, at most 255 UTF-8 bytes.
        limit: Uses in a window, more than 0.
        per: The window's length in seconds, more than 0. Windows begin at multiples of it.
        tx: A transaction to count it in.

    Returns:
        True if the use was counted. Around the end of a window, up to twice ``limit`` uses may fall into ``per``
        seconds.

    Raises:
        InvalidArgumentError: ``limit`` or ``per`` is not positive.

    Source: SQL ``honker_rate_limit_try``.
    """
    return bool(self.engine.call(_RATE_LIMIT, name, whole(limit, "limit"), seconds(per, "per"), tx=tx))


async def atry_rate_limit(self: Handle, name: str, limit: int, per: Seconds, tx: TransactionLike = None) -> bool:
    """Like `try_rate_limit`, without blocking the event loop."""
    return bool(await self.engine.acall(_RATE_LIMIT, name, whole(limit, "limit"), seconds(per, "per"), tx=tx))


def sweep_rate_limits(self: Handle, older_than_s: Seconds = 3600, tx: TransactionLike = None) -> int:
    """Delete the windows that began more than ``older_than_s`` ago, and return their number.

    Each new window also deletes some of the ended ones.

    Source: SQL ``honker_rate_limit_sweep``.
    """
    return self.engine.call(_SWEEP_RATE_LIMITS, seconds(older_than_s, "older_than_s"), tx=tx)


async def asweep_rate_limits(self: Handle, older_than_s: Seconds = 3600, tx: TransactionLike = None) -> int:
    """Like `sweep_rate_limits`, without blocking the event loop."""
    return await self.engine.acall(_SWEEP_RATE_LIMITS, seconds(older_than_s, "older_than_s"), tx=tx)
