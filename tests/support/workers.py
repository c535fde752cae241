"""Running workers inside a test, and what became of the jobs."""

import asyncio
import contextlib

import honker

from .locking import ask
from .waiting import until


def live(path):
    """How far the jobs are that are not dead."""
    return ask(path, "SELECT state, attempts, last_error FROM _honker_live ORDER BY id")


def dead(path):
    """What the dead jobs died of."""
    return ask(path, "SELECT attempts, last_error FROM _honker_dead ORDER BY id")


@contextlib.asynccontextmanager
async def working(db, **options):
    """Workers for the length of the block, which are stopped at its end and must end well."""
    stop = asyncio.Event()
    workers = asyncio.ensure_future(honker.run_workers(db, stop_event=stop, **({"concurrency": 4} | options)))
    try:
        yield workers
        assert not workers.done()
    finally:
        stop.set()
        await asyncio.wait_for(workers, 15)


def run_until(db, predicate, **options):
    """Runs workers until the predicate holds."""

    async def main():
        async with working(db, **options) as workers:
            await until(lambda: workers.done() or predicate())

    asyncio.run(main())


def run_for(db, result, **options):
    """Runs workers until the result of a call is there, and returns it."""

    async def main():
        async with working(db, **options):
            return await result.aget(10)

    return asyncio.run(main())
