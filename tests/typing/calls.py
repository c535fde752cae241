"""Calls of tasks, as an application writes them. A line that a type checker must refuse ends with `# error:`."""

from dataclasses import dataclass
from datetime import date
from typing import Any, assert_type

import honker
from honker import Job, TaskCall, TaskResult, Transaction, chain, chord, group

db = honker.open("app.db")
queue = db.queue("q")


@dataclass
class Order:
    id: int


@queue.task()
def price(order: Order, factor: float = 1.0, *, currency: str = "EUR") -> float:
    return order.id * factor


@queue.task
async def load(order_id: int) -> Order:
    return Order(order_id)


@queue.task(name="ship", max_attempts=5)
def ship(job: Job, tx: Transaction, order: Order) -> None: ...


@queue.task()
async def remind(tx: Transaction, day: date) -> list[date]:
    return [day]


@queue.task()
def loose(payload: Any, more: int = 0) -> str:
    return ""


@queue.task
def none() -> None: ...


order = Order(1)

# Arguments

price(order)
price(order, 2.0, currency="USD")
price("order")  # error: the wrong type
price()  # error: an argument is missing
price(order, 1.0, "USD")  # error: only by name
price(order, curency="USD")  # error: a wrong name
load(1)
load("1")  # error: the wrong type
ship(order)
ship(order, order)  # error: the worker fills the job and the transaction
remind(date(2026, 1, 1))
remind("2026-01-01")  # error: the wrong type
loose(1, more=2)
none()
none(1)  # error: no parameters
price.enqueue_with(delay=5)(order)
price.enqueue_with(delay=5)("order")  # error: the wrong type
price.enqueue_with(delay="5")  # error: no duration
price.enqueue_with(on_conflict="ignore")  # error: no such treatment

# Results

assert_type(price(order), TaskResult[float])
assert_type(price(order).get(), float)
assert_type(load(1).get(5), Order)
assert_type(remind(date(2026, 1, 1)).get(), list[date])
print(load(1).get().no_such_field)  # error: no such field
wrong: str = price(order).get()  # error: a float


async def results() -> None:
    assert_type(await price.aenqueue(order), TaskResult[float])
    assert_type(await load(1).aget(), Order)
    assert_type(await load.call_local(1), Order)
    await price.aenqueue("order")  # error: the wrong type


# The function itself

assert_type(price.call_local(order, 2.0), float)
price.call_local("order")  # error: the wrong type
load.call_local("1")  # error: the wrong type


def with_job(job: Job, tx: Transaction) -> None:
    ship.call_local(job, tx, order)
    ship.call_local(order)  # error: here the caller passes the job


# Workflows

assert_type(price.si(order), TaskCall[float])
price.si("order")  # error: the wrong type
assert_type(price.s(currency="USD").enqueue(), TaskResult[float])
assert_type(chain(load.s(1), price.s()).enqueue().get(), float)
assert_type(chain(load.s(1), load.s(), load.s(), price.s()).enqueue().get(), float)
assert_type(group(load.s(1), load.s(2)).enqueue().get(), list[Order])
assert_type(group(load.s(n) for n in range(3)).enqueue().get(), list[Order])
assert_type(chord([load.s(1)], price.s()).enqueue().get(), float)
assert_type(load.map([1, 2]), list[TaskResult[Order]])
chain(load)  # error: a task is no call
group(1)  # error: no call

# Tasks of an app

app = honker.App("app.db")


@app.task
def count(job: Job, day: date) -> int:
    return 1


@app.task(queue="reports", max_attempts=3)
async def report(day: date) -> str:
    return ""


@db.task("reports", priority=3)
def of_handle(day: date) -> str:
    return ""


assert_type(count(date(2026, 1, 1)).get(), int)
assert_type(report(date(2026, 1, 1)).get(), str)
count("2026-01-01")  # error: the wrong type
report()  # error: an argument is missing
of_handle(1)  # error: the wrong type
app.task(queue="reports", retry="no")  # error: no function
honker.App("app.db", codec="signed")  # error: no codec

# Annotations of applications


def takes(task: honker.Task[[int], Order], anything: honker.Task[..., Any]) -> TaskResult[Order]:
    return task(1)


takes(load, price)
takes(price, price)  # error: other parameters
