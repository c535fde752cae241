"""Schedules against a model: the jobs enqueued by ticks, after any registrations, changes, pauses and missed ticks.

The model gets the firing times from `cron_oracle`, and the misfire policies from their description. The clock may be
set by an hour or two days either way: a boundary that has fired fires again only if it comes on time.
"""

import bisect
import copy
import functools
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ..sql.database import call, call_json, rows
from .cron_oracle import Cron, LocalClock, daily, wildcard
from .profiles import explore

pytestmark = pytest.mark.timeout(600)  # time to shrink a failing example

# Two hours before Berlin's clocks went back in 2026; the model covers the month after it.
START_S = 1_792_882_800
HORIZON_S = START_S + 40 * 86_400
CATCH_UP, GRACE_S, BELIEVED_S = 64, 60, 86_400
HOURS_MS = [hours * 3_600_000 for hours in (1, 1, -1, 24, -48)]

CRONS = {
    cron.text: cron
    for cron in [
        wildcard("*/15", 0, 15, 30, 45),
        wildcard("30", 30),
        daily(2, 30),
        Cron("0 9 * * MON-FRI", frozenset([0]), frozenset([9]), frozenset(range(1, 6))),
    ]
}
EVERY_S = {"@every 30s": 30, "@every 7m": 420, "@every5h": 18_000}
MISFIRES = ["catch_up", "once", "skip"]

names = st.sampled_from(["x", "y", "z"])
expressions = st.sampled_from([*CRONS, *EVERY_S])
zones = st.sampled_from([None, "UTC", "Europe/Berlin", "Europe/Berlin"])
expiries = st.sampled_from([None, None, 45, 3600])
misfires = st.sampled_from(MISFIRES)


@functools.cache
def fires(expression, zone):
    """All instants at which a cron schedule fires, until the horizon."""
    return _clock(zone or "UTC").instants(CRONS[expression])


@functools.cache
def _clock(zone):
    return LocalClock(zone, START_S - 86_400, HORIZON_S)


def is_known(instant):
    """True if the model covers that instant and the days after it."""
    return START_S - 80_000 < instant < HORIZON_S - 10 * 86_400


def following(expression, zone, after):
    """The first boundary strictly after an instant in seconds, which may have a fraction."""
    if expression in EVERY_S:
        return int(after) + EVERY_S[expression]
    known = fires(expression, zone)
    return known[bisect.bisect_right(known, after)]


@dataclass(frozen=True)
class Schedule:
    expression: str
    zone: str | None
    misfire: str
    expires_s: int | None
    next_fire_at: int
    is_enabled: bool = True
    # Not listed: the boundary that it had come to before the clock was set back, and the time of that.
    fired_before: int | None = field(default=None, compare=False)
    set_back_at: int | None = field(default=None, compare=False)

    def after(self, instant):
        return following(self.expression, self.zone, instant)

    def is_too_far_ahead(self, now):
        """True if only a clock that was ahead can have stored the boundary to wait for."""
        return self.next_fire_at > self.after(self.after(now))

    def set_back(self, now):
        """The schedule at the first boundary after now; it remembers the furthest one that it had come to."""
        reached = max(self.next_fire_at, self.fired_before or 0)
        return replace(self, next_fire_at=self.after(now), fired_before=reached, set_back_at=int(now))

    def tick(self, until):
        """The boundaries that fire, and the schedule afterwards."""
        reached = self.fired_before
        if reached is not None and self.next_fire_at < reached:
            return self._again(until) if until < reached else replace(self, next_fire_at=reached)._due(until)
        return self._due(until)

    def _again(self, until):
        """Only the last boundary fires again, and only in time."""
        passed, at = [], self.next_fire_at
        while at <= until <= self.next_fire_at + GRACE_S:
            passed.append(at)
            at = self.after(at)
        fired = passed[-1:]
        if fired and fired[0] >= self.set_back_at + BELIEVED_S:
            return fired, self.at(self.after(fired[0]))
        following = self.after(fired[0] if fired else until)
        if following >= self.fired_before:
            return fired, self.at(self.fired_before)
        return fired, replace(self, next_fire_at=following)

    def _due(self, until):
        if self.misfire == "catch_up":
            return self._each(until)
        is_late = until > self.next_fire_at + GRACE_S
        fired = [] if self.misfire == "skip" and is_late else [self.next_fire_at]
        return fired, self._caught_up(self.after(self.next_fire_at), until)

    def _each(self, until):
        fired, at = [], self.next_fire_at
        while at <= until and len(fired) < CATCH_UP:
            fired.append(at)
            at = self.after(at)
        return fired, self._caught_up(at, until)

    def _caught_up(self, at, until):
        """At the boundary itself unless it has passed; otherwise at the next one, without all that have passed."""
        return self.at(at if at > until else self.after(until))

    def at(self, next_fire_at):
        return replace(self, next_fire_at=next_fire_at, fired_before=None, set_back_at=None)


class ScheduleMachine(RuleBasedStateMachine):
    lay = None

    def __init__(self):
        super().__init__()
        self.place = self.lay(START_S * 1000)
        self.clock = self.place.clock
        self.conns = [self.place.connect(), self.place.connect()]
        self.schedules = {}
        self.jobs = []  # boundaries, and the expiries of their jobs, in the order of their ids
        self.committed = None

    def teardown(self):
        for conn in self.conns:
            conn.close()
        self.place.close()

    @property
    def conn(self):
        return self.conns[0]

    @property
    def now(self):
        return self.clock.time()

    # ------------------------------------------------------------------------------------------------------- operations

    @initialize(given=st.lists(st.tuples(names, expressions, zones, misfires, expiries), min_size=1, max_size=3))
    def some_are_there(self, given):
        for name, expression, zone, misfire, expires_s in given:
            self.register(name, expression, zone, misfire, expires_s)

    @rule(name=names, expression=expressions, zone=zones, misfire=misfires, expires_s=expiries)
    def register(self, name, expression, zone, misfire, expires_s):
        options = (name, "q", expression, "{}", 0, expires_s, 3, zone, misfire)
        assert call(self.conn, "honker_scheduler_register", *options) == 1
        known = self.schedules.get(name)
        if known and (known.expression, known.zone) == (expression, zone):
            kept = known.set_back(self.now) if known.is_too_far_ahead(self.now) else known  # missed boundaries are kept
            self.schedules[name] = replace(kept, misfire=misfire, expires_s=expires_s)
            return
        next_fire_at = following(expression, zone, self.now)
        is_enabled = known is None or known.is_enabled
        self.schedules[name] = Schedule(expression, zone, misfire, expires_s, next_fire_at, is_enabled)

    @rule(
        name=names,
        expression=st.none() | expressions,
        zone=st.sampled_from([None, None, "", "UTC", "Europe/Berlin"]),
        misfire=st.none() | misfires,
        expires_s=expiries,
        touches_expiry=st.booleans(),
    )
    def update(self, name, expression, zone, misfire, expires_s, touches_expiry):
        options = (name, expression, None, None, expires_s, int(touches_expiry), None, 0, zone, misfire)
        seen = call(self.conn, "honker_scheduler_update", *options)
        known = self.schedules.get(name)
        is_change = touches_expiry or (expression, zone, misfire) != (None, None, None)
        assert seen == (known is not None and is_change)
        if not seen:
            return
        changed = replace(
            known,
            expression=expression or known.expression,
            zone=known.zone if zone is None else zone or None,
            misfire=misfire or known.misfire,
            expires_s=expires_s if touches_expiry else known.expires_s,
        )
        if expression is not None or zone is not None:
            changed = changed.at(changed.after(self.now))
        self.schedules[name] = changed

    @rule(name=names, is_enabled=st.sampled_from([True, True, False]))
    def pause_or_resume(self, name, is_enabled):
        known = self.schedules.get(name)
        seen = call(self.conn, f"honker_scheduler_{'resume' if is_enabled else 'pause'}", name)
        assert seen == (known is not None and known.is_enabled != is_enabled)
        if known:
            self.schedules[name] = replace(known, is_enabled=is_enabled)

    @rule(name=names)
    def unregister(self, name):
        seen = call(self.conn, "honker_scheduler_unregister", name)
        assert seen == (self.schedules.pop(name, None) is not None)

    @rule(name=names)
    def register_again(self, name):
        """Register again, as every start of an application does."""
        if name in self.schedules:
            known = self.schedules[name]
            self.register(name, known.expression, known.zone, known.misfire, known.expires_s)

    @rule(downtime_s=st.sampled_from([0, 0, 60, 3600, 86_400]), is_repeated=st.booleans())
    def tick(self, downtime_s, is_repeated):
        """Tick, after a while without ticks."""
        self.time_passes(downtime_s * 1000)
        until = self.now
        expected = []
        due = [(known.next_fire_at, name) for name, known in self.schedules.items() if known.is_enabled]
        self.schedules = {
            name: known.set_back(until) if known.is_enabled and known.is_too_far_ahead(until) else known
            for name, known in self.schedules.items()
        }
        for at, name in sorted(entry for entry in due if entry[0] <= until):
            known = self.schedules[name]
            assert at == known.next_fire_at
            fired, self.schedules[name] = known.tick(until)
            expected += [(name, boundary) for boundary in fired]
            self.jobs += [(boundary, known.expires_s and boundary + known.expires_s) for boundary in fired]
        seen = call_json(self.conn, "honker_scheduler_tick", until)
        assert [(fire["name"], fire["fire_at"]) for fire in seen] == expected
        if is_repeated:
            assert call_json(self.conn, "honker_scheduler_tick", until) == []

    @rule(
        ms=st.sampled_from(
            [1, 1000, 30_000, 61_000, 900_000, 3_600_000, 3_600_000, -3_600_000, 86_400_000, -2 * 86_400_000]
        )
    )
    def time_passes(self, ms):
        """Or the clock is set, by an hour or two days, within the period that the model covers."""
        if is_known(self.now + ms / 1000):
            self.clock.move(ms)

    @rule(name=names, late_s=st.sampled_from([-0.001, 0, 60, 60.001]))
    def a_boundary_is_reached(self, name, late_s):
        """To the millisecond, or to the end of the grace of `skip`."""
        at = self.schedules[name].next_fire_at + late_s if name in self.schedules else None
        if at is not None and is_known(at):
            self.clock.move_to(round(at * 1000))
            self.tick(downtime_s=0, is_repeated=False)

    @precondition(lambda self: self.committed is None)
    @rule()
    def begin(self):
        self.conn.execute("BEGIN IMMEDIATE")
        self.committed = copy.deepcopy((self.schedules, self.jobs))

    @precondition(lambda self: self.committed is not None)
    @rule(how=st.sampled_from(["COMMIT", "ROLLBACK", "the leader dies"]))
    def end_the_transaction(self, how):
        if how == "the leader dies":
            self.place.kill(self.conn)
            self.conns[0] = self.place.connect()
        else:
            self.conn.execute(how)
        if how != "COMMIT":
            self.schedules, self.jobs = self.committed
        self.committed = None

    @precondition(lambda self: self.committed is None)
    @rule()
    def another_takes_over(self):
        self.conns.reverse()

    # ------------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def every_schedule_is_as_the_model_says(self):
        assert {entry["name"]: _as_modelled(entry) for entry in call_json(self.conn, "honker_scheduler_list")} == (
            self.schedules
        )

    @invariant()
    def the_soonest_boundary_is_the_first_of_those_that_fire(self):
        enabled = [known for known in self.schedules.values() if known.is_enabled]
        soonest = min((known.next_fire_at for known in enabled), default=0)
        if soonest > self.now and any(known.is_too_far_ahead(self.now) for known in enabled):
            soonest = int(self.now)  # a tick has one to set back
        assert call(self.conn, "honker_scheduler_soonest") == soonest

    @invariant()
    def there_is_one_job_for_each_boundary_that_fired(self):
        assert rows(self.conn, "SELECT expires_at FROM _honker_live ORDER BY id") == [
            (expires_at,) for _, expires_at in self.jobs
        ]


def _as_modelled(entry):
    assert entry["last_error"] is None
    return Schedule(
        entry["cron_expr"],
        entry["time_zone"],
        entry["misfire"],
        entry["expires_s"],
        entry["next_fire_at"],
        entry["enabled"],
    )


@pytest.mark.torture(short_s=5, share=2)
def test_schedules_do_what_their_model_does(lay, torture, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")  # for schedules without a zone
    explore(ScheduleMachine, lay, torture, examples=80)
