"""Schedules whose clock is set back, and set forward again."""

import pytest

from .database import call, call_json, value

START = 1_800_000_000
HOUR, DAY = 3_600, 86_400


class Clock:
    """The clock of a testing file, and a schedule that ticks by it."""

    def __init__(self, conn, expression, misfire):
        self.conn = conn
        self.fired = []
        self.show(START)
        self.register(expression, misfire)

    def register(self, expression="@every 1s", misfire="catch_up"):
        options = ("s", "q", expression, "{}", 0, None, 3, None, misfire)
        call(self.conn, "honker_scheduler_register", *options)

    def show(self, at):
        call(self.conn, "honker_test_clock_stop", at)

    def tick(self, at):
        """Set the clock, tick, and return the boundaries that fired."""
        self.show(at)
        fired = [fire["fire_at"] for fire in call_json(self.conn, "honker_scheduler_tick", at)]
        self.fired += fired
        return fired

    def run(self, first, last, step=1):
        return [boundary for at in range(first, last + 1, step) for boundary in self.tick(at)]

    @property
    def next_fire_at(self):
        return value(self.conn, "SELECT next_fire_at FROM _honker_scheduler_tasks")

    @property
    def fired_before(self):
        return value(self.conn, "SELECT fired_before FROM _honker_scheduler_tasks")


@pytest.fixture
def clock(conn):
    """A schedule of one boundary a second, which has fired ten times."""
    clock = Clock(conn, "@every 1s", "catch_up")
    clock.run(START + 1, START + 10)
    return clock


def repeated(clock, back_to, seconds):
    """Set the clock back and let it run so long."""
    assert clock.tick(back_to) == []
    return clock.run(back_to + 1, back_to + seconds)


@pytest.mark.parametrize("back_s", [30, HOUR, 50 * 365 * DAY])
def test_a_boundary_that_has_fired_does_not_fire_again_when_the_clock_returns(clock, back_s):
    wrong = START + 10 - back_s
    assert repeated(clock, wrong, 5) == list(range(wrong + 1, wrong + 6))
    assert clock.tick(START + 16) == list(range(START + 11, START + 17))
    assert clock.tick(START + 17) == [START + 17]
    assert len(set(clock.fired)) == len(clock.fired)
    assert clock.fired_before is None


@pytest.mark.parametrize(("misfire", "fired"), [("once", [START + 11]), ("skip", [START + 11])])
def test_the_other_policies_fire_no_boundary_again(clock, misfire, fired):
    clock.register(misfire=misfire)
    repeated(clock, START - HOUR, 5)
    assert clock.tick(START + 16) == fired
    assert clock.next_fire_at == START + 17


def test_a_schedule_whose_clock_was_ahead_does_not_stand_still(clock):
    back = START - HOUR
    assert repeated(clock, back, 300) == list(range(back + 1, back + 301))


def test_a_late_tick_fires_only_the_last_boundary_again(clock):
    repeated(clock, START - HOUR, 5)
    assert clock.tick(START - HOUR + 30) == [START - HOUR + 30]
    assert clock.tick(START - HOUR + 30) == []
    assert clock.next_fire_at == START - HOUR + 31


def test_a_boundary_fires_again_within_the_grace_and_not_later(conn):
    clock = Clock(conn, "@every 90s", "catch_up")
    clock.run(START + 90, START + 900, 90)
    back = START - HOUR
    clock.tick(back)
    assert clock.tick(back + 90 + 60) == [back + 90]
    assert clock.tick(back + 180 + 61) == []
    assert clock.next_fire_at == back + 180 + 61 + 90


def test_a_clock_that_returns_in_part_fires_nothing_but_what_comes_on_time(clock):
    repeated(clock, START - HOUR, 5)
    assert clock.tick(START - 600) == []
    assert clock.tick(START - 599) == [START - 599]
    assert clock.tick(START + 11) == [START + 11]


def test_a_clock_that_is_set_back_twice_keeps_the_furthest_boundary(clock):
    repeated(clock, START - HOUR, 5)
    repeated(clock, START - 2 * HOUR, 5)
    assert clock.fired_before == START + 11
    assert clock.tick(START + 11) == [START + 11]


def test_a_schedule_goes_on_at_its_own_boundaries_when_the_clock_returns(conn):
    clock = Clock(conn, "@every 60s", "catch_up")
    assert clock.tick(START + 60) == [START + 60]
    clock.tick(START - HOUR + 7)
    assert clock.tick(START - HOUR + 67) == [START - HOUR + 67]
    assert clock.tick(START + 119) == []
    assert clock.next_fire_at == START + 120
    assert clock.tick(START + 120) == [START + 120]


def test_a_clock_that_catches_up_by_itself_passes_over_no_boundary(clock):
    repeated(clock, START - 20, 40)
    assert clock.fired[10:] == list(range(START - 19, START + 21))
    assert clock.fired_before is None


def test_a_cron_schedule_fires_no_boundary_again(conn):
    clock = Clock(conn, "0 * * * *", "catch_up")
    first = clock.next_fire_at
    assert clock.run(first, first + 5 * HOUR, HOUR) == list(range(first, first + 5 * HOUR + 1, HOUR))
    clock.tick(first - DAY)
    assert clock.tick(first - DAY + HOUR) == [first - DAY + HOUR]
    assert clock.tick(first + 6 * HOUR) == [first + 6 * HOUR]


def test_a_clock_that_has_gone_on_for_a_day_is_believed(conn):
    """From then on missed boundaries are caught up again."""
    clock = Clock(conn, "@every 1h", "catch_up")
    back = START - 20 * 365 * DAY
    clock.tick(START + HOUR)
    clock.tick(back)
    assert clock.tick(back + 30) == []
    assert clock.run(back + HOUR, back + 23 * HOUR, HOUR) == list(range(back + HOUR, back + 23 * HOUR + 1, HOUR))
    assert clock.fired_before == START + 2 * HOUR
    assert clock.tick(back + 24 * HOUR) == [back + 24 * HOUR]
    assert clock.fired_before is None
    assert clock.tick(back + 27 * HOUR) == [back + 25 * HOUR, back + 26 * HOUR, back + 27 * HOUR]


def test_registering_under_a_clock_that_was_set_back_keeps_the_boundary_that_was_reached(clock):
    clock.show(START - HOUR)
    clock.register()
    assert (clock.next_fire_at, clock.fired_before) == (START - HOUR + 1, START + 11)
    clock.register()
    assert clock.tick(START + 11) == [START + 11]


@pytest.mark.parametrize("change", ["register", "update"])
def test_a_new_expression_has_fired_nothing_before(clock, change):
    repeated(clock, START - HOUR, 5)
    if change == "register":
        clock.register("@every 2s")
    else:
        call(clock.conn, "honker_scheduler_update", "s", "@every 2s", None, None, None, 0)
    assert clock.fired_before is None
    assert clock.tick(START - HOUR + 9) == [START - HOUR + 7, START - HOUR + 9]


def test_a_rolled_back_tick_forgets_nothing(clock):
    repeated(clock, START - HOUR, 5)
    clock.show(START + 12)
    clock.conn.execute("BEGIN")
    assert len(call_json(clock.conn, "honker_scheduler_tick", START + 12)) == 2
    clock.conn.execute("ROLLBACK")
    assert clock.tick(START + 12) == [START + 11, START + 12]


@pytest.mark.parametrize("edited", ["soon", b"\x00", -5])
def test_an_edited_boundary_that_makes_no_sense_is_ignored(clock, edited):
    clock.conn.execute("UPDATE _honker_scheduler_tasks SET fired_before = ?", (edited,))
    assert clock.tick(START + 12) == [START + 11, START + 12]
    assert clock.fired_before is None
