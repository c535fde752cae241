"""Event streams: an append-only log per topic, and the offset that each consumer has reached."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from honker import serialization
from honker.arguments import Call, Instant, Seconds, TransactionLike, is_text, optional_instant, optional_seconds
from honker.engine import Handle
from honker.errors import InvalidArgumentError
from honker.stream.event import Event
from honker.stream.log_reader import BATCH, without_malformed
from honker.stream.subscription import READ_SINCE, StreamSubscription

SAVE_EVERY_N: Final = 1000
SAVE_EVERY_S: Final = 1.0

_PUBLISH: Final = "SELECT honker_stream_publish(?, ?, ?)"
_PUBLISH_MANY: Final = "SELECT honker_stream_publish_many(?2, ?1)"
_RETAIN: Final = "SELECT honker_retention_set('stream', ?, ?, ?)"
_PRUNE: Final = "SELECT honker_stream_prune(?, ?, ?)"
_OFFSET_AT: Final = "SELECT honker_stream_offset_at(?)"
_SAVE_OFFSET: Final = "SELECT honker_stream_save_offset(?, ?, ?)"
_GET_OFFSET: Final = "SELECT honker_stream_get_offset(?, ?)"


def _pair(key: str | None, text: str) -> str:
    """An event for ``honker_stream_publish_many``: the JSON text of a key and a payload."""
    return f"[{'null' if key is None else serialization.encode(key)},{text}]"


def _publish_many_call(topic: str, events: Iterable[Any], keys: Iterable[str | None] | None) -> Call | None:
    """The call that appends several events; None without events."""
    texts = [serialization.encode(event) for event in events]
    keys = [None] * len(texts) if keys is None else list(keys)
    for position, key in enumerate(keys):
        if key is not None and not is_text(key):
            raise InvalidArgumentError(f"the key at position {position} is {key!r}; it must be text or None")
    if len(keys) != len(texts):
        raise InvalidArgumentError(f"there are {len(keys)} keys for {len(texts)} events; pass one for each, or None")
    array = ",".join(_pair(key, text) for key, text in zip(keys, texts, strict=True))
    return (_PUBLISH_MANY, f"[{array}]", topic) if texts else None


#: A page that ends because of its bytes has at least this many characters: 16 MiB of UTF-8, four bytes each.
_LARGE_PAGE_CHARACTERS: Final = 4 * 1024 * 1024


class _Reading:
    """A read of up to ``limit`` events; the engine returns large ones in several pages."""

    def __init__(self, topic: str, offset: int, limit: int) -> None:
        self._topic = topic
        self._offset = offset
        self._left = limit
        self.rows: list[dict[str, Any]] = []

    @property
    def call(self) -> Call:
        return READ_SINCE, self._topic, self._offset, self._left

    def take(self, answer: str) -> bool:
        """Add a page. True if another one may follow."""
        page: list[dict[str, Any]] = serialization.read(answer)
        self.rows += page
        if len(answer) < _LARGE_PAGE_CHARACTERS or not page or len(page) == self._left:
            return False
        self._offset = page[-1]["offset"]
        self._left -= len(page) if self._left > 0 else 0
        return True

    @property
    def events(self) -> list[Event]:
        return [Event(row) for row in without_malformed(self.rows)]


class Stream:
    """The stream of a topic. Get one from `Database.stream`.

    Events are kept in order. A consumer that saves its offset sees each event at least once. If it saves the offset
    with ``tx=`` in the transaction of its effect, each effect happens exactly once. The asynchronous methods
    (``apublish`` for ``publish``) do the same without blocking the event loop.

    Attributes:
        db: The database.
        name: The topic's name.
    """

    def __init__(self, db: Handle, name: str) -> None:
        self.db = db
        self.name = name
        self._engine = db.engine

    def __repr__(self) -> str:
        return f"<honker.Stream {self.name!r} of {self.db.path!r}>"

    # Publishing

    def publish(self, payload: Any, key: str | None = None, tx: TransactionLike = None) -> int:
        """Append an event.

        Args:
            payload: Any value that JSON can represent.
            key: Text by which consumers can partition or compact.
            tx: The transaction to append it in. The event exists if and only if it commits.

        Returns:
            Its offset.

        Raises:
            InvalidPayloadError: The payload has no JSON form.
            DatabaseBusyError: The write lock was not free within the busy timeout.

        Cost: one row, one index entry and one statement. Consecutive events in one `Transaction` share the statement.
        Source: SQL ``honker_stream_publish``.
        """
        text = serialization.encode(payload)
        if tx is not None and (key is None or is_text(key)):
            one = _PUBLISH, self.name, key, text
            return self._engine.add(one, (_PUBLISH_MANY, self.name), _pair(key, text), tx)
        offset: int = self._engine.call(_PUBLISH, self.name, key, text, tx=tx)
        return offset

    async def apublish(self, payload: Any, key: str | None = None, tx: TransactionLike = None) -> int:
        """Like `publish`, without blocking the event loop."""
        text = serialization.encode(payload)
        if key is None or is_text(key):
            one = _PUBLISH, self.name, key, text
            return await self._engine.aadd(one, (_PUBLISH_MANY, self.name), _pair(key, text), tx)
        offset: int = await self._engine.acall(_PUBLISH, self.name, key, text, tx=tx)
        return offset

    def publish_many(
        self, events: Iterable[Any], keys: Iterable[str | None] | None = None, tx: TransactionLike = None
    ) -> list[int]:
        """Append several events, all or none.

        Args:
            events: Their payloads, each a value that JSON can represent.
            keys: Their keys, one per event; None for no keys.
            tx: The transaction to append them in.

        Returns:
            Their offsets, in order.

        Raises:
            InvalidPayloadError: A payload has no JSON form.
            InvalidArgumentError: A key is neither text nor None, or the numbers of keys and events differ.

        Cost: one statement in all.
        Source: SQL ``honker_stream_publish_many``.
        """
        call = _publish_many_call(self.name, events, keys)
        return [] if call is None else json.loads(self._engine.call(*call, tx=tx))

    async def apublish_many(
        self, events: Iterable[Any], keys: Iterable[str | None] | None = None, tx: TransactionLike = None
    ) -> list[int]:
        """Like `publish_many`, without blocking the event loop."""
        call = _publish_many_call(self.name, events, keys)
        return [] if call is None else json.loads(await self._engine.acall(*call, tx=tx))

    # Retention

    def retain(self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None) -> None:
        """Set the retention of the topic's events, permanently and for every process.

        Without limits, all events are kept. Events beyond a limit are deleted in small steps, at one in 64 publishes.
        So a topic may exceed its limits for a while, and without new events it keeps its last ones until `prune`. A
        consumer whose offset is before the first kept event continues there.

        Args:
            max_age_s: Seconds to keep an event.
            max_keep: The number of newest events to keep, at most 10,000,000.
            tx: A transaction to set it in.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_retention_set``.
        """
        self._engine.call(_RETAIN, self.name, optional_seconds(max_age_s, "max_age_s"), max_keep, tx=tx)

    async def aretain(
        self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> None:
        """Like `retain`, without blocking the event loop."""
        await self._engine.acall(_RETAIN, self.name, optional_seconds(max_age_s, "max_age_s"), max_keep, tx=tx)

    def prune(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Delete events of the topic now. Offsets are never reused.

        Args:
            older_than_s: Delete events published more than this many seconds ago.
            max_keep: Delete all but this many of the newest.
            tx: A transaction to delete them in.

        Returns:
            The number of deleted rows, which are those beyond either limit.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_stream_prune``.
        """
        return self._engine.call(_PRUNE, self.name, optional_seconds(older_than_s, "older_than_s"), max_keep, tx=tx)

    async def aprune(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Like `prune`, without blocking the event loop."""
        age_s = optional_seconds(older_than_s, "older_than_s")
        return await self._engine.acall(_PRUNE, self.name, age_s, max_keep, tx=tx)

    # Reading

    def read_since(self, offset: int, limit: int = BATCH, tx: TransactionLike = None) -> list[Event]:
        """Events after ``offset``, in order. Unreadable rows, edited by hand, are skipped and logged.

        Args:
            offset: 0 reads from the beginning.
            limit: The largest number of events; negative means all.
            tx: A transaction to read in, so that its own events are included.

        Source: SQL ``honker_stream_read_since``.
        """
        reading = _Reading(self.name, offset, limit)
        while reading.take(self._engine.ask(*reading.call, tx=tx)):
            pass
        return reading.events

    def _read_since(self, offset: int, limit: int = BATCH) -> list[dict[str, Any]]:
        """The rows of `read_since`, including malformed ones; kept for existing callers."""
        reading = _Reading(self.name, offset, limit)
        while reading.take(self._engine.ask(*reading.call)):
            pass
        return reading.rows

    async def aread_since(self, offset: int, limit: int = BATCH, tx: TransactionLike = None) -> list[Event]:
        """Like `read_since`, without blocking the event loop."""
        reading = _Reading(self.name, offset, limit)
        while reading.take(await self._engine.aask(*reading.call, tx=tx)):
            pass
        return reading.events

    def offset_at(self, since: Instant) -> int:
        """The offset before the first event that was published at or after ``since``.

        Args:
            since: Unix seconds or a datetime.

        Cost: a few dozen seeks.
        Source: SQL ``honker_stream_offset_at``.
        """
        return self._engine.ask(_OFFSET_AT, optional_instant(since, "since"))

    async def aoffset_at(self, since: Instant) -> int:
        """Like `offset_at`, without blocking the event loop."""
        return await self._engine.aask(_OFFSET_AT, optional_instant(since, "since"))

    # Consumers

    def save_offset(self, consumer: str, offset: int, tx: TransactionLike = None) -> bool:
        """Raise the consumer's offset; it is never lowered.

        Args:
            consumer: Non-empty text, at most 255 UTF-8 bytes.
            offset: The offset of the last event that the consumer is done with.
            tx: The transaction of the consumer's own effect, so that both commit together.

        Returns:
            True if the offset rose or is new.

        Source: SQL ``honker_stream_save_offset``.
        """
        return bool(self._engine.call(_SAVE_OFFSET, consumer, self.name, offset, tx=tx))

    async def asave_offset(self, consumer: str, offset: int, tx: TransactionLike = None) -> bool:
        """Like `save_offset`, without blocking the event loop."""
        return bool(await self._engine.acall(_SAVE_OFFSET, consumer, self.name, offset, tx=tx))

    def get_offset(self, consumer: str, tx: TransactionLike = None) -> int:
        """The consumer's offset; 0 if none is saved.

        Source: SQL ``honker_stream_get_offset``.
        """
        return self._engine.ask(_GET_OFFSET, consumer, self.name, tx=tx)

    async def aget_offset(self, consumer: str, tx: TransactionLike = None) -> int:
        """Like `get_offset`, without blocking the event loop."""
        return await self._engine.aask(_GET_OFFSET, consumer, self.name, tx=tx)

    def subscribe(
        self,
        consumer: str | None = None,
        from_offset: int | None = None,
        save_every_n: int = SAVE_EVERY_N,
        save_every_s: float = SAVE_EVERY_S,
        *,
        since: Instant | None = None,
    ) -> StreamSubscription:
        """Iterate over the topic's events, old and then new, by ``for`` or ``async for``.

        The start is ``from_offset``, else ``since``, else the consumer's saved offset, else the beginning.

        Args:
            consumer: The name under which offsets are saved; None saves nothing.
            from_offset: The offset to begin after.
            save_every_n: Events after which the offset is saved; 0 disables this limit.
            save_every_s: Seconds after which it is saved, even without new events; 0 disables this limit. If both are
                0, only `Stream.save_offset` saves.
            since: Unix seconds or a datetime to replay from.

        The saved offset always belongs to an event that the consumer is done with: it has requested the next one.
        """
        if from_offset is None:
            if since is not None:
                from_offset = self.offset_at(since)
            else:
                from_offset = 0 if consumer is None else self.get_offset(consumer)
        return StreamSubscription(self, consumer, from_offset, save_every_n, save_every_s)

    async def asubscribe(
        self,
        consumer: str | None = None,
        from_offset: int | None = None,
        save_every_n: int = SAVE_EVERY_N,
        save_every_s: float = SAVE_EVERY_S,
        *,
        since: Instant | None = None,
    ) -> StreamSubscription:
        """Like `subscribe`, without blocking the event loop."""
        if from_offset is None:
            if since is not None:
                from_offset = await self.aoffset_at(since)
            else:
                from_offset = 0 if consumer is None else await self.aget_offset(consumer)
        return StreamSubscription(self, consumer, from_offset, save_every_n, save_every_s)
