"""The work of the children until they are killed. Each function gets the function that logs an acknowledgement."""

import asyncio
import ctypes
import json
import time

import honker

from ..sql import loading
from ..support.engines import placed
from . import workload
from .faults import DEATH, KINDS, Disk

# Names of the package are imported at first use. The zygote imports all: a child must not spend its short life on that.
for _name in honker.__all__:
    getattr(honker, _name)

# The disk operations between which a death may matter.
WRITING = KINDS.keys() - {"read"}
# A budget of attempts that deaths never use up.
ATTEMPTS = 20
# The backlog that stops the producer, so that only the kills decide the duration of a test.
BACKLOG = 40
# A task whose number is a multiple of this fails at every attempt.
HOPELESS = 11


def steps(log, path, first, statements, disk_operation=""):
    """Run steps of a workload, each given by its statements; `first` is the number of the first step.

    Statement boundaries are counted, or disk operations if `disk_operation` is given; 0 means no death.
    """
    conn, passed = loading.connect(path), boundaries
    if disk_operation:
        conn.close()
        disk = Disk()
        disk.fail(int(disk_operation), DEATH, *WRITING)
        conn, passed = disk.connect(path), lambda: disk.seen
    conn.execute("PRAGMA journal_mode = WAL").fetchall()
    conn.execute("PRAGMA synchronous = OFF")  # a killed process loses nothing that it passed to the system
    conn.execute("PRAGMA wal_autocheckpoint = 20").fetchall()
    for number, step in enumerate(json.loads(statements), start=int(first) + 1):
        log("passed", passed())
        workload.Step("", step).run(conn)
        log("step", number)
    log("passed", passed())
    conn.close()


def boundaries():
    """The number of statement boundaries that this process has passed."""
    passed = ctypes.CDLL(str(loading.LIBRARY)).honker_failpoints_passed
    passed.restype = ctypes.c_uint64
    return passed()


def produce(log, path, first):
    """Make orders, each with a task, a delivery and an event in its transaction."""
    with honker.open(path) as db:
        record, outbox, stream = tasks(db), deliveries(db, print), db.stream("orders")
        number = int(first)
        while True:
            with db.transaction() as tx:
                tx.execute(placed(tx, "INSERT INTO orders VALUES (?)"), [number])
                record.enqueue_with(tx=tx)(number)
                outbox.enqueue(number, tx=tx)
                stream.publish(number, tx=tx)
            log("ordered", number)
            number += 1
            while db.query("SELECT count(*) AS jobs FROM _honker_live WHERE queue != 'beats'")[0]["jobs"] > BACKLOG:
                time.sleep(0.005)


def tasks(db):
    @db.task("work", name="record", retries=ATTEMPTS, retry_delay_s=0)
    def record(tx: honker.Transaction, number: int):
        tx.execute(placed(tx, "INSERT INTO effects VALUES (?)"), [number])
        if number % HOPELESS == 0:
            raise ValueError("hopeless")
        return number

    return record


def deliveries(db, deliver):
    return db.outbox("mail", deliver, base_backoff_s=0, max_attempts=ATTEMPTS)


def work(_log, path):
    """Run a worker whose tasks have their effect in the transaction that ends their jobs."""
    with honker.open(path) as db:
        tasks(db)
        asyncio.run(db.run_workers("work", concurrency=3))


def deliver(log, path):
    """Deliver to the log, which stands for the outside world."""
    with honker.open(path) as db:
        outbox = deliveries(db, lambda number: log("delivered", number))
        asyncio.run(outbox.run_worker("deliverer"))


def consume(_log, path):
    """Consume the stream, with effect and offset in one transaction."""
    with honker.open(path) as db:
        stream = db.stream("orders")
        for event in stream.subscribe("consumer", save_every_n=0, save_every_s=0):
            with db.transaction() as tx:
                tx.execute(placed(tx, "INSERT INTO consumed VALUES (?)"), [event.payload])
                stream.save_offset("consumer", event.offset, tx=tx)


def schedule(_log, path):
    """Run a scheduler that leads or stands by."""
    with honker.open(path) as db:
        asyncio.run(honker.Scheduler(db).run(standby=True))


FLOWS = {
    "steps": steps,
    "produce": produce,
    "work": work,
    "deliver": deliver,
    "consume": consume,
    "schedule": schedule,
}
