"""Boundaries of schedules: those of the engine on SQLite, for any expression, instant and time zone."""

import random
import sqlite3

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from ..sql.contract import code_of
from ..sql.database import call as call_sqlite
from .cron_expressions import DAY_S, ZONES, changes, expressions, instant_of_change, places

REFUSED = "HONKER_INVALID_ARGUMENT"
AFTER_S = 1_767_225_600
HOUR_S = 3_600


def on_sqlite(conn, expr, zone, after):
    """The next boundary, or the code of the error."""
    try:
        return call_sqlite(conn, "honker_cron_next_after", expr, after, zone)
    except sqlite3.Error as error:
        return code_of(str(error))


def on_postgres(conn, expr, zone, after):
    try:
        return conn.execute("SELECT honker._next_after(%s, %s, %s)", (expr, zone, after)).fetchone()[0]
    except psycopg.Error as error:
        return code_of(error.diag.message_primary)


@pytest.fixture
def memory(connect):
    return connect(":memory:")


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expr=expressions(), place=places())
def test_a_boundary_is_that_of_the_engine_on_sqlite(conn, memory, expr, place):
    zone, after = place
    assert on_postgres(conn, expr, zone, after) == on_sqlite(memory, expr, zone, after)


AROUND_CHANGES = [
    "*/15 * * * *",
    "30 1 * * *",
    "30 2 * * *",
    "15 0-3 * * *",
    "20 0,1,23 * * SUN,SAT",
    "45 */2 * * *",
    "0 0 1 * *",
]


@pytest.mark.parametrize("zone", [zone for zone in ZONES if changes(zone)])
def test_boundaries_around_a_change_of_the_clock_are_those_on_sqlite(conn, memory, zone):
    choose = random.Random(zone)
    for day in choose.choices(changes(zone), k=4):
        change = instant_of_change(zone, day)
        for expr in AROUND_CHANGES:
            for near_s in [2 * DAY_S, 2 * HOUR_S, 2 * HOUR_S, HOUR_S, HOUR_S, HOUR_S // 3, HOUR_S // 3]:
                at = change + choose.randint(-near_s, near_s)
                assert on_postgres(conn, expr, zone, at) == on_sqlite(memory, expr, zone, at), (expr, at)


NAMES = ["Europe/Berlin", "europe/berlin", "UTC", "CET", "EST", "GMT+0", "Etc/GMT-14", "America/Port-au-Prince", "Zulu"]
NOT_NAMES = ["CEST", "PST", "EST5", "Foo/Bar3", "5", "UTC+1", "GMT+5", "Etc/GMT+13", "posix/UTC", "Mars/Olympus", "a/"]


@pytest.mark.parametrize("zone", NAMES + NOT_NAMES)
def test_a_zone_is_a_name_of_iana_and_neither_an_abbreviation_nor_a_rule(conn, memory, zone):
    boundary = on_postgres(conn, "0 12 * 7 *", zone, AFTER_S)
    assert boundary == on_sqlite(memory, "0 12 * 7 *", zone, AFTER_S)
    assert (boundary == REFUSED) == (zone in NOT_NAMES)


def test_a_schedule_without_a_zone_is_in_that_of_the_server_settings(conn, url):
    database = conn.info.dbname
    conn.execute(f"ALTER DATABASE {database} SET TimeZone = 'Asia/Kathmandu'")
    with psycopg.connect(url, autocommit=True) as session:
        expected = on_postgres(session, "0 12 * * *", "Asia/Kathmandu", AFTER_S)
        session.execute("SET TimeZone = 'America/New_York'")
        for zone in (None, ""):
            assert on_postgres(session, "0 12 * * *", zone, AFTER_S) == expected
        assert session.execute("SHOW TimeZone").fetchone()[0] == "America/New_York"


def test_a_transaction_keeps_its_zone(conn):
    with conn.transaction():
        conn.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        on_postgres(conn, "0 12 * * *", "Europe/Berlin", AFTER_S)
        assert conn.execute("SHOW TimeZone").fetchone()[0] == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("expr", "after"),
    [
        ("0 0 29 2 *", -62_135_596_800),
        ("0 0 29 2 *", 92_461_910_399),
        ("0 0 29 2 *", 92_461_910_400),
        ("0 0 29 2 +MON", AFTER_S),
        ("0 0 30 2 *", AFTER_S),
        ("0 0 29 2 +FRI#5", AFTER_S),
        ("@every 100000000d", AFTER_S),
        ("@every 99999999999999999999d", AFTER_S),
        ("0 0 * * " + ",".join(["1"] * 124), AFTER_S),
        ("0 0 * * " + ",".join(["1"] * 125), AFTER_S),
    ],
)
def test_an_expression_at_a_limit_does_as_on_sqlite(conn, memory, expr, after):
    assert on_postgres(conn, expr, "UTC", after) == on_sqlite(memory, expr, "UTC", after)


def test_a_session_where_a_backslash_is_an_escape_reads_the_same_boundary(conn, url):
    register = "SELECT honker.honker_scheduler_register('s', 'q', '0 3 * * *', '1', 0, NULL)"
    with psycopg.connect(url, autocommit=True, options="-c standard_conforming_strings=off") as session:
        session.execute(register)
    [(fires_at,)] = conn.execute("SELECT next_fire_at FROM schedules").fetchall()
    conn.execute(register)
    assert conn.execute("SELECT next_fire_at FROM schedules").fetchall() == [(fires_at,)]
