"""Schedules: the inputs of `crontab`, `every_s` and `CronSchedule`, and the resulting times."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from honker import CronSchedule, InvalidArgumentError, crontab, every_s

from ..support.processes import run

BERLIN = ZoneInfo("Europe/Berlin")

BAD = [
    "",
    "   ",
    "* * * *",
    "* * * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 8",
    "*/0 * * * *",
    "5-1 * * * *",
    "1,,2 * * * *",
    "1, * * * *",
    "a b c d e",
    "-1 * * * *",
    "0 0 31 2 *",
    "0 0 30 2 *",
    "* * * * *\0",
    "@fortnightly",
    "@every",
    "@every s",
    "@every 0s",
    "@every -5s",
    "@every 1m30s",
    "@every 1.5s",
    "@every 5 s",
    "@every 5S",
    "@every 5",
    "@every 99999999999999999999s",
    "@every 9223372036854775807d",
    "9" * 300,
]


@pytest.fixture(params=["UTC", "America/New_York"])
def local_zone(request, monkeypatch):
    """The zone of the process."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("expr", BAD, ids=lambda expr: repr(expr[:20]))
def test_an_expression_that_cannot_be_understood_is_refused(expr):
    for make in (CronSchedule, crontab):
        with pytest.raises(ValueError, match=r"."):
            make(expr)
    with pytest.raises(InvalidArgumentError):
        CronSchedule(expr)


@pytest.mark.parametrize("expr", [None, 5, b"* * * * *", ["* * * * *"]], ids=lambda value: type(value).__name__)
def test_an_expression_that_is_no_text_is_refused(expr):
    for make in (CronSchedule, crontab):
        with pytest.raises((ValueError, TypeError)):
            make(expr)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe/berlin town", "../etc/passwd"])
def test_an_unknown_time_zone_is_refused(zone):
    with pytest.raises(InvalidArgumentError, match="time_zone"):
        crontab("* * * * *", zone)


@pytest.mark.parametrize("expr", ["@every 5s", "  @every 5s", "@every5s", "@every nonsense"])
def test_an_interval_is_no_crontab(expr):
    with pytest.raises(ValueError, match="every_s"):
        crontab(expr)


@pytest.mark.parametrize("seconds", [0, -1, 0.5, -0.5, 0.999, float("nan"), float("inf"), 1e30], ids=repr)
def test_an_interval_is_at_least_a_second_and_fits(seconds):
    with pytest.raises(ValueError, match=r"."):
        every_s(seconds)


def test_an_interval_is_in_whole_seconds():
    assert every_s(2.0).expr == "@every 2s"
    assert every_s(1).expr == "@every 1s"
    assert every_s(86_400).expr == "@every 86400s"


def test_a_schedule_shows_its_expression():
    assert repr(crontab("*/5 * * * *")) == "crontab('*/5 * * * *')"
    assert repr(crontab("0 3 * * *", "Europe/Berlin")) == "crontab('0 3 * * *', 'Europe/Berlin')"
    assert repr(every_s(30)) == "crontab('@every 30s')"
    assert (crontab("0 3 * * *", "UTC").expr, crontab("0 3 * * *", "UTC").time_zone) == ("0 3 * * *", "UTC")
    assert crontab("0 3 * * *").time_zone is None


def test_a_cron_schedule_takes_intervals():
    assert CronSchedule("@every 2m").next_after(datetime(2026, 3, 10, 10, 15, 30)) == datetime(2026, 3, 10, 10, 17, 30)


NEXT = [
    ("* * * * *", "2026-03-10 10:15:30", "2026-03-10 10:16:00"),
    ("* * * * *", "2026-03-10 10:15:00", "2026-03-10 10:16:00"),  # strictly after
    ("0 3 * * *", "2026-03-10 10:15:30", "2026-03-11 03:00:00"),
    ("*/10 * * * * *", "2026-03-10 10:15:31.999", "2026-03-10 10:15:40"),
    ("0 9 * * MON-FRI", "2026-03-13 10:00:00", "2026-03-16 09:00:00"),
    ("@hourly", "2026-03-10 10:15:30", "2026-03-10 11:00:00"),
    ("@every 90s", "2026-03-10 10:15:30", "2026-03-10 10:17:00"),
]


@pytest.mark.parametrize(("expr", "after", "expected"), NEXT)
def test_next_after_a_naive_moment_is_naive_local_time(local_zone, expr, after, expected):
    found = CronSchedule(expr).next_after(datetime.fromisoformat(after))
    assert found == datetime.fromisoformat(expected)
    assert found.tzinfo is None


@pytest.mark.parametrize(("expr", "after", "expected"), NEXT)
@pytest.mark.parametrize("zone", [UTC, BERLIN, timezone(timedelta(hours=2))], ids=str)
def test_next_after_an_aware_moment_is_in_its_zone(expr, after, expected, zone):
    """The fields of the expression are read in the zone of the schedule; the answer is in the zone of the argument."""
    in_zone = {UTC: "UTC", BERLIN: "Europe/Berlin"}.get(zone, "Etc/GMT-2")
    found = CronSchedule(expr, in_zone).next_after(datetime.fromisoformat(after).replace(tzinfo=zone))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=zone)
    assert found.tzinfo is zone


def test_a_time_zone_decides_when_a_schedule_comes_round(local_zone):
    after = datetime(2026, 7, 1, 0, 30, tzinfo=UTC)
    assert crontab("0 3 * * *", "Europe/Berlin").next_after(after) == datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
    assert crontab("0 3 * * *", "Asia/Tokyo").next_after(after) == datetime(2026, 7, 1, 18, 0, tzinfo=UTC)
    local = crontab("0 3 * * *").next_after(after)
    assert local == local.astimezone(local_zone)
    assert local.astimezone(local_zone).hour == 3


def test_a_time_that_the_clock_skips_comes_at_the_first_moment_after_the_gap():
    after = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    assert crontab("30 2 * * *", "Europe/Berlin").next_after(after) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_next_after_always_lies_after_it_also_where_the_clock_is_set_back():
    schedule, moment = crontab("*/10 * * * *", "Europe/Berlin"), datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    seen = []
    while moment < datetime(2026, 10, 25, 2, 0, tzinfo=UTC):
        moment = schedule.next_after(moment)
        seen.append(moment)
    step = timedelta(minutes=10)
    assert {later - earlier for earlier, later in pairwise(seen)} == {step}


@pytest.mark.parametrize("fold", [0, 1])
def test_next_after_tells_the_two_passes_of_a_repeated_hour_apart(fold):
    after = datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN)
    found = crontab("* * * * *", "Europe/Berlin").next_after(after)
    assert found.timestamp() - after.timestamp() == 60


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (datetime(1969, 12, 31, 23, 59, 57, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 58, tzinfo=UTC)),
        (datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_next_after_is_the_first_boundary_before_1970_too(after, expected):
    assert crontab("* * * * * *", "UTC").next_after(after) == expected


def test_schedules_may_be_computed_in_any_thread():
    schedule, found = crontab("* * * * *", "UTC"), []
    after = datetime(2026, 3, 10, 10, 15, tzinfo=UTC)
    threads = [threading.Thread(target=lambda: found.append(schedule.next_after(after))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [after + timedelta(minutes=1)] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_schedule_may_be_computed_in_a_forked_child():
    script = """
import os, warnings
from datetime import UTC, datetime
import honker
schedule, after = honker.crontab("* * * * *", "UTC"), datetime(2026, 3, 10, 10, 15, tzinfo=UTC)
child = os.fork()
if child == 0:
    os._exit(0 if schedule.next_after(after).minute == 16 and honker.every_s(5).expr else 1)
print(os.waitpid(child, 0)[1], schedule.next_after(after).minute)
"""
    assert run(script) == ["0 16"]


def test_computing_schedules_leaves_nothing_that_python_complains_of():
    """From Python 3.13 on, an unclosed connection causes a warning when its thread or the process ends."""
    script = """
import threading
import honker
honker.crontab("* * * * *")
thread = threading.Thread(target=honker.every_s, args=[5])
thread.start()
thread.join()
"""
    complaints = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert complaints.stderr == ""
