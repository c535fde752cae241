"""An engine that forwards each call to another one, which it chooses at the moment of the call.

Queues, streams, locks and tasks keep an engine for life. With this one they follow their database: it is opened at
their first use, again after a fork, and another file takes its place during a test.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from honker.arguments import Call, Parameters, Row, SQLValue, TransactionLike
from honker.engine import Element, Engine, Fate, HandlerScope, LoopUpdates, Transaction, Updates
from honker.engine.limits import LIMITS, Limits

E = TypeVar("E", bound=Engine)


class ForwardingEngine(ABC, Generic[E]):
    """See the module, and `honker.engine.Engine` for the methods."""

    #: The engine to forward to; None until the next call finds one.
    _engine: E | None = None

    @abstractmethod
    def _find(self) -> E:
        """Find the engine to forward to, and set `_engine`. May wait for the disk."""

    @property
    def current(self) -> E:
        """The engine that a call now would be forwarded to."""
        return self._engine or self._find()

    async def _current(self) -> E:
        """Like `current`, without blocking the event loop."""
        return self._engine or await asyncio.to_thread(self._find)

    @property
    @abstractmethod
    def path(self) -> str:
        """The database: an absolute path or a URI. Does not open it."""

    @property
    def identity(self) -> str:
        """The same text for every handle on this database; see `honker.engine.Engine`."""
        return self.current.identity

    @property
    def limits(self) -> Limits:
        """The ranges against which the engine checks arguments. Before it is open, those of this package."""
        return LIMITS if self._engine is None else self._engine.limits

    @property
    def is_closed(self) -> bool:
        """True once it is closed and stays so."""
        return self._engine is not None and self._engine.is_closed

    @property
    def is_writing_here(self) -> bool:
        """True while this thread, or a task suspended on it, is in a transaction."""
        return self._engine is not None and self._engine.is_writing_here

    @property
    def is_commit_slow(self) -> bool:
        """True if the next commit may wait for the disk; see `honker.engine.Engine`."""
        return self.current.is_commit_slow

    def call(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """The result of a function that writes, as part of ``tx`` or committed by itself."""
        return (self._engine or self._find()).call(sql, *params, tx=tx)

    async def acall(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `call`, without blocking the event loop."""
        return await (self._engine or await self._current()).acall(sql, *params, tx=tx)

    def call_now(self, sql: str, *params: SQLValue) -> Any:
        """As `call`, without waiting; see `honker.engine.Engine`."""
        return (self._engine or self._find()).call_now(sql, *params)

    def ask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """The result of a function that only reads; takes no write lock."""
        return (self._engine or self._find()).ask(sql, *params, tx=tx)

    async def aask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `ask`, without blocking the event loop."""
        return await (self._engine or await self._current()).aask(sql, *params, tx=tx)

    def add(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Add a job or an event in a transaction; see `honker.engine.Engine`."""
        return (self._engine or self._find()).add(one, many, element, tx)

    async def aadd(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Like `add`, without blocking the event loop."""
        return await (self._engine or await self._current()).aadd(one, many, element, tx)

    def fate(self, tx: TransactionLike) -> Fate:
        """The end of the transaction ``tx``, which runs now."""
        return self.current.fate(tx)

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """The rows of one statement of the application that only reads."""
        return self.current.query(sql, params)

    async def aquery(self, sql: str, params: Parameters = None) -> list[Row]:
        """Like `query`, without blocking the event loop."""
        return await (await self._current()).aquery(sql, params)

    def transaction(self) -> Transaction:
        """A write transaction for the application."""
        return self.current.transaction()

    def handler_transaction(self) -> HandlerScope:
        """A write transaction for the handler of a job, ended by the worker."""
        return self.current.handler_transaction()

    def updates(self, *, overhears: bool = False) -> Updates:
        """Begin to notice commits of any connection in any process, from this moment on."""
        return self.current.updates(overhears=overhears)

    def loop_updates(self) -> LoopUpdates:
        """As `updates`, for one of many waiters on the running event loop."""
        return self.current.loop_updates()

    def clock(self) -> float:
        """The engine's time in Unix seconds."""
        return self.current.clock()

    def close(self) -> None:
        """Close every connection. Idempotent."""
        if self._engine is not None:
            self._engine.close()
