"""Workers and the scheduler of an app inside a process that serves something else, such as an ASGI server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from honker.database import Database
from honker.errors import NoTasksError
from honker.schedule.scheduler import Scheduler
from honker.worker.worker import run_workers

logger = logging.getLogger("honker")


@asynccontextmanager
async def lifespan(
    db: Database, *, workers: int | None, scheduler: bool | None, grace_s: float
) -> AsyncGenerator[None]:
    """Run workers and the scheduler of a database for the length of the block; see `App.lifespan`."""
    tasks = db.registry
    tasks.load()
    if workers != 0 and not tasks.names():
        raise NoTasksError(
            "the app has no tasks to work on: import the modules that define them, or name these in "
            "honker.App(imports=[...]); lifespan(workers=0) runs no workers"
        )
    if scheduler is None:
        scheduler = any(spec.schedule is not None for spec in tasks.specs())
    await asyncio.to_thread(lambda: db.engine.identity)  # Opens the database, whose errors belong to the start.
    stop = asyncio.Event()
    running: list[asyncio.Task[None]] = []
    if workers != 0:
        running.append(_started(run_workers(db, concurrency=workers, stop_event=stop, grace_s=grace_s)))
    if scheduler:
        running.append(_started(Scheduler(db).run(stop, standby=True)))
    try:
        yield
    finally:
        stop.set()
        await _ended(running)


def _started(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.ensure_future(coroutine)
    task.add_done_callback(_report)
    return task


def _report(task: asyncio.Task[None]) -> None:
    """Log a failure when it happens: the block may go on for a long time."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the workers or the scheduler of this process have ended", exc_info=error)


async def _ended(running: list[asyncio.Task[None]]) -> None:
    try:
        await asyncio.gather(*running)
    finally:
        # If one failed, or the wait was cancelled, the others give their jobs back at once.
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
