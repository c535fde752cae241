"""A scheduler on standby wakes at every commit of a busy database, and does not take the write lock."""

import honker
from honker import Scheduler, every_s

from ..support.system_calls import traced
from ..support.waiting import wait_until

COMMITS = 50

STANDBY = """
import asyncio, sys
import honker
async def main():
    with honker.open(sys.argv[1]) as db:
        scheduler = honker.Scheduler(db)
        standby = asyncio.create_task(scheduler.run(standby=True))
        print("standing by", flush=True)
        await standby
asyncio.run(main())
"""


def test_a_standby_beside_a_busy_writer_takes_no_write_lock(path, tmp_path):
    with honker.open(path) as db:
        Scheduler(db).add(name="hourly", queue="q", schedule=every_s(3600))
        leader = db.lock(Scheduler.LOCK_NAME)
        with leader, traced(tmp_path / "strace.log", STANDBY, path) as standby:
            assert standby.line() == "standing by"
            ours = db.update_events()
            for number in range(COMMITS):
                db.queue("other").enqueue(number)
                assert ours.wait(10)
                # Until it has checked: a read takes a shared lock and releases it.
                seen = standby.lock_call_count()
                wait_until(lambda seen=seen: standby.lock_call_count() > seen)
            # A reader that finds the WAL index's header half-written takes the lock to read it again, rarely
            # (walIndexReadHdr of wal.c). Trying the leader's lock would take it fifty times.
            assert standby.write_lock_count() < COMMITS // 5
            leader.release()
            wait_until(lambda: leader.held_until() is not None)
            assert standby.write_lock_count() > 0, "it has taken over, and this test would have seen it"
