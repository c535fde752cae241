"""A shop with Flask and honker's own transactions."""

from flask import Flask, Response, abort, request
from honker.contrib import wsgi
from tasks import app, invoice, mail

web = Flask(__name__)

with app.db.transaction() as tx:
    tx.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)")
    tx.execute("CREATE TABLE IF NOT EXISTS invoices (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL)")


@web.post("/orders")
def create_order():
    item = request.args["item"]
    with app.db.transaction() as tx:
        order_id = tx.query("INSERT INTO orders (item) VALUES (?) RETURNING id", [item])[0]["id"]
        invoice.enqueue_with(tx=tx)(order_id)
        mail.enqueue_with(tx=tx)(order_id)
        if item == "unicorn":
            abort(409, "sold out")
    return str(order_id), 201


@web.get("/orders/count")
def count_orders():
    return str(app.db.query("SELECT count(*) AS n FROM orders")[0]["n"])


@web.get("/events")
def events():
    body = wsgi.sse(app.stream("orders"), request.headers.get("Last-Event-ID"))
    return Response(body, mimetype="text/event-stream")
