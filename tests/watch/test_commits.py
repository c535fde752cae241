"""Every commit of another connection wakes, in every journal mode, next to any other change of the file."""

import os
import sqlite3

import pytest

from ..support.processes import running
from .conftest import commit, drain, pass_ticks
from .faces import DEAD, TIMEOUT, WAKE

JOURNAL_MODES = ("delete", "truncate", "persist", "memory", "off", "wal")


@pytest.mark.parametrize("journal_mode", JOURNAL_MODES)
def test_a_commit_wakes_in_every_journal_mode(watch, writer, path, journal_mode):
    conn = writer(journal_mode)
    events = watch(path)
    assert events.wait(0) == TIMEOUT
    for _ in range(20):
        commit(conn)
        assert events.wait() == WAKE


@pytest.mark.parametrize("journal_mode", ["delete", "memory"])
def test_a_database_without_a_wal_gets_no_wal_index(sql_watch, writer, path, journal_mode):
    conn = writer(journal_mode)
    events = sql_watch(path)
    pass_ticks(events, 12)  # one in ten checks for it
    commit(conn)
    assert events.wait() == WAKE
    assert not os.path.exists(f"{path}-shm")


@pytest.mark.parametrize("backend", ["polling", "poll", "kernel", "kernel-watcher"])
@pytest.mark.parametrize("journal_mode", JOURNAL_MODES)
def test_a_commit_wakes_with_every_backend(sql_watch, writer, path, journal_mode, backend):
    conn = writer(journal_mode)
    events = sql_watch(path, backend)
    for _ in range(20):
        commit(conn)
        assert events.wait() == WAKE


@pytest.mark.parametrize("backend", ["shm", "shm-fast-path"])
def test_a_commit_wakes_through_the_wal_index(watch, writer, path, backend):
    conn = writer()
    events = watch(path, backend)
    assert events.stats()["mode"] == "shm"
    for _ in range(20):
        commit(conn)
        assert events.wait() == WAKE


def test_a_commit_of_a_connection_with_the_extension_wakes(watch, writer, path, connect):
    writer()
    events = watch(path)
    conn = connect()
    drain(events)
    commit(conn)
    assert events.wait() == WAKE


def test_a_commit_between_the_subscription_and_the_wait_is_not_missed(watch, writer, path):
    conn = writer()
    events = watch(path)
    commit(conn)
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (1,)
    assert events.wait() == WAKE


def test_commits_that_are_not_taken_become_one_wake(watch, writer, path):
    conn = writer()
    events = watch(path)
    commit(conn, 100)
    pass_ticks(events)
    assert events.stats()["wakes"] >= 1
    assert events.wait() == WAKE
    assert events.wait(0) == TIMEOUT


@pytest.mark.parametrize("backend", [None, "polling", "shm"])
def test_what_is_rolled_back_wakes_nobody(sql_watch, writer, path, backend):
    conn = writer()
    events = sql_watch(path, backend)
    for _ in range(10):
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("SAVEPOINT s")
        commit(conn)
        conn.execute("ROLLBACK TO s")
        commit(conn)
        conn.execute("ROLLBACK")
    pass_ticks(events)
    assert events.wait(0) == TIMEOUT
    assert events.stats()["wakes"] == 0


def test_a_commit_wakes_whatever_of_it_was_rolled_back(watch, writer, path):
    conn = writer()
    events = watch(path)
    for _ in range(10):
        conn.execute("BEGIN IMMEDIATE")
        commit(conn)
        conn.execute("SAVEPOINT s")
        commit(conn)
        conn.execute("ROLLBACK TO s")
        conn.execute("COMMIT")
        assert events.wait() == WAKE


def test_a_rollback_that_has_written_wakes_for_nothing_at_most(sql_watch, writer, path):
    conn = writer()
    conn.execute("PRAGMA cache_size = 1")
    events = sql_watch(path)
    conn.execute("BEGIN IMMEDIATE")
    conn.execute("CREATE TABLE large (r)")
    conn.executemany("INSERT INTO large VALUES (randomblob(3000))", [()] * 100)
    pass_ticks(events)
    assert events.stats()["events"] > 0, "the cache did not spill, and this test shows nothing"
    conn.execute("ROLLBACK")
    drain(events)
    commit(conn)
    assert events.wait() == WAKE


def test_reading_wakes_nobody(sql_watch, writer, path):
    conn = writer()
    commit(conn, 10)
    events = sql_watch(path)
    for _ in range(10):
        conn.execute("SELECT * FROM t").fetchall()
        sqlite3.connect(path).close()
    pass_ticks(events)
    assert events.stats()["wakes"] == 0


@pytest.mark.parametrize("mode", ["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
def test_commits_around_a_checkpoint_wake(watch, writer, path, mode):
    conn = writer()
    events = watch(path)
    for _ in range(5):
        commit(conn)
        assert events.wait() == WAKE
        assert conn.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0] == 0
        commit(conn)
        assert events.wait() == WAKE


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_vacuum_and_commits_around_it_wake(watch, writer, path, journal_mode):
    conn = writer(journal_mode)
    commit(conn, 100)
    events = watch(path)
    for _ in range(5):
        conn.execute("VACUUM")
        assert events.wait() == WAKE
        drain_now(events)
        commit(conn)
        assert events.wait() == WAKE


def drain_now(events):
    while events.wait(0) == WAKE:
        pass


def test_a_file_that_is_not_there_yet_can_be_watched(watch, writer, path):
    events = watch(path)
    conn = writer()
    assert events.wait() == WAKE
    drain(events)
    commit(conn)
    assert events.wait() == WAKE


def test_a_change_to_wal_is_followed(watch, writer, path):
    conn = writer("delete")
    events = watch(path)
    assert conn.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    for _ in range(5):
        drain(events)
        commit(conn)
        assert events.wait() == WAKE
    assert events.stats()["missed"] == 0


def test_a_wal_that_was_deleted_and_made_anew_is_followed(watch, writer, path):
    """The last connection deletes the WAL, and the next one makes another."""
    conn = writer()
    commit(conn)
    events = watch(path)
    conn.close()
    assert os.path.exists(f"{path}-wal"), "the watcher has it open, so it stays"
    for _ in range(5):
        conn = writer()
        drain_now(events)
        commit(conn)
        assert events.wait() == WAKE
        conn.close()


def test_the_watcher_does_not_pin_the_wal(sql_watch, writer, path):
    """A reader with an open transaction would keep a checkpoint from restarting the WAL."""
    conn = writer()
    events = sql_watch(path)
    for _ in range(20):
        commit(conn, 5)
        assert events.wait() == WAKE
        assert conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)


def test_only_subscribers_of_the_file_are_woken(sql_watch, writer, tmp_path):
    """Many databases in one directory: events of the others must not wake."""
    paths = [tmp_path / f"{number}.db" for number in range(5)]
    conns = [writer(target=each) for each in paths]
    watches = [sql_watch(each) for each in paths]
    for _ in range(10):
        commit(conns[2])
        assert watches[2].wait() == WAKE
    for number in (0, 1, 3, 4):
        pass_ticks(watches[number])
        assert watches[number].stats()["wakes"] == 0


# ------------------------------------------------------------------------------------------------------ at a bad moment


@pytest.mark.parametrize("backend", [None, "polling", "kernel"])
def test_a_commit_under_way_when_the_watch_begins_wakes(watch, writer, path, backend):
    """The baseline is required, but cannot be read while another connection has exclusive access."""
    conn = writer("delete")
    conn.execute("BEGIN EXCLUSIVE")
    commit(conn)
    events = watch(path, backend)
    conn.execute("COMMIT")
    assert events.wait(2000) == WAKE


@pytest.mark.parametrize("backend", [None, "polling", "shm"])
def test_a_watch_survives_a_recovery_of_the_wal_index(watch, writer, path, backend):
    """A writer died while it changed the index; the first reader rebuilds it, and the others must wait."""
    conn = writer()
    commit(conn)
    events = watch(path, backend)
    with running(RECOVERY, path) as child:
        child.expect("recovering")
        for _ in range(3):
            assert events.wait(150) != DEAD
        child.say()
        child.expect("done")
    commit(conn)
    assert events.wait() == WAKE


# The first of the two copies of the index's header is damaged, and the lock for its repair (byte 122) is held.
RECOVERY = """
import fcntl, os, sys
index = os.open(sys.argv[1] + "-shm", os.O_RDWR)
fcntl.lockf(index, fcntl.LOCK_EX, 1, 122)
os.pwrite(index, b"\\xff" * 4, 8)
print("recovering", flush=True)
sys.stdin.readline()
fcntl.lockf(index, fcntl.LOCK_UN, 1, 122)
print("done", flush=True)
"""


def test_a_commit_after_the_file_was_unreadable_wakes(sql_watch, writer, path):
    conn = writer("delete")
    events = sql_watch(path)
    conn.execute("BEGIN EXCLUSIVE")
    commit(conn)
    pass_ticks(events)
    conn.execute("COMMIT")
    assert events.wait() == WAKE


def test_an_unknown_number_is_dead(connect):
    conn = connect()
    for number in (0, -1, 2**40):
        assert conn.execute("SELECT honker_update_watcher_wait(?, 0)", (number,)).fetchone() == (DEAD,)
        assert conn.execute("SELECT honker_update_watcher_close(?)", (number,)).fetchone() == (1,)
        assert conn.execute("SELECT honker_update_watcher_stats(?)", (number,)).fetchone() == (None,)
        assert conn.execute("SELECT honker_update_watcher_fd(?)", (number,)).fetchone() == (None,)
