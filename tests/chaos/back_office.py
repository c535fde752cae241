"""The maintenance (backups, VACUUM, jobs claimed by hand) and the operator with the command line."""

import contextlib
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import honker

from . import journal, shop
from .promises import LOCK_S

BACKUPS_VARIABLE = "SHOP_BACKUPS"
PAUSE_S = 0.1

# Taken in the snapshot of a backup: an order without a charge has a job for it, and each order has its event.
SNAPSHOT = """SELECT (SELECT count(*) FROM orders),
    (SELECT count(*) FROM charged) + (SELECT count(*) FROM _honker_live WHERE queue = 'charges'),
    (SELECT count(*) FROM _honker_stream WHERE topic = 'orders')"""


def maintain():
    for turn in itertools.count():
        fulfil()
        with contextlib.suppress(honker.LockHeld), stocktaking():
            if turn % 10 == 0:
                back_up(turn // 10)
            if turn % 25 == 24:
                vacuum()
        journal.write("maintained")
        time.sleep(PAUSE_S)


def fulfil():
    """Do the jobs that the operator enqueued, each with its ack in one transaction."""
    for job in shop.manual.claim_batch(f"maintenance-{os.getpid()}", 10):
        with contextlib.suppress(LostLease), shop.db.transaction() as tx:
            tx.execute("INSERT INTO fulfilled VALUES (?)", [job.id])
            if not job.ack(tx=tx):
                raise LostLease


class LostLease(Exception):
    """Rolls the effect back: another process has the job."""


@contextlib.contextmanager
def stocktaking():
    """Hold the lock, and journal from when to when, with the fencing token."""
    with shop.db.lock("stocktaking", ttl=LOCK_S) as lock:
        began, token = time.monotonic(), lock.token
        yield
        if token is not None:
            journal.write("held", token, began, time.monotonic())


def back_up(turn):
    """Copy the file online, and verify the copy: its pages, its contents, and that honker opens it."""
    copy = Path(os.environ[BACKUPS_VARIABLE]) / f"{turn % 3}.db"
    for suffix in ("", "-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(shop.PATH)) as live, contextlib.closing(sqlite3.connect(copy)) as made:
        live.backup(made)
        ((sound,),) = made.execute("PRAGMA integrity_check").fetchall()
        ((orders, charges, events),) = made.execute(SNAPSHOT).fetchall()
    assert sound == "ok", sound
    assert orders == charges == events, f"{orders} orders, {charges} charges, {events} events"
    with honker.open(copy) as db:
        stats = db.queue("charges").stats()
    journal.write("backed up", str(copy), orders, repr(stats))


def vacuum():
    with contextlib.closing(sqlite3.connect(shop.PATH, isolation_level=None)) as conn:
        conn.execute("VACUUM")
    journal.write("vacuumed")


def operate():
    shop.mails.resume()  # an operator who died may have left it paused
    for turn in itertools.count():
        with contextlib.suppress(honker.LockHeld), stocktaking():
            MOVES[turn % len(MOVES)]()
        journal.write("operated")
        time.sleep(PAUSE_S)


def command(*arguments):
    """Run `honker` and return its lines; None if it reported a database error."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "honker", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if run.returncode:
        journal.write("command failed", arguments[0], run.returncode, run.stderr)
        return None
    return run.stdout.splitlines()


def enqueue():
    lines = command("enqueue", shop.PATH, "manual", '{"by": "operator"}')
    if lines is not None:
        journal.write("enqueued", int(lines[0]))


def tail():
    lines = command("tail", shop.PATH, "orders", "--no-follow", "--json")
    if lines is not None:
        offsets = [json.loads(line)["offset"] for line in lines]
        journal.write("tailed", len(offsets), offsets == sorted(set(offsets)))


def pause_and_resume():
    shop.mails.pause()
    time.sleep(PAUSE_S)
    shop.mails.resume()


def requeue():
    """Requeue a dead letter, which fails again."""
    for row in shop.db.query("SELECT id FROM _honker_dead ORDER BY random() LIMIT 1"):
        journal.write("requeued", row["id"], shop.poisons.requeue(row["id"]))


def look():
    for name in shop.QUEUES:
        shop.db.queue(name).stats()


MOVES = (enqueue, look, requeue, pause_and_resume, tail, requeue)
