"""Results of jobs: stored, replaced, waited for, and deleted after their expiry."""

import asyncio
import os
import threading
import time
from datetime import timedelta

import pytest
from honker import DatabaseClosedError, InvalidArgumentError

from ..support.locking import ask
from ..support.processes import running

SAVER = """
import sys
import honker
with honker.open(sys.argv[1]) as db:
    print("ready", flush=True)
    sys.stdin.readline()
    db.queue("q").save_result(1, {"from": "afar"})
"""


@pytest.mark.parametrize("value", [None, 0, "", {"ok": True}, [1, 2.5], "ä"], ids=repr)
def test_a_result_comes_back_as_it_was_saved(queue, value):
    queue.save_result(1, value)
    assert queue.get_result(1) == (True, value)


def test_a_result_that_is_not_there_is_told_from_one_that_is_none(queue):
    assert queue.get_result(1) == (False, None)
    queue.save_result(1, None)
    assert queue.get_result(1) == (True, None)


def test_a_result_replaces_the_one_before(queue, path):
    queue.save_result(1, "first", ttl=5)
    queue.save_result(1, "second")
    assert queue.get_result(1) == (True, "second")
    assert ask(path, "SELECT expires_at FROM _honker_results") == [(None,)]


@pytest.mark.parametrize("ttl", [None, 0, -5])
def test_a_result_without_a_time_to_live_stays(queue, path, ttl):
    queue.save_result(1, "r", ttl)
    assert ask(path, "SELECT expires_at FROM _honker_results") == [(None,)]


@pytest.mark.parametrize("ttl", [60, 60.0, timedelta(minutes=1)])
def test_a_result_is_gone_when_its_time_is_over(queue, path, ttl):
    before = time.time()
    queue.save_result(1, "r", ttl)
    ((expires_at,),) = ask(path, "SELECT expires_at FROM _honker_results")
    assert before + 59.9 <= expires_at <= time.time() + 61
    ask(path, "UPDATE _honker_results SET expires_at = 1")
    assert queue.get_result(1) == (False, None)


def test_results_are_swept_over_all_queues(db, queue, path):
    queue.save_result(1, "old", ttl=5)
    db.queue("other").save_result(2, "old", ttl=5)
    queue.save_result(3, "fresh", ttl=500)
    ask(path, "UPDATE _honker_results SET expires_at = 1 WHERE job_id < 3")
    assert queue.sweep_results() == 2
    assert queue.sweep_results() == 0
    assert queue.get_result(3) == (True, "fresh")


@pytest.mark.parametrize("ttl", ["60", True, float("nan"), 10**12], ids=repr)
def test_a_time_to_live_that_is_impossible_is_refused(queue, ttl):
    with pytest.raises(InvalidArgumentError, match="ttl"):
        queue.save_result(1, "r", ttl)
    assert queue.get_result(1) == (False, None)


# -------------------------------------------------------------------------------------------------------------- waiting


def test_waiting_for_a_result_that_is_there_returns_it(queue):
    queue.save_result(1, {"n": 1})
    assert asyncio.run(queue.wait_result(1)) == {"n": 1}


def test_waiting_for_a_result_wakes_when_another_thread_saves_it(queue):
    async def main():
        task = asyncio.create_task(queue.wait_result(1))
        await asyncio.wait([task], timeout=0.05)
        assert not task.done()
        threading.Thread(target=queue.save_result, args=[1, "r"]).start()
        return await asyncio.wait_for(task, 10)

    assert asyncio.run(main()) == "r"


def test_waiting_for_a_result_wakes_when_another_process_saves_it(queue, path):
    async def main(child):
        task = asyncio.create_task(queue.wait_result(1))
        await asyncio.wait([task], timeout=0.05)
        child.say()
        return await asyncio.wait_for(task, 10)  # the safety check comes only after 15 s

    with running(SAVER, path) as child:
        child.expect("ready")
        assert asyncio.run(main(child)) == {"from": "afar"}


def test_waiting_for_the_result_of_another_job_goes_on(queue):
    async def main():
        task = asyncio.create_task(queue.wait_result(1))
        await asyncio.wait([task], timeout=0.02)
        queue.save_result(2, "other")
        await asyncio.wait([task], timeout=0.05)
        assert not task.done()
        queue.save_result(1, "mine")
        return await task

    assert asyncio.run(main()) == "mine"


def test_waiting_too_long_for_a_result_is_a_timeout(queue):
    began = time.monotonic()
    with pytest.raises(asyncio.TimeoutError, match="job 7"):
        asyncio.run(queue.wait_result(7, timeout=0.1))
    assert 0.1 <= time.monotonic() - began < 5


@pytest.mark.parametrize("timeout", [0, -1])
def test_waiting_no_time_looks_once(queue, timeout):
    queue.save_result(1, "r")
    assert asyncio.run(queue.wait_result(1, timeout)) == "r"
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(queue.wait_result(2, timeout))


def test_waiting_for_a_result_can_be_cancelled(queue):
    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(queue.wait_result(1), 0.02)
        queue.save_result(1, "r")
        return await queue.wait_result(1)

    assert asyncio.run(main()) == "r"


def test_many_wait_for_one_result(queue):
    async def main():
        tasks = [asyncio.create_task(queue.wait_result(1)) for _ in range(50)]
        await asyncio.sleep(0)
        await queue.db.engine.acall("SELECT honker_result_save(1, '5', 0)")
        return await asyncio.wait_for(asyncio.gather(*tasks), 10)

    assert asyncio.run(main()) == [5] * 50


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_waiters_of_an_event_loop_share_a_descriptor_and_all_hear(db, queue):
    async def main():
        def descriptors():
            return len(os.listdir("/proc/self/fd"))

        job_ids = [queue.enqueue({}) for _ in range(300)]
        before = descriptors()
        tasks = [asyncio.create_task(queue.wait_result(job_id)) for job_id in job_ids]
        await asyncio.wait(tasks, timeout=0.1)
        # Each thread that looks up results may open a connection with three descriptors, 20 in all; not 300.
        assert descriptors() - before < 100
        for job_id in job_ids:
            queue.save_result(job_id, job_id)
        assert await asyncio.wait_for(asyncio.gather(*tasks), 20) == job_ids
        late = asyncio.create_task(queue.wait_result(queue.enqueue({})))
        await asyncio.wait([late], timeout=0.05)
        queue.save_result(job_ids[-1] + 1, "late")
        assert await asyncio.wait_for(late, 10) == "late"

    asyncio.run(main())
    asyncio.run(main_again(queue))


async def main_again(queue):
    """A second event loop on the same database."""
    job_id = queue.enqueue({})
    waiting = asyncio.create_task(queue.wait_result(job_id))
    await asyncio.wait([waiting], timeout=0.05)
    queue.save_result(job_id, "again")
    assert await asyncio.wait_for(waiting, 10) == "again"


def test_waiters_of_an_event_loop_are_told_that_the_database_is_closed(db, queue):
    async def main():
        tasks = [asyncio.create_task(queue.wait_result(queue.enqueue({}))) for _ in range(3)]
        await asyncio.wait(tasks, timeout=0.05)
        db.close()
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    assert [type(error) for error in asyncio.run(main())] == [DatabaseClosedError] * 3
