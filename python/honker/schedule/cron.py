"""Times of schedules: cron expressions and intervals."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, tzinfo
from typing import cast

from honker.arguments import whole
from honker.errors import InvalidArgumentError
from honker.sqlite.memory import scalar_in_memory


class CronSchedule:
    """A cron expression or an ``@every`` interval.

    Five fields (minute, hour, day of month, month, day of week), or six with seconds first; names, ``L``, ``W``,
    ``#`` and nicknames such as ``@hourly`` are understood, Sunday is 0 and 7, and when both day fields are restricted
    either is enough. ``@every 30s`` (``s``, ``m``, ``h`` or ``d``) counts from the last time.

    Args:
        expr: The expression.
        time_zone: An IANA name; None means the zone of the process that computes it.

    Attributes:
        expr: The expression.
        time_zone: As above.

    Raises:
        InvalidArgumentError: The expression is invalid, or never matches.
    """

    def __init__(self, expr: str, time_zone: str | None = None) -> None:
        if not isinstance(cast(object, expr), str):
            raise InvalidArgumentError(f"expr is {expr!r}; it must be text")
        self.expr = expr
        self.time_zone = time_zone
        self._next_after(0)

    def __repr__(self) -> str:
        return f"crontab({self.expr!r})" if self.time_zone is None else f"crontab({self.expr!r}, {self.time_zone!r})"

    def next_after(self, dt: datetime) -> datetime:
        """The first boundary strictly after a moment, in its zone, or in local time without a zone.

        Source: SQL ``honker_cron_next_after``.
        """
        zone: tzinfo | None = dt.tzinfo
        return datetime.fromtimestamp(self._next_after(math.floor(dt.timestamp())), tz=zone)

    def _next_after(self, unix: int) -> int:
        found: int = scalar_in_memory("SELECT honker_cron_next_after(?, ?, ?)", self.expr, unix, self.time_zone)
        return found


def crontab(expr: str, time_zone: str | None = None) -> CronSchedule:
    """The schedule of a cron expression; see `CronSchedule`.

    Raises:
        InvalidArgumentError: The expression is invalid, or is an interval: use `every_s`.
    """
    if str(expr).strip().startswith("@every"):
        raise InvalidArgumentError(f"{expr!r} is an interval; use honker.every_s(seconds)")
    return CronSchedule(expr, time_zone)


def every_s(seconds: float) -> CronSchedule:
    """The schedule of an interval in whole seconds.

    Raises:
        InvalidArgumentError: The interval is shorter than a second, or has a part of one.
    """
    if isinstance(cast(object, seconds), timedelta):
        given = cast(timedelta, seconds).total_seconds()
        raise InvalidArgumentError(f"seconds is {seconds!r}; pass a whole number of seconds, as in every_s({given:g})")
    interval = whole(seconds, "seconds")
    if interval <= 0:
        raise InvalidArgumentError(f"seconds is {seconds}; an interval has at least 1 second, and an end")
    return CronSchedule(f"@every {interval}s")
