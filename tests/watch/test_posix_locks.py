"""SQLite's locks survive the watcher, because it never opens the files itself.

POSIX locks belong to the process: closing any descriptor of a file drops all its locks on the file. If the watcher
opened and closed the database or its `-shm`, another process could delete the WAL, and the next commit would be
acknowledged and lost. So another process tests the locks, and `strace` shows every open.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from ..support.processes import running
from .conftest import commit, pass_ticks
from .faces import FACES, WAKE

# Checks if a write lock is available on SQLite's shared lock range of the database, and on the byte of the WAL index
# that marks a connection; see os_unix.c of SQLite. It opens and closes files, so it is a separate process.
ASK = """
import fcntl, os, struct, sys
FLOCK = "hhqqi4x"
def holder(path, start, length):
    file = os.open(path, os.O_RDWR)
    request = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, request))
    os.close(file)
    return 0 if kind == fcntl.F_UNLCK else pid
path = sys.argv[1]
print("ready", flush=True)
for _ in sys.stdin:
    print(holder(path, 0x40000002, 510), holder(path + "-shm", 128, 1), flush=True)
"""


@pytest.fixture
def holders(path, writer):
    """The holders of the lock of the database and of that of its WAL index; 0 means none."""
    writer().execute("SELECT * FROM t").fetchall()
    with running(ASK, path) as child:
        child.expect("ready")

        def ask():
            child.say()
            return [int(number) for number in child.line().split()]

        yield ask


def test_closing_a_descriptor_of_the_file_would_drop_the_locks(holders, path):
    """Reproduces the hazard, and shows that the check can fail."""
    assert holders() == [os.getpid()] * 2
    os.close(os.open(path, os.O_RDONLY))
    os.close(os.open(f"{path}-shm", os.O_RDONLY))
    assert holders() == [0, 0]


@pytest.mark.parametrize("backend", [None, "polling", "kernel", "shm"])
def test_locks_are_held_while_watchers_start_stop_and_churn(holders, path, writer, watch, backend):
    conn = writer()
    pass_ticks(watch(path, backend))
    assert holders() == [os.getpid()] * 2
    for _ in range(20):
        events = watch(path, backend)
        assert holders() == [os.getpid()] * 2
        commit(conn)
        assert events.wait() == WAKE
        several = [watch(path, backend) for _ in range(3)]
        for each in (events, *several):
            each.close()
        assert holders() == [os.getpid()] * 2


def test_locks_are_held_after_a_watcher_could_not_be_had(holders, path, tmp_path):
    for backend in ("bogus", "shm"):
        with pytest.raises(Exception, match=r"unknown watcher backend|cannot watch"):
            FACES["c"](path if backend == "bogus" else tmp_path / "nowhere" / "x.db", backend)
    assert holders() == [os.getpid()] * 2


def test_locks_are_held_after_a_checkpoint_and_a_vacuum_under_a_watcher(holders, path, writer, watch):
    conn = writer()
    events = watch(path)
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    conn.execute("VACUUM")
    assert events.wait() == WAKE
    events.close()
    assert holders() == [os.getpid()] * 2


def test_a_commit_after_churn_is_seen_by_a_new_process(path, holders, writer, watch):
    """The full story of the lost commit: another process opens the file and closes it again."""
    conn = writer()
    for _ in range(5):
        watch(path).close()
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM t')",
                path,
            ],
            check=True,
        )
        before = os.stat(f"{path}-wal").st_ino, os.stat(f"{path}-shm").st_ino
        commit(conn)
        assert (os.stat(f"{path}-wal").st_ino, os.stat(f"{path}-shm").st_ino) == before
    count = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM t').fetchone()[0])"
    done = subprocess.run([sys.executable, "-c", count, path], check=True, capture_output=True, text=True)
    assert done.stdout == "5\n"


# ----------------------------------------------------------------------------------------------------- opening the file

TRACED = """
import gc, sqlite3, sys
import honker
path = sys.argv[1]
honker.connect(":memory:").close()
library = honker.extension_info()[0]
with honker.open(path) as db:
    with db.transaction() as tx:
        tx.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    writer = sqlite3.connect(path, isolation_level=None)
    for backend in (None, "polling", "kernel", "shm"):
        for _ in range(3):
            listeners = [honker.UpdateEvents(library, path, backend, None) for _ in range(3)]
            writer.execute("INSERT INTO t DEFAULT VALUES")
            for listener in listeners:
                assert listener.wait(10)
                listener.stats()
                listener.close()
            del listener, listeners
            gc.collect()
    writer.close()
print("done")
"""

CALL = re.compile(r"(?P<call>openat?2?|close)\((?P<arguments>.*)\) += ")
FRAME = re.compile(r" > (?P<object>[^(\[]+)")


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """Every open and close of the database's files, with the libraries on the stack of each."""
    strace = shutil.which("strace")
    version = [strace, "-V"] if strace else ["true"]
    if "stack-trace" not in subprocess.run(version, capture_output=True, text=True, check=True).stdout:
        pytest.skip("needs a strace that can show the stack")
    folder = tmp_path_factory.mktemp("trace")
    path, log = folder / "app.db", folder / "strace.log"
    command = [strace, "-f", "-k", "-y", "-e", "trace=open,openat,openat2,close", "-o", log]
    done = subprocess.run(
        [*command, sys.executable, "-c", TRACED, path], capture_output=True, text=True, timeout=50, check=False
    )
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.splitlines()[-1]}")
    assert done.stdout == "done\n", done.stderr
    return path, calls(log.read_text(errors="replace"), str(path))


def calls(text, path):
    """(call, file, libraries on the stack, innermost first) for each call on one of the database's files."""
    found, current = [], None
    for line in text.splitlines():
        frame = FRAME.match(line)
        if frame is not None:
            if current is not None:
                current[2].append(frame["object"])
            continue
        call = CALL.search(line)
        named = re.search(rf"{re.escape(path)}(-wal|-shm|-journal)?(?=[\">])", line)
        current = (call["call"], named[0], []) if call and named else None
        if current is not None:
            found.append(current)
    return found


def test_the_database_is_opened_and_closed_by_sqlite_only(trace):
    path, found = trace
    opens = [each for each in found if each[0].startswith("open") and each[1] == str(path)]
    assert opens
    for call, file, libraries in found:
        if file.endswith("-journal"):
            continue
        assert "libsqlite3" in caller(libraries), f"{call} of {file} through {libraries[:6]}"


def caller(libraries):
    """The library that called the C library."""
    return next((each for each in libraries if "libc.so" not in each and "libpthread" not in each), "nobody")


def test_the_wal_index_is_opened_once_for_all_connections(trace):
    """SQLite opens it, and shares it within a process: another descriptor could be closed and drop the locks."""
    path, found = trace
    assert [call for call, file, _ in found if file == f"{path}-shm"] == ["openat", "close"]


def test_a_watched_database_opens_and_closes_files_as_often_as_connections(trace):
    path, found = trace
    # SQLite keeps the descriptor of a closed connection while other connections hold locks, and reuses it: no close in
    # between.
    assert sum(file == str(path) for call, file, _ in found if call == "close") == sum(
        file == str(path) for call, file, _ in found if call.startswith("open")
    )
