"""One watcher for each file and process, which ends with the last subscriber."""

import gc
import threading

import honker
import pytest

from ..support.processes import run
from ..support.waiting import wait_until
from .conftest import commit, drain, pass_ticks
from .faces import DEAD, FACES, PATIENCE_MS, TIMEOUT, WAKE, SQLWatch
from .host import descriptors, resident_kib, watcher_threads


def test_all_connections_and_subscribers_of_a_file_share_a_watcher(opened, path, writer):
    conn = writer()
    before = watcher_threads()
    handles = [honker.open(path) for _ in range(5)]
    opened.extend(handles)
    watches = [FACES[face](path) for face in ("sql", "c", "python") for _ in range(10)]
    opened.extend(watches)
    listeners = [handle.update_events() for handle in handles for _ in range(4)]
    assert watcher_threads() == before + 1
    assert watches[0].stats()["subscribers"] == 50
    commit(conn)
    assert all(each.wait() == WAKE for each in watches)
    assert all(each.wait(10) for each in listeners)


def test_a_backend_of_another_name_has_its_own_watcher(sql_watch, path, writer):
    """A request by name does not share a watcher that was chosen otherwise."""
    conn = writer()
    before = watcher_threads()
    watches = [sql_watch(path, backend) for backend in (None, "", "polling", "poll", "kernel", "shm")]
    assert watcher_threads() == before + 4
    commit(conn)
    assert [each.wait() for each in watches] == [WAKE] * 6


def test_no_subscriber_has_a_thread(path, writer, opened):
    writer()
    opened.append(honker.open(path))
    listeners = [opened[-1].update_events()]
    threads, python_threads = watcher_threads(), threading.active_count()
    listeners += [opened[-1].update_events() for _ in range(200)]
    assert watcher_threads() == threads
    assert threading.active_count() == python_threads


def test_the_last_subscriber_stops_the_watcher(watch, path, writer):
    conn = writer()
    threads, files = watcher_threads(), descriptors()
    first, second = watch(path), watch(path)
    first.close()
    commit(conn)
    assert second.wait() == WAKE
    second.close()
    assert watcher_threads() == threads
    assert descriptors() <= files + 2 * 2  # a duplicate of each descriptor ends with its Python object


def test_a_slow_subscriber_holds_up_nobody(sql_watch, path, writer):
    conn = writer()
    slow, quick = sql_watch(path), sql_watch(path)
    for _ in range(200):
        commit(conn)
        assert quick.wait() == WAKE
    assert slow.wait() == WAKE


def test_a_subscription_that_is_dropped_is_no_subscriber_any_more(path, writer):
    writer()
    with honker.open(path) as db:
        kept = db.update_events()
        dropped = [db.update_events() for _ in range(10)]
        assert kept.stats()["subscribers"] == 11
        del dropped
        gc.collect()
        assert kept.stats()["subscribers"] == 1


def test_a_claim_that_is_dropped_is_no_subscriber_any_more(path):
    with honker.open(path) as db:
        kept = db.update_events()
        db.queue("q").enqueue(1)
        for job in db.queue("q").claim("w"):
            assert kept.stats()["subscribers"] == 2
            job.ack()
            break
        del job
        gc.collect()
        assert kept.stats()["subscribers"] == 1


@pytest.mark.parametrize("face", FACES)
def test_churn_returns_descriptors_threads_and_memory(path, writer, face):
    conn = writer()

    def churn(count):
        for number in range(count // 2):
            one = FACES[face](path)
            if number % 10 == 0:
                commit(conn)
                assert one.wait() == WAKE
            one.close()
        several = [FACES[face](path) for _ in range(count // 2)]
        commit(conn)
        for one in several:
            assert one.wait() == WAKE
            one.close()

    churn(1_000)  # warm up: some memory is allocated once and kept
    gc.collect()
    before = watcher_threads(), descriptors(), resident_kib()
    churn(1_000)
    gc.collect()
    threads, files, resident = watcher_threads(), descriptors(), resident_kib()
    assert (threads, files) == before[:2]
    assert resident < before[2] + 2_048


def test_subscribing_and_ending_from_many_threads(path, writer):
    """A subscription made while the watcher stops gets a live watcher."""
    conn = writer()
    problems = []

    def come_and_go():
        try:
            for _ in range(60):
                with honker.open(path) as db:
                    updates = db.update_events()
                    commit_own(db)
                    assert updates.wait(10)
        except BaseException as error:
            problems.append(error)

    def commit_own(db):
        with db.transaction() as tx:
            tx.execute("INSERT INTO t DEFAULT VALUES")

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    before = watcher_threads()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert watcher_threads() == before
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (240,)


def test_closing_tells_whoever_waits_in_another_thread(path, writer):
    writer()
    events = SQLWatch(path)
    other = SQLWatch(path)
    results = []
    thread = threading.Thread(target=lambda: results.append(events.wait(PATIENCE_MS)))
    thread.start()
    wait_until(lambda: sleeping(thread))
    other._conn.execute("SELECT honker_update_watcher_close(?)", (events.id,))
    thread.join(5)
    assert results == [DEAD]
    other.close()
    events.close()


def sleeping(thread):
    """True if it is in a system call that waits, which can only be for the wake."""
    try:
        with open(f"/proc/self/task/{thread.native_id}/wchan") as file:
            name = file.read()
        with open(f"/proc/self/task/{thread.native_id}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
    except (OSError, TypeError):
        return False
    return state == "S" and "futex" not in name


def test_closing_the_database_ends_every_wait(path):
    db = honker.open(path)
    listeners = [db.update_events() for _ in range(4)]
    errors = []

    def wait(listener):
        try:
            listener.wait(None)
        except honker.DatabaseClosedError as error:
            errors.append(error)

    threads = [threading.Thread(target=wait, args=(listener,)) for listener in listeners]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(sleeping(thread) for thread in threads))
    db.close()
    for thread in threads:
        thread.join(5)
    assert len(errors) == 4
    with pytest.raises(honker.DatabaseClosedError):
        db.update_events()
    with pytest.raises(honker.DatabaseClosedError):
        listeners[0].wait(0)
    assert watcher_threads() == 0


def test_closing_is_idempotent(path, writer):
    writer()
    events = FACES["python"](path)
    events.close()
    events.close()


def test_a_wake_goes_to_one_of_several_waiters_of_one_subscription(sql_watch, path, writer):
    conn = writer()
    events = sql_watch(path)
    drain(events)
    commit(conn)
    pass_ticks(events)
    assert events.wait(0) == WAKE
    assert events.wait(0) == TIMEOUT


def test_closing_while_another_thread_asks_for_stats_is_an_error_and_no_crash(path):
    script = """
import sys, threading
import honker
sys.setswitchinterval(1e-6)
with honker.open(sys.argv[1]) as db:
    keep = db.update_events()
    for _ in range(400):
        updates = db.update_events()
        def ask():
            try:
                while True:
                    updates.stats()
            except honker.DatabaseClosedError:
                pass
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        updates.close()
        for thread in threads:
            thread.join()
print("survived")
"""
    assert run(script, path)[-1] == "survived"
