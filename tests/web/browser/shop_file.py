"""A file with the jobs, streams, locks and schedules of a shop, in every state that a page can show.

    python tests/web/browser/shop_file.py fill shop.db     make the file
    python tests/web/browser/shop_file.py work shop.db     run workers that hold some of its jobs, until a signal

A process of its own makes it, because the tests' process runs Playwright's event loop.
"""

import asyncio
import logging
import random
import signal
import sys
import time

import honker
from honker import chain, chord, crontab, every_s, group

HISTORY_MINUTES = 60
#: Jobs of the last workflow that have ended.
DONE_OF_TODAY = 5
#: Queues and tasks with jobs by minute.
HISTORY = (("emails", "shop.send_email", 90), ("invoices", "shop.charge", 25), ("photos", "shop.develop", 12))

app = honker.App()
emails = app.queue("emails")
invoices = app.queue("invoices")
photos = app.queue("photos")
imports = app.queue("imports")
reports = app.queue("reports")


@emails.task(name="shop.send_email")
def send_email(address, subject="Your order"):
    return {"accepted": address, "subject": subject}


@emails.task(name="shop.send_to_unknown_host", retries=1)
def send_to_unknown_host(address):
    raise ConnectionError(f"mail.example refused {address}: name or service not known")


@invoices.task(name="shop.charge", retries=2, retry_delay_s=0)
def charge(order, cents):
    raise ValueError(f"order {order}: {cents} is no amount of money")


@invoices.task(name="shop.print_invoice", retries=1)
def print_invoice(order):
    raise KeyError("customer")


@invoices.task(name="shop.archive", retries=1)
def archive(order):
    raise TimeoutError("the archive did not answer within 30 s")


@photos.task(name="shop.develop")
async def develop(job: honker.Job, photo):
    """Report progress, and hold the job until the worker stops."""
    job.progress(37, 100, "sharpening the edges")
    await asyncio.Event().wait()


@reports.task(name="shop.build")
async def build(job: honker.Job, month):
    job.progress(5, 12, f"tables of {month}")
    await asyncio.Event().wait()


@imports.task(name="shop.fetch")
def fetch(source):
    return [f"{source}-{number}" for number in range(3)]


@imports.task(name="shop.parse")
def parse(rows):
    return len(rows)


@imports.task(name="shop.total")
def total(counts):
    return sum(counts)


@imports.task(name="shop.load")
def load(*parts):
    return len(parts)


@imports.task(name="shop.verify", retries=1)
def verify(rows):
    raise ArithmeticError(f"{len(rows)} rows, but the sender counted 12")


@imports.task(name="shop.publish")
def publish(*_):
    return "published"


def fill(path):
    random.seed(7)
    logging.getLogger("honker").setLevel(logging.CRITICAL)  # the failures are wanted
    with app.using(path):
        db = app.db
        db.configure(counters=True)
        write_history(db)
        add_finished(db)
        asyncio.run(db.run_workers(burst=True, concurrency=4))
        add_waiting(db)
        add_events(db)
        add_schedules(db)
        db.lock("deploy", ttl=3600, owner="host-1:deploy").try_acquire()
        db.lock("nightly-backup", ttl=900, owner="host-2:4242").try_acquire()


def write_history(db):
    """Write the counts of an hour: the sums at the end of each minute, as the engine keeps them."""
    present = int(time.time()) // 60
    for queue, task, rate in HISTORY:
        enqueued = done = failed = dead = run_s = wait_s = 0
        for minute in range(present - HISTORY_MINUTES, present):
            wave = 1 + 0.6 * ((minute // 3) % 5) / 4
            arrived = int(rate * wave * random.uniform(0.8, 1.2))
            lost = arrived // 12 if queue == "invoices" else arrived // 80
            enqueued, done, failed, dead = enqueued + arrived, done + arrived - lost, failed + lost, dead + lost // 2
            run_s += arrived * wave * random.uniform(0.015, 0.03)
            wait_s += arrived * wave**2 * random.uniform(0.02, 0.08)
            longest_s = random.uniform(0.05, 0.4)
            row = (queue, task, minute, enqueued, done + failed, done, failed, failed - dead, dead, done + failed)
            write(
                db,
                "INSERT INTO _honker_counters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, ?, ?, ?, ?)",
                (*row, run_s, longest_s, wait_s, longest_s * 3),
            )


def write(db, sql, parameters=()):
    with db.transaction() as tx:
        tx.execute(sql, parameters)


def add_finished(db):
    """Jobs that the workers end at once: done, cancelled and dead ones, and two workflows."""
    for queue in ("emails", "imports"):
        db.queue(queue).configure(keep_finished_s=86_400)
    for number in range(40):
        send_email(f"customer{number}@shop.example")
    for number in range(9):
        send_to_unknown_host(f"nobody{number}@unknown.example")
    for number in range(6):
        charge(1000 + number, -number)
        print_invoice(2000 + number)
    archive(3001)
    cancelled = send_email.enqueue_with(delay=3600)("late@shop.example")
    db.cancel(cancelled.id)
    nightly(db, "import of yesterday").enqueue()
    broken = db.workflow("import that failed").add("fetch", fetch.s("ftp")).add("verify", verify.s(), after=["fetch"])
    broken.add("publish", publish.s(), after=["verify"]).enqueue()


def nightly(db, name):
    """A workflow of a group, a chain, a chord and single steps."""
    return (
        db.workflow(name)
        .add("sources", group(fetch.s("north"), fetch.s("south"), fetch.s("west")))
        .add("prices", chain(fetch.s("prices"), parse.s()))
        .add("counts", chord([chain(fetch.s(each), parse.s()) for each in ("a", "b")], total.s()))
        .add("load", load.s(), after=["sources", "prices", "counts"])
        .add("publish", publish.s(), after=["load"])
    )


def add_waiting(db):
    """Jobs that stay: ready, delayed, blocked, waiting, and those that `work` holds."""
    db.queue("reports").configure(concurrency_per_key=1, rate=(100, 60), burst=5)
    db.queue("photos").configure(concurrency=4)
    db.queue("invoices").configure(concurrency=3, rate=(20, 1), rate_per_key=(5, 10))
    for number in range(25):
        send_email(f"waiting{number}@shop.example", subject="A <script>alert(1)</script> & more")
    for number in range(8):
        send_email.enqueue_with(delay=3600 * (number + 1))(f"tomorrow{number}@shop.example")
    for number in range(6):
        develop(f"photo-{number}.raw")
    for number in range(4):
        build.enqueue_with(key="acme")(f"2026-{number + 1:02}")
    build.enqueue_with(key="globex")("2026-12")
    nightly(db, "import of today").enqueue()
    asyncio.run(db.run_workers("imports", concurrency=1, max_jobs=DONE_OF_TODAY))
    db.queue("imports").pause(reason="the sender moves to another machine")
    db.queue("old mail").enqueue_many([{"to": "x@shop.example", "body": "x" * 900}, [1, 2, 3], "text", None])


def add_events(db):
    orders = db.stream("orders")
    orders.publish_many([{"order": number, "cents": 100 * number} for number in range(1, 241)])
    orders.publish({"order": 241, "note": "<b>urgent</b>"}, key="acme")
    orders.save_offset("billing", 241)
    orders.save_offset("search-index", 180)
    orders.save_offset("audit", 3)
    db.stream("payments").publish_many([{"payment": number} for number in range(12)])
    db.stream("payments").save_offset("billing", db.stream("payments").offset_at(time.time() + 60))


def add_schedules(db):
    scheduler = honker.Scheduler(db)
    scheduler.add(
        name="nightly-report", queue="reports-daily", schedule=crontab("0 3 * * *"), payload={"report": "daily"}
    )
    scheduler.add(name="poll-mailbox", queue="mailbox", schedule=every_s(30), payload={"box": "in"}, overlap="skip")
    scheduler.add(name="weekly-cleanup", queue="cleanup", schedule=crontab("0 4 * * 0"), payload=None, misfire="once")
    scheduler.pause("weekly-cleanup")
    scheduler.add(name="misspelt", queue="cleanup", schedule=crontab("0 5 * * *"), payload=None)
    write(
        db, "UPDATE _honker_scheduler_tasks SET cron_expr = '0 5 * * fryday', next_fire_at = 1 WHERE name = 'misspelt'"
    )
    db.engine.call("SELECT honker_scheduler_tick(?)", int(time.time()))


async def work():
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    workers = [app.worker(queue, concurrency=3) for queue in ("photos", "reports")]
    running = [asyncio.ensure_future(worker.run(stop_event=stop)) for worker in workers]
    print("working", flush=True)
    await stop.wait()
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)


if __name__ == "__main__":
    verb, target = sys.argv[1:]
    if verb == "fill":
        fill(target)
    else:
        with app.using(target):
            asyncio.run(work())
