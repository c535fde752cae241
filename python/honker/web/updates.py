"""Server-sent events: a page hears of commits of any process, and fetches itself again.

The format is that of https://html.spec.whatwg.org/multipage/server-sent-events.html. There is no polling: a page whose
file does not change costs nothing but a comment every 15 seconds, which finds clients that are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from honker.engine.wakes import Wakes
from honker.errors import HonkerError
from honker.shutdown import stop
from honker.web.view import View

#: Seconds between two events while the file is busy. The first commit after a pause is told at once.
_GAP_S: Final = 0.25
_PING_S: Final = 15.0
# Seconds for the end of the answer.
_GOODBYE_S: Final = 1.0
#: Sent first: the milliseconds after which a browser connects again.
_BEGINNING: Final = b"retry: 1000\n\nevent: hello\ndata:\n\n"
_CHANGE: Final = b"event: change\ndata:\n\n"
_PING: Final = b": ping\n\n"


async def events(view: View) -> Response:
    """Follow the commits of the file."""
    # Before the answer: the page then fetches itself once, and no later commit is missed. Errors become an error page.
    return _Events(Wakes(view.db.engine))


class _Events(Response):
    """A response that lasts until the client leaves, the file fails, or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, wakes: Wakes) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._wakes = wakes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stop.watch()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await _first_of(self._follow(send), stop.wait(), _disconnected(receive))
            # A client that does not read would hold the server's stop up.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), _GOODBYE_S)
        finally:
            self._wakes.close()

    async def _follow(self, send: Send) -> None:
        await _send(send, _BEGINNING)
        # After an error the browser connects again, and gets an error page until the file is back.
        with contextlib.suppress(HonkerError):
            while True:
                is_changed = await self._wakes.wait_async(_PING_S)
                await _send(send, _CHANGE if is_changed else _PING)
                await asyncio.sleep(_GAP_S)


async def _first_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run coroutines until one of them ends, and cancel the others. Raises its error."""
    running = [asyncio.ensure_future(each) for each in coroutines]
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
