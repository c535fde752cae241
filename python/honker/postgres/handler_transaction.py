"""The transaction of a job's handler on PostgreSQL, which begins at its first use and is ended by the worker."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from honker.errors import TransactionNotStartedError
from honker.postgres.connection import PoolConnection
from honker.postgres.holders import Holders
from honker.postgres.pool import Pool
from honker.postgres.transaction import PostgresTransaction


class _HandlerTransaction(PostgresTransaction):
    """See `honker.engine.HandlerScope`. The end of a ``with`` block does not end it."""

    def __init__(self, pool: Pool, holders: Holders) -> None:
        super().__init__(pool, holders)
        # If several threads of one handler use it first, one begins it and the others wait here.
        self._beginning = threading.Lock()
        self._refusal: str | None = None  # the reason why it is no longer usable

    def __enter__(self) -> Self:
        self._check_granted()
        with self._beginning:
            if not self.is_active:
                super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self.is_active:
            self._end(commits=False)

    async def __aenter__(self) -> Self:
        self._check_granted()
        if not self.is_active:
            await super().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self.is_active:
            await self._aend(commits=False)

    def withdraw(self) -> bool:
        """Reject every later use. True if it was usable until now."""
        was_granted = self._refusal is None
        self._refusal = self._refusal or "its handler has ended"
        return was_granted

    def revoke(self) -> None:
        """Reject every later use, and the commit."""
        self._refusal = "the lease of its job was lost or given back"

    def _check_granted(self) -> None:
        if self._refusal is not None:
            raise TransactionNotStartedError(f"Transaction not started: {self._refusal}")

    def _begun(self) -> PoolConnection:
        self._check_granted()
        if not self.is_active:
            if asyncio._get_running_loop() is not None:
                raise TransactionNotStartedError(
                    "Transaction not started: in a coroutine begin it with `async with tx:`, which does not block"
                )
            self.__enter__()
        return super()._begun()


class PostgresHandlerScope:
    """The worker's side of a handler's transaction; see `honker.engine.HandlerScope`."""

    def __init__(self, pool: Pool, holders: Holders) -> None:
        self._transaction = _HandlerTransaction(pool, holders)

    @property
    def transaction(self) -> PostgresTransaction:
        """The transaction for the handler; it begins at its first use."""
        return self._transaction

    @property
    def is_active(self) -> bool:
        """True from its begin to its end."""
        return self._transaction.is_active

    def finish(self, *, commits: bool) -> None:
        """Commit or roll back the transaction if it has begun, and reject every later use."""
        commits = self._transaction.withdraw() and commits
        if self._transaction.is_active:
            self._transaction._end(commits=commits)  # pyright: ignore[reportPrivateUsage] - handlers hold the object

    async def afinish(self, *, commits: bool) -> None:
        """Like `finish`, without blocking the event loop. A commit that is cancelled may still take effect."""
        commits = self._transaction.withdraw() and commits
        if self._transaction.is_active:
            await self._transaction._aend(commits=commits)  # pyright: ignore[reportPrivateUsage] - as above

    def revoke(self) -> None:
        """Reject further statements and the commit, because the handler's lease is lost."""
        self._transaction.revoke()
