"""Streams with the lag of their consumers: a method of `honker.Database`, which the class binds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from honker.engine import Handle
from honker.inspection.pages import aevery_row, every_row
from honker.records import Record

_LIST: Final = "SELECT honker_stream_list(?, ?)"
_PER_PAGE: Final = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class ConsumerInfo(Record):
    """A consumer of a stream.

    Attributes:
        name: Its name.
        offset: The offset that it has saved.
        lag: The number of events behind that offset, counted up to 10,000.
        lag_is_exact: False if there are more.
    """

    name: str
    offset: int
    lag: int
    lag_is_exact: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamInfo(Record):
    """A stream with events or consumers.

    Attributes:
        topic: Its topic.
        first_offset: The offset of its first event; None without events.
        last_offset: The offset of its last event; None without events.
        last_at: Unix seconds at which that was published, or None.
        count: The number of its events, counted up to 10,000.
        count_is_exact: False if there are more.
        consumers: Its consumers, by name.
        consumers_are_complete: False if the file has more than 4,000 consumers: the stream may have others.
    """

    topic: str
    first_offset: int | None
    last_offset: int | None
    last_at: float | None
    count: int
    count_is_exact: bool
    consumers: list[ConsumerInfo]
    consumers_are_complete: bool


def streams(self: Handle) -> list[StreamInfo]:
    """Every stream by topic, with the lag of its consumers.

    Cost: for each stream, a few reads by key and two counts up to 10,000; for each consumer, a few microseconds.
    Source: SQL ``honker_stream_list``.
    """
    return [_stream(row) for row in every_row(self, _LIST, "streams", _PER_PAGE)]


async def astreams(self: Handle) -> list[StreamInfo]:
    """Like `streams`, without blocking the event loop."""
    return [_stream(row) for row in await aevery_row(self, _LIST, "streams", _PER_PAGE)]


def _stream(row: dict[str, Any]) -> StreamInfo:
    return StreamInfo.of({**row, "consumers": [ConsumerInfo.of(each) for each in row["consumers"]]})
