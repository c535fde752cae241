"""honker in Starlette and FastAPI: workers in the server, server-sent events, a transaction for each request.

from fastapi import FastAPI

import honker
from honker.contrib import asgi

app = honker.App("shop.db")
web = FastAPI(lifespan=asgi.lifespan(app, workers=4))
Tx = Annotated[honker.Transaction, asgi.transaction(app)]

@web.post("/orders")
async def order(item: str, tx: Tx) -> None:
    tx.execute("INSERT INTO orders (item) VALUES (?)", [item])
    send_receipt.enqueue_with(tx=tx)(item)  # exists if and only if the order does

@web.get("/events")
async def events():
    return asgi.sse(app.stream("orders"))
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.responses import Response

from honker.app.application import App
from honker.contrib.event_source import (
    BEGINNING,
    FAR_FUTURE,
    MEDIA_TYPE,
    PING,
    PING_S,
    message,
    name_line,
    offset_of,
)
from honker.engine import Transaction
from honker.shutdown import stop
from honker.stream.stream import Stream
from honker.worker.runner import GRACE_S

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
# Seconds for the last message to a client that may not be reading any more.
_GOODBYE_S: Final = 1.0
# The position of the coroutine that waits for the client's end.
_DISCONNECTED: Final = 2


def lifespan(
    app: App, *, workers: int = 0, scheduler: bool | None = None, grace_s: float = GRACE_S
) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Make the lifespan of a Starlette or FastAPI application that opens, runs and closes a honker application.

    Each process of the server runs its own workers. Only one of all processes fires the schedules. When the server
    stops, responses of `sse` end at once, running tasks have the grace period to end, and the file is closed.

    In a lifespan of your own:

        @asynccontextmanager
        async def own(web: FastAPI):
            async with asgi.lifespan(app)(web):
                yield

    Args:
        app: The application.
        workers: Tasks that run at once for each queue, in each process of the server. 0 runs none: start
            ``honker worker`` beside the server.
        scheduler: Fire schedules. None does so if there are workers here and the application has periodic tasks.
        grace_s: Seconds that running tasks have to end; then their jobs are given back, uncharged.
    """
    is_scheduling = False if scheduler is None and not workers else scheduler

    @asynccontextmanager
    async def run(web: Any) -> AsyncGenerator[None]:
        del web
        stop.watch()
        try:
            async with app.lifespan(workers=workers, scheduler=is_scheduling, grace_s=grace_s):
                try:
                    yield
                finally:
                    stop.set()
        finally:
            stop.unwatch()

    return run


def transaction(app: App) -> Any:
    """Make the FastAPI dependency that gives a request a write transaction.

    It commits when the path operation returns, before the response is sent, and rolls back when it raises, an
    HTTPException included. It holds the write lock of the file in between.

        Tx = Annotated[honker.Transaction, asgi.transaction(app)]

    Args:
        app: The application in whose file the transaction runs.

    Returns:
        The ``Depends`` for ``Annotated``.
    """
    from fastapi import Depends  # noqa: PLC0415 - Starlette alone has no dependencies

    async def begin() -> AsyncGenerator[Transaction]:
        async with app.db.transaction() as tx:
            yield tx

    # Else the commit would run after the response, and the client would be told of success before a failing COMMIT.
    # Releases without the parameter end every dependency before the response.
    if "scope" in inspect.signature(Depends).parameters:
        return Depends(begin, scope="function")
    return Depends(begin)


def sse(
    source: Stream | AsyncIterable[Any],
    *,
    from_offset: int | None = None,
    event: str | None = None,
    ping_s: float = PING_S,
    headers: Mapping[str, str] | None = None,
    background: BackgroundTask | None = None,
) -> Response:
    """Respond with server-sent events, for ``EventSource`` in a browser.

    The response ends when the client disconnects, when the source ends, and when the server is told to stop. The
    browser then connects again after a second. From a stream it gets the events in between: each event has its
    offset as id, which the browser sends back as ``Last-Event-ID``.

    Args:
        source: A stream; or a subscription, a listener or any asynchronous iterable. Payloads, and items that are
            neither events nor notifications, are sent as JSON. A subscription or listener is closed at the end.
        from_offset: The offset of a stream after which a client begins that has no ``Last-Event-ID``; 0 is the
            beginning, None the end: only events that are published from now on.
        event: The name of the events, for ``addEventListener``; None for ``onmessage``.
        ping_s: Seconds without an event after which a comment is sent.
        headers: Further headers of the response.
        background: A task to run after the response.

    Raises:
        InvalidArgumentError: ``event`` has a line break.
    """
    return _EventStream(source, from_offset, name_line(event), ping_s, {**_HEADERS, **(headers or {})}, background)


class _EventStream(Response):
    """A response that follows a source until the client, the source or the server ends."""

    media_type = MEDIA_TYPE

    def __init__(  # noqa: PLR0917 - only `sse` calls it
        self,
        source: Stream | AsyncIterable[Any],
        from_offset: int | None,
        name: bytes,
        ping_s: float,
        headers: Mapping[str, str],
        background: BackgroundTask | None,
    ) -> None:
        self.status_code = 200
        self.background = background
        self.init_headers(headers)
        del self.headers["content-length"]
        self._source = source
        self._from_offset = from_offset
        self._name = name
        self._ping_s = ping_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stop.watch()
        # Before the headers: what the client does after it got them is seen.
        source = await self._open(Headers(scope=scope).get("last-event-id"))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            ended = await _first_of(self._follow(source, send), stop.wait(), _disconnected(receive))
            if ended != _DISCONNECTED:
                # A client that does not read would hold the server's stop up.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(_send(send, b"", is_last=True), _GOODBYE_S)
        finally:
            await _close(source)
        if self.background is not None:
            await self.background()

    async def _open(self, last_event_id: str | None) -> AsyncIterable[Any]:
        if not isinstance(self._source, Stream):
            return self._source
        offset = offset_of(last_event_id, self._from_offset)
        if offset is None:
            offset = await self._source.aoffset_at(FAR_FUTURE)
        return await self._source.asubscribe(from_offset=offset)

    async def _follow(self, source: AsyncIterable[Any], send: Send) -> None:
        await _send(send, BEGINNING)
        items = aiter(source)
        getting: asyncio.Future[bytes] | None = None
        try:
            while True:
                # Not cancelled by a timeout: that would end an asynchronous generator.
                getting = getting or asyncio.ensure_future(self._next(items))
                await asyncio.wait([getting], timeout=self._ping_s)
                if not getting.done():
                    await _send(send, PING)
                    continue
                following, getting = getting.result(), None
                if not following:
                    return
                await _send(send, following)
        finally:
            if getting is not None:
                getting.cancel()
                await asyncio.gather(getting, return_exceptions=True)

    async def _next(self, items: AsyncIterator[Any]) -> bytes:
        """The next message; empty at the end."""
        try:
            return message(await anext(items), self._name)
        except StopAsyncIteration:
            return b""


async def _first_of(*coroutines: Coroutine[Any, Any, None]) -> int:
    """Run coroutines until one of them ends, cancel the others, and return the position of the first that has ended.

    Raises the error of one that failed.
    """
    running = [asyncio.ensure_future(each) for each in coroutines]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        ended = [position for position, each in enumerate(running) if each.done()]
        for position in ended:
            running[position].result()
        return ended[-1]
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _send(send: Send, body: bytes, *, is_last: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(source: AsyncIterable[Any]) -> None:
    aclose = getattr(source, "aclose", None)  # of a subscription, a listener or a generator
    if aclose is not None:
        await aclose()
