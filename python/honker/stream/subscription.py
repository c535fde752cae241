"""Consumers of a stream, which read events in order and save their offset."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Final, Protocol

from honker.arguments import Call
from honker.engine import Handle
from honker.errors import NestedTransactionError
from honker.stream.event import Event
from honker.stream.log_reader import BATCH, LogReader, without_malformed

READ_SINCE: Final = "SELECT honker_stream_read_since(?, ?, ?)"

# Seconds between a subscription's checks without a commit.
_FALLBACK_POLL_S: Final = 15.0


class SavedStream(Protocol):
    """The stream of a subscription: `honker.Stream`."""

    @property
    def name(self) -> str:
        """The topic's name."""
        ...

    @property
    def db(self) -> Handle:
        """The database."""
        ...

    def save_offset(self, consumer: str, offset: int) -> bool:
        """Raise the consumer's offset."""
        ...

    async def asave_offset(self, consumer: str, offset: int) -> bool:
        """Like `save_offset`, without blocking the event loop."""
        ...


class StreamSubscription(LogReader[Event]):
    """A consumer's progress along a stream; see `Stream.subscribe`.

    Close it, or use it in a ``with`` block, to save the offset of the last event that the consumer is done with.
    """

    def __init__(
        self, stream: SavedStream, consumer: str | None, offset: int, save_every_n: int, save_every_s: float
    ) -> None:
        super().__init__(stream.db.engine, _FALLBACK_POLL_S)
        self._stream = stream
        self._consumer = consumer
        self._save_every_n = save_every_n
        self._save_every_s = save_every_s
        self._read_to = offset
        # The current event, the last event that the consumer is done with, and the number of such events not saved.
        self._handed_out: int | None = None
        self._done_to: int | None = None
        self._unsaved = 0
        self._saved_at = time.monotonic()

    def _next_page(self) -> Call:
        return READ_SINCE, self._stream.name, self._read_to, BATCH

    def _advance(self, rows: list[dict[str, Any]]) -> list[Event]:
        self._read_to = rows[-1]["offset"]
        return [Event(row) for row in without_malformed(rows)]

    def _hand_out(self) -> Event:
        event = self._ahead.popleft()
        self._handed_out = event.offset
        return event

    def _before_next(self) -> None:
        self._count_done()
        if self._is_save_due():
            self._save()

    async def _abefore_next(self) -> None:
        self._count_done()
        consumer, offset = self._consumer, self._done_to
        if self._is_save_due() and consumer is not None and offset is not None:
            await self._stream.asave_offset(consumer, offset)
            self._note_saved()

    def _count_done(self) -> None:
        if self._handed_out is not None:
            self._done_to, self._handed_out = self._handed_out, None
            self._unsaved += 1

    def _is_save_due(self) -> bool:
        if self._consumer is None or self._unsaved == 0:
            return False
        is_many = 0 < self._save_every_n <= self._unsaved
        is_long = 0 < self._save_every_s <= time.monotonic() - self._saved_at
        return is_many or is_long

    def _save(self) -> None:
        if self._consumer is not None and self._done_to is not None:
            self._stream.save_offset(self._consumer, self._done_to)
            self._note_saved()

    def _note_saved(self) -> None:
        self._unsaved = 0
        self._saved_at = time.monotonic()

    def _timeout_s(self) -> float | None:
        if self._consumer is None or self._unsaved == 0 or self._save_every_s <= 0:
            return self._fallback_poll_s
        until_save = max(0.0, self._saved_at + self._save_every_s - time.monotonic())
        return until_save if self._fallback_poll_s is None else min(until_save, self._fallback_poll_s)

    def close(self) -> None:
        """Save the offset of the last event that the consumer is done with, and stop. Idempotent.

        While another task of this thread is in a transaction the offset cannot be saved, and unsaved events come again;
        `aclose` waits for the write lock.
        """
        if self._is_worth_saving():
            with contextlib.suppress(NestedTransactionError):
                self._save()
        super().close()

    async def aclose(self) -> None:
        """Like `close`, without blocking the event loop."""
        consumer, offset = self._consumer, self._done_to
        if self._is_worth_saving() and consumer is not None and offset is not None:
            await self._stream.asave_offset(consumer, offset)
            self._note_saved()
        super().close()

    def _is_worth_saving(self) -> bool:
        return self._unsaved > 0 and (self._save_every_n > 0 or self._save_every_s > 0)
