"""A file replaced or deleted under the watcher: every waiter gets an error, and none waits for ever."""

import asyncio
import os
import sqlite3
import threading

import honker
import pytest

from ..support.waiting import wait_until
from .conftest import commit, drain, pass_ticks
from .faces import DEAD, FACES, WAKE
from .host import watcher_threads


def replace(path):
    """Put a copy in its place, as a restore from a backup does."""
    copy = path.with_name("copy.db")
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("VACUUM INTO ?", (str(copy),))
    conn.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.replace(copy, path)


@pytest.mark.parametrize("backend", [None, "polling", "kernel", "shm"])
def test_every_subscriber_is_told(path, writer, backend):
    writer()
    before = watcher_threads()
    watches = [FACES[face](path, backend) for face in ("sql", "c", "python") for _ in range(3)]
    assert watcher_threads() == before + 1
    death = None
    replace(path)
    for each in watches:
        assert each.wait() == DEAD
        if isinstance(each, FACES["c"]):
            death = each.stats()["death"]
            assert each.stats()["mode"] == "dead"
    assert "database file replaced" in death
    assert str(path) in death
    for each in watches:
        each.close()


@pytest.mark.parametrize("backend", [None, "polling", "kernel", "shm"])
@pytest.mark.parametrize("suffixes", [("",), ("", "-wal", "-shm")], ids=["file", "file, -wal and -shm"])
def test_every_subscriber_is_told_of_a_deleted_file(path, writer, opened, backend, suffixes):
    writer()
    watches = [FACES[face](path, backend) for face in FACES]
    opened.extend(watches)
    for suffix in suffixes:
        path.with_name(path.name + suffix).unlink()
    assert [wait_for_death(each) for each in watches] == [DEAD] * len(watches)
    death = watches[1].stats()["death"]
    assert f"database file replaced: {path} is gone" in death


def wait_for_death(watch):
    """Wait until the watch is dead, past wakes; a wake for each look at a file that is gone is allowed."""
    return wait_until(lambda: watch.wait(100) == DEAD, timeout_s=10) and DEAD


@pytest.mark.parametrize("backend", [None, "polling", "shm"])
def test_a_silent_file_that_is_deleted_is_noticed(path, writer, opened, backend):
    """After a pause only one safety tick in ten looks at the file."""
    writer()
    watch = FACES["c"](path, backend)
    opened.append(watch)
    pass_ticks(watch, 12)
    path.unlink()
    assert wait_for_death(watch) == DEAD


def test_a_file_that_is_not_there_yet_is_waited_for(watch, path):
    events = watch(path)
    pass_ticks(events, 15)
    assert events.stats()["death"] is None
    sqlite3.connect(path).executescript("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    assert events.wait() == WAKE


def test_a_database_says_that_its_file_was_deleted(path):
    with honker.open(path) as db:
        updates = db.update_events()
        path.unlink()
        with pytest.raises(honker.DatabaseReplacedError, match="database file replaced"):
            for _ in updates:
                pass


def test_tasks_are_told_of_a_deleted_file(path):
    async def listen():
        with honker.open(path) as db:
            tasks = [asyncio.ensure_future(drain_task(db.update_events())) for _ in range(3)]
            await asyncio.sleep(0)
            path.unlink()
            return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    results = asyncio.run(listen())
    assert {type(each) for each in results} == {honker.DatabaseReplacedError}


def test_a_dead_watch_stays_dead(watch, path, writer):
    writer()
    events = watch(path)
    replace(path)
    for _ in range(3):
        assert events.wait(1000) == DEAD


def test_a_new_watch_is_on_the_new_file(watch, path, writer, opened):
    writer()
    old = FACES["c"](path)
    opened.append(old)
    replace(path)
    new = watch(path)
    conn = sqlite3.connect(path, isolation_level=None)
    opened.append(conn)
    drain(new)
    commit(conn)
    assert new.wait() == WAKE
    assert old.wait() in (WAKE, DEAD)


def test_a_database_says_that_its_file_was_replaced(path, writer):
    writer()
    with honker.open(path) as db:
        updates = db.update_events()
        replace(path)
        with pytest.raises(honker.WatcherError, match="database file replaced"):
            updates.wait(10)
        with pytest.raises(honker.WatcherError, match="database file replaced"):
            updates.wait(10)
        with pytest.raises(honker.WatcherError, match="database file replaced"):
            db.update_events()
        with pytest.raises(honker.WatcherError, match="database file replaced"):
            next(db.queue("q").claim("w"))


def test_a_claim_is_told_while_it_waits(path):
    with honker.open(path) as db:
        errors = []

        def work():
            try:
                for _ in db.queue("q").claim("w", idle_poll_s=None):
                    pass
            except honker.WatcherError as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        wait_until(watcher_threads)
        replace(path)
        thread.join(10)
        assert len(errors) == 1


def test_tasks_are_told(path):
    async def listen():
        with honker.open(path) as db:
            tasks = [asyncio.ensure_future(drain_task(db.update_events())) for _ in range(10)]
            await asyncio.sleep(0)
            replace(path)
            return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    results = asyncio.run(listen())
    assert {type(each) for each in results} == {honker.DatabaseReplacedError}


async def drain_task(updates):
    async for _ in updates:
        pass


def test_a_file_that_is_away_for_a_moment_is_the_same_file(watch, path, writer):
    conn = writer("delete")
    events = watch(path)
    away = path.with_name("away.db")
    os.rename(path, away)
    pass_ticks(events)
    os.rename(away, path)
    pass_ticks(events)
    drain(events)
    commit(conn)
    assert events.wait() == WAKE


def test_contents_that_are_restored_in_place_wake(watch, path, writer, tmp_path):
    conn = writer()
    events = watch(path)
    backup = sqlite3.connect(tmp_path / "backup.db", isolation_level=None)
    backup.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    backup.execute("INSERT INTO t VALUES (4711)")
    backup.backup(conn)
    backup.close()
    assert events.wait() == WAKE
    assert conn.execute("SELECT n FROM t").fetchall() == [(4711,)]
