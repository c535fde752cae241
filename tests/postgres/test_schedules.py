"""Schedules of several sessions, and of one beside the engine on SQLite: each boundary fires once."""

import itertools
import json
import random
import sqlite3
import threading
from collections import Counter

import psycopg
import pytest

from ..sql.contract import code_of
from ..sql.database import call as call_sqlite
from .sessions import call, claim, connect, enqueue, together
from .waiting_sessions import open_sessions

START = 1_800_000_000
HOUR_S, DAY_S = 3_600, 86_400
TICK = "SELECT honker.honker_scheduler_tick(%s)"


@pytest.fixture
def sessions(url):
    with open_sessions(url, 3) as opened:
        yield opened


@pytest.fixture
def stopped(conn):
    """A connection whose clock stands still."""
    show(conn, START)
    return conn


def show(conn, at):
    conn.execute(f"SET honker.clock_ms = {int(at * 1000)}")


def register(conn, name="s", expr="@every 1s", *options, queue="q"):
    call(conn, "honker_scheduler_register", name, queue, expr, "{}", 0, None, 3, *options)


def tick(conn, at):
    """The boundaries that fire, by schedule."""
    return [(fire["name"], fire["fire_at"]) for fire in json.loads(call(conn, "honker_scheduler_tick", at))]


def schedules(conn):
    return {schedule["name"]: schedule for schedule in json.loads(call(conn, "honker_scheduler_list"))}


def test_four_sessions_that_tick_at_once_fire_each_boundary_once(stopped, url):
    for name in "abc":
        register(stopped, name)

    round_begins = threading.Barrier(4)

    def work(conn, _number):
        fired = []
        for at in range(START + 1, START + 61):
            show(conn, at)
            # All clocks show the same second: one that is behind would look as if it had been set back.
            round_begins.wait(30)
            fired += tick(conn, at)
            round_begins.wait(30)
        return fired

    fired = Counter(each for fires in together(url, 4, work) for each in fires)
    assert set(fired) == set(itertools.product("abc", range(START + 1, START + 61)))
    assert set(fired.values()) == {1}
    assert stopped.execute("SELECT count(*) FROM live").fetchone()[0] == 180


def test_a_tick_waits_for_another_one_and_finds_its_boundary_gone(stopped, sessions):
    first, second, _ = sessions
    register(stopped, expr="@every 60s")
    for session in (first, second):
        show(session.conn, START + 60)
    first.one("BEGIN")
    assert len(first.json(TICK, START + 60)) == 1
    waiting = second.begin(TICK, START + 60)
    first.one("COMMIT")
    assert waiting.result(30) == "[]"


def test_a_boundary_whose_ticker_is_killed_fires_in_the_next_tick(stopped, sessions):
    first, second, _ = sessions
    register(stopped, expr="@every 60s")
    for session in (first, second):
        show(session.conn, START + 60)
    first.one("BEGIN")
    first.one(TICK, START + 60)
    waiting = second.begin(TICK, START + 60)
    first.kill()
    assert [fire["fire_at"] for fire in json.loads(waiting.result(30))] == [START + 60]
    assert stopped.execute("SELECT count(*) FROM live").fetchone()[0] == 1


def test_a_schedule_that_is_removed_while_a_tick_waits_for_it_does_not_fire(stopped, sessions):
    first, second, _ = sessions
    register(stopped, expr="@every 60s")
    show(second.conn, START + 60)
    first.one("BEGIN")
    first.one("SELECT honker.honker_scheduler_unregister('s')")
    waiting = second.begin(TICK, START + 60)
    first.one("COMMIT")
    assert waiting.result(30) == "[]"


def test_a_tick_that_finds_nothing_waits_for_nothing(stopped, sessions):
    first, second, _ = sessions
    register(stopped, expr="@every 60s")
    show(first.conn, START + 60)
    first.one("BEGIN")
    first.one(TICK, START + 60)
    show(second.conn, START)
    assert second.json(TICK, START) == []
    first.one("ROLLBACK")


def test_a_schedule_that_cannot_be_understood_is_reported_and_others_fire(stopped):
    for name in "abc":
        register(stopped, name, "@every 60s")
    stopped.execute("UPDATE schedules SET expr = '61 * * * *' WHERE name = 'a'")
    stopped.execute("UPDATE schedules SET misfire = 'never' WHERE name = 'b'")
    stopped.execute("UPDATE schedules SET time_zone = 'Mars/Olympus' WHERE name = 'c'")
    register(stopped, "d", "@every 60s")
    assert tick(stopped, START + 60) == [("d", START + 60)]
    listed = schedules(stopped)
    assert all(listed[name]["last_error"].startswith("HONKER_INVALID_ARGUMENT: ") for name in "abc")
    assert listed["d"]["last_error"] is None
    assert call(stopped, "honker_scheduler_soonest") == START + 120


def test_a_boundary_is_passed_over_while_the_last_job_runs_or_the_queue_is_paused(stopped):
    register(stopped, "s", "@every 60s", None, "catch_up", "skip", "skip")
    assert len(tick(stopped, START + 60)) == 1
    assert tick(stopped, START + 120) == []
    [job] = claim(stopped, "q")
    assert tick(stopped, START + 180) == []
    call(stopped, "honker_ack", job["id"], "w", job["attempts"])
    call(stopped, "honker_queue_pause", "q", None, None)
    assert tick(stopped, START + 240) == []
    call(stopped, "honker_queue_resume", "q")
    assert len(tick(stopped, START + 300)) == 1
    assert enqueue(stopped, "q") == job["id"] + 2


class Engines:
    """The same calls on PostgreSQL and on SQLite, whose results must be equal. Both clocks show the same time."""

    def __init__(self, postgres, sqlite):
        self._postgres, self._sqlite = postgres, sqlite
        self.at = START
        self.fires = 0
        self.show(START)

    def show(self, at):
        self.at = at
        show(self._postgres, at)
        call_sqlite(self._sqlite, "honker_test_clock_stop", at)

    def call(self, function, *arguments):
        here = self._outcome(psycopg.Error, call, self._postgres, function, *arguments)
        there = self._outcome(sqlite3.Error, call_sqlite, self._sqlite, function, *arguments)
        assert here == there, (self.at, function, arguments)
        if function == "honker_scheduler_tick":
            self.fires += len(here)
        assert self.listed(call, self._postgres) == self.listed(call_sqlite, self._sqlite), (function, arguments)

    def _outcome(self, error_type, run, conn, function, *arguments):
        try:
            result = run(conn, function, *arguments)
        except error_type as error:
            return code_of(str(error))
        return json.loads(result) if isinstance(result, str) else result

    def listed(self, run, conn):
        return [run(conn, "honker_scheduler_soonest"), json.loads(run(conn, "honker_scheduler_list"))]


EXPRESSIONS = [
    "@every 30s",
    "@every 7m",
    "@every 1h",
    "*/15 * * * *",
    "30 2 * * *",
    "0 9 * * MON-FRI",
    "*/10 * * * * *",
    "bad",
]
STEPS_S = [1, 5, 30, 61, 600, HOUR_S, HOUR_S, DAY_S, 3 * DAY_S, -1, -90, -HOUR_S, -2 * DAY_S, -400 * DAY_S, 400 * DAY_S]


def step(engines, choose):
    """One random call."""
    name = choose.choice("xyz")
    zone = choose.choice(["UTC", "Europe/Berlin"])
    misfire, overlap = choose.choice(["catch_up", "once", "skip"]), choose.choice(["queue", "queue", "skip"])
    change = [choose.choice([None, value]) for value in (choose.choice(EXPRESSIONS), "[]", 7, 60)]
    match choose.choice(["register", "update", "pause", "resume", "unregister", *["clock"] * 4, *["tick"] * 8]):
        case "register":
            options = ["{}", 0, choose.choice([None, 60]), 3, zone, misfire, overlap, "enqueue"]
            engines.call("honker_scheduler_register", name, "q", choose.choice(EXPRESSIONS), *options)
        case "update":
            more = [choose.choice([None, value]) for value in (zone, misfire, overlap, "skip")]
            engines.call("honker_scheduler_update", name, *change, choose.choice([0, 1]), 5, 0, *more)
        case "clock":
            engines.show(engines.at + choose.choice(STEPS_S))
            engines.call("honker_scheduler_soonest")
        case "tick":
            engines.show(engines.at + choose.choice([0, 1, 20, 60, 900]))
            engines.call("honker_scheduler_tick", engines.at)
        case verb:
            engines.call(f"honker_scheduler_{verb}", name)


@pytest.mark.parametrize("seed", range(12))
def test_random_calls_do_as_on_sqlite_also_when_the_clock_jumps(conn, connect, seed):
    sqlite = connect()
    sqlite.execute("SELECT honker_bootstrap()").fetchone()
    engines = Engines(conn, sqlite)
    choose = random.Random(seed)
    for _ in range(150):
        step(engines, choose)
    assert engines.fires > 0


def test_a_new_session_of_another_zone_sees_the_same_boundary(conn, url):
    register(conn, "s", "0 12 * * *", "Europe/Berlin")
    with connect(url) as other:
        other.execute("SET TimeZone = 'Asia/Tokyo'")
        before = schedules(conn)["s"]["next_fire_at"]
        register(other, "s", "0 12 * * *", "Europe/Berlin")
        assert schedules(other)["s"]["next_fire_at"] == before
