"""An order, its job and its webhook, in one transaction.

    python examples/orders_outbox.py [DATABASE]

Three orders are placed, and a fourth is rolled back half-way. A worker packs each order in one transaction with the ack
of its job. The outbox calls the webhook; its first two calls fail and are retried.
"""

import asyncio
import os
import sys
import tempfile

import honker

FAILING_CALLS = 2


class PaymentRefused(Exception):
    """A failure in the middle of placing an order."""


def place_order(db, customer, refused=False):
    """Insert an order with its job and its webhook, and return its id."""
    with db.transaction() as tx:
        row = tx.query("INSERT INTO orders (customer, state) VALUES (?, 'placed') RETURNING id", [customer])[0]
        db.queue("packing").enqueue({"order": row["id"]}, tx=tx)
        webhooks(db).enqueue({"event": "order placed", "order": row["id"]}, tx=tx)
        if refused:
            raise PaymentRefused(customer)
    return row["id"]


def pack(db):
    """Pack orders until the queue is empty. A real worker keeps going: `for job in queue.claim("packer")`."""
    queue = db.queue("packing")
    while job := queue.claim_one("packer"):
        with db.transaction() as tx:
            tx.execute("UPDATE orders SET state = 'packed' WHERE id = ?", [job.payload["order"]])
            if not job.ack(tx=tx):  # the lease expired and another worker may have the job: roll back
                raise RuntimeError(f"{job} took longer than its lease")
        print(f"packed order {job.payload['order']}")


calls = []
delivered = []


async def call_webhook(payload):
    """A stand-in for an HTTP request."""
    calls.append(payload)
    if len(calls) <= FAILING_CALLS:
        print(f"webhook about order {payload['order']}: no answer, it will be tried again")
        raise ConnectionError("no answer")
    print(f"webhook about order {payload['order']}: delivered")
    delivered.append(payload["order"])


def webhooks(db):
    return db.outbox("webhooks", call_webhook, base_backoff_s=0.2)


async def deliver(db, count):
    """Run the outbox until `count` webhooks are delivered. A real worker runs for ever."""
    updates = db.update_events()
    stop = asyncio.Event()
    worker = asyncio.create_task(webhooks(db).run_worker("courier", stop))
    while len(delivered) < count:
        await updates.wait_async(1)
    stop.set()
    await worker
    updates.close()


def main(path):
    with honker.open(path) as db:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT, state TEXT)")
        orders = [place_order(db, customer) for customer in ("alice", "bob", "carol")]
        try:
            place_order(db, "mallory", refused=True)
        except PaymentRefused:
            print("mallory's order was rolled back, and with it the job and the webhook")

        pack(db)
        asyncio.run(deliver(db, len(orders)))

        states = {row["id"]: row["state"] for row in db.query("SELECT id, state FROM orders WHERE id >= ?", orders[:1])}
        assert states == dict.fromkeys(orders, "packed"), states
        assert sorted(delivered) == orders, delivered
        assert webhooks(db).queue.next_claim_at() is None, "something is left to deliver"
        print(f"{len(orders)} orders packed, {len(delivered)} webhooks delivered in {len(calls)} calls")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(folder, "shop.db"))
