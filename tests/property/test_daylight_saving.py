"""Cron schedules on the days of clock changes: every hour of them, both ways, against `cron_oracle`.

Berlin and New York change at night by an hour, Lord Howe by half an hour, Casablanca goes back for Ramadan, São Paulo
lost and repeated the hour around midnight, Apia skipped a whole day, and Kathmandu stays at 5:45 ahead.
"""

import bisect

import pytest

from ..sql.database import call
from .cron_oracle import Cron, LocalClock, daily, transitions, wildcard

pytestmark = pytest.mark.sqlite_only("tests/postgres/test_cron.py compares the boundaries with those on SQLite")

DAY_S, HOUR_S = 86_400, 3600

#: Zone, year, and the number of clock changes in it.
PLACES = [
    ("Europe/Berlin", 2026, 2),
    ("America/New_York", 2026, 2),
    ("Australia/Lord_Howe", 2026, 2),
    ("Africa/Casablanca", 2026, 2),
    ("America/Sao_Paulo", 2018, 2),
    ("Pacific/Apia", 2011, 3),
    ("Asia/Kathmandu", 2026, 0),
]

SCHEDULES = [
    *(daily(hour, minute) for hour in range(24) for minute in (0, 30)),
    wildcard("0", 0),
    wildcard("30", 30),
    wildcard("*/15", 0, 15, 30, 45),
    Cron("15 0-3 * * *", frozenset([15]), frozenset(range(4))),
    Cron("45 */2 * * *", frozenset([45]), frozenset(range(0, 24, 2)), runs_through_hours=True),
    Cron("20 1,2,23 * * SUN,SAT", frozenset([20]), frozenset([1, 2, 23]), frozenset([0, 6])),
    Cron("10 2 * * MON-FRI", frozenset([10]), frozenset([2]), frozenset(range(1, 6))),
]
AT_NIGHT = [cron for cron in SCHEDULES if cron.hours & {0, 1, 2, 3, 23}]
EVERY_MINUTE = wildcard("*", *range(60))


def days_around(zone, year, count):
    """From a day before each change of the clock to a day after it; an ordinary week if there is no change."""
    changes = transitions(zone, year)
    assert len(changes) == count, "the zone files of this machine tell another story"
    if not changes:
        return [(1_767_225_600, 1_767_225_600 + 7 * DAY_S)]
    return [(change - DAY_S - DAY_S // 2, change + DAY_S + DAY_S // 2) for change in changes]


def fired(conn, cron, zone, start, end):
    """The boundaries in [start, end), each computed from the previous one."""
    found, at = [], start - 1
    while True:
        after, at = at, call(conn, "honker_cron_next_after", cron.text, at, zone)
        assert at > after, "a boundary must lie strictly after"
        if at >= end:
            return found
        found.append(at)


@pytest.mark.parametrize(("zone", "year", "count"), PLACES, ids=[place[0] for place in PLACES])
def test_schedules_fire_at_every_hour_around_a_change_as_often_as_they_should(conn, zone, year, count):
    for start, end in days_around(zone, year, count):
        clock = LocalClock(zone, start, end)
        for cron in [*SCHEDULES, EVERY_MINUTE]:
            assert fired(conn, cron, zone, start, end) == clock.instants(cron), cron.text


@pytest.mark.parametrize(("zone", "year", "count"), PLACES, ids=[place[0] for place in PLACES])
def test_the_next_boundary_from_any_moment_is_the_first_that_follows(conn, zone, year, count):
    """A schedule may be registered, or a clock be set, at any moment, even inside the repeated hour."""
    for start, end in days_around(zone, year, count):
        clock = LocalClock(zone, start, end + 8 * DAY_S)
        for cron in AT_NIGHT:
            expected = clock.instants(cron)
            for hour in range(start, end, HOUR_S):
                for after in (hour - 1, hour, hour + 1800):
                    following = expected[bisect.bisect_right(expected, after)]
                    seen = call(conn, "honker_cron_next_after", cron.text, after, zone)
                    assert seen == following, (cron.text, after)
