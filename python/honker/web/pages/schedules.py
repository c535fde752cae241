"""The page of schedules: their next times, pause, resume, run now."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from honker.errors import HonkerError
from honker.schedule.cron import CronSchedule
from honker.schedule.scheduler import ScheduleInfo, Scheduler
from honker.web.flash import Undo
from honker.web.routing import Entry, get, post
from honker.web.view import View

#: Times that are shown for each schedule.
_NEXT: Final = 3


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule in the list.

    Attributes:
        info: The schedule.
        next: Unix seconds of its next times; empty while it is paused, or if its expression is not valid.
        is_late: True if its next time has passed by more than a minute: no scheduler runs.
    """

    info: ScheduleInfo
    next: list[float]
    is_late: bool


async def schedules(view: View) -> Response:
    """List the schedules."""
    found = await view.db.aschedules()
    leader = await view.db.alocks()
    is_led = any(lock.name == Scheduler.LOCK_NAME for lock in leader)
    return view.page("schedules.html", schedules=[_row(each) for each in found], is_led=is_led)


def _row(info: ScheduleInfo) -> ScheduleRow:
    is_late = info.enabled and info.last_error is None and info.next_fire_at < time.time() - 60
    return ScheduleRow(info, next_times(info), is_late)


def next_times(info: ScheduleInfo) -> list[float]:
    """The next times of a schedule."""
    if not info.enabled or info.last_error is not None:
        return []
    times = [info.next_fire_at]
    try:
        times_of = CronSchedule(info.cron_expr, info.time_zone)
        while len(times) < _NEXT:
            times.append(times_of.next_after(datetime.fromtimestamp(times[-1], UTC)).timestamp())
    except (HonkerError, OverflowError, ValueError, OSError):
        return times  # edited by hand: the scheduler will report it
    return times


async def pause(view: View) -> Response:
    """Stop a schedule from firing."""
    name = view.field("name")
    if not await Scheduler(view.db).apause(name):
        return view.done(f"{name} was paused already.", is_error=True)
    return view.done(f"Paused {name}.", undo=Undo("/schedules/resume", {"name": name}))


async def resume(view: View) -> Response:
    """Let a schedule fire again."""
    name = view.field("name")
    if not await Scheduler(view.db).aresume(name):
        return view.done(f"{name} was not paused.", is_error=True)
    return view.done(f"Resumed {name}.", undo=Undo("/schedules/pause", {"name": name}))


async def run(view: View) -> Response:
    """Enqueue the job of a schedule now. Its next time stays."""
    name = view.field("name")
    found = [each for each in await view.db.aschedules() if each.name == name]
    if not found:
        raise HTTPException(404, f"There is no schedule {name!r}.")
    info = found[0]
    job_id = await view.db.queue(info.queue).aenqueue(
        json.loads(info.payload), priority=info.priority, expires=info.expires_s, max_attempts=info.max_attempts
    )
    return view.done(f"{name} has enqueued job {job_id} in {info.queue}. Its next time stays.")


ENTRY: Final = Entry("/schedules", "Schedules", "s")
ROUTES: Final = (
    get("/schedules", schedules),
    post("/schedules/pause", pause),
    post("/schedules/resume", resume),
    post("/schedules/run", run),
)
