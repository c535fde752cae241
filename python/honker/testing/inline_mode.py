"""Jobs that run at once when they are enqueued."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from honker.arguments import Call, SQLValue, TransactionLike
from honker.engine import Element
from honker.sqlite.transaction import SQLiteTransaction
from honker.testing.draining import adrain, drain
from honker.testing.interception import Interception
from honker.testing.target import Target, database_of, is_writing_here

_ENQUEUES: Final = ("SELECT honker_enqueue(", "SELECT honker_enqueue_many(", "SELECT honker_enqueue_unique(")


@contextmanager
def inline(target: Target, *, raise_errors: bool = True) -> Generator[None]:
    """Run due jobs at once when they are enqueued, in the thread or task that has enqueued them.

    The jobs are written, claimed and settled as always. Jobs of a transaction run when it has committed, and not at all
    if it is rolled back. Jobs that are due later wait. Jobs in a transaction of another library run at the next
    enqueue of this process without one, or at the end of the block.

    Args:
        target: The app or the database.
        raise_errors: As for `drain`; the exception leaves the call that has enqueued the job, or the ``with`` block
            of its transaction.

    Raises:
        NoTasksError: No task is known when a job is enqueued.
    """
    mode = _Inline(target, raise_errors=raise_errors)
    try:
        yield
        mode.run()
    finally:
        mode.end()


class _Inline:
    def __init__(self, target: Target, *, raise_errors: bool) -> None:
        self._target = target
        self._raise_errors = raise_errors
        self._is_running = False
        self._has_jobs = False
        self._engine = database_of(target).engine
        self._interception = Interception(self._engine)
        self._interception.replace("call", self._after_call)
        self._interception.replace("acall", self._after_acall)
        self._interception.replace("add", self._after_add)
        self._interception.replace("aadd", self._after_aadd)
        self._interception.replace("transaction", self._in_transaction)

    def end(self) -> None:
        """Let jobs wait again."""
        self._interception.end()

    def run(self) -> None:
        """Run the jobs that are due, unless they are being run."""
        if self._is_running or not self._has_jobs or is_writing_here(self._engine):
            return
        self._is_running, self._has_jobs = True, False
        try:
            drain(self._target, raise_errors=self._raise_errors)
        except BaseException:
            self._has_jobs = True  # Those after the failed one.
            raise
        finally:
            self._is_running = False

    async def arun(self) -> None:
        """Like `run`, on the event loop."""
        if self._is_running or not self._has_jobs or is_writing_here(self._engine):
            return
        self._is_running, self._has_jobs = True, False
        try:
            await adrain(self._target, raise_errors=self._raise_errors)
        except BaseException:
            self._has_jobs = True  # Those after the failed one.
            raise
        finally:
            self._is_running = False

    def _after_call(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
            answer = method(sql, *params, tx=tx)
            if sql.startswith(_ENQUEUES):
                self._has_jobs = True
                if tx is None:
                    self.run()
            return answer

        return wrapped

    def _after_acall(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
            answer = await method(sql, *params, tx=tx)
            if sql.startswith(_ENQUEUES):
                self._has_jobs = True
                if tx is None:
                    await self.arun()
            return answer

        return wrapped

    def _after_add(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(one: Call, many: Call, element: Element, tx: TransactionLike) -> Any:
            answer = method(one, many, element, tx)
            self._has_jobs = self._has_jobs or one[0].startswith(_ENQUEUES)
            return answer

        return wrapped

    def _after_aadd(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(one: Call, many: Call, element: Element, tx: TransactionLike) -> Any:
            answer = await method(one, many, element, tx)
            self._has_jobs = self._has_jobs or one[0].startswith(_ENQUEUES)
            if tx is None:
                await self.arun()
            return answer

        return wrapped

    def _in_transaction(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped() -> Any:
            tx = method()
            tx.__class__ = _InlineTransaction
            tx.inline = self
            return tx

        return wrapped


class _InlineTransaction(SQLiteTransaction):
    """A transaction after whose end the jobs run. Its class replaces that of a transaction of the engine."""

    inline: _Inline

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if kind is None:
            self.inline.run()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        if kind is None:
            await self.inline.arun()
