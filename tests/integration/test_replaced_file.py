"""The database file deleted, moved, replaced or restored under an open handle.

SQLite goes on reading and writing a deleted file, and every commit is lost with it. So each operation of the handle
raises an error within a second, and none creates a new file at the path.
"""

import asyncio
import os
import shutil
import sqlite3

import honker
import pytest
from honker import DatabaseReplacedError, HonkerError

from ..support.locking import ask
from ..support.waiting import until, wait_until

pytestmark = pytest.mark.sqlite_only("the database file")


@pytest.fixture
def folder(tmp_path):
    """A folder that is reached through a link."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "folder").symlink_to("one")
    return tmp_path / "folder"


@pytest.fixture
def path(folder):
    return folder / "app.db"


@pytest.fixture
def db(path):
    with honker.open(path) as handle:
        handle.queue("q").enqueue(0)
        yield handle


def copy_of(path):
    copy = path.with_name("copy.db")
    source, target = sqlite3.connect(path), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()
    return copy


def delete(path, *suffixes):
    for suffix in suffixes or ("", "-wal", "-shm"):
        os.unlink(f"{path}{suffix}")


def move_with_wal(path):
    for suffix in ("", "-wal", "-shm"):
        os.rename(f"{path}{suffix}", f"{path}.old{suffix}")


def restore(path):
    copy = copy_of(path)
    delete(path, "-wal", "-shm")
    os.replace(copy, path)


def point_the_link_elsewhere(path):
    link = path.parent.with_name("link")
    link.symlink_to("two")
    os.replace(link, path.parent)


REPLACEMENTS = {
    "deleted": lambda path: delete(path, ""),
    "deleted with -wal and -shm": delete,
    "-wal and -shm deleted": lambda path: delete(path, "-wal", "-shm"),
    "-wal deleted": lambda path: delete(path, "-wal"),
    "renamed": lambda path: os.rename(path, f"{path}.old"),
    "renamed with -wal and -shm": move_with_wal,
    "replaced by a backup": lambda path: os.replace(copy_of(path), path),
    "restored from a backup": restore,
    "folder moved": lambda path: os.rename(path.parent.resolve(), path.parent.with_name("three")),
    "link re-pointed": point_the_link_elsewhere,
}

OPERATIONS = {
    "enqueue": lambda db: db.queue("q").enqueue(1),
    "aenqueue": lambda db: asyncio.run(db.queue("q").aenqueue(1)),
    "claim": lambda db: db.queue("q").claim_one("w"),
    "claim_now": lambda db: db.queue("q").claim_now("w"),
    "stats": lambda db: db.queue("q").stats(),
    "astats": lambda db: asyncio.run(db.queue("q").astats()),
    "query": lambda db: db.query("SELECT 1"),
    "transaction": lambda db: db.transaction().__enter__(),
    "listen": lambda db: db.listen("c"),
    "update_events": lambda db: db.update_events(),
}


def is_refused(operation, db):
    try:
        operation(db)
    except HonkerError as error:
        return isinstance(error, DatabaseReplacedError) or pytest.fail(f"another error: {error!r}")
    return False


@pytest.mark.parametrize("how", REPLACEMENTS)
def test_an_operation_is_refused_within_a_second(db, path, how):
    db.query("SELECT 1")  # a reader is open
    REPLACEMENTS[how](path)
    wait_until(lambda: is_refused(OPERATIONS["enqueue"], db), timeout_s=1.0)
    for operation in OPERATIONS.values():
        assert is_refused(operation, db)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_notices_by_itself(db, path, operation):
    delete(path)
    wait_until(lambda: is_refused(OPERATIONS[operation], db), timeout_s=1.0)


@pytest.mark.parametrize("how", REPLACEMENTS)
def test_no_operation_creates_a_file(db, path, how):
    REPLACEMENTS[how](path)
    before = sorted(os.listdir(path.parent)) if path.parent.exists() else None
    for operation in ("query", "stats", "listen", "update_events"):  # none had a connection of its own before
        with pytest.raises(DatabaseReplacedError):
            OPERATIONS[operation](db)
    assert (sorted(os.listdir(path.parent)) if path.parent.exists() else None) == before


def test_the_error_names_the_file_and_the_next_step(db, path):
    delete(path)
    with pytest.raises(DatabaseReplacedError, match=r"replaced: .*app\.db is gone.*open the file again"):
        db.listen("c")


def test_a_transaction_that_was_begun_before_does_not_commit(db, path):
    with pytest.raises(DatabaseReplacedError), db.transaction() as tx:  # noqa: PT012
        db.queue("q").enqueue(1, tx=tx)
        copy = copy_of(path)
        os.replace(copy, path)
        wait_until(lambda: is_refused(lambda each: each.query("SELECT 1"), db), timeout_s=1.0)
    assert ask(path, "SELECT count(*) FROM _honker_live") == [(1,)]


def test_a_file_that_is_away_for_a_moment_is_the_same_file(db, path):
    os.rename(path, f"{path}.away")
    wait_until(lambda: is_refused(OPERATIONS["enqueue"], db), timeout_s=1.0)
    os.rename(f"{path}.away", path)
    assert db.queue("q").enqueue(1)


def test_ordinary_maintenance_is_not_a_replacement(db, path):
    plain = sqlite3.connect(path, isolation_level=None)
    for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_size_limit = 0"):
        plain.execute(statement)
    plain.close()
    db.engine.current._file.check_now()
    db.queue("q").enqueue(1)


def test_a_folder_that_may_not_be_searched_is_not_a_replacement(db, path, monkeypatch):
    def deny(*_):
        raise PermissionError

    monkeypatch.setattr(os, "stat", deny)
    db.engine.current._file.check_now()


def test_the_files_are_looked_at_now_and_then_and_not_at_every_call(db, monkeypatch):
    queue, looks, stat = db.queue("q"), [], os.stat
    monkeypatch.setattr(os, "stat", lambda *args, **options: looks.append(args) or stat(*args, **options))
    for _ in range(100):
        queue.enqueue(1)
    assert len(looks) <= 30


def test_workers_end(db, path):
    @db.queue("q").task(name="replaced")
    def replaced():
        pass

    async def main():
        running = asyncio.ensure_future(honker.run_workers(db, "q", 1))
        replaced()
        await until(lambda: db.queue("q").stats().dead)  # the job of the fixture, which is no call of a task
        delete(path)
        with pytest.raises(DatabaseReplacedError):
            await asyncio.wait_for(running, 10)

    asyncio.run(main())


@pytest.mark.parametrize("standby", [False, True])
def test_a_scheduler_ends(db, path, standby):
    scheduler = honker.Scheduler(db)
    scheduler.add(name="s", queue="q", schedule=honker.every_s(1000))
    other = db.lock(scheduler.lock_name, ttl=1000)
    if standby:
        other.try_acquire()

    async def main():
        began = asyncio.Event()
        callbacks = {"on_standby": lambda _: began.set()} if standby else {"on_leading": began.set}
        running = asyncio.ensure_future(scheduler.run(standby=standby, **callbacks))
        await asyncio.wait_for(began.wait(), 10)
        delete(path)
        with pytest.raises(DatabaseReplacedError):
            await asyncio.wait_for(running, 10)

    asyncio.run(main())


def test_a_new_handle_works_on_the_new_file(db, path):
    shutil.copy(copy_of(path), path.with_name("new.db"))
    restore(path)
    with honker.open(path) as new:
        assert new.queue("q").enqueue(1) == 2
