"""A clock of Python whose time a testing file shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from honker.arguments import Call, SQLValue, TransactionLike
from honker.clock import monotonic
from honker.engine import Element, Engine
from honker.testing.interception import Interception
from honker.testing.target import is_writing_here

GET: Final = "SELECT honker_test_clock_get()"
RUN: Final = "SELECT honker_test_clock_run(?)"
STOP: Final = "SELECT honker_test_clock_stop(?)"

#: Seconds by which two clocks that run may differ before the file's is set again.
_TOLERANCE_S: Final = 0.005
#: Seconds between two readings that show if a clock runs.
_APART_S: Final = 2e-6


class FollowedClock:
    """Sets the clock of a file to that of Python before each call of an engine.

    Args:
        engine: The engine.
        read: Returns Unix seconds.
        system_time: Returns the time of the system, whatever a library has put in the place of Python's functions.
        tx: A transaction to set the clock in, once.
    """

    def __init__(
        self, engine: Engine, read: Callable[[], float], system_time: Callable[[], float], tx: TransactionLike
    ) -> None:
        self._engine = engine
        self._system_time = system_time
        self._read = read
        # The methods as they were.
        self._call, self._ask = engine.call, engine.ask
        self._acall, self._aask, self._call_now = engine.acall, engine.aask, engine.call_now
        self._set(tx)
        self._interception = Interception(engine)
        for name in ("call", "ask"):
            self._interception.replace(name, self._before)
        for name in ("acall", "aask"):
            self._interception.replace(name, self._abefore)
        self._interception.replace("call_now", self._before_now)
        self._interception.replace("add", self._before_add)
        self._interception.replace("aadd", self._before_aadd)

    def end(self) -> None:
        """Follow no more."""
        self._interception.end()

    def _before(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
            self._set(tx)
            return method(sql, *params, tx=tx)

        return wrapped

    def _abefore(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
            await self._aset(tx)
            return await method(sql, *params, tx=tx)

        return wrapped

    def _before_now(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(sql: str, *params: SQLValue) -> Any:
            call = self._needed(self._ask(GET))
            if call is not None:
                self._call_now(*call)
            return method(sql, *params)

        return wrapped

    def _before_add(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(one: Call, many: Call, element: Element, tx: TransactionLike) -> Any:
            self._set(tx)
            return method(one, many, element, tx)

        return wrapped

    def _before_aadd(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(one: Call, many: Call, element: Element, tx: TransactionLike) -> Any:
            await self._aset(tx)
            return await method(one, many, element, tx)

        return wrapped

    def _set(self, tx: TransactionLike) -> None:
        # Without `tx` a write would wait for the transaction that is open here.
        if tx is None and is_writing_here(self._engine):
            return
        call = self._needed(self._ask(GET, tx=tx))
        if call is not None:
            self._call(*call, tx=tx)

    async def _aset(self, tx: TransactionLike) -> None:
        if tx is None and is_writing_here(self._engine):
            return
        call = self._needed(await self._aask(GET, tx=tx))
        if call is not None:
            await self._acall(*call, tx=tx)

    def _needed(self, text: str | None) -> Call | None:
        """The call that makes the file show the time of the followed clock; None if it does."""
        shown: dict[str, float | None] = {"offset_s": None, "stopped_at": None} if text is None else json.loads(text)
        wanted, runs = self._look()
        if runs:
            offset_s = wanted - self._system_time()
            is_right = shown["offset_s"] is not None and abs(shown["offset_s"] - offset_s) < _TOLERANCE_S
            return None if is_right else (RUN, offset_s)
        at = round(wanted, 3)
        return None if shown["stopped_at"] == at else (STOP, at)

    def _look(self) -> tuple[float, bool]:
        """The time of the followed clock, and True if it runs as real time does."""
        begin, first = monotonic(), self._read()
        while monotonic() - begin < _APART_S:
            pass
        second = self._read()
        passed = monotonic() - begin
        return second, 0 < second - first < 2 * passed + 1e-3
