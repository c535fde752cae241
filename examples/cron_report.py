"""A scheduled task: a report every second, until three are written.

    python examples/cron_report.py [DATABASE]

The scheduler enqueues a job at each boundary and a worker runs it. In this example both share a process. Usually they
are `honker scheduler MODULE:DB` and `honker worker MODULE:DB`, or `honker worker MODULE:DB --with-scheduler`.
"""

import asyncio
import os
import sys
import tempfile
import time

import honker

REPORTS = 3


async def run(db):
    """Run scheduler and workers until there are enough reports."""
    enough = asyncio.Event()
    reports = []

    # For 3 a.m. every day: honker.crontab("0 3 * * *", "Europe/Berlin").
    @db.periodic_task(honker.every_s(1), queue="reports", scheduler_name="report", name="report")
    async def report():
        orders = db.query("SELECT count(*) AS orders, sum(cents) AS cents FROM orders")[0]
        reports.append(time.time())
        print(f"report {len(reports)}: {orders['orders']} orders, {orders['cents'] / 100:.2f} in all")
        if len(reports) == REPORTS:
            enough.set()

    await asyncio.gather(
        db.run_workers("reports", stop_event=enough),
        honker.Scheduler(db).run(enough),
        place_orders(db, enough),
    )
    return reports


async def place_orders(db, stop):
    """Insert the orders that the reports count."""
    while not stop.is_set():
        async with db.transaction() as tx:
            tx.execute("INSERT INTO orders (cents) VALUES (1999)")
        await asyncio.sleep(0.2)


def main(path):
    with honker.open(path) as db:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, cents INTEGER)")
            tx.execute("INSERT INTO orders (cents) VALUES (1999)")
        started_at = time.time()
        reports = asyncio.run(run(db))
        honker.Scheduler(db).remove("report")  # a schedule outlives the process that added it
        print(f"{len(reports)} reports in {time.time() - started_at:.1f} s")
        assert len(reports) >= REPORTS
        assert honker.Scheduler(db).list() == [], "a schedule is left"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(folder, "shop.db"))
