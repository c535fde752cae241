"""An order from the request to the mail, step by step, on the real engine."""

import asyncio
import smtplib
import socket
from contextlib import contextmanager
from datetime import date
from decimal import Decimal

import honker
import httpx
import pytest
from aiosmtpd.controller import Controller
from honker.testing import assert_enqueued, clock, crash, drain, refute_enqueued
from sqlalchemy import func, select

from examples.shop.app import events
from examples.shop.invoice import Terms, render
from examples.shop.mail import OWNER, deliver, outbox
from examples.shop.models import Invoice, Order, Report, reading, writing
from examples.shop.tasks import make_invoice
from examples.shop.web import web

ANN = {"customer": "Ann", "email": "ann@example.com", "product": "tea", "quantity": 2}
TERMS = Terms(due=date(2030, 1, 31))


def request(method, path, **options):
    """One request to the web application, without a server."""

    async def send():
        transport = httpx.ASGITransport(app=web)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await client.request(method, path, **options)

    return asyncio.run(send())


def count(table):
    with reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def state_of(order_id):
    with reading() as session:
        return session.get_one(Order, order_id).state


def new_order(**changes):
    with writing() as session:
        order = Order(**{**ANN, "cents": 900, **changes})
        session.add(order)
        session.flush()
        make_invoice.enqueue_with(tx=session)(order.id, TERMS)
        return order.id


def deliver_mails():
    """Deliver all mails that are due, as a courier does."""
    while job := outbox().queue.claim_one("test"):
        deliver(job.payload)
        job.ack()


def test_a_request_stores_an_order_with_its_job_and_its_event(honker_app):
    answer = request("POST", "/orders", json={**ANN, "quantity": 10})
    assert (answer.status_code, answer.json()) == (201, {"id": 1})
    job = assert_enqueued(honker_app, make_invoice)
    assert job.args[1]["discount"] == "0.05"
    assert [event.payload["order"]["state"] for event in events.read_since(0)] == ["placed"]
    assert request("GET", "/orders").json()["orders"][0]["cents"] == 4500


@pytest.mark.parametrize(
    "change",
    [{"email": "ann"}, {"email": "änn@example.com"}, {"email": "a@b\nBcc: c@d"}, {"quantity": 0}, {"product": "gold"}],
)
def test_a_wrong_order_leaves_nothing(honker_app, change):
    assert request("POST", "/orders", json={**ANN, **change}).status_code == 422
    refute_enqueued(honker_app, make_invoice)
    assert count(Order) == 0


def test_an_order_is_invoiced_and_mailed(honker_app, sent):
    order_id = new_order()
    assert drain(honker_app).done == 1
    assert state_of(order_id) == "invoiced"
    deliver_mails()
    assert state_of(order_id) == "mailed"
    [message] = sent
    [attachment] = message.iter_attachments()
    assert message["To"] == "ann@example.com"
    assert attachment.get_content().startswith(b"%PDF")
    assert [event.payload["order"]["state"] for event in events.read_since(0)] == ["invoiced", "mailed"]
    answer = request("GET", f"/invoices/{order_id}.pdf")
    assert answer.content == attachment.get_content()


def test_an_order_gets_one_invoice_though_a_worker_dies(honker_app):
    new_order()
    crash(honker_app, "before_ack")
    assert count(Invoice) == 0
    assert drain(honker_app).done == 1
    assert count(Invoice) == 1


def test_an_order_that_is_mailed_is_not_mailed_again(honker_app, sent):
    order_id = new_order()
    drain(honker_app)
    deliver({"invoice_of": order_id})  # and the worker dies before the outbox has stored that
    deliver_mails()
    assert len(sent) == 1


@contextmanager
def mail_server(answer):
    """A mail server that gives one answer for all recipients."""

    class Handler:
        async def handle_RCPT(self, *_):
            return answer

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Controller(Handler(), hostname="127.0.0.1", port=port)
    server.start()
    yield f"smtp://127.0.0.1:{port}"
    server.stop()


@pytest.mark.parametrize(
    ("answer", "error"),
    [("550 no such user", honker.Discard), ("450 mailbox busy", smtplib.SMTPRecipientsRefused)],
)
def test_only_a_final_refusal_of_an_address_ends_the_delivery(honker_app, monkeypatch, answer, error):
    order_id = new_order()
    drain(honker_app)
    with mail_server(answer) as url:
        monkeypatch.setenv("SMTP_URL", url)
        with pytest.raises(error):
            deliver({"invoice_of": order_id})
    assert state_of(order_id) == "invoiced"


def test_an_invoice_of_a_name_in_any_script_is_rendered():
    order = Order(id=7, cents=100, **{**ANN, "customer": "李 <b>\n"})
    assert render(order, TERMS).startswith(b"%PDF")


def test_a_report_comes_every_night_and_counts_each_order_once(honker_app, sent):
    drain(honker_app)  # writes the schedule
    for cents in (100, 250):
        new_order(cents=cents)
    with clock(honker_app) as time:
        for _ in range(2):
            time.advance("1d")
            assert drain(honker_app).fired == 1
        deliver_mails()
    with reading() as session:
        reports = session.scalars(select(Report).order_by(Report.id)).all()
    assert [(report.orders, report.cents) for report in reports] == [(2, 350), (0, 0)]
    subjects = [message["Subject"] for message in sent if message["To"] == OWNER]
    assert subjects == ["Orders of the day: 2", "Orders of the day: 0"]


def test_an_invoice_deducts_the_discount():
    order = Order(id=7, **ANN, cents=1001)
    pdf = render(order, Terms(due=date(2030, 1, 31), discount=Decimal("0.05")))
    assert pdf.startswith(b"%PDF")
    assert b"(Discount: 5%)" in pdf
    assert b"(To pay until 31 January 2030: 9.51 EUR)" in pdf
