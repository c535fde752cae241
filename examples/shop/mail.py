"""E-mails, through an outbox: a mail is recorded with the rows that caused it, and delivered later.

A mail is sent at least once. It is sent a second time only if the process is killed or stopped after the mail server
has accepted the mail and before the shop has stored that. Both mails then have the same Message-ID, by which mail
servers and programs can tell that they are one.
"""

import asyncio
import os
import smtplib
from email.message import EmailMessage
from urllib.parse import urlsplit

import honker
from sqlalchemy import select

from examples.shop.app import LEASE_S, app, events
from examples.shop.models import Invoice, Order, Report, reading, writing

SHOP = "shop@shop.example"
OWNER = "owner@shop.example"
TIMEOUT_S = 10
# Replies from 500 on are final, those from 400 on are not.
FINAL = 500


def outbox() -> honker.Outbox:
    return app.db.outbox("mails", deliver, base_backoff_s=1, visibility_timeout_s=LEASE_S)


def deliver(payload: dict[str, int]) -> None:
    """Send one mail. The outbox calls it, and calls it again later if it raises."""
    if "invoice_of" in payload:
        mail_invoice(payload["invoice_of"])
    else:
        mail_report(payload["report"])


def mail_invoice(order_id: int) -> None:
    with reading() as session:
        order = session.get_one(Order, order_id)
        invoice = session.scalars(select(Invoice).where(Invoice.order_id == order_id)).one()
    if order.state == "mailed":
        return  # by a worker that was killed before the outbox had stored that
    message = new_message(f"order-{order_id}", order.email, f"Your order {order_id}")
    message.set_content(f"Dear {order.customer},\n\nthank you for your order. The invoice is attached.\n")
    message.add_attachment(invoice.pdf, maintype="application", subtype="pdf", filename=f"invoice-{order_id}.pdf")
    send(message)
    with writing() as session:
        session.get_one(Order, order_id).state = "mailed"
        events.publish(order.event("mailed"), tx=session)


def mail_report(report_id: int) -> None:
    with reading() as session:
        report = session.get_one(Report, report_id)
    message = new_message(f"report-{report_id}", OWNER, f"Orders of the day: {report.orders}")
    message.set_content(f"Orders since the last report: {report.orders}, {report.cents / 100:.2f} EUR in all.\n")
    send(message)


def new_message(name: str, to: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = SHOP
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<{name}@shop.example>"
    return message


def send(message: EmailMessage) -> None:
    server = urlsplit(os.environ["SMTP_URL"])  # smtp://127.0.0.1:8025
    try:
        with smtplib.SMTP(server.hostname, server.port or 25, timeout=TIMEOUT_S) as connection:
            connection.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        if all(code >= FINAL for code, _ in error.recipients.values()):
            raise honker.Discard(f"the mail server refuses {message['To']}") from error  # now and always
        raise


# The processes of `honker worker` also deliver the mails, one at a time each.
couriers: list[asyncio.Task[None]] = []


@app.on_start
async def start_courier() -> None:
    couriers.append(asyncio.create_task(outbox().run_worker(f"courier of process {os.getpid()}")))


@app.on_stop
async def stop_courier() -> None:
    for courier in couriers:
        courier.cancel()  # gives the job of its mail back; the thread that sends the mail goes on to its end
    await asyncio.wait(couriers)
    couriers.clear()
