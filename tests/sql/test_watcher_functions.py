"""Watchers in SQL: any commit wakes, a rollback does not, and a schema cannot start a watcher."""

import fcntl
import os
import select
import sqlite3
import stat
import sys
import termios

import pytest

from ..support.waiting import wait_until
from .database import call, call_json, enqueue, refused


@pytest.fixture
def watch(conn, path):
    """Open subscriptions to the test's database, and close them after the test."""
    opened = []

    def open_watcher(*more):
        opened.append(call(conn, "honker_update_watcher_open", str(path), *(more or [None])))
        return opened[-1]

    yield open_watcher
    for number in opened:
        call(conn, "honker_update_watcher_close", number)


def wait(conn, number, timeout_ms=10_000):
    return call(conn, "honker_update_watcher_wait", number, timeout_ms)


@pytest.mark.parametrize("backend", [(None,), ("",), ("polling",), ("poll", 2), (None, None)])
def test_a_commit_wakes(conn, watch, backend):
    number = watch(*backend)
    enqueue(conn)
    assert wait(conn, number) == 1


def test_a_commit_of_another_connection_that_knows_nothing_of_honker_wakes(conn, watch, path):
    number = watch()
    plain = sqlite3.connect(path)
    plain.execute("CREATE TABLE app (x)")
    plain.close()
    assert wait(conn, number) == 1


def test_a_rollback_does_not_wake(conn, watch):
    number = watch()
    conn.execute("BEGIN")
    enqueue(conn)
    conn.execute("ROLLBACK")
    assert wait(conn, number, 200) == 0


def test_wakes_that_nobody_took_coalesce(conn, watch):
    number = watch()
    for _ in range(20):
        enqueue(conn)
    assert wait(conn, number) == 1
    while wait(conn, number, 200) == 1:
        pass  # the last of the commits may be noticed after the first wake was taken


def test_each_subscription_is_woken(conn, watch):
    numbers = [watch(), watch()]
    enqueue(conn)
    assert [wait(conn, number) for number in numbers] == [1, 1]
    assert call_json(conn, "honker_update_watcher_stats", numbers[0])["subscribers"] == 2


def test_a_descriptor_is_readable_when_there_is_something_to_take(conn, watch):
    number = watch()
    descriptor = call(conn, "honker_update_watcher_fd", number)
    if descriptor is None:
        pytest.skip("watchers have no descriptor on this system")
    assert select.select([descriptor], [], [], 0)[0] == []
    enqueue(conn)
    assert select.select([descriptor], [], [], 10)[0] == [descriptor]
    assert wait(conn, number, 0) == 1


@pytest.fixture
def pipe(conn, watch):
    """A subscription whose descriptor is a pipe, and the descriptor."""
    number = watch(None, None, "pipe")
    descriptor = call(conn, "honker_update_watcher_fd", number)
    if descriptor is None:
        pytest.skip("watchers have no descriptor on this system")
    return number, descriptor


def test_a_pipe_is_one_on_every_system(pipe):
    assert stat.S_ISFIFO(os.fstat(pipe[1]).st_mode)


def test_a_pipe_is_readable_after_a_commit_and_empty_after_the_wake_was_taken(conn, pipe):
    number, descriptor = pipe
    assert select.select([descriptor], [], [], 0)[0] == []
    enqueue(conn)
    assert select.select([descriptor], [], [], 10)[0] == [descriptor]
    assert wait(conn, number) == 1
    while wait(conn, number, 200) == 1:
        pass
    assert select.select([descriptor], [], [], 0)[0] == []


def test_a_pipe_ends_when_the_watcher_dies_however_full_it_is(conn, path, pipe):
    number, descriptor = pipe
    while select.select([descriptor], [], [], 0)[0] == []:
        enqueue(conn)
    fill(conn, descriptor)
    replacement = path.with_name("copy.db")
    conn.execute("VACUUM INTO ?", (str(replacement),))
    os.replace(replacement, path)
    poller = select.poll()
    poller.register(descriptor, select.POLLHUP)
    assert poller.poll(10_000) == [(descriptor, select.POLLHUP)]
    while os.read(descriptor, 65_536):
        pass
    assert wait(conn, number) == -1


def fill(conn, descriptor):
    """Commits until the pipe takes no more; its capacity is made small first where the system allows it."""
    capacity = fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096) if hasattr(fcntl, "F_SETPIPE_SZ") else 65_536

    def is_full():
        enqueue(conn)
        unread = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4)
        return int.from_bytes(unread, sys.byteorder) >= capacity

    wait_until(is_full, timeout_s=20)


@pytest.mark.parametrize("timeout_ms", [0, -1, -(2**63)])
def test_a_wait_without_time_returns_at_once(conn, watch, timeout_ms):
    assert wait(conn, watch(), timeout_ms) == 0


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1])
def test_a_subscription_that_is_not_there_is_no_error(conn, number):
    assert wait(conn, number) == -1
    assert call(conn, "honker_update_watcher_fd", number) is None
    assert call(conn, "honker_update_watcher_stats", number) is None
    assert call(conn, "honker_update_watcher_close", number) == 1


FUNCTIONS = {
    "open": "honker_update_watcher_open('app.db', NULL)",
    "wait": "honker_update_watcher_wait(1, 0)",
    "fd": "honker_update_watcher_fd(1)",
    "stats": "honker_update_watcher_stats(1)",
    "close": "honker_update_watcher_close(1)",
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_a_watcher_cannot_be_reached_from_triggers_and_views(conn, function):
    """A foreign database file must not be able to start threads in an application."""
    conn.execute(f"CREATE VIEW trap AS SELECT {function}")
    with pytest.raises(sqlite3.OperationalError, match="unsafe use of honker_update_watcher"):
        conn.execute("SELECT * FROM trap")
    conn.execute(f"CREATE TRIGGER trapped AFTER INSERT ON _honker_live BEGIN SELECT {function}; END")
    with refused("HONKER_SQLITE", "unsafe use of honker_update_watcher"):
        enqueue(conn)


def test_a_file_in_no_directory_cannot_be_watched(conn):
    with refused("HONKER_WATCHER", "/nowhere/app.db"):
        call(conn, "honker_update_watcher_open", "/nowhere/app.db", None)
