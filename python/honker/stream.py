"""Event streams: an append-only log per topic, and the offset that each consumer has reached."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from typing import Any, Final

from honker import payload as payloads
from honker.errors import InvalidArgumentError, NestedTransactionError
from honker.feed import BATCH, Feed, without_malformed
from honker.pool import Pool
from honker.transaction import Transaction
from honker.types import Instant, Seconds, TransactionLike, is_text, optional_instant, optional_seconds

SAVE_EVERY_N: Final = 1000
SAVE_EVERY_S: Final = 1.0

# Seconds after which a subscription looks even if nothing woke it.
_FALLBACK_POLL_S: Final = 15.0
_UNDECODED: Final = object()

_PUBLISH: Final = "SELECT honker_stream_publish(?, ?, ?)"
_PUBLISH_MANY: Final = "SELECT honker_stream_publish_many(?2, ?1)"


class Event:
    """An event of a stream.

    Attributes:
        offset: Its place in the log; grows over all topics together, so those of one topic have gaps.
        topic: The topic's name.
        key: The key it was published with, or None.
        created_at: Unix seconds at which it was published.
    """

    __slots__ = ("_payload", "_text", "created_at", "key", "offset", "topic")

    def __init__(self, row: dict[str, Any]) -> None:
        self.offset: int = row["offset"]
        self.topic: str = row["topic"]
        self.key: str | None = row["key"]
        self.created_at: float = row["created_at"]
        self._text: str = row["payload"]
        self._payload: Any = _UNDECODED

    def __repr__(self) -> str:
        return f"<honker.Event {self.offset} of {self.topic!r}>"

    @property
    def payload(self) -> Any:
        """What was published, decoded when first asked for.

        Raises:
            json.JSONDecodeError: Somebody stored what is not JSON.
        """
        if self._payload is _UNDECODED:
            self._payload = payloads.decode(self._text)
        return self._payload


def _pair(key: str | None, text: str) -> str:
    """An event as ``honker_stream_publish_many`` takes it: the JSON text of a key and a payload."""
    return f"[{'null' if key is None else payloads.encode(key)},{text}]"


class Stream:
    """The stream of a topic. Get one from `Database.stream`.

    Events are kept in order. A consumer that saves its offset sees each event at least once; one that saves it with
    ``tx=`` in the transaction of its own effect has each effect exactly once.

    Attributes:
        db: The database.
        name: The topic's name.
    """

    def __init__(self, db: Pool, name: str) -> None:
        self.db = db
        self.name = name

    def __repr__(self) -> str:
        return f"<honker.Stream {self.name!r} of {self.db.path!r}>"

    def publish(self, payload: Any, key: str | None = None, tx: TransactionLike = None) -> int:
        """Append an event.

        Args:
            payload: Anything JSON can carry.
            key: Text for consumers to partition or compact by.
            tx: The transaction to append it in: then it exists if and only if that commits.

        Returns:
            Its offset.

        Raises:
            InvalidPayloadError: The payload has no JSON form.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one row and one index entry; one statement, which events that a `Transaction` publishes one after the
        other share.
        Source: SQL ``honker_stream_publish``.
        """
        text = payloads.encode(payload)
        if isinstance(tx, Transaction) and (key is None or is_text(key)):
            return tx.add_in_series((_PUBLISH, self.name, key, text), (_PUBLISH_MANY, self.name), _pair(key, text))
        offset: int = self.db.call(_PUBLISH, self.name, key, text, tx=tx)
        return offset

    async def apublish(self, payload: Any, key: str | None = None, tx: TransactionLike = None) -> int:
        """As `publish`, without blocking the event loop."""
        if tx is not None:
            return self.publish(payload, key, tx)
        offset: int = await self.db.acall(_PUBLISH, self.name, key, payloads.encode(payload))
        return offset

    def publish_many(
        self, events: Iterable[Any], keys: Iterable[str | None] | None = None, tx: TransactionLike = None
    ) -> list[int]:
        """Append several events, all or none.

        Args:
            events: Their payloads, anything JSON can carry each.
            keys: Their keys, as many; None for none.
            tx: The transaction to append them in.

        Returns:
            Their offsets, in order.

        Raises:
            InvalidPayloadError: A payload has no JSON form.
            InvalidArgumentError: A key is no text.
            ValueError: There are not as many keys as events.

        Cost: one statement for all of them.
        Source: SQL ``honker_stream_publish_many``.
        """
        texts = [payloads.encode(event) for event in events]
        keys = [None] * len(texts) if keys is None else list(keys)
        for position, key in enumerate(keys):
            if key is not None and not is_text(key):
                raise InvalidArgumentError(f"the key at position {position} is {key!r}; it must be text or None")
        array = ",".join(_pair(key, text) for key, text in zip(keys, texts, strict=True))
        return json.loads(self.db.call(_PUBLISH_MANY, f"[{array}]", self.name, tx=tx)) if texts else []

    def retain(self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None) -> None:
        """Set what is kept of the topic, for every process and for good; nothing given keeps it all.

        What neither limit keeps is deleted in passing, a little at one in 64 publishes. So some more may be there for a
        while, and a topic to which nobody publishes keeps its last events until `prune`. A consumer that is behind the
        first event kept goes on there.

        Args:
            max_age_s: Seconds for which an event is kept.
            max_keep: How many of the newest events are kept, at most 10,000,000.
            tx: A transaction to set it in.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_retention_set``.
        """
        age_s = optional_seconds(max_age_s, "max_age_s")
        self.db.call("SELECT honker_retention_set('stream', ?, ?, ?)", self.name, age_s, max_keep, tx=tx)

    def prune(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Delete events of the topic now. Offsets are never used again.

        Args:
            older_than_s: Delete what was published longer ago.
            max_keep: Delete all but the newest so many.
            tx: A transaction to delete them in.

        Returns:
            How many were deleted: those that either applies to.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_stream_prune``.
        """
        age_s = optional_seconds(older_than_s, "older_than_s")
        count: int = self.db.call("SELECT honker_stream_prune(?, ?, ?)", self.name, age_s, max_keep, tx=tx)
        return count

    def read_since(self, offset: int, limit: int = BATCH, tx: TransactionLike = None) -> list[Event]:
        """Events after ``offset``, in order. Rows that somebody edited into what is no event are left out and logged.

        Args:
            offset: 0 reads from the beginning.
            limit: At most so many; negative means all.
            tx: A transaction to read in, which then sees its own events.

        Source: SQL ``honker_stream_read_since``.
        """
        return [Event(row) for row in without_malformed(self._read_since(offset, limit, tx))]

    def _read_since(self, offset: int, limit: int = BATCH, tx: TransactionLike = None) -> list[dict[str, Any]]:
        text: str = self.db.ask("SELECT honker_stream_read_since(?, ?, ?)", self.name, offset, limit, tx=tx)
        return payloads.read(text)

    def offset_at(self, since: Instant) -> int:
        """The offset after which the events published at or after ``since`` follow.

        Args:
            since: Unix seconds or a datetime.

        Cost: a few dozen seeks.
        Source: SQL ``honker_stream_offset_at``.
        """
        offset: int = self.db.ask("SELECT honker_stream_offset_at(?)", optional_instant(since, "since"))
        return offset

    def save_offset(self, consumer: str, offset: int, tx: TransactionLike = None) -> bool:
        """Raise the consumer's offset; it is never lowered.

        Args:
            consumer: Non-empty text, at most 255 UTF-8 bytes.
            offset: That of the last event it is through with.
            tx: The transaction of the consumer's own effect, so that both commit together.

        Returns:
            Whether it rose or is new.

        Source: SQL ``honker_stream_save_offset``.
        """
        return bool(self.db.call("SELECT honker_stream_save_offset(?, ?, ?)", consumer, self.name, offset, tx=tx))

    async def asave_offset(self, consumer: str, offset: int) -> bool:
        """As `save_offset`, without blocking the event loop."""
        return bool(await self.db.acall("SELECT honker_stream_save_offset(?, ?, ?)", consumer, self.name, offset))

    def get_offset(self, consumer: str, tx: TransactionLike = None) -> int:
        """The consumer's offset; 0 when it has saved none.

        Source: SQL ``honker_stream_get_offset``.
        """
        offset: int = self.db.ask("SELECT honker_stream_get_offset(?, ?)", consumer, self.name, tx=tx)
        return offset

    def subscribe(
        self,
        consumer: str | None = None,
        from_offset: int | None = None,
        save_every_n: int = SAVE_EVERY_N,
        save_every_s: float = SAVE_EVERY_S,
        *,
        since: Instant | None = None,
    ) -> StreamSubscription:
        """The topic's events, old and then new, for ``for`` and ``async for``.

        Begins after ``from_offset``, or at the moment ``since``, or after the consumer's saved offset, or at the
        beginning, whichever is given first.

        Args:
            consumer: Whose offset to begin at, and to save; None saves nothing.
            from_offset: The offset to begin after.
            save_every_n: Events after which the offset is saved; 0 does not count them.
            save_every_s: Seconds after which it is saved, also while nothing comes; 0 does not count them. With both
                0 only `Stream.save_offset` saves.
            since: Unix seconds or a datetime to replay from.

        The offset that is saved is always that of an event the consumer is through with, that is, one after which it
        asked for the next.
        """
        return StreamSubscription(self, consumer, self._start(consumer, from_offset, since), save_every_n, save_every_s)

    def _start(self, consumer: str | None, from_offset: int | None, since: Instant | None) -> int:
        if from_offset is not None:
            return from_offset
        if since is not None:
            return self.offset_at(since)
        return 0 if consumer is None else self.get_offset(consumer)


class StreamSubscription(Feed[Event]):
    """A consumer's way along a stream; see `Stream.subscribe`.

    Close it, or use it in a ``with`` block, to save the offset of the last event it was through with.
    """

    def __init__(
        self, stream: Stream, consumer: str | None, offset: int, save_every_n: int, save_every_s: float
    ) -> None:
        super().__init__(stream.db, _FALLBACK_POLL_S)
        self._stream = stream
        self._consumer = consumer
        self._save_every_n = save_every_n
        self._save_every_s = save_every_s
        self._read_to = offset
        # The event in the consumer's hands, those it is through with, and what of them is saved.
        self._handed_out: int | None = None
        self._done_to: int | None = None
        self._unsaved = 0
        self._saved_at = time.monotonic()

    def _read(self) -> list[Event]:
        while rows := self._rows_since(self._read_to):
            self._read_to = rows[-1]["offset"]
            if events := [Event(row) for row in without_malformed(rows)]:
                return events
        return []

    def _rows_since(self, offset: int) -> list[dict[str, Any]]:
        text: str = self._db.ask("SELECT honker_stream_read_since(?, ?, ?)", self._stream.name, offset, BATCH)
        return payloads.read(text)

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

    def _patience_s(self) -> float | None:
        if self._consumer is None or self._unsaved == 0 or self._save_every_s <= 0:
            return self._fallback_poll_s
        until_save = max(0.0, self._saved_at + self._save_every_s - time.monotonic())
        return until_save if self._fallback_poll_s is None else min(until_save, self._fallback_poll_s)

    def close(self) -> None:
        """Save the offset of the last event the consumer was through with, and stop. Idempotent.

        While another task of this thread is in a transaction it cannot be saved, and what was not saved comes again;
        `aclose` waits for its turn.
        """
        if self._is_worth_saving():
            with contextlib.suppress(NestedTransactionError):
                self._save()
        super().close()

    async def aclose(self) -> None:
        """As `close`, without blocking the event loop."""
        consumer, offset = self._consumer, self._done_to
        if self._is_worth_saving() and consumer is not None and offset is not None:
            await self._stream.asave_offset(consumer, offset)
            self._note_saved()
        super().close()

    def _is_worth_saving(self) -> bool:
        return self._unsaved > 0 and (self._save_every_n > 0 or self._save_every_s > 0)
