"""The pages of streams: each topic with the lag of its consumers, and the newest events of one."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from honker.inspection.streams import StreamInfo
from honker.stream.event import Event
from honker.web.routing import Entry, get
from honker.web.view import View, read_number

#: Events on a page.
_PER_PAGE: Final = 30
#: Reads for one page. Offsets are shared by all topics, so the last events of a topic may be far apart.
_MAX_READS: Final = 48
#: Characters of a payload in the list.
_SHOWN: Final = 240

_Read = Callable[[int, int], Coroutine[Any, Any, list[Event]]]


@dataclass(frozen=True)
class EventRow:
    """An event in the list.

    Attributes:
        offset: Its offset.
        key: Its key, or None.
        created_at: Unix seconds of its publication.
        payload: The beginning of its payload, as JSON.
        is_cut: True if the payload is longer.
    """

    offset: int
    key: str | None
    created_at: float
    payload: str
    is_cut: bool


async def streams(view: View) -> Response:
    """List the streams."""
    return view.page("streams.html", streams=await view.read(view.db.streams))


async def stream(view: View) -> Response:
    """Show one stream: its consumers and its newest events, or those before an offset."""
    topic = view.query("topic")
    if topic is None:
        return view.go(view.link("/streams"))
    found = [each for each in await view.read(view.db.streams) if each.topic == topic]
    if not found:
        raise HTTPException(404, f"There is no stream {topic!r}.")
    before = view.query("before")
    events = await _newest(view, found[0], None if before is None else read_number(before, "before"))
    older = events[0].offset if len(events) == _PER_PAGE and events[0].offset != found[0].first_offset else None
    rows = [_row(each) for each in reversed(events)]
    return view.page("stream.html", stream=found[0], events=rows, before=before, older=older)


async def event(view: View) -> Response:
    """Show one event with its whole payload."""
    topic, offset = view.query("topic"), view.query("offset")
    if topic is None or offset is None:
        return view.go(view.link("/streams"))
    number = read_number(offset, "offset")
    found = await view.db.stream(topic).aread_since(number - 1, 1)
    if not found or found[0].offset != number:
        raise HTTPException(404, f"The stream {topic!r} has no event {number}.")
    text = json.dumps(found[0].payload, ensure_ascii=False)
    return view.page("event.html", topic=topic, event=found[0], payload=text)


async def _newest(view: View, stream: StreamInfo, before: int | None) -> list[Event]:
    """The last events before an offset, the oldest first."""
    if stream.last_offset is None or stream.first_offset is None:
        return []
    last = stream.last_offset if before is None else min(before - 1, stream.last_offset)
    return await read_backwards(view.db.stream(stream.topic).aread_since, stream.first_offset, last)


async def read_backwards(read: _Read, first: int, last: int, count: int = _PER_PAGE) -> list[Event]:
    """Read up to ``count`` events that end at the offset ``last``, the oldest first.

    A stream is read forwards only. So this reads spans of offsets, each before the one read last, and doubles their
    length while they are sparse.

    Args:
        read: Reads up to a number of events after an offset.
        first: The offset of the first event of the topic.
        last: The last offset to read.
        count: The largest number of events.
    """
    events: list[Event] = []
    length = count
    for _ in range(_MAX_READS):
        if len(events) >= count or last < first:
            break
        start = max(last - length, first - 1)
        page = await read(start, count)
        if len(page) == count and page[-1].offset < last:
            length = max(length // 2, count)  # there are more: a span of `count` offsets holds at most `count` events
            continue
        events = [each for each in page if each.offset <= last] + events
        last, length = start, length * 2
    return events[-count:]


def _row(event: Event) -> EventRow:
    text = json.dumps(event.payload, ensure_ascii=False)
    return EventRow(event.offset, event.key, event.created_at, text[:_SHOWN], len(text) > _SHOWN)


ENTRY: Final = Entry("/streams", "Streams", "e", also=("/stream", "/event"))
ROUTES: Final = (get("/streams", streams), get("/stream", stream), get("/event", event))
