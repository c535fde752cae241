"""Token buckets, shared by all processes that use the database."""

from __future__ import annotations

from typing import Final

from honker.arguments import TransactionLike
from honker.engine import Handle

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
