"""Tasks of every shape for workflows, and workers that run them."""

import asyncio
import contextlib
import json
from types import SimpleNamespace

import pytest

from .locking import ask
from .workers import working


@pytest.fixture(name="tasks")
def every_shape(queue):
    """Tasks of every shape; `done` lists the calls that ran, in order."""
    done = []

    @queue.task(name="one")
    def one(value):
        done.append(value)
        return value

    @queue.task(name="add")
    async def add(*numbers):
        done.append(numbers)
        return sum(numbers)

    @queue.task(name="total")
    def total(numbers, extra=0):
        done.append(numbers)
        return sum(numbers) + extra

    @queue.task(name="fail", retries=1)
    def fail(*args):
        raise ValueError("broken")

    @queue.task(name="nothing")
    def nothing():
        done.append("nothing")

    return SimpleNamespace(done=done, one=one, add=add, total=total, fail=fail, nothing=nothing)


def finished(db, result):
    """Run workers until every job of the workflow has ended, and return the states."""

    async def main():
        async with working(db):
            return await result.ajoin(15)

    return asyncio.run(main())


def value(db, result):
    """Run workers until the value of the workflow is there, and return it."""

    async def main():
        async with working(db):
            return await result.aget(15)

    return asyncio.run(main())


def rolled_back(db, work):
    """The return value of `work` in a transaction that does not commit."""
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        done = work(tx=tx)
        _ = 1 / 0
    return done


def jobs(path):
    return ask(path, "SELECT count(*) FROM _honker_live")[0][0]


def call_of(db, job_id):
    return json.loads(db.get_job(job_id).payload)["__honker_task__"]
