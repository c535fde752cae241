"""The transaction of a job's handler, which begins at its first use and is ended by the worker."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from honker.errors import TransactionNotStartedError
from honker.sqlite.connection import Connection
from honker.sqlite.transaction import SQLiteTransaction
from honker.sqlite.write_lock import WriteLock, current_task


class _HandlerTransaction(SQLiteTransaction):
    """The transaction for a handler parameter annotated `honker.Transaction`.

    In a plain function, the first statement begins it. A coroutine begins it with ``async with tx:``, so that waiting
    for the write lock does not block the event loop. The end of the block does not end the transaction. Once begun, it
    blocks all other writers of the database, so do slow work first.
    """

    def __init__(self, connection: Connection, write_lock: WriteLock) -> None:
        super().__init__(connection, write_lock)
        # If several threads of one handler use it first, one waits for the write lock and the others wait here.
        self._beginning = threading.Lock()
        self._refusal: str | None = None  # the reason why it is no longer usable

    def __enter__(self) -> Self:
        self._check_granted()
        with self._beginning:
            if not self._is_active:
                super().__enter__()
                self._check_still_granted()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self._is_active:
            self._end(commits=False)

    async def __aenter__(self) -> Self:
        self._check_granted()
        if not self._is_active:
            await super().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None and self._is_active:
            await self._aend(commits=False)

    def _finish(self, *, commits: bool) -> None:
        commits = self._withdraw() and commits
        if self._is_active:
            self._end(commits=commits)

    async def _afinish(self, *, commits: bool) -> None:
        commits = self._withdraw() and commits
        if self._is_active:
            await self._aend(commits=commits)

    def _withdraw(self) -> bool:
        """Reject every later use. True if it was usable until now."""
        was_granted = self._refusal is None
        self._refusal = self._refusal or "its handler has ended"
        return was_granted

    def _revoke(self) -> None:
        self._refusal = "the lease of its job was lost or given back"
        self._batch = None

    def _check_granted(self) -> None:
        if self._refusal is not None:
            raise TransactionNotStartedError(f"Transaction not started: {self._refusal}")

    def _check_still_granted(self) -> None:
        """Check again after the wait for the write lock, which may have been longer than the lease."""
        try:
            self._check_granted()
        except BaseException:
            self._end(commits=False)
            raise

    def _prepare(self) -> None:
        self._check_granted()
        super()._prepare()
        if not self._is_active:
            if current_task() is not None:
                raise TransactionNotStartedError(
                    "Transaction not started: in a coroutine begin it with `async with tx:`, which does not block"
                )
            self.__enter__()


class SQLiteHandlerScope:
    """The worker's side of a handler's transaction; see `honker.engine.HandlerScope`.

    Ending and revoking are not methods of the transaction itself, because handlers hold that object.
    """

    def __init__(self, connection: Connection, write_lock: WriteLock) -> None:
        self._transaction = _HandlerTransaction(connection, write_lock)

    @property
    def transaction(self) -> SQLiteTransaction:
        """The transaction for the handler; it begins at its first use."""
        return self._transaction

    @property
    def is_active(self) -> bool:
        """True from its begin to its end."""
        return self._transaction._is_active  # pyright: ignore[reportPrivateUsage] - as above

    def finish(self, *, commits: bool) -> None:
        """Commit or roll back the transaction if it has begun, and reject every later use."""
        self._transaction._finish(commits=commits)  # pyright: ignore[reportPrivateUsage] - as above

    async def afinish(self, *, commits: bool) -> None:
        """Like `finish`, without blocking the event loop. A commit that is cancelled may still take effect."""
        await self._transaction._afinish(commits=commits)  # pyright: ignore[reportPrivateUsage] - as above

    def revoke(self) -> None:
        """Reject further statements and the commit, because the handler's lease is lost."""
        self._transaction._revoke()  # pyright: ignore[reportPrivateUsage] - as above
