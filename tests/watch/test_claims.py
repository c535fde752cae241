"""A worker that is woken by what is none of its business reads, and leaves the write lock to others."""

import re
import shutil
import subprocess
import sys

import honker
import pytest

from ..support.waiting import wait_until

FOREIGN = 50

SYNC = """
import sys
import honker
with honker.open(sys.argv[1]) as db:
    wakes = db.update_events()
    with db.queue("mine").claim("w", idle_poll_s=None) as jobs:
        print("waiting", flush=True)
        for job in jobs:
            print(job.payload, wakes.stats()["wakes"], flush=True)
            job.ack()
            if job.payload == "last":
                break
"""
ASYNC = """
import asyncio, sys
import honker
async def main():
    with honker.open(sys.argv[1]) as db:
        wakes = db.update_events()
        with db.queue("mine").claim("w", idle_poll_s=None) as jobs:
            print("waiting", flush=True)
            async for job in jobs:
                print(job.payload, wakes.stats()["wakes"], flush=True)
                job.ack()
                if job.payload == "last":
                    break
asyncio.run(main())
"""

# The lock that a write transaction takes in WAL mode: byte 120 of the WAL index (WAL_WRITE_LOCK of SQLite's wal.c).
WRITE_LOCK = re.compile(r"F_SETLKW?6?4?, \{l_type=F_WRLCK, l_whence=SEEK_SET, l_start=120, l_len=1\}")


@pytest.mark.parametrize("script", [SYNC, ASYNC], ids=["for", "async for"])
def test_a_worker_woken_by_other_queues_takes_no_write_lock(path, tmp_path, script):
    """Its system calls say so: fifty wakes for nothing, and the write lock is asked for as often as it was needed."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("needs strace")
    log = tmp_path / "strace.log"
    with honker.open(path) as db:
        command = [strace, "-f", "-e", "trace=fcntl", "-o", log, sys.executable, "-c", script, path]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert worker.stdout.readline() == "waiting\n"
            wakes = handle(db, worker, "first")
            ours = db.update_events()
            for number in range(FOREIGN):
                db.queue("other").enqueue(number)
                assert ours.wait(10)
                # Until it has looked: a read takes a shared lock and gives it back.
                seen = calls(log)
                wait_until(lambda seen=seen: calls(log) > seen)
            wakes_after = handle(db, worker, "last")
            assert worker.wait(10) == 0
        finally:
            worker.kill()
            worker.stdout.close()
            worker.wait()
    assert wakes_after - wakes >= FOREIGN / 2, "it was not woken, and this test shows nothing"
    # One to claim and one to ack each of its two jobs. Two of SQLite's own come on top, rarely: a try beside the
    # committing process is refused and made again, and a reader that finds the WAL index's header half-written takes
    # the lock to read it once more (walIndexReadHdr of wal.c).
    assert 4 <= locks(log) < 4 + FOREIGN // 5


def handle(db, worker, payload):
    """Gives it one job; how often its watcher had been woken."""
    db.queue("mine").enqueue(payload)
    seen, wakes = worker.stdout.readline().split()
    assert seen == payload
    return int(wakes)


def locks(log):
    return len(WRITE_LOCK.findall(log.read_text()))


def calls(log):
    return log.read_text().count("\n")


@pytest.mark.parametrize("backend", [None, "polling", "kernel", "shm"])
def test_a_claim_waits_without_polling_the_queue(path, backend):
    """With no idle poll, only the wake can bring the job."""
    with honker.open(path, watcher_backend=backend) as db, honker.open(path) as other:
        jobs = db.queue("q").claim("w", idle_poll_s=None)
        for number in range(20):
            other.queue("q").enqueue(number)
            job = next(jobs)
            assert job.payload == number
            job.ack()


def test_a_claim_subscribes_when_it_is_made(path):
    """So that a job enqueued between the claim and the first wait is not missed."""
    with honker.open(path) as db:
        kept = db.update_events()
        jobs = db.queue("q").claim("w")
        assert kept.stats()["subscribers"] == 2
        jobs.close()
        assert kept.stats()["subscribers"] == 1
