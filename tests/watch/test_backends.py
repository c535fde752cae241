"""Backends by name: the requested one, or an error with the reason, never a silent replacement."""

import ctypes
import shutil
import sqlite3
import subprocess
import sys

import honker
import pytest

from ..support.processes import run
from .faces import FACES, LIBRARY, SQLWatch, native

UNKNOWN = ("KERNEL", " polling ", "Polling", "inotify", "bogus", "shm\n")
ERRORS = (sqlite3.Error, RuntimeError, honker.HonkerError)


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_backend_is_an_error(watch, writer, path, name):
    writer()
    with pytest.raises(ERRORS, match="unknown watcher backend"):
        watch(path, name)


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_backend_is_an_error_when_the_database_is_opened(path, name):
    with pytest.raises(honker.InvalidArgumentError, match="unknown watcher backend"):
        honker.open(path, watcher_backend=name)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (None, "events"),
        ("", "events"),
        ("polling", "polling"),
        ("poll", "polling"),
        ("kernel", "events"),
        ("kernel-watcher", "events"),
        ("shm", "shm"),
        ("shm-fast-path", "shm"),
    ],
)
def test_each_backend_is_what_it_is_called(watch, writer, path, name, mode):
    writer()
    assert watch(path, name).stats()["mode"] == mode
    with honker.open(path, watcher_backend=name) as db:
        assert db.update_events().stats()["mode"] == mode


@pytest.mark.parametrize("interval_ms", [0, -1, -(2**62)])
def test_an_interval_that_is_not_positive_is_an_error(path, writer, interval_ms):
    writer()
    with pytest.raises(sqlite3.Error, match="watcher poll interval must be positive"):
        SQLWatch(path, None, interval_ms)
    with pytest.raises(honker.InvalidArgumentError, match="watcher poll interval must be positive"):
        honker.open(path, watcher_poll_interval_ms=interval_ms)


def test_an_interval_of_zero_is_an_error_in_c(path, writer):
    writer()
    with pytest.raises(RuntimeError, match="watcher poll interval must be positive"):
        FACES["c"](path, None, 0)


@pytest.mark.parametrize("journal_mode", ["delete", "truncate", "persist", "memory"])
def test_shm_without_a_wal_is_an_error(watch, writer, path, journal_mode):
    writer(journal_mode)
    with pytest.raises(ERRORS, match="-shm unavailable"):
        watch(path, "shm")


def test_shm_without_a_file_is_an_error(watch, path):
    with pytest.raises(ERRORS, match="-shm unavailable"):
        watch(path, "shm")
    assert not path.exists()


@pytest.mark.parametrize("backend", [None, "polling", "kernel", "shm"])
def test_a_directory_that_is_not_there_is_an_error(watch, tmp_path, backend):
    with pytest.raises(ERRORS, match="cannot watch"):
        watch(tmp_path / "nowhere" / "app.db", backend)


def test_a_failed_probe_is_an_error_when_the_database_is_opened(path, writer, monkeypatch):
    def refuse(self, *_):
        raise honker.WatcherError("watcher_backend probe failed: for the test")

    monkeypatch.setattr(honker.UpdateEvents, "_open", refuse)
    with pytest.raises(honker.WatcherError, match="watcher_backend probe failed"):
        honker.open(path, watcher_backend="kernel")


def test_the_c_functions_want_the_extension_to_be_loaded_first(path):
    script = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.honker_watcher_open.restype = ctypes.c_void_p
message = ctypes.create_string_buffer(200)
print(library.honker_watcher_open(sys.argv[2].encode(), None, message, ctypes.c_size_t(200)))
print(message.value.decode())
"""
    answer, message = run(script, LIBRARY, path)
    assert answer == "None"
    assert "load the extension" in message


def test_a_message_is_cut_to_its_buffer(path):
    library = native()
    message = ctypes.create_string_buffer(b"x" * 20, 20)
    assert library.honker_watcher_open(str(path).encode(), b"bogus", message, 8) is None
    assert message.raw[:9] == b"unknown\0x"
    for buffer, length in ((None, 0), (None, 100), (message, 0)):
        assert library.honker_watcher_open(str(path).encode(), b"bogus", buffer, length) is None


def test_c_functions_take_null_for_what_may_be_null():
    library = native()
    assert library.honker_watcher_open(None, None, None, 0) is None
    assert library.honker_watcher_wait(None, 0) == -1
    assert library.honker_watcher_fd(None) == -1
    assert library.honker_watcher_stats(None, None, 0) == 0
    library.honker_watcher_close(None)


# ------------------------------------------------------------------------------------------------------- no file events

WITHOUT_EVENTS = """
import sqlite3, sys
import honker
path, backend = sys.argv[1], sys.argv[2] or None
with honker.open(path) as db:
    try:
        updates = honker.UpdateEvents(honker.extension_info()[0], path, backend, None)
    except honker.WatcherError as error:
        print(error)
        sys.exit()
    print(updates.stats()["mode"])
    others = [db.update_events() for _ in range(5)]
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("CREATE TABLE t (n)")
    for number in range(20):
        writer.execute("INSERT INTO t VALUES (1)")
        assert updates.wait(10)
    print("woken")
"""


@pytest.fixture(params=["instances", "watches"])
def without_events(request, tmp_path):
    """Run a script as a user without a free inotify instance, or without a free watch."""
    limit = f"/proc/sys/user/max_inotify_{request.param}"
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", f'echo 0 > {limit} && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs unshare and user namespaces, to exhaust inotify for one process only")

    def run_script(script, *arguments):
        return subprocess.run(
            [*command, sys.executable, "-c", script, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )

    return run_script


def test_without_events_it_polls_and_says_so_once(without_events, path):
    done = without_events(WITHOUT_EVENTS, path, "")
    assert done.stdout.splitlines() == ["polling", "woken"]
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "file events cannot be had" in done.stderr
    assert "looking every 1 ms" in done.stderr


def test_without_events_kernel_by_name_is_an_error(without_events, path):
    done = without_events(WITHOUT_EVENTS, path, "kernel")
    assert "watcher_backend probe failed: watcher backend kernel: file events cannot be had" in done.stdout
    assert "woken" not in done.stdout
    assert done.stderr == ""


def test_without_events_a_standard_error_that_is_not_read_any_more_does_no_harm(without_events, path):
    """As with a log collector that has died."""
    broken = "import os\nread, write = os.pipe()\nos.dup2(write, 2)\nos.close(read)\n"
    done = without_events(broken + WITHOUT_EVENTS, path, "")
    assert done.stdout.splitlines() == ["polling", "woken"]


def test_without_events_it_is_said_once_however_often_it_is_tried(without_events, path):
    """Each claim that begins and ends without other watchers starts a watcher."""
    script = """
import sys, honker
with honker.open(sys.argv[1]) as db:
    for _ in range(5):
        db.update_events().close()
"""
    done = without_events(script, path)
    assert len(done.stderr.splitlines()) == 1, done.stderr
