"""The jobs of the shop."""

import honker

from examples.shop.app import LEASE_S, app, events
from examples.shop.invoice import Terms, render
from examples.shop.mail import outbox
from examples.shop.models import Order, reading

app.queue("invoices", visibility_timeout_s=LEASE_S)
app.queue("reports", visibility_timeout_s=LEASE_S)


# The parameter `tx` is a transaction that commits together with the end of the job: if the worker is killed before that
# commit, nothing of it is stored, and the job runs again. So each order gets exactly one invoice.
@app.task(queue="invoices", retries=5, retry_delay_s=1)
def make_invoice(order_id: int, terms: Terms, tx: honker.Transaction) -> None:
    with reading() as session:
        order = session.get_one(Order, order_id)
    pdf = render(order, terms)  # the slow part comes first: from its first use on, `tx` holds the write lock
    tx.execute("INSERT INTO invoices (order_id, pdf) VALUES (?, ?)", [order_id, pdf])
    tx.execute("UPDATE orders SET state = 'invoiced' WHERE id = ?", [order_id])
    events.publish(order.event("invoiced"), tx=tx)
    outbox().enqueue({"invoice_of": order_id}, tx=tx)


# At 3 a.m. If no scheduler ran at that time, one report is made for all nights that were missed.
@app.periodic_task(honker.crontab("0 3 * * *"), queue="reports", scheduler_name="nightly_report", misfire="once")
def nightly_report(tx: honker.Transaction) -> None:
    last = tx.query("SELECT coalesce(max(last_order_id), 0) AS id FROM reports")[0]["id"]
    report = tx.query(
        "SELECT count(*) AS orders, coalesce(sum(cents), 0) AS cents, coalesce(max(id), ?) AS last_order_id"
        " FROM orders WHERE id > ?",
        [last, last],
    )[0]
    stored = tx.query(
        "INSERT INTO reports (orders, cents, last_order_id) VALUES (?, ?, ?) RETURNING id",
        [report["orders"], report["cents"], report["last_order_id"]],
    )[0]
    events.publish({"report": {"orders": report["orders"], "cents": report["cents"]}}, tx=tx)
    outbox().enqueue({"report": stored["id"]}, tx=tx)
