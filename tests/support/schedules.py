"""Read the rows of schedules, and run a scheduler that leads for a while."""

import asyncio
import json
from contextlib import asynccontextmanager

from .locking import ask
from .waiting import until

HOUR_S = 3600
EXPIRES_S = 100_000  # the expiry of each schedule's jobs, from which a test computes a job's boundary


def schedules(scheduler):
    return {schedule["name"]: schedule for schedule in scheduler.list()}


def due_from(path, instant, name="hourly"):
    """Set a schedule's next boundary, as downtime or an operator may."""
    ask(path, "UPDATE _honker_scheduler_tasks SET next_fire_at = ? WHERE name = ?", instant, name)


def next_fire_at(path, name="hourly"):
    return ask(path, "SELECT next_fire_at FROM _honker_scheduler_tasks WHERE name = ?", name)[0][0]


def fired(path, payload="hourly"):
    """The boundaries for which jobs were enqueued."""
    sql = "SELECT expires_at - ? FROM _honker_live WHERE payload = ? ORDER BY id"
    return [row[0] for row in ask(path, sql, EXPIRES_S, json.dumps(payload))]


def jobs(path):
    return ask(path, "SELECT queue, payload FROM _honker_live ORDER BY id")


def lock_row(path, name="honker-scheduler"):
    rows = ask(path, "SELECT owner, expires_at FROM _honker_locks WHERE name = ?", name)
    return rows[0] if rows else None


def tick(db, at):
    """Fire due schedules once, as a leader does, without leading."""
    with db.transaction() as tx:
        return json.loads(db.engine.call("SELECT honker_scheduler_tick(?)", at, tx=tx))


@asynccontextmanager
async def leading(scheduler, **options):
    """Run a scheduler until the end of the block; it leads from the beginning."""
    stop = asyncio.Event()
    running = asyncio.create_task(scheduler.run(stop, **options))
    try:
        await until(lambda: running.done() or lock_row(scheduler.db.path, scheduler.lock_name))
        yield running
        assert not stop.is_set(), "only its owner sets the stop event"
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)
