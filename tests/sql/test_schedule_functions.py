"""Schedules: the firing times of expressions, the jobs enqueued by a tick, and missed boundaries."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from .database import call, call_json, claim, claimed_ids, dump, refused, rows, value

FAR = 4_000_000_000  # long after the tests, so that no boundary moves while they run


def register(conn, name="s", queue="q", expr="@every 60s", payload="{}", priority=0, expires_s=None, *more):
    return call(conn, "honker_scheduler_register", name, queue, expr, payload, priority, expires_s, *more)


def schedules(conn):
    return {schedule["name"]: schedule for schedule in call_json(conn, "honker_scheduler_list")}


def schedule(conn, name="s"):
    return schedules(conn)[name]


def due_from(conn, instant, name="s"):
    """Set a schedule's next boundary, as an operator may."""
    conn.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = ? WHERE name = ?", (instant, name))


def tick(conn, until):
    return call_json(conn, "honker_scheduler_tick", until)


def fired_at(conn, until):
    return [fire["fire_at"] for fire in tick(conn, until)]


def next_after(conn, expr, after, *time_zone):
    return call(conn, "honker_cron_next_after", expr, after, *time_zone)


def utc(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


# ---------------------------------------------------------------------------------------------------------- expressions

# 2026-03-10 is a Tuesday.
NEXT = [
    ("* * * * *", "2026-03-10T10:15:30", "2026-03-10T10:16:00"),
    ("* * * * *", "2026-03-10T10:15:00", "2026-03-10T10:16:00"),
    ("*/15 * * * *", "2026-03-10T10:15:00", "2026-03-10T10:30:00"),
    ("0 3 * * *", "2026-03-10T10:15:30", "2026-03-11T03:00:00"),
    ("5,35 8-10 * * *", "2026-03-10T10:15:30", "2026-03-10T10:35:00"),
    ("0-30/10 * * * *", "2026-03-10T10:25:00", "2026-03-10T10:30:00"),
    ("*/10 * * * * *", "2026-03-10T10:15:31", "2026-03-10T10:15:40"),
    ("59 59 23 31 12 *", "2026-03-10T10:15:30", "2026-12-31T23:59:59"),
    ("0 0 29 2 *", "2026-03-10T10:15:30", "2028-02-29T00:00:00"),
    ("0 9 * * MON-FRI", "2026-03-13T10:00:00", "2026-03-16T09:00:00"),
    ("0 9 * * 7", "2026-03-10T10:00:00", "2026-03-15T09:00:00"),
    ("0 9 * * 0", "2026-03-10T10:00:00", "2026-03-15T09:00:00"),
    ("0 9 * * sun", "2026-03-10T10:00:00", "2026-03-15T09:00:00"),
    ("0 9 1 JAN,jul *", "2026-03-10T10:00:00", "2026-07-01T09:00:00"),
    ("0 0 13 * 5", "2026-03-10T00:00:00", "2026-03-13T00:00:00"),  # both days restricted: either will do
    ("0 0 13 * 5", "2026-03-13T00:00:00", "2026-03-20T00:00:00"),
    ("0 0 13 * *", "2026-03-13T00:00:00", "2026-04-13T00:00:00"),
    ("0 0 L * *", "2026-03-10T00:00:00", "2026-03-31T00:00:00"),
    ("0 0 * * 5L", "2026-03-10T00:00:00", "2026-03-27T00:00:00"),
    ("0 0 * * 5#2", "2026-03-10T00:00:00", "2026-03-13T00:00:00"),
    ("0 0 15W 8 *", "2026-03-10T00:00:00", "2026-08-14T00:00:00"),  # the 15th is a Saturday
    ("@hourly", "2026-03-10T10:15:30", "2026-03-10T11:00:00"),
    ("@daily", "2026-03-10T10:15:30", "2026-03-11T00:00:00"),
    ("@midnight", "2026-03-10T10:15:30", "2026-03-11T00:00:00"),
    ("@weekly", "2026-03-10T10:15:30", "2026-03-15T00:00:00"),
    ("@monthly", "2026-03-10T10:15:30", "2026-04-01T00:00:00"),
    ("@yearly", "2026-03-10T10:15:30", "2027-01-01T00:00:00"),
    ("@annually", "2026-03-10T10:15:30", "2027-01-01T00:00:00"),
    ("  0  3 *\t* *  ", "2026-03-10T10:15:30", "2026-03-11T03:00:00"),
    ("@every 90s", "2026-03-10T10:15:30", "2026-03-10T10:17:00"),
    ("@every5m", "2026-03-10T10:15:30", "2026-03-10T10:20:30"),
    ("@every 2h", "2026-03-10T10:15:30", "2026-03-10T12:15:30"),
    ("@every 1d", "2026-03-10T10:15:30", "2026-03-11T10:15:30"),
]


@pytest.mark.parametrize(("expr", "after", "expected"), NEXT, ids=[f"{expr} {after[:10]}" for expr, after, _ in NEXT])
def test_an_expression_fires_next_strictly_after_an_instant(conn, expr, after, expected):
    assert next_after(conn, expr, utc(after), "UTC") == utc(expected)


REFUSED = """
* * * *|* * * * * * *|60 * * * *|* 24 * * *|* * 0 * *|* * 32 * *|* * * 13 *|* * * * 8|*/0 * * * *|5-1 * * * *
1,,2 * * * *|1, * * * *|-1 * * * *|a * * * *|* * * FOO *|* * * * FOO|0 0 31 2 *|0 0 * * MON-|5/15 * * * *|@never
@every|@every 0s|@every 5|@every 1.5s|@every 1m30s|@every -1s|@every 5x|@every 99999999999999999999s
"""


@pytest.mark.parametrize("expr", ["", " ", "x" * 300, *REFUSED.strip().replace("\n", "|").split("|")])
def test_an_expression_that_cannot_be_understood_is_refused(conn, expr):
    with refused("HONKER_INVALID_ARGUMENT", "expr"):
        next_after(conn, expr, 0, "UTC")


def test_a_boundary_after_a_fraction_is_strictly_later(conn):
    assert next_after(conn, "* * * * * *", 1000.5, "UTC") == 1001
    assert next_after(conn, "* * * * * *", 1000.999, "UTC") == 1001


@pytest.mark.parametrize("zone", ["Mars/Olympus", "nonsense", "../etc/passwd", "UTC\0", " "])
def test_an_unknown_time_zone_is_refused(conn, zone):
    with refused("HONKER_INVALID_ARGUMENT", "time_zone"):
        next_after(conn, "0 3 * * *", 0, zone)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("day", ["2026-01-15", "2026-07-15"])
def test_an_expression_is_read_in_its_time_zone(conn, zone, day):
    after = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=ZoneInfo(zone))
    expected = after.replace(hour=9, minute=30)
    assert next_after(conn, "30 9 * * *", int(after.timestamp()), zone) == int(expected.timestamp())


def test_a_time_that_the_clocks_skip_counts_as_the_end_of_the_gap(conn):
    gap_ends = utc("2026-03-08T07:00:00")  # 03:00 EDT
    assert next_after(conn, "30 2 * * *", utc("2026-03-08T05:00:00"), "America/New_York") == gap_ends
    assert next_after(conn, "0 * * * * *", gap_ends - 1, "America/New_York") == gap_ends


def test_a_time_that_the_clocks_repeat_fires_once(conn):
    """01:30 comes at 05:30 and again at 06:30 UTC on 2026-11-01 in New York."""
    boundaries = []
    after = utc("2026-10-31T12:00:00")
    for _ in range(2):
        after = next_after(conn, "30 1 * * *", after, "America/New_York")
        boundaries.append(after)
    assert boundaries == [utc("2026-11-01T05:30:00"), utc("2026-11-02T06:30:00")]


@pytest.mark.parametrize("expr", ["* * * * *", "*/20 * * * *", "30 1 * * *", "0 */2 * * *", "@hourly"])
@pytest.mark.parametrize("start", ["2026-10-31T23:00:00", "2026-03-07T23:00:00"])
def test_boundaries_grow_whatever_the_clocks_do(conn, expr, start):
    """Every quarter of an hour around a clock change: each answer is later than its argument."""
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    instants = [int((begin + timedelta(minutes=15 * n)).timestamp()) for n in range(48)]
    boundaries = [next_after(conn, expr, instant, "America/New_York") for instant in instants]
    assert all(boundary > instant for boundary, instant in zip(boundaries, instants, strict=True))
    assert boundaries == sorted(boundaries)


def test_a_minutely_expression_fires_in_both_passes_of_a_repeated_hour(conn):
    after = utc("2026-11-01T05:58:30")
    for minute in ("05:59", "06:00", "06:01"):
        after = next_after(conn, "* * * * *", after, "America/New_York")
        assert after == utc(f"2026-11-01T{minute}:00")


@pytest.mark.parametrize("zone", [None, ""])
def test_no_time_zone_means_that_of_the_process(conn, zone):
    local = datetime.fromtimestamp(utc("2026-05-05T12:00:00"))
    expected = (local + timedelta(days=1)).replace(hour=0, minute=0)
    assert next_after(conn, "0 0 * * *", utc("2026-05-05T12:00:00"), zone) == int(expected.timestamp())


# ---------------------------------------------------------------------------------------------------------- registering


def test_a_schedule_is_kept_with_what_it_was_given(conn):
    before = int(time.time())
    options = (7, 90, 5, "Europe/Berlin", "once", "skip", "skip")
    assert register(conn, "s", "jobs", "@every 60s", '{"ü":1}', *options) == 1
    kept = schedule(conn)
    assert before + 60 <= kept.pop("next_fire_at") <= time.time() + 60
    assert kept == {
        "name": "s", "queue": "jobs", "cron_expr": "@every 60s", "payload": '{"ü":1}', "priority": 7, "expires_s": 90,
        "enabled": True, "max_attempts": 5, "time_zone": "Europe/Berlin", "misfire": "once", "last_error": None,
        "overlap": "skip", "when_paused": "skip", "last_job_id": None,
    }  # fmt: skip


@pytest.mark.parametrize("more", [(), (None,), (None, None, None), (3, "", "catch_up"), (None,) * 5])
def test_what_is_not_given_has_its_default(conn, more):
    register(conn, "s", "q", "@every 60s", "{}", 0, None, *more)
    kept = schedule(conn)
    assert (kept["max_attempts"], kept["time_zone"], kept["misfire"]) == (3, None, "catch_up")
    assert (kept["overlap"], kept["when_paused"]) == ("queue", "enqueue")


@pytest.mark.parametrize(
    ("given", "kept"), [(0, 1), (-5, 1), (-(2**63), 1), (1, 1), (10**6, 10**6), (2**63 - 1, 10**6)]
)
def test_attempts_are_brought_into_their_range(conn, given, kept):
    register(conn, "s", "q", "@every 60s", "{}", 0, None, given)
    assert schedule(conn)["max_attempts"] == kept


def test_registering_again_keeps_the_next_boundary(conn):
    """Applications register at every start: boundaries missed while they were down must still fire."""
    register(conn)
    due_from(conn, 1000)
    register(conn, "s", "other", "@every 60s", "[]", 5, 10, 9, None, "once")
    again = schedule(conn)
    assert again["next_fire_at"] == 1000
    assert (again["queue"], again["payload"], again["priority"], again["expires_s"]) == ("other", "[]", 5, 10)
    assert (again["max_attempts"], again["misfire"]) == (9, "once")


@pytest.mark.parametrize("change", [("@every 61s", None), ("@every 60s", "UTC")])
def test_registering_with_another_timing_counts_from_now(conn, change):
    register(conn)
    due_from(conn, 1000)
    expr, zone = change
    register(conn, "s", "q", expr, "{}", 0, None, 3, zone, None)
    assert schedule(conn)["next_fire_at"] > time.time()


def test_registering_again_leaves_a_paused_schedule_paused(conn):
    register(conn)
    call(conn, "honker_scheduler_pause", "s")
    register(conn)
    assert schedule(conn)["enabled"] is False


def test_an_invalid_expression_registers_nothing(conn):
    register(conn)
    before = dump(conn)
    for name in ("s", "t"):
        with refused("HONKER_INVALID_ARGUMENT", "expr"):
            register(conn, name, expr="61 * * * *")
    assert dump(conn) == before


def test_an_unregistered_schedule_is_gone_and_its_jobs_stay(conn):
    register(conn)
    tick(conn, time.time() + 61)
    assert call(conn, "honker_scheduler_unregister", "s") == 1
    assert call(conn, "honker_scheduler_unregister", "s") == 0
    assert schedules(conn) == {}
    assert claimed_ids(conn) == [1]


def test_schedules_are_listed_by_name(conn):
    for name in ("b", "ä", "a", "B"):
        register(conn, name)
    assert list(schedules(conn)) == ["B", "a", "b", "ä"]


# -------------------------------------------------------------------------------------------------------------- ticking


def test_a_tick_enqueues_a_job_as_the_schedule_says(conn):
    register(conn, "s", "jobs", "@every 60s", '{"n":1}', 7, None, 5)
    due_from(conn, FAR)
    assert tick(conn, FAR) == [{"name": "s", "queue": "jobs", "fire_at": FAR, "job_id": 1}]
    job = call_json(conn, "honker_get_job", 1)
    assert (job["queue"], job["payload"], job["priority"], job["max_attempts"]) == ("jobs", '{"n":1}', 7, 5)
    assert (job["state"], job["attempts"], job["expires_at"]) == ("pending", 0, None)
    assert job["run_at"] == pytest.approx(time.time(), abs=1.1)


def test_a_boundary_fires_when_it_has_come_and_not_before(conn):
    register(conn)
    due_from(conn, FAR)
    assert fired_at(conn, FAR - 1) == []
    assert fired_at(conn, FAR - 0.001) == []
    assert fired_at(conn, FAR) == [FAR]


def test_a_second_tick_of_the_same_instant_fires_nothing(conn):
    register(conn)
    due_from(conn, FAR)
    assert fired_at(conn, FAR + 30) == [FAR]
    assert fired_at(conn, FAR + 30) == []
    assert schedule(conn)["next_fire_at"] == FAR + 60


def test_missed_boundaries_are_caught_up_in_phase(conn):
    register(conn)
    due_from(conn, FAR)
    assert fired_at(conn, FAR + 150) == [FAR, FAR + 60, FAR + 120]
    assert schedule(conn)["next_fire_at"] == FAR + 180


def test_catching_up_ends_after_64_fires_and_starts_anew(conn):
    register(conn, expr="@every 1s")
    due_from(conn, FAR)
    assert fired_at(conn, FAR + 1000) == list(range(FAR, FAR + 64))
    assert schedule(conn)["next_fire_at"] == FAR + 1001
    assert fired_at(conn, FAR + 1000) == []


def test_exactly_64_missed_boundaries_are_all_fired_in_phase(conn):
    register(conn, expr="@every 10s")
    due_from(conn, FAR)
    assert len(fired_at(conn, FAR + 635)) == 64
    assert schedule(conn)["next_fire_at"] == FAR + 640


def test_misfire_once_fires_one_job_for_all_that_was_missed(conn):
    register(conn, "s", "q", "@every 60s", "{}", 0, None, 3, None, "once")
    due_from(conn, FAR)
    assert fired_at(conn, FAR + 6000) == [FAR]
    assert schedule(conn)["next_fire_at"] > FAR + 6000
    assert fired_at(conn, FAR + 6000) == []


@pytest.mark.parametrize("policy", ["once", "skip", "catch_up"])
def test_every_misfire_policy_fires_what_comes_on_time(conn, policy):
    register(conn, "s", "q", "@every 60s", "{}", 0, None, 3, None, policy)
    due_from(conn, FAR)
    for n in range(4):
        assert fired_at(conn, FAR + 60 * n + 2) == [FAR + 60 * n]
    assert schedule(conn)["next_fire_at"] == FAR + 240


@pytest.mark.parametrize(("late_s", "fires"), [(0, 1), (59, 1), (60, 1), (60.5, 0), (61, 0), (100_000, 0)])
def test_misfire_skip_drops_what_is_more_than_a_minute_late(conn, late_s, fires):
    register(conn, "s", "q", "0 3 * * *", "{}", 0, None, 3, "UTC", "skip")
    boundary = next_after(conn, "0 3 * * *", FAR, "UTC")
    due_from(conn, boundary)
    assert len(tick(conn, boundary + late_s)) == fires
    assert schedule(conn)["next_fire_at"] > boundary + late_s
    assert len(claim(conn)) == fires


def test_a_long_downtime_of_a_frequent_schedule_costs_no_more_than_a_short_one(conn):
    """Policies that fire once do not visit every missed boundary."""
    for policy in ("once", "skip"):
        register(conn, policy, "q", "* * * * * *", "{}", 0, None, 3, "UTC", policy)
        due_from(conn, 1, policy)
    assert [fire["name"] for fire in tick(conn, FAR)] == ["once"]
    assert {one["next_fire_at"] for one in schedules(conn).values()} == {FAR + 1}


def test_an_expiry_counts_from_the_boundary(conn):
    """So that catching up after a downtime drops outdated jobs."""
    register(conn, expires_s=90)
    now = int(time.time())
    due_from(conn, now - 180)
    assert len(tick(conn, now)) == 4
    expiries = rows(conn, "SELECT expires_at FROM _honker_live ORDER BY id")
    assert expiries == [(now - 90,), (now - 30,), (now + 30,), (now + 90,)]
    assert claimed_ids(conn, n=10) == [3, 4]


def test_schedules_fire_in_the_order_of_their_boundaries(conn):
    for name, boundary in [("a", FAR + 3), ("b", FAR + 1), ("c", FAR + 2)]:
        register(conn, name, expr="@every 1d")
        due_from(conn, boundary, name)
    assert [fire["name"] for fire in tick(conn, FAR + 10)] == ["b", "c", "a"]


def test_two_tickers_fire_a_boundary_once(conn, connect):
    register(conn)
    due_from(conn, FAR)
    assert [len(tick(connection, FAR)) for connection in (conn, connect(), connect())] == [1, 0, 0]


def test_a_rolled_back_tick_fires_again(conn):
    register(conn)
    due_from(conn, FAR)
    conn.execute("BEGIN")
    tick(conn, FAR)
    conn.execute("ROLLBACK")
    assert fired_at(conn, FAR) == [FAR]


# ---------------------------------------------------------------------------------------------------------- broken rows


BROKEN = {
    "cron-expression": {"cron_expr": "61 * * * *"},
    "time-zone": {"time_zone": "Mars/Olympus"},
    "misfire": {"misfire": "sometimes"},
    "overlap": {"overlap": "sometimes"},
    "when-paused": {"when_paused": "sometimes"},
    "last-job-text": {"last_job_id": "it"},
    "priority-text": {"priority": "high"},
    "payload-blob": {"payload": b"\xff"},
    "expires-text": {"expires_s": "soon"},
    "attempts-text": {"max_attempts": "many"},
}


@pytest.mark.parametrize("columns", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_schedule_is_passed_over_and_says_why(conn, columns):
    for name in ("a-good", "broken", "z-good"):
        register(conn, name)
        due_from(conn, FAR, name)
    for column, broken in columns.items():
        conn.execute(f"UPDATE _honker_scheduler_tasks SET {column} = ? WHERE name = 'broken'", (broken,))
    assert [fire["name"] for fire in tick(conn, FAR)] == ["a-good", "z-good"]
    errors = dict(rows(conn, "SELECT name, last_error FROM _honker_scheduler_tasks"))
    assert errors["a-good"] is None
    assert errors["broken"].startswith(("HONKER_INVALID_ARGUMENT: ", "HONKER_MALFORMED_ROW: "))


def test_a_broken_schedule_is_not_waited_for(conn):
    now = value(conn, "SELECT unixepoch()")
    register(conn, "broken")
    register(conn, "good")
    due_from(conn, now, "broken")
    due_from(conn, now + 60, "good")
    conn.execute("UPDATE _honker_scheduler_tasks SET cron_expr = 'x' WHERE name = 'broken'")
    tick(conn, now)
    assert call(conn, "honker_scheduler_soonest") == now + 60


def test_a_repaired_schedule_fires_again(conn):
    register(conn)
    due_from(conn, FAR)
    conn.execute("UPDATE _honker_scheduler_tasks SET cron_expr = 'x'")
    assert tick(conn, FAR) == []
    conn.execute("UPDATE _honker_scheduler_tasks SET cron_expr = '@every 60s'")
    assert fired_at(conn, FAR) == [FAR]
    assert schedule(conn)["last_error"] is None


@pytest.mark.parametrize("repair", ["register", "update"])
def test_repairing_a_schedule_clears_its_error(conn, repair):
    register(conn)
    due_from(conn, 1000)
    conn.execute("UPDATE _honker_scheduler_tasks SET cron_expr = 'x'")
    tick(conn, FAR)
    assert schedule(conn)["last_error"]
    if repair == "register":
        register(conn)
    else:
        call(conn, "honker_scheduler_update", "s", "@every 60s", None, None, None, 0)
    assert schedule(conn)["last_error"] is None
    assert call(conn, "honker_scheduler_soonest") > time.time()


def test_reporting_a_broken_schedule_again_writes_nothing(conn):
    register(conn)
    due_from(conn, FAR)
    conn.execute("UPDATE _honker_scheduler_tasks SET cron_expr = 'x'")
    tick(conn, FAR)
    changes = conn.total_changes
    tick(conn, FAR)
    assert conn.total_changes == changes


# ----------------------------------------------------------------------------------------------- soonest, pause, resume


def test_soonest_is_the_first_boundary_of_what_fires(conn):
    assert call(conn, "honker_scheduler_soonest") == 0
    now = value(conn, "SELECT unixepoch()")
    for name, boundary in [("a", now + 3), ("b", now + 1), ("c", now + 2)]:
        register(conn, name)
        due_from(conn, boundary, name)
    assert call(conn, "honker_scheduler_soonest") == now + 1
    call(conn, "honker_scheduler_pause", "b")
    assert call(conn, "honker_scheduler_soonest") == now + 2
    call(conn, "honker_scheduler_pause", "a")
    call(conn, "honker_scheduler_pause", "c")
    assert call(conn, "honker_scheduler_soonest") == 0
    now = value(conn, "SELECT unixepoch()")


def test_pause_and_resume_tell_whether_they_changed_anything(conn):
    register(conn)
    verbs = ("resume", "pause", "pause", "resume", "resume")
    assert [call(conn, f"honker_scheduler_{verb}", "s") for verb in verbs] == [0, 1, 0, 1, 0]
    assert [call(conn, f"honker_scheduler_{verb}", "none") for verb in ("pause", "resume")] == [0, 0]


def test_a_paused_schedule_does_not_fire_and_goes_on_from_where_it_was(conn):
    register(conn)
    due_from(conn, FAR)
    call(conn, "honker_scheduler_pause", "s")
    assert tick(conn, FAR + 70) == []
    assert schedule(conn)["next_fire_at"] == FAR
    call(conn, "honker_scheduler_resume", "s")
    assert fired_at(conn, FAR + 70) == [FAR, FAR + 60]


# ------------------------------------------------------------------------------------------------------------- updating


def update(conn, *arguments):
    return call(conn, "honker_scheduler_update", "s", *arguments)


@pytest.fixture
def kept(conn):
    """A schedule with every property different from its default."""
    register(conn, "s", "q", "@every 60s", "{}", 7, 90, 5, "UTC", "once", "skip", "skip")
    due_from(conn, FAR)
    return schedule(conn)


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ((None, "[]", None, None, 0), {"payload": "[]"}),
        ((None, None, -3, None, 0), {"priority": -3}),
        ((None, None, None, 10, 1), {"expires_s": 10}),
        ((None, None, None, None, 1), {"expires_s": None}),
        ((None, None, None, None, 0, 9, 1), {"max_attempts": 9}),
        ((None, None, None, None, 0, None, 1), {"max_attempts": 3}),
        ((None, None, None, None, 0, -9, 1), {"max_attempts": 1}),
        ((None, None, None, None, 0, None, 0, None, "skip"), {"misfire": "skip"}),
        ((None, None, None, None, 0, None, 0, None, None, "queue", None), {"overlap": "queue"}),
        ((None, None, None, None, 0, None, 0, None, None, None, "enqueue"), {"when_paused": "enqueue"}),
        ((None, "[]", 1, 10, 1, 9, 1), {"payload": "[]", "priority": 1, "expires_s": 10, "max_attempts": 9}),
    ],
)
def test_an_update_changes_what_it_names_and_nothing_else(conn, kept, arguments, changes):
    assert update(conn, *arguments) == 1
    assert schedule(conn) == kept | changes


@pytest.mark.parametrize(
    "arguments",
    [
        (None, None, None, None, 0),
        (None, None, None, 10, 0),
        (None, None, None, 10, None),
        (None, None, None, None, 0, 9, 0),
        (None, None, None, None, 0, 9, 0, None, None),
        (None, None, None, None, 0, 9, 0, None, None, None, None),
    ],
)
def test_an_update_of_nothing_changes_nothing(conn, kept, arguments):
    assert update(conn, *arguments) == 0
    assert schedule(conn) == kept


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        (("@every 90s", None, None, None, 0), {"cron_expr": "@every 90s"}),
        ((None, None, None, None, 0, None, 0, "Europe/Berlin", None), {"time_zone": "Europe/Berlin"}),
        ((None, None, None, None, 0, None, 0, "", None), {"time_zone": None}),
    ],
)
def test_an_update_of_the_timing_counts_from_now(conn, kept, arguments, changes):
    assert update(conn, *arguments) == 1
    updated = schedule(conn)
    assert time.time() < updated["next_fire_at"] <= time.time() + 90
    assert updated | {"next_fire_at": FAR} == kept | changes


def test_an_update_leaves_a_paused_schedule_paused(conn, kept):
    call(conn, "honker_scheduler_pause", "s")
    update(conn, "@every 90s", "[]", None, None, 0)
    assert schedule(conn)["enabled"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense", "[]", 1, 10, 1),
        (None, "[]", 1, 10, 1, 9, 1, "Mars/Olympus", None),
        (None, "[]", 1, 10, 1, 9, 1, None, "sometimes"),
    ],
)
def test_a_refused_update_changes_nothing_at_all(conn, kept, arguments):
    with refused("HONKER_INVALID_ARGUMENT"):
        update(conn, *arguments)
    assert schedule(conn) == kept


def test_an_update_of_a_schedule_that_is_not_there_says_so(conn):
    assert update(conn, "@every 60s", None, None, None, 0) == 0


def test_new_attempts_count_for_jobs_fired_later_only(conn, kept):
    tick(conn, FAR)
    update(conn, None, None, None, None, 0, 9, 1, None, None, "queue", None)
    due_from(conn, FAR)
    tick(conn, FAR)
    assert rows(conn, "SELECT max_attempts FROM _honker_live ORDER BY id") == [(5,), (9,)]


def test_a_schedule_that_was_edited_by_hand_fires_as_edited(conn):
    register(conn)
    conn.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = unixepoch() - 1, queue = 'edited'")
    assert [fire["queue"] for fire in tick(conn, time.time())] == ["edited"]
    assert value(conn, "SELECT queue FROM _honker_live") == "edited"
