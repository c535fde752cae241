"""Commits of coroutines on a slow disk: the event loop goes on while SQLite syncs."""

import shutil
import subprocess

import pytest
from honker.sqlite import connection

from ..support.processes import run

pytestmark = pytest.mark.sqlite_only("SQLite syncs in this process")

#: Seconds of a stall that a busy machine may cause by itself. A sync takes 0.6 s.
STALL_S = 0.4

SHIM = r"""
#include <time.h>
#include <stdlib.h>
static int wait_long(void) {
    if (!getenv("SLOW_DISK")) return 0;
    struct timespec t = {0, 600000000};
    return nanosleep(&t, 0) * 0;
}
int fsync(int fd) { (void)fd; return wait_long(); }
int fdatasync(int fd) { (void)fd; return wait_long(); }
"""

PROGRAM = """
import asyncio, ctypes, sys, time, honker

path, synchronous = sys.argv[1:3]
setenv = ctypes.CDLL(None).setenv
db = honker.open(path, synchronous=synchronous)
queue = db.queue("q")
ended = asyncio.Event()

@queue.task(name="rows")
async def rows(tx: honker.Transaction):
    async with tx:
        tx.execute("INSERT INTO t VALUES (1)")
    ended.set()

async def measure(longest):
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        longest[0] = max(longest[0], now - last)
        last = now

async def transaction():
    async with db.transaction() as tx:
        queue.enqueue(1, tx=tx)

async def call():
    await queue.aenqueue(2)

async def claim():
    await queue.aenqueue(3)
    async with asyncio.timeout(20):
        async for job in queue.claim("w"):
            return await job.aack()

async def handler():
    await rows.aenqueue()
    stop = asyncio.Event()
    working = asyncio.create_task(db.run_workers(queue="q", stop_event=stop, grace_s=20))
    await ended.wait()
    stop.set()
    await working

async def checkpoint():
    text = "x" * 1_000_000
    for _ in range(100):
        async with db.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (?)", (text,))
        await asyncio.sleep(0)
    ends_at = time.monotonic() + 2.5
    while time.monotonic() < ends_at:
        await queue.aenqueue(4)
        await asyncio.sleep(0)

async def main():
    longest = [0.0]
    measuring = asyncio.create_task(measure(longest))
    await asyncio.sleep(0.02)  # until it measures
    await globals()[sys.argv[3]]()
    await asyncio.sleep(0.02)
    measuring.cancel()
    print(longest[0])

with db.transaction() as tx:
    tx.execute("CREATE TABLE t (x)")
setenv(b"SLOW_DISK", b"1", 1)
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def slow_disk(tmp_path_factory):
    """The environment of a process whose syncs are slow."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("slow_disk")
    source, shim = folder / "slow.c", folder / "slow.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", shim], check=True)
    return {"LD_PRELOAD": str(shim)}


def longest_stall_s(path, environment, synchronous, step):
    return float(run(PROGRAM, path, synchronous, step, environment=environment)[0])


@pytest.mark.parametrize("step", ["transaction", "call", "claim", "handler"])
def test_a_commit_that_syncs_does_not_block_the_loop(path, slow_disk, step):
    assert longest_stall_s(path, slow_disk, "FULL", step) < STALL_S


def test_a_checkpoint_does_not_block_the_loop(path, slow_disk):
    assert longest_stall_s(path, slow_disk, "NORMAL", "checkpoint") < STALL_S


def test_a_commit_of_a_thread_does_not_disturb_the_question_for_a_slow_one(db, monkeypatch):
    """It forgets the moment of the first commit without a checkpoint, perhaps between two reads of it."""
    writer = db.engine.current._writer
    writer._deferred_since = 0.0

    def commit_elsewhere():
        writer._deferred_since = None
        return 1e9

    monkeypatch.setattr(connection, "monotonic", commit_elsewhere)
    assert db.engine.current.is_commit_slow
