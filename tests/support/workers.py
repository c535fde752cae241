"""Run workers inside a test, and read the outcome of the jobs."""

import asyncio
import contextlib

import honker

from .locking import ask
from .waiting import until


def live(path):
    """The states of the jobs that are not dead."""
    return ask(path, "SELECT state, attempts, last_error FROM _honker_live ORDER BY id")


def dead(path):
    """The reasons of the dead jobs."""
    return ask(path, "SELECT attempts, last_error FROM _honker_dead ORDER BY id")


@contextlib.asynccontextmanager
async def working(db, **options):
    """Run workers for the length of the block, and check that they stop cleanly at its end."""
    stop = asyncio.Event()
    workers = asyncio.ensure_future(honker.run_workers(db, stop_event=stop, **({"concurrency": 4} | options)))
    try:
        yield workers
        assert not workers.done()
    finally:
        stop.set()
        await asyncio.wait_for(workers, 15)


def run_until(db, predicate, **options):
    """Run workers until the predicate is true."""

    async def main():
        async with working(db, **options) as workers:
            await until(lambda: workers.done() or predicate())

    asyncio.run(main())


def run_for(db, result, **options):
    """Run workers until the result of a call is stored, and return it."""

    async def main():
        async with working(db, **options):
            return await result.aget(10)

    return asyncio.run(main())
