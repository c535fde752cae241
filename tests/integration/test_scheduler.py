"""The scheduler: each boundary fires once, by one leader, even if leaders, schedules and clocks change."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing

import honker
import pytest
from honker import Scheduler, crontab, every_s

from ..support.asking import watch_answers
from ..support.locking import ask
from ..support.processes import running
from ..support.schedules import (
    EXPIRES_S,
    HOUR_S,
    due_from,
    fired,
    jobs,
    leading,
    lock_row,
    next_fire_at,
    schedules,
    tick,
)
from ..support.triggers import refuse
from ..support.waiting import until

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


# --------------------------------------------------------------------------------------------------------------- firing


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
    assert ask(path, "SELECT * FROM _honker_live WHERE id <> ?", job.id) == []


@pytest.mark.sqlite_only("a trigger in SQLite's SQL")
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
        assert min(late_s) > -0.005  # the precision of julianday()
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
    looks = []
    watch_answers(scheduler, "honker_scheduler_soonest", lambda _: looks.append(time.monotonic()))
    ask(scheduler.db.path, "INSERT INTO _honker_notifications (channel, payload) VALUES ('wake', '1')")
    return looks


async def look_again(scheduler, looks):
    """Wake the leader for nothing, and wait for its query for the next boundary."""
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
            assert len(looks) < 5  # the bad ones cause no repeated queries either

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
@pytest.mark.sqlite_only("a column of another type")
def test_a_schedule_with_a_name_that_is_no_text_does_not_fire_again_and_again(db, hourly, path, name):
    """Only a hand-written INSERT makes one; a leader would otherwise tick without end."""
    ask(
        path,
        "INSERT INTO _honker_scheduler_tasks (name, queue, cron_expr, payload, next_fire_at)"
        f" VALUES ({name}, 'q', '@every 1h', '1', 1000)",
    )
    due_from(path, 1000)
    fires = [tick(db, 5000) for _ in range(3)]
    assert [fire["fire_at"] for fire in fires[0] if fire["name"] == "hourly"] == [1000, 4600]
    assert fires[1:] == [[], []]
    assert db.engine.ask("SELECT honker_scheduler_soonest()") > 5000


def test_a_fire_that_the_database_refuses_is_reported_and_not_half_done(hourly, path):
    refuse(path, "INSERT", "_honker_live", "not now")
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


# ------------------------------------------------------------------------------------------------------------- misfires


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
    """The application adds it at each start, and the downtime was before that."""
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


# ---------------------------------------------------------------------------------------------------------------- quiet


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


@pytest.mark.sqlite_only("counts the changes of the file")
def test_a_leader_that_is_woken_for_nothing_commits_nothing(hourly, path):
    """Its commits would wake every consumer of every process, including itself."""

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


def test_a_schedule_that_was_rolled_back_is_not_counted(db, scheduler):
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        scheduler.add(name="s", queue="q", schedule=honker.every_s(9), tx=tx)
        raise ZeroDivisionError
    with pytest.raises(honker.DatabaseError, match="no registered tasks"):
        asyncio.run(scheduler.run())
