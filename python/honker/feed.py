"""Following a log: the part that listeners and stream subscriptions share."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Generic, TypeVar

from honker.pool import Pool

logger = logging.getLogger("honker")

Item = TypeVar("Item")

#: Rows read at once. Enough to make the cost of a read small, few enough to fit into memory at any payload.
BATCH = 1000


def without_malformed(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that can be understood. Any other was edited by hand: the log names it, and what is behind it comes."""
    sound: list[dict[str, Any]] = []
    for row in rows:
        if "malformed" in row:
            what = f"event {row['offset']} of {row['topic']!r}" if "topic" in row else f"notification {row['id']}"
            logger.warning("%s is passed over: %s", what, row["malformed"])
        else:
            sound.append(row)
    return sound


class Feed(Generic[Item]):
    """What is appended to a log, in order, for ``for`` and ``async for``; never ends by itself.

    While there is nothing new it waits for a commit of any process, or for ``fallback_poll_s``. Waiting holds no
    transaction. A cancelled ``await`` leaves it usable and loses nothing.
    """

    def __init__(self, db: Pool, fallback_poll_s: float | None) -> None:
        self._db = db
        self._fallback_poll_s = fallback_poll_s
        # Before the first look at the log: a commit between a look and a wait must not be missed.
        self._updates = db.update_events()
        self._ahead: deque[Item] = deque()

    def _read(self) -> list[Item]:
        """The next items of the log, and moves on behind them."""
        raise NotImplementedError

    def _hand_out(self) -> Item:
        return self._ahead.popleft()

    def _before_next(self) -> None:
        """Called whenever the consumer asks for the next item: it is through with the one before."""

    async def _abefore_next(self) -> None:
        """The same without blocking the event loop."""

    def _patience_s(self) -> float | None:
        """How long to wait if no commit comes."""
        return self._fallback_poll_s

    def __iter__(self) -> Feed[Item]:
        return self

    def __next__(self) -> Item:
        while True:
            self._before_next()
            if self._has_next():
                return self._hand_out()
            self._updates.wait(self._patience_s())

    def __aiter__(self) -> Feed[Item]:
        return self

    async def __anext__(self) -> Item:
        while True:
            await self._abefore_next()
            if self._has_next():
                return self._hand_out()
            await self._updates.wait_async(self._patience_s())

    def _has_next(self) -> bool:
        if not self._ahead:
            self._ahead.extend(self._read())
        return bool(self._ahead)

    def __enter__(self) -> Feed[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Feed[Item]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def close(self) -> None:
        """Stop listening for commits. Idempotent."""
        self._updates.close()

    async def aclose(self) -> None:
        """As `close`, without blocking the event loop."""
        self.close()
