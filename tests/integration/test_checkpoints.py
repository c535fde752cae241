"""Checkpoints that a thread makes while there are commits, and the states in which it may and may not copy the log."""

import asyncio
import gc
import itertools
import os
import sqlite3
import threading
import weakref

import honker
import pytest
from honker.sqlite import checkpoint

from ..support.processes import run, running
from ..support.waiting import wait_until

pytestmark = pytest.mark.sqlite_only("PostgreSQL makes its own checkpoints")

TEXT = "x" * 3_000  # a row of one page
INSTANTS = itertools.count(10**9)

CHECKPOINTING = """
import fcntl, os, sys

lock = os.open(sys.argv[1] + "-shm", os.O_RDWR)
fcntl.lockf(lock, fcntl.LOCK_EX, 1, 121)  # WAL_CKPT_LOCK of https://www.sqlite.org/walformat.html
print("locked", flush=True)
sys.stdin.readline()
os.close(lock)
print("unlocked", flush=True)
"""


@pytest.fixture
def writer(path):
    """A plain connection that makes no checkpoint, to a file with one table."""
    honker.open(path).close()
    conn = sqlite3.connect(path, isolation_level=None, timeout=0)
    conn.execute("PRAGMA wal_autocheckpoint = 0")
    conn.execute("CREATE TABLE t (x)")
    yield conn
    conn.close()


@pytest.fixture
def copier(path, writer, db):
    connections = [db.engine.current._open_reader() for _ in range(2)]
    yield checkpoint._Copier(*connections)
    for connection in connections:
        connection.close()


@pytest.fixture
def db(path, writer):
    with honker.open(path) as db:
        yield db


def add(conn, count=10):
    for _ in range(count):
        conn.execute("INSERT INTO t VALUES (?)", (TEXT,))


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "honker-checkpoint"]


def settled(db):
    """The time of change of the database once its thread has copied and waits."""
    checkpointer = db.engine.current._writer._checkpointer
    wait_until(lambda: not checkpointer._is_due.is_set() and checkpointer._changed_at)
    with checkpointer._turn:
        return os.stat(db.path).st_mtime_ns


def commit_until_thread(db):
    queue = db.queue("q")

    def commits():
        queue.enqueue(1)
        return threads()

    return wait_until(commits, every_s=0)


# ----------------------------------------------------------------------------------------------------------- the copies


def test_the_log_is_copied_while_another_connection_is_in_a_write_transaction(copier, writer):
    add(writer)
    writer.execute("BEGIN IMMEDIATE")
    add(writer)
    log = copier.copy()
    assert (log.pages >= 10, log.left) == (True, 0)
    writer.execute("ROLLBACK")


def test_the_log_begins_again_after_a_complete_copy(copier, writer):
    add(writer, 50)
    assert copier.copy().left == 0
    add(writer)
    assert copier.complete().left == 0
    add(writer)
    assert copier.copy().pages < 50


def test_nothing_is_copied_completely_without_the_write_lock(copier, writer):
    add(writer)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(honker.DatabaseBusyError):
        copier.complete()
    writer.execute("ROLLBACK")
    assert copier.complete().left == 0


def test_the_log_does_not_begin_again_during_a_copy(copier, writer, monkeypatch):
    """The condition of SQLite's WAL-reset fault: a commit begins the log again while a checkpoint reads its length."""
    add(writer, 50)
    seen = []

    def checkpoint_and_commit():
        seen.append(original())  # every page is copied: without the transaction, the next commit begins again
        add(writer)
        seen.append(original())
        return seen[-1]

    original = copier.copy_rest
    monkeypatch.setattr(copier, "copy_rest", checkpoint_and_commit)
    copier.copy()
    assert seen[0].left == 0
    assert seen[1].pages > seen[0].pages


def test_the_lock_of_a_copied_log_stops_a_copy_that_would_meet_a_new_one(copier, writer, monkeypatch):
    """A transaction on a copied log lets it begin again, but then the checkpoint copies nothing."""
    add(writer, 50)
    assert copier.copy().left == 0
    seen = []

    def checkpoint_after_commit():
        add(writer)
        seen.append(original())
        return seen[-1]

    original = copier.copy_rest
    monkeypatch.setattr(copier, "copy_rest", checkpoint_after_commit)
    copier.copy()
    assert (seen[0].pages < 50, seen[0].left) == (True, seen[0].pages)


def test_the_last_copy_keeps_other_writers_out(copier, writer, monkeypatch):
    original = copier.copy_rest

    def checkpoint_with_rival():
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            add(writer)
        return original()

    add(writer)
    monkeypatch.setattr(copier, "copy_rest", checkpoint_with_rival)
    assert copier.complete().left == 0
    add(writer)


def test_a_long_reader_keeps_its_pages_and_delays_no_writer(copier, writer, path):
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    add(writer)
    assert copier.copy().left > 0
    assert copier.complete().left > 0
    add(writer)
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    reader.execute("ROLLBACK")
    assert copier.complete().left == 0
    reader.close()


# ----------------------------------------------------------------------------------------------------------- the thread


def test_few_commits_start_no_thread(db):
    for _ in range(checkpoint._FIRST_COMMITS // 2):
        db.queue("q").enqueue(1)
    assert not threads()


def test_many_commits_start_a_thread_that_copies_the_log(db, path):
    before = os.path.getsize(path)
    commit_until_thread(db)
    queue = db.queue("q")

    def is_copied():
        queue.enqueue(TEXT)
        return os.path.getsize(path) > before + 1_000_000

    wait_until(is_copied, every_s=0)


def test_the_log_stays_short_while_two_connections_commit(db, writer, path):
    """Each one's commits are behind those of the other, so no checkpoint in a commit would be complete for long."""
    writer.execute("PRAGMA busy_timeout = 5000")
    queue, largest = db.queue("q"), 0
    for _ in range(3_000):
        queue.enqueue(TEXT * 5)
        add(writer, 1)
        largest = max(largest, os.path.getsize(f"{path}-wal"))
    assert largest < 64_000_000


def test_the_thread_ends_when_there_are_no_commits(db, monkeypatch):
    monkeypatch.setattr(checkpoint, "_IDLE_S", 0.01)
    commit_until_thread(db)
    wait_until(lambda: not threads())
    commit_until_thread(db)
    wait_until(lambda: not threads())


def test_close_ends_the_thread_and_empties_the_log(path, db, writer):
    writer.close()
    commit_until_thread(db)
    db.close()
    assert not threads()
    assert not os.path.exists(f"{path}-wal")


def test_the_thread_does_not_keep_a_dropped_handle(path):
    db = honker.open(path)
    commit_until_thread(db)
    gone = weakref.ref(db.engine.current)
    del db

    def is_collected():
        gc.collect()
        return gone() is None

    wait_until(is_collected)
    wait_until(lambda: not threads())


def test_commits_go_on_if_no_thread_can_be_started(db, monkeypatch):
    def fail(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    for number in range(2 * checkpoint._FIRST_COMMITS):
        db.queue("q").enqueue(number)
    assert db.query("SELECT count(*) AS n FROM _honker_live") == [{"n": 2 * checkpoint._FIRST_COMMITS}]


def test_commits_go_on_if_the_thread_fails_and_a_later_commit_starts_another(db, monkeypatch):
    failures = []

    def fail(copier):
        failures.append(copier)
        raise honker.DatabaseError("disk I/O error")

    monkeypatch.setattr(checkpoint._Copier, "copy", fail)
    queue = db.queue("q")

    def has_failed_twice():
        queue.enqueue(1)
        return len(failures) == 2

    wait_until(has_failed_twice, every_s=0)


def test_commits_make_checkpoints_themselves_only_while_no_thread_runs(db):
    writer = db.engine.current._writer
    writer._checkpoint_pages = 1
    commit_until_thread(db)
    wait_until(lambda: writer._checkpointer.is_copying)
    changed_at = settled(db)
    db.queue("q").enqueue(2)
    assert os.stat(db.path).st_mtime_ns == changed_at
    writer._checkpointer.stop()
    db.queue("q").enqueue(3)
    assert os.stat(db.path).st_mtime_ns > changed_at


@pytest.fixture
def copied(db):
    """The checkpointer after its thread has copied the log, so that the next commit completes that."""
    checkpointer = db.engine.current._writer._checkpointer
    checkpointer._long_pages = 0
    commit_until_thread(db)
    wait_until(lambda: checkpointer._is_copied)
    return checkpointer


def test_a_commit_completes_the_copy_and_begins_the_log_again(copied, db):
    copier = copied._copier
    pages = copier.copy().pages
    db.queue("q").enqueue(1)
    assert not copied.is_commit_slow
    assert copier.copy().pages < pages


def test_a_transaction_completes_the_copy_and_the_next_commit_begins_the_log_again(copied, db):
    copier = copied._copier
    pages = copier.copy().pages
    with db.transaction() as tx:
        db.queue("q").enqueue(1, tx=tx)
    assert copied.is_commit_slow
    db.queue("q").enqueue(1)
    assert not copied.is_commit_slow
    assert copier.copy().pages < pages


def test_a_commit_of_an_event_loop_completes_the_copy_in_a_thread(copied, db, monkeypatch):
    completed_in = []
    complete = copied._copier.complete

    def note_thread():
        completed_in.append(threading.current_thread())
        return complete()

    monkeypatch.setattr(copied._copier, "complete", note_thread)
    assert db.engine.current.is_commit_slow
    asyncio.run(db.queue("q").aenqueue(2))
    assert not db.engine.current.is_commit_slow
    assert completed_in != [threading.current_thread()]
    assert len(completed_in) == 1


def test_commits_wait_for_a_copy_that_is_far_behind(db, monkeypatch):
    queue, engine, may_end = db.queue("q"), db.engine.current, threading.Event()
    copy = checkpoint._Copier.copy

    def copy_slowly(copier):
        may_end.wait(20)
        return copy(copier)

    monkeypatch.setattr(checkpoint._Copier, "copy", copy_slowly)
    commit_until_thread(db)
    writer = threading.Thread(target=lambda: [queue.enqueue(2) for _ in range(4 * checkpoint._FIRST_COMMITS)])
    writer.start()
    wait_until(lambda: engine.is_commit_slow)
    assert writer.is_alive()
    may_end.set()
    writer.join(20)
    assert not writer.is_alive()


def test_a_copy_during_the_checkpoint_of_another_process_is_busy(copier, writer, path):
    add(writer)
    with running(CHECKPOINTING, path) as child:
        child.expect("locked")
        assert copier.copy().is_busy
        assert copier.complete().is_busy
        child.say()
        child.expect("unlocked")
    assert not copier.copy().is_busy


@pytest.fixture
def resting(copier, db):
    """A checkpointer without a thread, which has copied once."""
    checkpointer = db.engine.current._writer._checkpointer
    checkpointer._copy(copier)
    return checkpointer


def test_copies_are_left_to_another_process_that_makes_some(resting, copier, db, writer):
    made = []
    for _ in range(checkpoint._MOST_LEFT):
        add(writer)
        os.utime(db.path, ns=(0, next(INSTANTS)))  # as the copy of another process does
        made.append(resting._is_left_to_others())
    assert all(made)
    os.utime(db.path, ns=(0, next(INSTANTS)))
    assert not resting._is_left_to_others()  # once in a while, because the others may be incomplete


def test_copies_are_not_left_to_a_process_that_has_ended(resting, copier, db, writer):
    os.utime(db.path, ns=(0, next(INSTANTS)))
    assert resting._is_left_to_others()
    add(writer)
    assert not resting._is_left_to_others()


PROGRAM = """
import os, sys, threading, honker

def threads():
    return [thread for thread in threading.enumerate() if thread.name == "honker-checkpoint"]

db = honker.open(sys.argv[1])
queue = db.queue("q")
while not threads():
    queue.enqueue(1)
if sys.argv[2] == "fork":
    child = os.fork()
    if not child:
        assert not threads()
        for number in range(2_000):
            queue.enqueue(2)
        os._exit(0 if threads() else 1)
    assert os.waitpid(child, 0)[1] == 0
    while not threads():
        queue.enqueue(1)
print(db.query("SELECT count(*) AS n FROM _honker_live WHERE payload = '2'")[0]["n"])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_commits_and_has_a_thread_of_its_own(path):
    assert run(PROGRAM, path, "fork") == ["2000"]


def test_the_interpreter_ends_while_the_thread_runs(path):
    assert run(PROGRAM, path, "end") == ["0"]
    assert not os.path.exists(f"{path}-wal")
