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
    """An event as ``honker_stream_publish_many`` takes it: the JSON text of a key and a payload."""
    return f"[{'null' if key is None else serialization.encode(key)},{text}]"


def _publish_many_call(topic: str, events: Iterable[Any], keys: Iterable[str | None] | None) -> Call | None:
    """The call that appends several events; None if there are none."""
    texts = [serialization.encode(event) for event in events]
    keys = [None] * len(texts) if keys is None else list(keys)
    for position, key in enumerate(keys):
        if key is not None and not is_text(key):
            raise InvalidArgumentError(f"the key at position {position} is {key!r}; it must be text or None")
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

    Events are kept in order. A consumer that saves its offset sees each event at least once; one that saves it with
    ``tx=`` in the transaction of its own effect has each effect exactly once. Methods that begin with ``a`` do the same
    as their twins without blocking the event loop.

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
        text = serialization.encode(payload)
        if tx is not None and (key is None or is_text(key)):
            one = _PUBLISH, self.name, key, text
            return self._engine.add(one, (_PUBLISH_MANY, self.name), _pair(key, text), tx)
        offset: int = self._engine.call(_PUBLISH, self.name, key, text, tx=tx)
        return offset

    async def apublish(self, payload: Any, key: str | None = None, tx: TransactionLike = None) -> int:
        """As `publish`, without blocking the event loop."""
        if tx is not None:
            return self.publish(payload, key, tx)
        offset: int = await self._engine.acall(_PUBLISH, self.name, key, serialization.encode(payload))
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
        call = _publish_many_call(self.name, events, keys)
        return [] if call is None else json.loads(self._engine.call(*call, tx=tx))

    async def apublish_many(
        self, events: Iterable[Any], keys: Iterable[str | None] | None = None, tx: TransactionLike = None
    ) -> list[int]:
        """As `publish_many`, without blocking the event loop."""
        call = _publish_many_call(self.name, events, keys)
        return [] if call is None else json.loads(await self._engine.acall(*call, tx=tx))

    # Retention

    def retain(self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None) -> None:
        """Set how long events of the topic are kept, for every process and for good; no limit keeps them all.

        Events beyond a limit are deleted in passing, a little at one in 64 publishes. So some more may be there for a
        while, and a topic without new events keeps its last ones until `prune`. A consumer that is behind the first
        event kept goes on there.

        Args:
            max_age_s: Seconds for which an event is kept.
            max_keep: How many of the newest events are kept, at most 10,000,000.
            tx: A transaction to set it in.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_retention_set``.
        """
        self._engine.call(_RETAIN, self.name, optional_seconds(max_age_s, "max_age_s"), max_keep, tx=tx)

    async def aretain(
        self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> None:
        """As `retain`, without blocking the event loop."""
        await self._engine.acall(_RETAIN, self.name, optional_seconds(max_age_s, "max_age_s"), max_keep, tx=tx)

    def prune(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Delete events of the topic now. Offsets are never used again.

        Args:
            older_than_s: Delete those published longer ago.
            max_keep: Delete all but the newest so many.
            tx: A transaction to delete them in.

        Returns:
            The number deleted: those that either limit applies to.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_stream_prune``.
        """
        return self._engine.call(_PRUNE, self.name, optional_seconds(older_than_s, "older_than_s"), max_keep, tx=tx)

    async def aprune(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """As `prune`, without blocking the event loop."""
        age_s = optional_seconds(older_than_s, "older_than_s")
        return await self._engine.acall(_PRUNE, self.name, age_s, max_keep, tx=tx)

    # Reading

    def read_since(self, offset: int, limit: int = BATCH, tx: TransactionLike = None) -> list[Event]:
        """Events after ``offset``, in order. Rows edited by hand into no event are left out and logged.

        Args:
            offset: 0 reads from the beginning.
            limit: At most so many; negative means all.
            tx: A transaction to read in, which then sees its own events.

        Source: SQL ``honker_stream_read_since``.
        """
        reading = _Reading(self.name, offset, limit)
        while reading.take(self._engine.ask(*reading.call, tx=tx)):
            pass
        return reading.events

    def _read_since(self, offset: int, limit: int = BATCH) -> list[dict[str, Any]]:
        """The rows of `read_since`, malformed ones included; existing callers use it."""
        reading = _Reading(self.name, offset, limit)
        while reading.take(self._engine.ask(*reading.call)):
            pass
        return reading.rows

    async def aread_since(self, offset: int, limit: int = BATCH, tx: TransactionLike = None) -> list[Event]:
        """As `read_since`, without blocking the event loop."""
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
        """As `offset_at`, without blocking the event loop."""
        return await self._engine.aask(_OFFSET_AT, optional_instant(since, "since"))

    # Consumers

    def save_offset(self, consumer: str, offset: int, tx: TransactionLike = None) -> bool:
        """Raise the consumer's offset; it is never lowered.

        Args:
            consumer: Non-empty text, at most 255 UTF-8 bytes.
            offset: That of the last event it is done with.
            tx: The transaction of the consumer's own effect, so that both commit together.

        Returns:
            True if it rose or is new.

        Source: SQL ``honker_stream_save_offset``.
        """
        return bool(self._engine.call(_SAVE_OFFSET, consumer, self.name, offset, tx=tx))

    async def asave_offset(self, consumer: str, offset: int, tx: TransactionLike = None) -> bool:
        """As `save_offset`, without blocking the event loop."""
        return bool(await self._engine.acall(_SAVE_OFFSET, consumer, self.name, offset, tx=tx))

    def get_offset(self, consumer: str, tx: TransactionLike = None) -> int:
        """The consumer's offset; 0 when it has saved none.

        Source: SQL ``honker_stream_get_offset``.
        """
        return self._engine.ask(_GET_OFFSET, consumer, self.name, tx=tx)

    async def aget_offset(self, consumer: str, tx: TransactionLike = None) -> int:
        """As `get_offset`, without blocking the event loop."""
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
        """The topic's events, old and then new, for ``for`` and ``async for``.

        Begins after ``from_offset``, or at the moment ``since``, or after the consumer's saved offset, or at the
        beginning, in this order of precedence.

        Args:
            consumer: The name under which offsets are saved; None saves nothing.
            from_offset: The offset to begin after.
            save_every_n: Events after which the offset is saved; 0 does not count them.
            save_every_s: Seconds after which it is saved, also while nothing comes; 0 does not count them. With both
                0 only `Stream.save_offset` saves.
            since: Unix seconds or a datetime to replay from.

        The saved offset is always that of an event the consumer is done with: one after which it asked for the next.
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
        """As `subscribe`, without blocking the event loop."""
        if from_offset is None:
            if since is not None:
                from_offset = await self.aoffset_at(since)
            else:
                from_offset = 0 if consumer is None else await self.aget_offset(consumer)
        return StreamSubscription(self, consumer, from_offset, save_every_n, save_every_s)
