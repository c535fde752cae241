"""Server-sent events for Flask and other WSGI applications.

@web.get("/events")
def events():
    body = wsgi.sse(app.stream("orders"), request.headers.get("Last-Event-ID"))
    return Response(body, mimetype="text/event-stream")
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final

from honker.clock import monotonic
from honker.contrib.event_source import BEGINNING, FAR_FUTURE, PING, PING_S, message, name_line, offset_of
from honker.shutdown import stop
from honker.stream.stream import Stream

# Seconds between two looks at the server. A thread cannot wait for a signal.
_LOOK_S: Final = 0.5


def sse(
    stream: Stream,
    last_event_id: str | None = None,
    *,
    from_offset: int | None = None,
    event: str | None = None,
    ping_s: float = PING_S,
) -> Iterator[bytes]:
    """Make the body of a response with server-sent events, for ``EventSource`` in a browser.

    The body ends when the server has noticed that the client is gone, at the latest at the next ping, and when gunicorn
    stops. The browser then connects again after a second, and gets the events in between: each event has its offset
    as id, which the browser sends back as ``Last-Event-ID``.

    Each client occupies a thread of the server: run it with enough of them, as in ``gunicorn --threads 100``.

    Args:
        stream: The stream.
        last_event_id: The request's header ``Last-Event-ID``.
        from_offset: The offset after which a client begins that has no ``Last-Event-ID``; 0 is the beginning, None the
            end: only events that are published from now on.
        event: The name of the events, for ``addEventListener``; None for ``onmessage``.
        ping_s: Seconds without an event after which a comment is sent.

    Raises:
        InvalidArgumentError: ``event`` has a line break.
    """
    name = name_line(event)
    offset = offset_of(last_event_id, from_offset)
    return _follow(stream, stream.offset_at(FAR_FUTURE) if offset is None else offset, name, ping_s)


def _follow(stream: Stream, offset: int, name: bytes, ping_s: float) -> Generator[bytes]:
    updates = stream.db.engine.updates()
    try:
        yield BEGINNING
        sent_at = monotonic()
        while not stop.is_set:
            events = stream.read_since(offset)
            for each in events:
                yield message(each, name)
                offset = each.offset
            if not events and monotonic() - sent_at >= ping_s:
                yield PING
            elif not events:
                updates.wait(min(_LOOK_S, ping_s))
                continue
            sent_at = monotonic()
    finally:
        updates.close()
