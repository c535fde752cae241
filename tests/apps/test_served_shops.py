"""Shops of newcomers, under the servers that newcomers use.

Customers order while workers make invoices and send mails, and a browser follows the events. In the middle of that,
server and worker get SIGTERM. Both stop in time, with the browser connected, and start again. In the end each order has
exactly one invoice and at least one mail, refused orders have left nothing, and the browser has seen each invoice once.
"""

import http.client

import pytest

from ..support.waiting import wait_until
from .serving import GRACE_S, START_S, Browser, Customers, project

UVICORN = ("uvicorn", "shop:web", "--port", "PORT")
GUNICORN = ("gunicorn", "shop:web", "--bind", "127.0.0.1:PORT", "--workers", "2")
UVICORN_WORKER = (*GUNICORN, "--worker-class", "uvicorn.workers.UvicornWorker")
THREADS = (*GUNICORN, "--threads", "8", "--graceful-timeout", "2")

SHOPS = {
    "fastapi, sqlalchemy, uvicorn": ("fastapi_sqlalchemy", UVICORN),
    "fastapi, sqlalchemy, uvicorn with 2 workers": ("fastapi_sqlalchemy", (*UVICORN, "--workers", "2")),
    "fastapi, sqlalchemy, gunicorn": ("fastapi_sqlalchemy", UVICORN_WORKER),
    "fastapi, sqlalchemy, gunicorn --preload": ("fastapi_sqlalchemy", (*UVICORN_WORKER, "--preload")),
    "fastapi, aiosqlite, uvicorn": ("fastapi_async", UVICORN),
    "fastapi, aiosqlite, uvicorn with 2 workers": ("fastapi_async", (*UVICORN, "--workers", "2")),
    "fastapi, aiosqlite, gunicorn --preload": ("fastapi_async", (*UVICORN_WORKER, "--preload")),
    "sqlmodel, uvicorn with 2 workers": ("sqlmodel_app", (*UVICORN, "--workers", "2")),
    "flask, gunicorn": ("flask_app", THREADS),
    "flask, gunicorn --preload": ("flask_app", (*THREADS, "--preload")),
}


@pytest.fixture(params=SHOPS.values(), ids=SHOPS.keys())
def shop_and_server(request, tmp_path):
    source, command = request.param
    with project(source, tmp_path) as shop:
        yield shop, command


def test_a_stopped_shop_goes_on_where_it_was(shop_and_server):
    shop, command = shop_and_server
    worker = shop.start_worker()
    server = shop.start_server(*command)
    browser = Browser(shop.port)
    browser.connect()
    customers = Customers(shop)
    wait_until(lambda: len(customers.accepted) >= 10 and len(browser.events) >= 5, START_S, every_s=0.02)

    server.stop()
    browser.wait_for_end()
    customers.stop()
    worker.stop()
    accepted, refused = customers.accepted, customers.refused

    worker = shop.start_worker()
    server = shop.start_server(*command)
    browser.connect()
    customers = Customers(shop, count=1)
    wait_until(lambda: len(customers.accepted) >= 5, START_S, every_s=0.02)
    customers.stop()
    accepted += customers.accepted
    assert refused + customers.refused > 0

    orders = {row[0] for row in shop.rows("SELECT id FROM orders")}
    assert set(accepted) <= orders
    assert shop.rows("SELECT count(*) FROM orders WHERE item = 'unicorn'") == [(0,)]
    wait_until(lambda: shop.rows("SELECT count(*) FROM _honker_live") == [(0,)], START_S, every_s=0.1)
    assert shop.rows("SELECT count(*) FROM _honker_dead") == [(0,)]
    assert sorted(row[0] for row in shop.rows("SELECT order_id FROM invoices")) == sorted(orders)
    assert set(map(int, (shop.directory / "mails.txt").read_text().split())) == orders
    wait_until(lambda: len(browser.events) >= len(orders), START_S, every_s=0.02)
    assert sorted(event["invoiced"] for event in browser.events) == sorted(orders)

    server.stop()
    browser.wait_for_end()
    worker.stop()


def test_a_server_that_stops_by_itself_ends_its_responses(tmp_path):
    with project("fastapi_sqlalchemy", tmp_path) as shop:
        server = shop.start_server(*UVICORN, "--limit-max-requests", "4")
        browser = Browser(shop.port)
        browser.connect()
        customers = Customers(shop, count=1)
        browser.wait_for_end()
        assert server.process.wait(GRACE_S) == 0
        customers.stop()


class Persistent(Customers):
    """Customers who order again where the server has closed their connection."""

    def _order(self):
        while not self._is_over.wait(0.005):
            try:
                status, answer = self._shop.order("tea")
            except (OSError, http.client.HTTPException):
                continue  # the process has ended its connections; the order may have been stored before
            assert status == 201, answer
            with self._lock:
                self.accepted.append(answer)


def test_processes_with_workers_that_end_after_some_requests_lose_nothing(tmp_path):
    command = [each.replace("shop:web", "with_workers:web") for each in UVICORN_WORKER]
    with project("fastapi_sqlalchemy", tmp_path) as shop:
        server = shop.start_server(*command, "--max-requests", "50", "--max-requests-jitter", "10")
        customers = Persistent(shop)
        wait_until(lambda: len(customers.accepted) >= 200, 2 * START_S, every_s=0.05)
        customers.stop()
        assert server.output.count("Booting worker") >= 4, "processes were replaced"
        orders = {row[0] for row in shop.rows("SELECT id FROM orders")}
        assert set(customers.accepted) <= orders
        wait_until(lambda: shop.rows("SELECT count(*) FROM _honker_live") == [(0,)], 2 * START_S, every_s=0.1)
        assert shop.rows("SELECT count(*) FROM _honker_dead") == [(0,)]
        assert sorted(row[0] for row in shop.rows("SELECT order_id FROM invoices")) == sorted(orders)
        assert set(map(int, (shop.directory / "mails.txt").read_text().split())) == orders
        server.stop()


def test_a_browser_that_leaves_ends_its_response(tmp_path):
    with project("fastapi_async", tmp_path) as shop:
        server = shop.start_server(*UVICORN)
        for _ in range(3):
            browser = Browser(shop.port)
            browser.connect()
            assert shop.order("tea")[0] == 201
            wait_until(lambda browser=browser: browser.events)
            browser.disconnect()
        server.stop()
