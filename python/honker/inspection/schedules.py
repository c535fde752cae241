"""The schedules of a file: a method of `honker.Database`, which the class binds."""

from __future__ import annotations

from honker.engine import Handle
from honker.schedule.scheduler import ScheduleInfo, Scheduler


def schedules(self: Handle) -> list[ScheduleInfo]:
    """Every schedule, by name; `Scheduler.list` is the same.

    Source: SQL ``honker_scheduler_list``.
    """
    return Scheduler(self).list()


async def aschedules(self: Handle) -> list[ScheduleInfo]:
    """Like `schedules`, without blocking the event loop."""
    return await Scheduler(self).alist()
