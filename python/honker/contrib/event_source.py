"""The format of server-sent events, which `asgi` and `wsgi` share.

The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

from __future__ import annotations

from typing import Any, Final

from honker import serialization
from honker.errors import InvalidArgumentError
from honker.stream.event import Event
from honker.stream.notifications import Notification

MEDIA_TYPE: Final = "text/event-stream"
#: Seconds without an event after which a comment is sent, so that proxies keep the connection.
PING_S: Final = 15.0
#: Sent first: the milliseconds after which a browser connects again.
BEGINNING: Final = b"retry: 1000\n\n"
PING: Final = b": ping\n\n"
#: `Stream.offset_at` gives the end of the stream for it, because every event is older.
FAR_FUTURE: Final = 9_000_000_000
#: Digits of an offset, at most: SQLite takes any number of so many digits.
_OFFSET_DIGITS: Final = 18


def name_line(event: str | None) -> bytes:
    """The line with the name of events; empty without one.

    Raises:
        InvalidArgumentError: The name is not one line.
    """
    if event is None:
        return b""
    if len(event.splitlines()) != 1:
        raise InvalidArgumentError(f"event is {event!r}; the name of an event is one line")
    return f"event: {event}\n".encode()


def message(item: Any, name: bytes) -> bytes:
    """The message for an event, for a notification, or for any value that JSON can represent."""
    number = b"id: %d\n" % item.offset if isinstance(item, Event) else b""
    payload = item.payload if isinstance(item, (Event, Notification)) else item
    # JSON has no line breaks outside of texts, where they are escaped.
    return b"%b%bdata: %b\n\n" % (number, name, serialization.encode(payload).encode())


def offset_of(last_event_id: str | None, from_offset: int | None) -> int | None:
    """The offset at which a client begins; None is the end of the stream. An id that is no offset counts as none."""
    is_offset = last_event_id is not None and last_event_id.isdecimal() and len(last_event_id) <= _OFFSET_DIGITS
    return int(last_event_id) if last_event_id is not None and is_offset else from_offset
