"""Missing or excessive file events: nothing is lost, and no commit waits longer than a safety tick."""

import itertools
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from ..crash import faults
from ..support.processes import Child
from .conftest import commit

QUEUED_EVENTS = Path("/proc/sys/fs/inotify/max_queued_events")

# Waits for one wake after the other and prints after each the number of safety ticks passed.
LISTENER = """
import json, sys
import honker
path, backend = sys.argv[1], sys.argv[2] or None
honker.connect(":memory:").close()
updates = honker.UpdateEvents(honker.extension_info()[0], path, backend, None)
print("ready", flush=True)
count = int(sys.argv[3])
import sqlite3
conn = sqlite3.connect(path, isolation_level=None, timeout=10)
seen = 0
while seen < count:
    try:
        woken = updates.wait(5)
    except honker.WatcherError as error:
        print(f"dead: {error}", flush=True)
        sys.exit()
    assert woken, f"a wake was lost after {seen} commits"
    now = conn.execute("SELECT count(*) FROM t").fetchone()[0]
    if now > seen:
        seen = now
        print(seen, updates.stats()["safety_ticks"], flush=True)
print(json.dumps(updates.stats()), flush=True)
"""


def environment(percent):
    """Events are lost in the faults build alone."""
    library = str(faults.require(faults.FAILPOINTS))
    return {"HONKER_TEST_LOSE_EVENTS": str(percent), "HONKER_EXTENSION_PATH": library}


@pytest.fixture
def listener(path):
    """Start a process that listens with broken events; its standard error is kept."""
    children = []

    def start(percent, count, backend=""):
        child = Child(LISTENER, path, backend, count, environment=environment(percent))
        children.append(child)
        child.expect("ready")
        return child

    yield start
    for child in children:
        if child.process.poll() is None:
            child.kill()
        child.process.stdin.close()
        child.process.stdout.close()


def commit_and_expect(conn, child, count):
    """Commit, and wait until each commit is noticed. Returns the largest number of safety ticks during a wait."""
    ticks = [None]
    for number in range(1, count + 1):
        commit(conn)
        seen, tick = map(int, child.line().split())
        assert seen == number
        ticks.append(tick)
    return max(after - before for before, after in itertools.pairwise(ticks[1:]))


@pytest.mark.parametrize("journal_mode", ["wal", "delete", "persist"])
@pytest.mark.parametrize("percent", [10, 50, 90, 100])
def test_events_that_are_lost_cost_a_safety_tick_at_most(listener, writer, capfd, journal_mode, percent):
    conn = writer(journal_mode)
    child = listener(percent, 40)
    assert commit_and_expect(conn, child, 40) <= 1
    last = child.line()
    assert "subscribers" in last
    child.finish()
    said = [line for line in capfd.readouterr().err.splitlines() if "without file events" in line]
    assert len(said) <= 1
    if percent == 100:
        assert '"mode": "polling"' in last
        assert len(said) == 1


def test_kernel_by_name_dies_when_events_do_not_come(listener, writer):
    """It was requested by name, so it must not be replaced silently."""
    conn = writer()
    child = listener(100, 40, "kernel")
    for _ in range(39):
        commit(conn)
        line = child.line()
        if line.startswith("dead"):
            break
    assert "watcher backend kernel: commits come without file events" in line


def test_an_event_queue_that_overflows_loses_nothing(listener, writer):
    """The listener is stopped while more happens than its queue holds, and then continued."""
    if not os.access(QUEUED_EVENTS, os.W_OK):
        pytest.skip("needs the right to lower fs.inotify.max_queued_events")
    conn = writer("delete")  # journals that appear and disappear: events that do not merge into one
    before = QUEUED_EVENTS.read_text()
    QUEUED_EVENTS.write_text("2")
    try:
        child = listener(0, 400)
    finally:
        QUEUED_EVENTS.write_text(before)
    for number in range(1, 11):
        stop_between_reads(child.process, conn)
        commit(conn, 39)
        child.process.send_signal(signal.SIGCONT)
        wait_for(child, number * 40 - 1)
        commit(conn)
        wait_for(child, number * 40)
    assert "subscribers" in child.line()
    child.finish()
    assert conn.execute("SELECT count(*) FROM t").fetchone() == (400,)


def stop_between_reads(process, conn):
    """Stop it while it holds no lock, which outside WAL mode would block all commits."""
    while True:
        process.send_signal(signal.SIGSTOP)
        try:
            conn.execute("PRAGMA busy_timeout = 0")
            conn.execute("BEGIN EXCLUSIVE")
            conn.execute("ROLLBACK")
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
        else:
            return
        finally:
            conn.execute("PRAGMA busy_timeout = 5000")


def wait_for(child, number):
    """Wait until the listener has read that many commits; several may have been one wake."""
    while int(child.line().split()[0]) < number:
        pass
