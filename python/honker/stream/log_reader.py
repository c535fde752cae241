"""Following a log: the loop that listeners and stream subscriptions share."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from honker import serialization
from honker.arguments import Call
from honker.clock import monotonic
from honker.engine import Engine
from honker.engine.wakes import Wakes
from honker.errors import HonkerError

logger = logging.getLogger("honker")


class _Dated(Protocol):
    created_at: float


Item = TypeVar("Item", bound=_Dated)

#: Rows per read: enough to make the cost of a read small, few enough to fit into memory with any payload.
BATCH = 1000

# Seconds between two looks at the end of the log.
_LOOK_BACK_S: Final = 1.0


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


def _keep_or_raise(error: BaseException | None, failure: HonkerError) -> None:
    """Raise the failure of a close, unless the block ends with an error of its own: then log it, and note it there."""
    if error is None:
        raise failure
    logger.warning("the end of a subscription failed: %s", failure)
    error.add_note(f"the end of the subscription failed too: {type(failure).__name__}: {failure}")


class LogReader(Generic[Item]):
    """An endless iterator over the items appended to a log, in order, for ``for`` and ``async for``.

    Without new items, it waits for a commit of any process, or for ``fallback_poll_s``. Waiting holds no transaction.
    It stays usable after a cancelled ``await``, which loses no items.
    """

    def __init__(self, engine: Engine, fallback_poll_s: float | None) -> None:
        self._engine = engine
        self._fallback_poll_s = fallback_poll_s
        # Subscribed before the first read of the log, so that no commit between a read and a wait is missed.
        self._updates = Wakes(engine)
        self._ahead: deque[Item] = deque()
        self._looked_back_at = float("-inf")
        self._owes_look_back = False
        # The time up to which the log was read, None before the first look; and since it became shorter, the time
        # before which every row was read.
        self._read_to_at: float | None = None
        self._known_before: float | None = None

    @abstractmethod
    def _next_page(self) -> Call:
        """The call that reads the rows after the last one read."""

    @abstractmethod
    def _advance(self, rows: list[dict[str, Any]]) -> list[Item]:
        """Advance past these rows, and convert them to items."""

    @abstractmethod
    def _newest(self) -> Call:
        """The call that returns the position of the newest row, 0 or None if there is none."""

    @abstractmethod
    def _position(self) -> int:
        """The position of the last row read."""

    @abstractmethod
    def _restart(self, at: float) -> Call | None:
        """The call that returns the position before the first row of that time or later; None means 0."""

    @abstractmethod
    def _go_back(self, position: int) -> None:
        """Go on behind an earlier position."""

    def _is_look_back_due(self) -> bool:
        """True if nothing was read and the last look back was a while ago; many readers wake at each commit."""
        self._owes_look_back = monotonic() - self._looked_back_at < _LOOK_BACK_S
        return not self._owes_look_back

    def _is_shorter(self, newest: int | None) -> bool:
        """True if the log now ends before the last row read; then the reader goes back.

        A backup that is restored into the live file makes the log shorter, and new rows get positions that this reader
        has passed. It goes on with the rows of the second of the last one it read, of which some may come again, and of
        later ones. If rows were only pruned there are none.
        """
        self._looked_back_at = monotonic()
        if (newest or 0) >= self._position():
            self._read_to_at = self._read_to_at or self._engine.clock()
            return False
        if self._read_to_at is None:
            return False  # The reader was told to begin at a position that the log has not reached.
        logger.info("%r: the log ends at %d and was read to %d; going back", self, newest or 0, self._position())
        self._known_before = self._read_to_at // 1  # rows are dated by the second that had begun
        return True

    def _take(self, rows: list[dict[str, Any]]) -> None:
        items = self._advance(rows)
        if self._known_before is not None:
            items = [item for item in items if item.created_at >= self._known_before]
        if items:
            self._read_to_at = items[-1].created_at
        self._ahead.extend(items)

    def _until_next_look_s(self) -> float | None:
        timeout_s = self._timeout_s()
        if not self._owes_look_back:
            return timeout_s
        return _LOOK_BACK_S if timeout_s is None else min(timeout_s, _LOOK_BACK_S)

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
        self._updates.check_process()
        while True:
            self._before_next()
            while not self._ahead and (rows := serialization.read(self._engine.ask(*self._next_page()))):
                self._take(rows)
            if self._ahead:
                return self._hand_out()
            if self._is_look_back_due() and self._is_shorter(self._engine.ask(*self._newest())):
                restart = self._restart(self._read_to_at or 0)
                self._go_back(0 if restart is None else self._engine.ask(*restart))
                continue
            self._updates.wait(self._until_next_look_s())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        self._updates.check_process()
        while True:
            await self._abefore_next()
            while not self._ahead and (rows := serialization.read(await self._engine.aask(*self._next_page()))):
                self._take(rows)
            if self._ahead:
                return self._hand_out()
            if self._is_look_back_due() and self._is_shorter(await self._engine.aask(*self._newest())):
                restart = self._restart(self._read_to_at or 0)
                self._go_back(0 if restart is None else await self._engine.aask(*restart))
                continue
            await self._updates.wait_async(self._until_next_look_s())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except HonkerError as failure:
            _keep_or_raise(error, failure)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.aclose()
        except HonkerError as failure:
            _keep_or_raise(error, failure)

    def close(self) -> None:
        """Stop listening for commits. Idempotent."""
        self._updates.close()

    async def aclose(self) -> None:
        """Like `close`, without blocking the event loop."""
        self._updates.close()
