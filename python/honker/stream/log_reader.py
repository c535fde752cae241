"""Following a log: the loop that listeners and stream subscriptions share."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from honker import serialization
from honker.arguments import Call
from honker.engine import Engine

logger = logging.getLogger("honker")

Item = TypeVar("Item")

#: Rows per read: enough to make the cost of a read small, few enough to fit into memory with any payload.
BATCH = 1000


def without_malformed(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The readable rows. Other rows were edited by hand, and are logged and skipped."""
    sound: list[dict[str, Any]] = []
    for row in rows:
        if "malformed" in row:
            row_name = f"event {row['offset']} of {row['topic']!r}" if "topic" in row else f"notification {row['id']}"
            logger.warning("%s is passed over: %s", row_name, row["malformed"])
        else:
            sound.append(row)
    return sound


class LogReader(Generic[Item]):
    """An endless iterator over the items appended to a log, in order, for ``for`` and ``async for``.

    Without new items, it waits for a commit of any process, or for ``fallback_poll_s``. Waiting holds no transaction.
    It stays usable after a cancelled ``await``, which loses no items.
    """

    def __init__(self, engine: Engine, fallback_poll_s: float | None) -> None:
        self._engine = engine
        self._fallback_poll_s = fallback_poll_s
        # Subscribed before the first read of the log, so that no commit between a read and a wait is missed.
        self._updates = engine.updates()
        self._ahead: deque[Item] = deque()

    @abstractmethod
    def _next_page(self) -> Call:
        """The call that reads the rows after the last one read."""

    @abstractmethod
    def _advance(self, rows: list[dict[str, Any]]) -> list[Item]:
        """Advance past these rows, and convert them to items."""

    def _hand_out(self) -> Item:
        return self._ahead.popleft()

    def _before_next(self) -> None:
        """Called when the consumer requests the next item, and so is done with the previous one."""

    async def _abefore_next(self) -> None:
        """Like `_before_next`, without blocking the event loop."""

    def _timeout_s(self) -> float | None:
        """Seconds to wait if no commit comes."""
        return self._fallback_poll_s

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        while True:
            self._before_next()
            while not self._ahead and (rows := serialization.read(self._engine.ask(*self._next_page()))):
                self._ahead.extend(self._advance(rows))
            if self._ahead:
                return self._hand_out()
            self._updates.wait(self._timeout_s())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        while True:
            await self._abefore_next()
            while not self._ahead and (rows := serialization.read(await self._engine.aask(*self._next_page()))):
                self._ahead.extend(self._advance(rows))
            if self._ahead:
                return self._hand_out()
            await self._updates.wait_async(self._timeout_s())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """Stop listening for commits. Idempotent."""
        self._updates.close()

    async def aclose(self) -> None:
        """Like `close`, without blocking the event loop."""
        self._updates.close()
