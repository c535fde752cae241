"""A worker woken by commits of other queues only reads, and does not take the write lock."""

import honker
import pytest

from ..support.system_calls import traced
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


@pytest.mark.parametrize("script", [SYNC, ASYNC], ids=["for", "async for"])
def test_a_worker_woken_by_other_queues_takes_no_write_lock(path, tmp_path, script):
    """In fifty needless wakes, its system calls request the write lock only as often as its own jobs need."""
    with honker.open(path) as db, traced(tmp_path / "strace.log", script, path) as worker:
        assert worker.line() == "waiting"
        wakes = handle(db, worker, "first")
        ours = db.update_events()
        for number in range(FOREIGN):
            db.queue("other").enqueue(number)
            assert ours.wait(10)
            # Until it has checked: a read takes a shared lock and releases it.
            seen = worker.lock_call_count()
            wait_until(lambda seen=seen: worker.lock_call_count() > seen)
        wakes_after = handle(db, worker, "last")
        assert worker.process.wait(10) == 0
    assert wakes_after - wakes >= FOREIGN / 2, "it was not woken, and this test shows nothing"
    # One to claim and one to ack each of its two jobs. Rarely, SQLite makes two more: a try next to the committing
    # process fails and is repeated, and a reader that finds the WAL index's header half-written takes the lock to read
    # it again (walIndexReadHdr of wal.c).
    assert 4 <= worker.write_lock_count() < 4 + FOREIGN // 5


def handle(db, worker, payload):
    """Give it one job. Returns the number of wakes of its watcher."""
    db.queue("mine").enqueue(payload)
    seen, wakes = worker.line().split()
    assert seen == payload
    return int(wakes)


@pytest.mark.parametrize("backend", [None, "polling", "kernel", "shm"])
def test_a_claim_waits_without_polling_the_queue(path, backend):
    """Without the idle poll, only the wake can bring the job."""
    with honker.open(path, watcher_backend=backend) as db, honker.open(path) as other:
        jobs = db.queue("q").claim("w", idle_poll_s=None)
        for number in range(20):
            other.queue("q").enqueue(number)
            job = next(jobs)
            assert job.payload == number
            job.ack()


def test_a_claim_subscribes_when_it_is_made(path):
    """So that no job enqueued between the claim and the first wait is missed."""
    with honker.open(path) as db:
        kept = db.update_events()
        jobs = db.queue("q").claim("w")
        assert kept.stats()["subscribers"] == 2
        jobs.close()
        assert kept.stats()["subscribers"] == 1
