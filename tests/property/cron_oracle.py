"""The firing times of cron schedules, found by checking the clock of every minute instead of computing anything.

The rule is that of `honker_cron_next_after` and the engine's `wall_clock` module. A schedule fires at each instant

- whose local time matches its fields,
- except in the second pass of a repeated hour if its hours are fixed (``30 1 * * *`` means once a day, ``*/15 * * * *``
  goes on as long as the hour does),
- and at the first instant after a gap if a local time in the gap matches (``30 2 * * *`` fires that day too).

Zones come from ``zoneinfo``, which shares nothing with the engine but the system's zone files.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
EVERY_HOUR, EVERY_WEEKDAY = frozenset(range(24)), frozenset(range(7))


@dataclass(frozen=True)
class Cron:
    """An expression as sets of numbers. Weekdays count from Sunday, which is 0."""

    text: str
    minutes: frozenset
    hours: frozenset = EVERY_HOUR
    weekdays: frozenset = EVERY_WEEKDAY
    runs_through_hours: bool = False

    def matches(self, wall):
        return wall.minute in self.minutes and wall.hour in self.hours and wall.isoweekday() % 7 in self.weekdays


def wildcard(minute_text, *minutes):
    """A schedule of every hour."""
    return Cron(f"{minute_text} * * * *", frozenset(minutes), runs_through_hours=True)


def daily(hour, minute):
    """A schedule of one time a day."""
    return Cron(f"{minute} {hour} * * *", frozenset([minute]), frozenset([hour]))


class LocalClock:
    """The local times of a zone at every minute of a period, [start, end) in Unix seconds."""

    def __init__(self, zone_name, start, end):
        zone = ZoneInfo(zone_name)
        self._shown = defaultdict(list)  # by minute, for fast lookups
        self._skipped = []
        before = datetime.fromtimestamp(start - 60, zone)
        for instant in range(start, end, 60):
            wall = datetime.fromtimestamp(instant, zone)
            self._shown[wall.minute].append((instant, wall))
            self._skipped += [(instant, skipped) for skipped in _between(before, wall)]
            before = wall

    def instants(self, cron):
        """The Unix times at which a schedule fires."""
        shown = (entry for minute in cron.minutes for entry in self._shown[minute])
        at = {instant for instant, wall in shown if cron.matches(wall) and (cron.runs_through_hours or not wall.fold)}
        return sorted(at | {instant for instant, wall in self._skipped if cron.matches(wall)})


def _between(before, wall):
    """The skipped local times, after one minute and before the next."""
    skipped, until = before.replace(tzinfo=None, fold=0) + MINUTE, wall.replace(tzinfo=None, fold=0)
    while skipped < until:
        yield skipped
        skipped += MINUTE


def transitions(zone_name, year):
    """The Unix times in a year at which a zone's offset changes."""
    zone = ZoneInfo(zone_name)
    start, end = (int(datetime(year + more, 1, 1, tzinfo=UTC).timestamp()) for more in (0, 1))
    offsets = [(instant, datetime.fromtimestamp(instant, zone).utcoffset()) for instant in range(start, end, 1800)]
    return [later[0] for earlier, later in pairwise(offsets) if earlier[1] != later[1]]
