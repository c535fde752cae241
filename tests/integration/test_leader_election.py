"""Leadership: one scheduler leads, others stand by, and a leader that loses the lock stops."""

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest
from honker import DatabaseError, LeadershipLost, LockHeld, Scheduler, WatcherError, crontab

from ..support.locking import ask, write_lock_elsewhere
from ..support.schedules import due_from, fired, jobs, leading, lock_row, next_fire_at
from ..support.waiting import until

# ------------------------------------------------------------------------------------------------------ taking the lead


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
    """It is set and cleared before the loop runs again, and still ends the wait."""

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
        waits = asyncio.Event()
        run = Scheduler(db).run(standby_stop, standby=True, on_standby=lambda _: waits.set())
        standby = asyncio.create_task(run)
        await asyncio.wait_for(waits.wait(), 10)
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
    monkeypatch.setattr("honker.schedule.scheduler._STANDBY_POLL_S", 1000)
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
    monkeypatch.setattr("honker.schedule.scheduler._STANDBY_POLL_S", 0.01)
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


@pytest.mark.sqlite_only("counts the writes of a file")
def test_a_standby_writes_nothing_while_it_waits(hourly, path, monkeypatch):
    monkeypatch.setattr("honker.schedule.scheduler._STANDBY_POLL_S", 0.01)
    ask(path, "INSERT INTO _honker_locks (name, owner, expires_at) VALUES ('honker-scheduler', 'x', unixepoch() + 99)")

    async def main(conn):
        version = conn.execute("PRAGMA data_version").fetchone()
        running = asyncio.create_task(hourly.run(standby=True))
        await asyncio.wait([running], timeout=0.3)
        running.cancel()
        assert conn.execute("PRAGMA data_version").fetchone() == version

    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        asyncio.run(main(conn))


def test_a_standby_takes_over_after_the_length_of_a_lock_that_a_clock_ahead_has_stored(hourly, path):
    """The clock was set back by an hour, and the leader has ended."""
    stored = "'honker-scheduler', 'a', unixepoch() + 3601, unixepoch() + 3600, 1"
    ask(path, f"INSERT INTO _honker_locks (name, owner, expires_at, taken_at, token) VALUES ({stored})")

    async def main():
        stop = asyncio.Event()
        running = asyncio.create_task(hourly.run(stop, standby=True))
        await until(lambda: lock_row(path)[0] != "a")
        stop.set()
        await asyncio.wait_for(running, 10)

    asyncio.run(main())


def test_a_standby_seldom_asks_for_a_lock_that_is_longer_than_its_own(hourly, path):
    """Each attempt takes the write lock, and each commit wakes the standby."""
    ask(
        path, "INSERT INTO _honker_locks (name, owner, expires_at) VALUES ('honker-scheduler', 'a', unixepoch() + 3600)"
    )
    attempts = []
    call = hourly.db.engine.acall

    async def counted(sql, *arguments, **options):
        attempts.extend(["acquire"] if "lock_acquire" in sql else [])
        return await call(sql, *arguments, **options)

    async def main():
        hourly.db.engine.acall = counted
        stop = asyncio.Event()
        running = asyncio.create_task(hourly.run(stop, standby=True))
        await until(lambda: attempts)
        for _ in range(20):
            await hourly.db.anotify("c", 1)
        stop.set()
        await asyncio.wait_for(running, 10)

    asyncio.run(main())
    assert attempts == ["acquire"]


def test_a_leader_that_cannot_notice_commits_gives_its_lock_back(hourly, path, monkeypatch):
    def fail():
        raise WatcherError("no watcher today")

    monkeypatch.setattr(hourly.db.engine, "updates", fail)
    with pytest.raises(WatcherError, match="today"):
        asyncio.run(hourly.run())
    assert lock_row(path) is None


# ---------------------------------------------------------------------------------------------------- losing leadership


def steal(path):
    """Take the lock as another scheduler would after it expired, with a long lease."""
    ask(path, "UPDATE _honker_locks SET owner = 'thief', expires_at = unixepoch() + 1000")
    return lock_row(path)


async def expect_loss(scheduler, bring_about, **options):
    """Run a scheduler that loses its lock; the stop event must not change."""
    stop = asyncio.Event()
    running = asyncio.create_task(scheduler.run(stop, **options))
    await until(lambda: running.done() or lock_row(scheduler.db.path))
    bring_about()
    with pytest.raises(LeadershipLost, match="lost"):
        await asyncio.wait_for(running, 10)
    assert not stop.is_set()


def test_a_leader_whose_lock_was_stolen_notices_when_it_renews(hourly, path):
    hourly.heartbeat_interval = 0.05
    asyncio.run(expect_loss(hourly, lambda: steal(path)))
    owner, expires_at = lock_row(path)
    assert owner == "thief"
    assert expires_at - time.time() > 900


@pytest.mark.sqlite_only("edits a file beside the scheduler")
def test_a_leader_whose_lock_was_stolen_fires_nothing_any_more(hourly, path):
    """The heartbeat is far away: the due schedule makes the leader check."""

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


# ------------------------------------------------------------------------------------------------------------- recovery


async def run_beside(scheduler, scenario, **options):
    """Run a scheduler while a scenario goes on, then stop it; it must end without an error."""
    stop = asyncio.Event()
    running = asyncio.create_task(scheduler.run(stop, **options))
    try:
        await scenario(running)
        stop.set()
        await asyncio.wait_for(running, 10)
    finally:
        running.cancel()


def test_a_leader_with_standby_that_lost_its_lock_leads_again_when_it_can(hourly, path):
    hourly.heartbeat_interval = 0.05
    told = []

    async def scenario(running):
        await until(lambda: "leading" in told)
        steal(path)
        await until(lambda: len(told) == 2)
        assert isinstance(told[1], LeadershipLost)
        ask(path, "DELETE FROM _honker_locks")
        await until(lambda: len(told) == 3)

    leads = lambda: told.append("leading")  # noqa: E731
    asyncio.run(run_beside(hourly, scenario, standby=True, on_leading=leads, on_standby=told.append))
    assert told[2] == "leading"
    assert lock_row(path) is None


@pytest.mark.sqlite_only("only SQLite has a lock on all of the database")
@pytest.mark.parametrize("standby", [False, True])
def test_a_scheduler_outlives_a_database_that_is_locked_for_long(hourly, path, impatient, caplog, standby):
    async def scenario(running):
        await until(lambda: lock_row(path))
        with write_lock_elsewhere(path):
            hourly.heartbeat_interval = 0
            await until(lambda: "trying again" in caplog.text)
        due_from(path, 1000)
        await until(lambda: jobs(path))

    hourly.heartbeat_interval = 0.05
    asyncio.run(run_beside(hourly, scenario, standby=standby))
    assert lock_row(path) is None


@pytest.mark.sqlite_only("only SQLite has a lock on all of the database")
def test_a_scheduler_starts_beside_a_locked_database(hourly, path, impatient, caplog):
    hourly.db.periodic_task(crontab("0 3 * * *"), queue="q", name="nightly")(lambda: None)

    async def scenario(running):
        await until(lambda: "trying again" in caplog.text)
        release()
        await until(lambda: lock_row(path))

    with write_lock_elsewhere(path) as release:
        asyncio.run(run_beside(hourly, scenario))
    assert [row["name"] for row in hourly.list()] == ["hourly", "nightly"]


def test_a_schedule_fires_soon_after_the_clock_was_set_forward(hourly, path, monkeypatch):
    monkeypatch.setattr("honker.schedule.scheduler._CLOCK_POLL_S", 0.02)
    ahead = [0]
    clock = hourly.db.engine.clock
    monkeypatch.setattr(type(hourly.db.engine), "clock", lambda self: clock() + ahead[0])

    async def scenario(running):
        await until(lambda: lock_row(path))
        ahead[0] = 3600  # the engine's own clock stands behind, and would set back what lies further ahead
        await until(lambda: jobs(path))

    asyncio.run(run_beside(hourly, scenario))
