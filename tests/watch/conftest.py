"""A watch through each of its three interfaces, and a plain writer."""

import sqlite3
import sys

import pytest

from ..support.waiting import wait_until
from .faces import FACES, SQLWatch


def pytest_collection_modifyitems(items):
    """Skip on other systems: these tests read /proc, and outside Linux the watcher polls, as the crate tests."""
    if sys.platform != "linux":
        for item in items:
            if "watch" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="reads /proc; elsewhere there are no file events"))


@pytest.fixture
def opened():
    """Collect objects to close after the test."""
    things = []
    yield things
    for thing in reversed(things):
        thing.close()


@pytest.fixture(params=FACES)
def watch(request, opened):
    """Begin to watch a file; run with each interface."""

    def begin(*arguments):
        opened.append(FACES[request.param](*arguments))
        return opened[-1]

    return begin


@pytest.fixture
def sql_watch(opened):
    """Begin to watch a file, through SQL only."""

    def begin(*arguments):
        opened.append(SQLWatch(*arguments))
        return opened[-1]

    return begin


@pytest.fixture
def writer(path, opened):
    """Open plain connections, without the extension, to a database with a table to write into."""

    def connect(journal_mode="wal", target=path):
        conn = sqlite3.connect(target, isolation_level=None, check_same_thread=False)
        opened.append(conn)
        assert conn.execute(f"PRAGMA journal_mode = {journal_mode}").fetchone() == (journal_mode,)
        conn.execute("PRAGMA synchronous = OFF")  # no test here cuts the power
        conn.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)")
        return conn

    return connect


def commit(conn, count=1):
    for _ in range(count):
        conn.execute("INSERT INTO t DEFAULT VALUES")


def drain(watch):
    """Take wakes until two safety ticks have passed without one."""
    while watch.wait(0) or (pass_ticks(watch) and watch.wait(0)):
        pass


def pass_ticks(watch, count=2):
    """Wait for a number of safety ticks: by then the watcher has checked every earlier commit."""
    target = watch.stats()["safety_ticks"] + count
    return wait_until(lambda: watch.stats()["safety_ticks"] >= target)
