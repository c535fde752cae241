"""A disk with slow syncs: file events arrive long before the commit is visible, and must still count."""

import shutil
import subprocess

import pytest

from ..support.processes import running
from .conftest import pass_ticks
from .faces import WAKE

# Thirty milliseconds are typical of a hard disk, or of a slow cloud volume.
SHIM = r"""
#include <time.h>
static int wait_long(void) { struct timespec t = {0, 30000000}; return nanosleep(&t, 0) * 0; }
int fsync(int fd) { (void)fd; return wait_long(); }
int fdatasync(int fd) { (void)fd; return wait_long(); }
"""

WRITER = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("PRAGMA synchronous = FULL")
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        conn.execute("INSERT INTO t DEFAULT VALUES")
    print("done", flush=True)
"""


@pytest.fixture
def slow_writer(path, writer, tmp_path):
    """Commit as often as requested, in a process with slow syncs."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    source, shim = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", shim], check=True)
    writer("wal")
    with running(WRITER, path, environment={"LD_PRELOAD": str(shim)}) as child:
        child.expect("ready")
        yield child


def test_each_commit_wakes(slow_writer, sql_watch, path):
    events = sql_watch(path)
    for _ in range(5):
        slow_writer.say("1")
        slow_writer.expect("done")
        assert events.wait() == WAKE


def test_slow_commits_are_not_mistaken_for_events_that_are_lost(slow_writer, sql_watch, path):
    """Each was announced, by the write before the sync."""
    events = sql_watch(path)
    slow_writer.say("40")
    slow_writer.expect("done")
    pass_ticks(events)
    assert events.wait() == WAKE
    stats = events.stats()
    assert (stats["missed"], stats["mode"]) == (0, "events")
