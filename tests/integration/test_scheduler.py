"""The scheduler: each boundary fires once, by one leader, whatever becomes of leaders, schedules and clocks."""

import asyncio
import json
import sqlite3
import time
from contextlib import asynccontextmanager, closing

import honker
import pytest
from honker import (
    DatabaseError,
    HonkerError,
    InvalidArgumentError,
    InvalidPayloadError,
    LeadershipLost,
    LockHeld,
    Scheduler,
    WatcherError,
    crontab,
    every_s,
)

from ..support.locking import ask
from ..support.processes import running
from ..support.waiting import until

HOUR_S = 3600
EXPIRES_S = 100_000  # given to each schedule, so that a job tells the boundary it was enqueued for

REGISTRAR = """
import sys, time
import honker
with honker.open(sys.argv[1]) as db:
    scheduler = honker.Scheduler(db)
    print("ready", flush=True)
    sys.stdin.readline()
    with db.transaction() as tx:
        scheduler.add(name="new", queue="q", schedule=honker.every_s(3600), tx=tx)
        tx.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = unixepoch() WHERE name = 'new'")
    print(time.time(), flush=True)
"""


@pytest.fixture
def scheduler(db):
    return Scheduler(db)


@pytest.fixture
def hourly(scheduler):
    """A scheduler with a schedule that does not come round during the test."""
    scheduler.add(name="hourly", queue="q", schedule=every_s(HOUR_S), payload="hourly", expires=EXPIRES_S)
    return scheduler


def schedules(scheduler):
    return {schedule["name"]: schedule for schedule in scheduler.list()}


def due_from(path, instant, name="hourly"):
    """Sets a schedule's next boundary, as downtime or an operator may."""
    ask(path, "UPDATE _honker_scheduler_tasks SET next_fire_at = ? WHERE name = ?", instant, name)


def next_fire_at(path, name="hourly"):
    return ask(path, "SELECT next_fire_at FROM _honker_scheduler_tasks WHERE name = ?", name)[0][0]


def fired(path, payload="hourly"):
    """The boundaries that jobs were enqueued for."""
    sql = "SELECT expires_at - ? FROM _honker_live WHERE payload = ? ORDER BY id"
    return [row[0] for row in ask(path, sql, EXPIRES_S, json.dumps(payload))]


def jobs(path):
    return ask(path, "SELECT queue, payload FROM _honker_live ORDER BY id")


def lock_row(path, name="honker-scheduler"):
    rows = ask(path, "SELECT owner, expires_at FROM _honker_locks WHERE name = ?", name)
    return rows[0] if rows else None


def tick(db, at):
    """What a leader does when something is due, without leading."""
    with db.transaction() as tx:
        return json.loads(tx.scalar("SELECT honker_scheduler_tick(?)", (at,)))


@asynccontextmanager
async def leading(scheduler, **options):
    """Runs a scheduler until the end of the block, leading from its beginning on."""
    stop = asyncio.Event()
    running = asyncio.create_task(scheduler.run(stop, **options))
    try:
        await until(lambda: running.done() or lock_row(scheduler.db.path, scheduler.lock_name))
        yield running
        assert not stop.is_set(), "only its owner sets the stop event"
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


# ------------------------------------------------------------------------------------------------------------ schedules


def test_a_schedule_is_kept_with_what_it_was_added_with(scheduler):
    before = int(time.time())
    scheduler.add(
        name="s",
        queue="q",
        schedule=crontab("0 3 * * *", "Europe/Berlin"),
        payload={"n": 1},
        priority=5,
        expires=60,
        max_attempts=7,
        misfire="once",
    )
    (kept,) = scheduler.list()
    assert kept.pop("next_fire_at") > before
    assert kept == {
        "name": "s",
        "queue": "q",
        "cron_expr": "0 3 * * *",
        "payload": '{"n": 1}',
        "priority": 5,
        "expires_s": 60,
        "enabled": True,
        "max_attempts": 7,
        "time_zone": "Europe/Berlin",
        "misfire": "once",
        "last_error": None,
    }


def test_what_is_not_given_has_its_default(scheduler):
    scheduler.add(name="s", queue="q", schedule=every_s(60))
    (kept,) = scheduler.list()
    assert (kept["payload"], kept["priority"], kept["expires_s"], kept["max_attempts"]) == ("null", 0, None, 3)
    assert (kept["time_zone"], kept["misfire"], kept["enabled"]) == (None, "catch_up", True)
    assert 0 < kept["next_fire_at"] - time.time() <= 60


def test_anything_with_an_expression_can_be_scheduled(scheduler):
    class Weekly:
        expr = "@weekly"

    scheduler.add(name="s", queue="q", schedule=Weekly())
    assert scheduler.list()[0]["cron_expr"] == "@weekly"


def test_a_bare_expression_is_no_schedule(scheduler):
    with pytest.raises(AttributeError, match="expr"):
        scheduler.add(name="s", queue="q", schedule="* * * * *")
    assert scheduler.list() == []


class Bad:
    expr = "* * * *"


@pytest.mark.parametrize(
    "refused",
    [
        {"name": ""},
        {"queue": ""},
        {"schedule": Bad()},
        {"misfire": "panic"},
        {"expires": 1.5},
        {"priority": "high"},
        {"payload": object()},
    ],
    ids=lambda refused: next(iter(refused)),
)
def test_a_schedule_that_cannot_be_kept_leaves_what_was_there(hourly, refused):
    before = hourly.list()
    for name in ("new", "hourly"):
        with pytest.raises(HonkerError):
            hourly.add(**{"name": name, "queue": "other", "schedule": every_s(5)} | refused)
    assert hourly.list() == before


def test_schedules_are_listed_by_name(scheduler):
    for name in ("b", "c", "a"):
        scheduler.add(name=name, queue="q", schedule=every_s(60))
    assert [schedule["name"] for schedule in scheduler.list()] == ["a", "b", "c"]


def test_adding_again_keeps_the_next_boundary_while_the_expression_stays(hourly, path):
    due_from(path, 1000)
    hourly.add(name="hourly", queue="other", schedule=every_s(HOUR_S), payload=2, priority=1)
    (kept,) = hourly.list()
    assert (kept["queue"], kept["payload"], kept["priority"], kept["expires_s"]) == ("other", "2", 1, None)
    assert kept["next_fire_at"] == 1000
    hourly.add(name="hourly", queue="other", schedule=every_s(HOUR_S + 1))
    assert hourly.list()[0]["next_fire_at"] > time.time()


def test_adding_again_leaves_a_paused_schedule_paused(hourly):
    hourly.pause("hourly")
    hourly.add(name="hourly", queue="q", schedule=every_s(HOUR_S))
    assert not hourly.list()[0]["enabled"]


def test_remove_forgets_a_schedule(hourly):
    assert hourly.remove("hourly") is True
    assert hourly.remove("hourly") is False
    assert hourly.list() == []


def test_pause_and_resume_say_whether_they_changed_anything(hourly):
    assert [hourly.pause("hourly"), hourly.pause("hourly")] == [True, False]
    assert not hourly.list()[0]["enabled"]
    assert [hourly.resume("hourly"), hourly.resume("hourly")] == [True, False]
    assert hourly.list()[0]["enabled"]
    assert (hourly.pause("nothing"), hourly.resume("nothing")) == (False, False)


def test_every_change_may_be_part_of_a_transaction(db, hourly):
    before = hourly.list()
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        hourly.add(name="new", queue="q", schedule=every_s(60), tx=tx)
        assert hourly.update("hourly", priority=9, tx=tx)
        assert hourly.pause("hourly", tx=tx)
        assert hourly.resume("hourly", tx=tx)
        assert hourly.pause("hourly", tx=tx)
        assert [schedule["name"] for schedule in hourly.list(tx=tx)] == ["hourly", "new"]
        assert hourly.remove("hourly", tx=tx)
        assert hourly.list() == before
        raise ZeroDivisionError
    assert hourly.list() == before


# ------------------------------------------------------------------------------------------------------------- updating


@pytest.fixture
def full(scheduler, path):
    """A schedule with no property at its default, and its next boundary in the past."""
    scheduler.add(
        name="s",
        queue="q",
        schedule=crontab("0 3 * * *", "Europe/Berlin"),
        payload={"n": 1},
        priority=5,
        expires=60,
        max_attempts=7,
        misfire="once",
    )
    due_from(path, 1000, "s")
    return scheduler


UPDATES = [
    ({"payload": None}, {"payload": "null"}),
    ({"payload": [1]}, {"payload": "[1]"}),
    ({"priority": 0}, {"priority": 0}),
    ({"expires": None}, {"expires_s": None}),
    ({"expires": 30}, {"expires_s": 30}),
    ({"max_attempts": None}, {"max_attempts": 3}),
    ({"max_attempts": 1}, {"max_attempts": 1}),
    ({"misfire": "skip"}, {"misfire": "skip"}),
    ({"payload": 2, "priority": 1, "expires": None}, {"payload": "2", "priority": 1, "expires_s": None}),
]


@pytest.mark.parametrize(("given", "changed"), UPDATES, ids=str)
def test_update_changes_what_is_given_and_leaves_the_rest(full, given, changed):
    before = full.list()[0]
    assert full.update("s", **given) is True
    assert full.list() == [before | changed]


def test_update_without_anything_does_nothing(full):
    before = full.list()
    assert full.update("s") is False
    assert full.update("s", schedule=None, priority=None, misfire=None) is False
    assert full.list() == before


def test_update_of_what_is_not_there_does_nothing(full):
    assert full.update("nothing", priority=1) is False
    assert [schedule["name"] for schedule in full.list()] == ["s"]


def test_an_updated_schedule_counts_from_now(full):
    before = full.list()[0]
    assert full.update("s", schedule=crontab("0 4 * * *", "Asia/Tokyo"))
    after = full.list()[0]
    assert after["next_fire_at"] > time.time()
    assert after == before | {
        "cron_expr": "0 4 * * *",
        "time_zone": "Asia/Tokyo",
        "next_fire_at": after["next_fire_at"],
    }


def test_a_schedule_updated_to_one_without_a_zone_has_none(full):
    assert full.update("s", schedule=every_s(60))
    (after,) = full.list()
    assert (after["cron_expr"], after["time_zone"]) == ("@every 60s", None)
    assert 0 < after["next_fire_at"] - time.time() <= 60


@pytest.mark.parametrize(
    "refused", [{"schedule": Bad()}, {"misfire": "panic"}, {"expires": 1.5}, {"payload": {1}}], ids=str
)
def test_an_update_that_is_refused_changes_nothing(full, refused):
    before = full.list()
    with pytest.raises((InvalidArgumentError, InvalidPayloadError)):
        full.update("s", **{"priority": 9} | refused)
    assert full.list() == before


# ------------------------------------------------------------------------------------------------------- who may lead


def test_a_scheduler_without_any_schedule_does_not_run(scheduler, path):
    with pytest.raises(DatabaseError, match="no registered tasks"):
        asyncio.run(scheduler.run())
    with pytest.raises(RuntimeError, match="no registered tasks"):
        asyncio.run(scheduler.run(asyncio.Event(), standby=True))
    assert lock_row(path) is None


def test_a_scheduler_runs_the_schedules_that_others_added(db, hourly, path):
    async def main():
        async with leading(Scheduler(db)):
            due_from(path, 1000)
            await until(lambda: fired(path))

    asyncio.run(main())


def test_a_scheduler_holds_its_lock_while_it_runs_and_then_gives_it_back(hourly, path):
    async def main():
        async with leading(hourly):
            assert 50 < lock_row(path)[1] - time.time() < 60.01

    asyncio.run(main())
    assert lock_row(path) is None
    assert (Scheduler.LOCK_NAME, Scheduler.LOCK_TTL, Scheduler.HEARTBEAT_INTERVAL) == ("honker-scheduler", 60, 30)


def test_a_scheduler_stops_at_once_if_its_stop_event_is_set_already(hourly, path):
    async def main():
        stop = asyncio.Event()
        stop.set()
        await asyncio.wait_for(hourly.run(stop), 5)

    due_from(path, 1000)
    asyncio.run(main())
    assert lock_row(path) is None
    assert jobs(path) == []


def test_a_scheduler_without_a_stop_event_runs_until_it_is_cancelled(hourly, path):
    async def main():
        running = asyncio.create_task(hourly.run())
        await until(lambda: lock_row(path))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert lock_row(path) is None


def test_a_stop_event_that_is_set_for_a_moment_stops_the_scheduler(hourly):
    """Set and cleared again before the loop comes round: the wait for it has ended all the same."""

    async def main():
        stop = asyncio.Event()
        running = asyncio.create_task(hourly.run(stop))
        await until(lambda: lock_row(hourly.db.path))
        stop.set()
        stop.clear()
        try:
            await asyncio.wait_for(asyncio.shield(running), 2)
        finally:
            running.cancel()

    asyncio.run(main())


def test_a_scheduler_says_when_it_begins_to_lead(db, hourly, path):
    leaders = []

    async def main():
        async with leading(hourly, on_leading=lambda: leaders.append(lock_row(path))):
            with pytest.raises(LockHeld):
                await Scheduler(db).run(on_leading=lambda: leaders.append("another"))
        with pytest.raises(ZeroDivisionError):
            await hourly.run(on_leading=lambda: 1 / 0)

    asyncio.run(main())
    assert [leader is not None for leader in leaders] == [True]
    assert lock_row(path) is None


def test_a_second_scheduler_is_refused_while_another_leads(db, hourly, path):
    async def main():
        async with leading(hourly):
            before = lock_row(path)
            stop = asyncio.Event()
            with pytest.raises(LockHeld, match="honker-scheduler"):
                await Scheduler(db).run(stop)
            assert not stop.is_set()
            assert lock_row(path) == before

    asyncio.run(main())


def test_schedulers_with_locks_of_their_own_both_lead(db, hourly, path):
    async def main():
        async with leading(hourly), leading(Scheduler(db, "second")):
            assert lock_row(path)[0] != lock_row(path, "second")[0]
            due_from(path, 1000)
            await until(lambda: fired(path))

    asyncio.run(main())
    assert fired(path).count(1000) == 1


def test_a_standby_waits_and_takes_over_as_soon_as_the_leader_stops(db, hourly, path):
    async def main():
        leader_stop, standby_stop = asyncio.Event(), asyncio.Event()
        leader = asyncio.create_task(hourly.run(leader_stop))
        await until(lambda: lock_row(path))
        owner = lock_row(path)[0]
        standby = asyncio.create_task(Scheduler(db).run(standby_stop, standby=True))
        await asyncio.sleep(0)
        leader_stop.set()
        await leader
        began = time.monotonic()
        try:
            await until(lambda: lock_row(path) and lock_row(path)[0] != owner, timeout_s=20)
            took_s = time.monotonic() - began
            due_from(path, 1000)
            await until(lambda: fired(path))
        finally:
            standby_stop.set()
            await standby
        return took_s

    assert asyncio.run(main()) < 2


def test_a_standby_takes_over_when_the_lease_of_its_leader_lapses(hourly, path, monkeypatch):
    """It knows when that is: nothing wakes it, and it does not look again and again."""
    monkeypatch.setattr("honker.scheduler._STANDBY_POLL_S", 1000)
    ask(
        path, "INSERT INTO _honker_locks (name, owner, expires_at) VALUES ('honker-scheduler', 'dead', unixepoch() + 2)"
    )
    expires_at = lock_row(path)[1]

    async def main():
        stop = asyncio.Event()
        running = asyncio.create_task(hourly.run(stop, standby=True))
        await until(lambda: lock_row(path)[0] != "dead")
        assert time.time() >= expires_at
        stop.set()
        await running

    asyncio.run(main())


def test_a_standby_fires_nothing(hourly, path, monkeypatch):
    monkeypatch.setattr("honker.scheduler._STANDBY_POLL_S", 0.01)
    ask(path, "INSERT INTO _honker_locks (name, owner, expires_at) VALUES ('honker-scheduler', 'x', unixepoch() + 99)")
    before = lock_row(path)

    async def main():
        stop = asyncio.Event()
        running = asyncio.create_task(hourly.run(stop, standby=True))
        due_from(path, 1000)
        done, _ = await asyncio.wait([running], timeout=0.3)
        assert not done
        stop.set()
        await asyncio.wait_for(running, 5)

    asyncio.run(main())
    assert jobs(path) == []
    assert lock_row(path) == before


def test_a_standby_writes_nothing_while_it_waits(hourly, path, monkeypatch):
    monkeypatch.setattr("honker.scheduler._STANDBY_POLL_S", 0.01)
    ask(path, "INSERT INTO _honker_locks (name, owner, expires_at) VALUES ('honker-scheduler', 'x', unixepoch() + 99)")

    async def main(conn):
        version = conn.execute("PRAGMA data_version").fetchone()
        running = asyncio.create_task(hourly.run(standby=True))
        await asyncio.wait([running], timeout=0.3)
        running.cancel()
        assert conn.execute("PRAGMA data_version").fetchone() == version

    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        asyncio.run(main(conn))


def test_a_leader_that_cannot_notice_commits_gives_its_lock_back(hourly, path, monkeypatch):
    def fail():
        raise WatcherError("no watcher today")

    monkeypatch.setattr(hourly.db, "update_events", fail)
    with pytest.raises(WatcherError, match="today"):
        asyncio.run(hourly.run())
    assert lock_row(path) is None


# --------------------------------------------------------------------------------------------------- losing leadership


def steal(path):
    """Another scheduler takes the lock, as after a lapse; its lease is long."""
    ask(path, "UPDATE _honker_locks SET owner = 'thief', expires_at = unixepoch() + 1000")
    return lock_row(path)


async def expect_loss(scheduler, bring_about, **options):
    """Runs a scheduler that loses its lock; the stop event must stay as it is."""
    stop = asyncio.Event()
    running = asyncio.create_task(scheduler.run(stop, **options))
    await until(lambda: running.done() or lock_row(scheduler.db.path))
    bring_about()
    with pytest.raises(LeadershipLost, match="lost"):
        await asyncio.wait_for(running, 10)
    assert not stop.is_set()


@pytest.mark.parametrize("standby", [False, True], ids=["alone", "with standby"])
def test_a_leader_whose_lock_was_stolen_notices_when_it_renews(hourly, path, standby):
    hourly.heartbeat_interval = 0.05
    asyncio.run(expect_loss(hourly, lambda: steal(path), standby=standby))
    owner, expires_at = lock_row(path)
    assert owner == "thief"
    assert expires_at - time.time() > 900


def test_a_leader_whose_lock_was_stolen_fires_nothing_any_more(hourly, path):
    """The heartbeat is far away: what is due makes it look."""

    def steal_and_make_due():
        conn = sqlite3.connect(path, isolation_level=None)
        with closing(conn):
            conn.execute("BEGIN IMMEDIATE")
            conn.execute("UPDATE _honker_locks SET owner = 'thief', expires_at = unixepoch() + 1000")
            conn.execute("UPDATE _honker_scheduler_tasks SET next_fire_at = 1000")
            conn.execute("COMMIT")

    asyncio.run(expect_loss(hourly, steal_and_make_due))
    assert jobs(path) == []
    assert next_fire_at(path) == 1000
    assert lock_row(path)[0] == "thief"


def test_a_leader_whose_lease_has_lapsed_has_lost_it_even_if_nobody_took_it(hourly, path):
    hourly.heartbeat_interval = 0.05
    asyncio.run(expect_loss(hourly, lambda: ask(path, "UPDATE _honker_locks SET expires_at = unixepoch() - 1")))


def test_a_leader_whose_lock_was_deleted_has_lost_it(hourly, path):
    def delete_and_make_due():
        ask(path, "DELETE FROM _honker_locks")
        due_from(path, 1000)

    asyncio.run(expect_loss(hourly, delete_and_make_due))
    assert jobs(path) == []


# ------------------------------------------------------------------------------------------------------------- firing


def test_a_fire_enqueues_a_job_as_the_schedule_says(db, scheduler, path):
    scheduler.add(
        name="s",
        queue="reports",
        schedule=every_s(HOUR_S),
        payload={"n": 1},
        priority=5,
        max_attempts=7,
        misfire="once",
    )
    due_from(path, 1000, "s")

    async def main():
        async with leading(scheduler):
            await until(lambda: jobs(path))

    asyncio.run(main())
    job = db.queue("reports").claim_one("w")
    assert (job.payload, job.priority, job.max_attempts) == ({"n": 1}, 5, 7)
    assert db.query("SELECT * FROM _honker_live WHERE id <> ?", [job.id]) == []


def test_each_second_fires_once_and_in_time(db, scheduler, path):
    """A cron expression and an interval, side by side, for some seconds."""
    with db.transaction() as tx:
        tx.execute("CREATE TABLE fires (name, boundary, at)")
        tx.execute(f"""
            CREATE TRIGGER fire AFTER INSERT ON _honker_live BEGIN
              INSERT INTO fires VALUES (
                NEW.payload, NEW.expires_at - {EXPIRES_S}, (julianday('now') - 2440587.5) * 86400
              );
            END
        """)
    for name, schedule in (("cron", crontab("* * * * * *")), ("interval", every_s(1))):
        scheduler.add(name=name, queue="q", schedule=schedule, payload=name, expires=EXPIRES_S)

    def seen(name):
        rows = ask(path, "SELECT boundary, at FROM fires WHERE name = ? ORDER BY rowid", json.dumps(name))
        return [row[0] for row in rows], [at - boundary for boundary, at in rows]

    async def main():
        async with leading(scheduler):
            await until(lambda: all(len(seen(name)[0]) >= 3 for name in ("cron", "interval")), timeout_s=20)

    asyncio.run(main())
    for name in ("cron", "interval"):
        boundaries, late_s = seen(name)
        assert boundaries == list(range(boundaries[0], boundaries[0] + len(boundaries)))
        assert min(late_s) > -0.005  # what julianday() is good for
        assert sorted(late_s)[len(late_s) // 2] < 0.5
        assert max(late_s) < 2


def test_a_schedule_that_another_process_adds_is_noticed_within_a_second(hourly, path):
    async def main(registrar):
        async with leading(hourly):
            looks = count_looks(hourly)
            await until(lambda: looks)
            registrar.say()
            await until(lambda: ask(path, "SELECT 1 FROM _honker_live"))
            return time.time() - float(registrar.line())

    with running(REGISTRAR, path) as registrar:
        registrar.expect("ready")
        assert asyncio.run(main(registrar)) < 1


def count_looks(scheduler):
    """The looks at what comes next, from now on; one of them is brought about here."""
    looks, look = [], scheduler._soonest

    def watched():
        looks.append(time.monotonic())
        return look()

    scheduler._soonest = watched
    ask(scheduler.db.path, "INSERT INTO _honker_notifications (channel, payload) VALUES ('wake', '1')")
    return looks


async def look_again(scheduler, looks):
    """Wakes the leader for nothing and waits until it has looked at what comes next."""
    count = len(looks)
    ask(scheduler.db.path, "INSERT INTO _honker_notifications (channel, payload) VALUES ('wake', '1')")
    await until(lambda: len(looks) > count)


def test_a_scheduler_survives_that_every_schedule_is_paused_or_removed(db, hourly, path):
    async def main():
        async with leading(hourly) as task:
            looks = count_looks(hourly)
            assert hourly.pause("hourly")
            due_from(path, 1000)
            for _ in range(3):
                await look_again(hourly, looks)
            assert not task.done()
            assert jobs(path) == []
            assert hourly.resume("hourly")
            await until(lambda: fired(path))
            assert hourly.remove("hourly")
            for _ in range(3):
                await look_again(hourly, looks)
            assert not task.done()
            Scheduler(db).add(name="new", queue="q", schedule=every_s(HOUR_S), payload="new", expires=EXPIRES_S)
            due_from(path, 2000, "new")
            await until(lambda: fired(path, "new"))
            assert not task.done()

    asyncio.run(main())
    assert fired(path)[0] == 1000


def test_a_schedule_that_cannot_be_understood_does_not_stop_the_others(hourly, path):
    for name in ("a bad one", "z bad one"):
        ask(
            path,
            "INSERT INTO _honker_scheduler_tasks (name, queue, cron_expr, payload, next_fire_at)"
            " VALUES (?, 'q', 'nonsense', '1', 1000)",
            name,
        )

    async def main():
        async with leading(hourly) as task:
            for _ in range(3):
                count = len(fired(path))
                due_from(path, int(time.time()))
                await until(lambda count=count: len(fired(path)) > count)
            assert not task.done()
            looks = count_looks(hourly)
            await until(lambda: looks)
            await asyncio.wait([task], timeout=0.2)
            assert len(looks) < 5  # the bad ones do not keep it busy either

    asyncio.run(main())
    assert [row[1] for row in jobs(path)] == ['"hourly"'] * 3
    for name in ("a bad one", "z bad one"):
        assert "nonsense" in schedules(hourly)[name]["last_error"]
    assert schedules(hourly)["hourly"]["last_error"] is None


def test_a_schedule_that_was_put_right_fires_again(hourly, path):
    ask(path, "UPDATE _honker_scheduler_tasks SET cron_expr = 'nonsense', next_fire_at = 1000")

    async def main():
        async with leading(hourly):
            await until(lambda: hourly.list()[0]["last_error"])
            assert hourly.update("hourly", schedule=every_s(1))
            assert hourly.list()[0]["last_error"] is None
            await until(lambda: fired(path))

    asyncio.run(main())


@pytest.mark.parametrize("name", ["NULL", "x'ff'", "x'41'"])
def test_a_schedule_with_a_name_that_is_no_text_does_not_fire_again_and_again(db, hourly, path, name):
    """Nobody but a hand-written INSERT makes one; a leader would otherwise tick without end."""
    ask(
        path,
        "INSERT INTO _honker_scheduler_tasks (name, queue, cron_expr, payload, next_fire_at)"
        f" VALUES ({name}, 'q', '@every 1h', '1', 1000)",
    )
    due_from(path, 1000)
    fires = [tick(db, 5000) for _ in range(3)]
    assert [fire["fire_at"] for fire in fires[0] if fire["name"] == "hourly"] == [1000, 4600]
    assert fires[1:] == [[], []]
    assert db.ask("SELECT honker_scheduler_soonest()") > 5000


def test_a_fire_that_the_database_refuses_is_reported_and_not_half_done(hourly, path):
    ask(path, "CREATE TRIGGER refuse BEFORE INSERT ON _honker_live BEGIN SELECT raise(ABORT, 'not now'); END")
    due_from(path, 1000)
    with pytest.raises(honker.ConstraintError, match="not now"):
        asyncio.run(hourly.run())
    assert next_fire_at(path) == 1000
    assert lock_row(path) is None


def test_a_job_that_is_enqueued_for_a_boundary_expires_by_that_boundary(db, scheduler, path):
    scheduler.add(name="s", queue="q", schedule=every_s(HOUR_S), expires=60, misfire="once")
    due_from(path, int(time.time()) - 100, "s")

    async def main():
        async with leading(scheduler):
            await until(lambda: jobs(path))

    asyncio.run(main())
    assert db.queue("q").claim_one("w") is None


# ----------------------------------------------------------------------------------------------------------- misfires


def run_until_caught_up(scheduler, path, name="hourly"):
    async def main():
        async with leading(scheduler):
            await until(lambda: next_fire_at(path, name) > time.time())

    asyncio.run(main())


def test_a_scheduler_catches_up_on_what_it_missed(hourly, path):
    now = int(time.time())
    due_from(path, now - 5 * HOUR_S - 10)
    run_until_caught_up(hourly, path)
    assert fired(path) == [now - 10 - hours * HOUR_S for hours in (5, 4, 3, 2, 1, 0)]
    assert next_fire_at(path) == now - 10 + HOUR_S


def test_what_was_missed_is_not_lost_when_the_application_adds_its_schedule_again(db, hourly, path):
    """It does so at each start, and the downtime was before that."""
    due_from(path, int(time.time()) - HOUR_S - 10)
    restarted = Scheduler(db)
    restarted.add(name="hourly", queue="q", schedule=every_s(HOUR_S), payload="hourly", expires=EXPIRES_S)
    run_until_caught_up(restarted, path)
    assert len(fired(path)) == 2


def test_a_scheduler_catches_up_on_64_boundaries_and_drops_the_rest(scheduler, path):
    scheduler.add(name="s", queue="q", schedule=every_s(60), payload="s", expires=EXPIRES_S)
    start = int(time.time()) - 60_000
    due_from(path, start, "s")
    run_until_caught_up(scheduler, path, "s")
    assert fired(path, "s") == [start + 60 * step for step in range(64)]


@pytest.mark.parametrize(
    ("misfire", "late_s", "boundaries"),
    [
        ("catch_up", 2 * HOUR_S + 10, 3),
        ("once", 2 * HOUR_S + 10, 1),
        ("once", 10, 1),
        ("skip", 2 * HOUR_S + 10, 0),
        ("skip", 10, 1),
        ("skip", 70, 0),
    ],
)
def test_a_misfire_policy_decides_what_becomes_of_missed_boundaries(scheduler, path, misfire, late_s, boundaries):
    scheduler.add(name="s", queue="q", schedule=every_s(HOUR_S), payload="s", expires=EXPIRES_S, misfire=misfire)
    start = int(time.time()) - late_s
    due_from(path, start, "s")
    run_until_caught_up(scheduler, path, "s")
    assert fired(path, "s") == [start + HOUR_S * step for step in range(boundaries)]
    assert 0 < next_fire_at(path, "s") - time.time() <= HOUR_S


# -------------------------------------------------------------------------------------------------------------- quiet


def test_a_leader_renews_its_lock_at_each_heartbeat(hourly, path):
    hourly.heartbeat_interval = 0.05

    async def main():
        async with leading(hourly):
            for _ in range(3):
                before = lock_row(path)
                await until(lambda before=before: lock_row(path)[1] > before[1])
                assert lock_row(path)[0] == before[0]

    asyncio.run(main())


def test_a_leader_with_a_short_lease_keeps_it(db, hourly, path):
    hourly.lock_ttl, hourly.heartbeat_interval = 0.5, 0.1

    async def main():
        async with leading(hourly) as task:
            owner = lock_row(path)[0]
            began = time.monotonic()

            def others_are_refused():
                assert not task.done()
                assert not db.lock("honker-scheduler").try_acquire()
                return time.monotonic() - began > 1

            await until(others_are_refused)
            assert lock_row(path)[0] == owner

    asyncio.run(main())


def test_a_leader_that_is_woken_for_nothing_commits_nothing(hourly, path):
    """Its commits would wake every consumer of every process, itself among them."""

    async def main(conn):
        async with leading(hourly):
            looks = count_looks(hourly)
            await until(lambda: looks)
            lock, version = lock_row(path), conn.execute("PRAGMA data_version").fetchone()
            for _ in range(50):
                count = len(looks)
                conn.execute("INSERT INTO _honker_notifications (channel, payload) VALUES ('c', '1')")
                await until(lambda count=count: len(looks) > count)
            assert conn.execute("PRAGMA data_version").fetchone() == version
            assert lock_row(path) == lock

    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        asyncio.run(main(conn))


def test_a_leader_that_waits_for_a_boundary_sleeps_until_then(hourly, path):
    async def main():
        async with leading(hourly) as task:
            looks = count_looks(hourly)
            await until(lambda: looks)
            await asyncio.wait([task], timeout=0.3)
            return len(looks)

    assert asyncio.run(main()) <= 5


def test_ticks_that_race_fire_each_boundary_once(db, hourly, path):
    due_from(path, 1000)

    async def main():
        return await asyncio.gather(*(asyncio.to_thread(tick, db, 1000) for _ in range(10)))

    assert sorted(len(fires) for fires in asyncio.run(main())) == [0] * 9 + [1]
    assert fired(path) == [1000]
