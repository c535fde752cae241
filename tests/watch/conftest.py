"""A watch through each of its three faces, and a plain writer."""

import sqlite3
import sys

import pytest

from ..support.waiting import wait_until
from .faces import FACES, SQLWatch


def pytest_collection_modifyitems(items):
    """What is asked of /proc is asked of Linux; elsewhere the watcher polls, and its tests are the crate's."""
    if sys.platform != "linux":
        for item in items:
            if "watch" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="reads /proc; elsewhere there are no file events"))


@pytest.fixture
def opened():
    """Collects what has to be closed after the test."""
    things = []
    yield things
    for thing in reversed(things):
        thing.close()


@pytest.fixture(params=FACES)
def watch(request, opened):
    """Begins to watch a file; run with each face."""

    def begin(*arguments):
        opened.append(FACES[request.param](*arguments))
        return opened[-1]

    return begin


@pytest.fixture
def sql_watch(opened):
    """Begins to watch a file, through SQL only."""

    def begin(*arguments):
        opened.append(SQLWatch(*arguments))
        return opened[-1]

    return begin


@pytest.fixture
def writer(path, opened):
    """Opens plain connections, without the extension, to a database with a table to write into."""

    def connect(journal_mode="wal", target=path):
        conn = sqlite3.connect(target, isolation_level=None, check_same_thread=False)
        opened.append(conn)
        assert conn.execute(f"PRAGMA journal_mode = {journal_mode}").fetchone() == (journal_mode,)
        conn.execute("PRAGMA synchronous = OFF")  # no test here pulls the plug
        conn.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)")
        return conn

    return connect


def commit(conn, count=1):
    for _ in range(count):
        conn.execute("INSERT INTO t DEFAULT VALUES")


def drain(watch):
    """Takes wakes until two safety ticks have passed without one."""
    while watch.wait(0) or (pass_ticks(watch) and watch.wait(0)):
        pass


def pass_ticks(watch, count=2):
    """Waits for so many safety ticks: whatever was committed before has been looked at then."""
    target = watch.stats()["safety_ticks"] + count
    return wait_until(lambda: watch.stats()["safety_ticks"] >= target)
