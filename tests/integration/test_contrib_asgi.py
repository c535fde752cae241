"""`honker.contrib.asgi`: the lifespan, server-sent events and the transaction of a request, without a server."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Annotated

import honker
import httpx
import pytest
from fastapi import FastAPI, HTTPException
from honker.contrib import asgi
from honker.shutdown import stop
from starlette.background import BackgroundTask

from ..support.engines import placed
from ..support.waiting import until


@pytest.fixture
def app(path):
    with honker.App(path) as app:
        yield app


class Client:
    """A client of one response: the messages that it got, and its connection."""

    def __init__(self, response, headers=(), is_reading=True):
        self.body = b""
        self.status = None
        self.headers = {}
        self.is_complete = False
        self._is_gone = asyncio.Event()
        self._is_reading = asyncio.Event()
        if is_reading:
            self._is_reading.set()
        self._requests = [{"type": "http.request", "body": b"", "more_body": False}]
        scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers]}
        self.task = asyncio.ensure_future(response(scope, self._receive, self._send))

    async def _receive(self):
        if self._requests:
            return self._requests.pop()
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        await self._is_reading.wait()
        self.body += message["body"]
        self.is_complete = not message["more_body"]

    def disconnect(self):
        self._is_gone.set()

    @property
    def data(self):
        lines = self.body.decode().split("\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    async def connected(self):
        await until(lambda: b"retry:" in self.body or self.task.done())
        return self


@pytest.fixture(autouse=True)
def a_running_server():
    yield
    stop.unwatch()


def test_a_client_gets_the_events_that_are_published_from_now_on(app):
    async def main():
        orders = app.stream("orders")
        await orders.apublish("before")
        client = await Client(asgi.sse(orders)).connected()
        offset = await orders.apublish({"id": 1, "text": "a\nb"})
        await until(lambda: client.data)
        assert client.status == 200
        assert client.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in client.headers
        assert client.data == [{"id": 1, "text": "a\nb"}]
        assert f"\n\nid: {offset}\ndata: ".encode() in client.body
        client.disconnect()
        await asyncio.wait_for(client.task, 5)
        assert not client.is_complete

    asyncio.run(main())


def test_a_client_that_connects_again_gets_what_it_has_missed(app):
    async def main():
        orders = app.stream("orders")
        offsets = [await orders.apublish(number) for number in range(4)]
        resumed = await Client(asgi.sse(orders), [("last-event-id", str(offsets[1]))]).connected()
        from_the_beginning = await Client(asgi.sse(orders, from_offset=0), [("last-event-id", "none")]).connected()
        await until(lambda: resumed.data == [2, 3] and from_the_beginning.data == [0, 1, 2, 3])
        stop.set()
        await asyncio.gather(resumed.task, from_the_beginning.task)

    asyncio.run(main())


def test_a_response_ends_when_the_server_is_told_to_stop(app):
    async def main():
        subscription = app.stream("orders").subscribe()
        client = await Client(asgi.sse(subscription)).connected()
        stop.set()
        await asyncio.wait_for(client.task, 5)
        assert client.is_complete
        with pytest.raises(honker.errors.DatabaseClosedError):
            await asyncio.wait_for(anext(subscription), 5)

    asyncio.run(main())


def test_a_response_ends_with_the_lifespan(app):
    async def silent():
        yield 1
        await asyncio.Event().wait()

    async def main():
        async with asgi.lifespan(app)(FastAPI()):
            client = await Client(asgi.sse(silent())).connected()
        await asyncio.wait_for(client.task, 5)
        assert client.is_complete

    asyncio.run(main())


def test_a_client_that_does_not_read_does_not_hold_the_stop_up(app):
    async def main():
        orders = app.stream("orders")
        client = Client(asgi.sse(orders), is_reading=False)
        await until(lambda: client.status == 200)
        stop.set()
        await asyncio.wait_for(client.task, 5)
        assert not client.is_complete

    asyncio.run(main())


def test_a_silent_source_is_kept_alive_by_comments(app):
    async def main():
        client = await Client(asgi.sse(app.stream("orders"), ping_s=0.01)).connected()
        await until(lambda: client.body.count(b": ping\n\n") >= 2)
        await app.stream("orders").apublish("late")
        await until(lambda: client.data == ["late"])
        client.disconnect()
        await client.task

    asyncio.run(main())


def test_notifications_and_plain_values_are_sent_under_a_name(app):
    async def values():
        yield {"n": 1}
        yield [2]

    async def main():
        ended = []
        background = BackgroundTask(lambda: ended.append(True))
        finite = await Client(asgi.sse(values(), event="number", background=background)).connected()
        await asyncio.wait_for(finite.task, 5)
        assert finite.body.count(b"event: number\ndata: ") == 2
        assert finite.data == [{"n": 1}, [2]]
        assert finite.is_complete
        assert ended == [True]
        listening = await Client(asgi.sse(await app.db.alisten("news"))).connected()
        await app.db.anotify("news", "hello")
        await until(lambda: listening.data == ["hello"])
        assert b"id:" not in listening.body
        listening.disconnect()
        await listening.task

    asyncio.run(main())


def test_a_failing_source_fails_the_response(app):
    async def broken():
        yield 1
        raise RuntimeError("out of events")

    async def main():
        client = await Client(asgi.sse(broken())).connected()
        with pytest.raises(RuntimeError, match="out of events"):
            await client.task
        assert client.data == [1]
        assert not client.is_complete

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", "two\nlines", "two\rlines"])
def test_the_name_of_events_is_one_line(app, name):
    with pytest.raises(honker.InvalidArgumentError, match="one line"):
        asgi.sse(app.stream("orders"), event=name)


def shop(app):
    """An application whose orders enqueue a job in the transaction of their request."""
    web = FastAPI()
    Tx = Annotated[honker.Transaction, asgi.transaction(app)]
    emails = app.queue("emails")
    with app.db.transaction() as tx:
        tx.execute("CREATE TABLE orders (item TEXT CHECK (item <> 'bad'))")
        tx.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        tx.execute("CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")

    def insert(item, tx):
        tx.execute(placed(tx, "INSERT INTO orders (item) VALUES (?)"), [item])
        emails.enqueue(item, tx=tx)
        if item == "unicorn":
            raise HTTPException(409, "sold out")

    @web.post("/async/{item}")
    async def order(item: str, tx: Tx) -> str:
        insert(item, tx)
        return item

    @web.post("/sync/{item}")
    def order_in_a_thread(item: str, tx: Tx) -> str:
        insert(item, tx)
        return item

    @web.post("/orphan")
    async def orphan(tx: Tx) -> str:
        tx.execute("INSERT INTO children VALUES (1)")  # refused by COMMIT
        return "fine"

    return web


@asynccontextmanager
async def client_of(web):
    transport = httpx.ASGITransport(web, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client


@pytest.mark.parametrize("way", ["async", "sync"])
def test_a_request_commits_its_transaction_if_and_only_if_it_succeeds(app, way):
    web = shop(app)

    async def main():
        async with client_of(web) as client:
            assert (await client.post(f"/{way}/tea")).status_code == 200
            assert (await client.post(f"/{way}/unicorn")).status_code == 409
            assert (await client.post(f"/{way}/bad")).status_code == 500
            many = await asyncio.gather(*(client.post(f"/{way}/{number}") for number in range(20)))
            assert {answer.status_code for answer in many} == {200}

    asyncio.run(main())
    expected = {"tea", *map(str, range(20))}
    assert {row["item"] for row in app.db.query("SELECT item FROM orders")} == expected
    assert {job.payload for job in app.queue("emails").claim_batch("worker", 99)} == expected


@pytest.mark.sqlite_only("foreign keys as an option")
def test_a_commit_that_fails_fails_the_request(path):
    with honker.App(path, foreign_keys=True) as app:
        web = shop(app)

        async def main():
            async with client_of(web) as client:
                assert (await client.post("/orphan")).status_code == 500

        asyncio.run(main())


def test_the_lifespan_runs_workers_and_closes_the_database(app):
    done = []

    @app.task(queue="emails")
    async def send(number: int) -> None:
        done.append(number)

    async def main():
        web = FastAPI(lifespan=asgi.lifespan(app, workers=2))
        async with web.router.lifespan_context(web):
            await send.enqueue_with().aenqueue(1)
            await until(lambda: done == [1])
        assert stop.is_set is False

    asyncio.run(main())


def test_a_lifespan_without_workers_leaves_jobs_to_others(app):
    done = []

    @app.task(queue="emails")
    async def send(number: int) -> None:
        done.append(number)

    async def main():
        web = FastAPI(lifespan=asgi.lifespan(app))
        async with web.router.lifespan_context(web):
            await send.enqueue_with().aenqueue(1)
        assert done == []

    asyncio.run(main())
    assert app.queue("emails").stats().ready == 1


def test_the_example_of_the_module_enqueues(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = {"Annotated": Annotated}
    exec(asgi.__doc__.partition("\n")[2], named)
    with named["app"] as app:
        named["send_receipt"] = app.task(queue="q")(lambda item: None)
        with app.db.transaction() as tx:
            tx.execute("CREATE TABLE orders (item TEXT)")
            asyncio.run(named["order"]("tea", tx))
        assert app.queue("q").stats().ready == 1
