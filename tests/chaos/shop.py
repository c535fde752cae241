"""The shop: its tables, its queues, and the tasks of an order. Each process imports it and opens the same file.

The promises for each order:
- `charge` writes in the transaction that ends its job: exactly once.
- `mail` and `render` act on the outside world, here the journal: at least once.
- `poison` fails at each attempt and leaves nothing but a dead letter.
- Each consumer of the stream writes in the transaction of its offset: exactly once.
"""

import asyncio
import os
import time

import honker

from . import journal
from .promises import LEASE_S, TICK_EXPIRES_S

PATH_VARIABLE = "SHOP_DB"
# A budget of attempts that deaths never use up.
ATTEMPTS = 100_000
QUEUES = ("charges", "mails", "prints", "poison", "ticks")

PATH = os.environ[PATH_VARIABLE]
db = honker.open(PATH)
charges, mails, prints, poisons, ticks = (db.queue(name, LEASE_S, ATTEMPTS) for name in QUEUES)
manual = db.queue("manual", LEASE_S, ATTEMPTS)
events = db.stream("orders")


@charges.task(name="charge", retry_delay_s=0.1, store_result=False)
def charge(job: honker.Job, tx: honker.Transaction, number: int):
    """In a thread: the effect and the end of the job are one commit. The card's issuer answers before it."""
    time.sleep(0.02)
    tx.execute("INSERT INTO charged VALUES (?, ?, ?)", [number, job.id, job.attempts])


@mails.task(name="mail", retry_delay_s=0.1)
async def mail(job: honker.Job, number: int):
    """On the event loop. The server answers late, so that some deaths come between the effect and its ack."""
    journal.write("mail", number, job.attempts, os.getpid())
    await asyncio.sleep(0.03)
    return number


@prints.task(name="render", retry_delay_s=0.1, timeout_s=30, executor="process")
def render(number: int):
    """In a process of its own, whose parent is the worker."""
    journal.write("render", number, None, os.getppid())
    time.sleep(0.03)
    return number


@poisons.task(name="poison", retries=2, retry_delay_s=0.1)
def poison(tx: honker.Transaction, number: int):
    tx.execute("INSERT INTO poisoned VALUES (?)", [number])
    raise ValueError("poison")


@ticks.periodic_task(honker.every_s(1), name="tick", expires_s=TICK_EXPIRES_S)
def tick(job: honker.Job, tx: honker.Transaction):
    tx.execute("INSERT INTO ticked VALUES (?)", [job.id])
