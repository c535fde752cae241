"""Waiting until a job has reached or passed a state."""

import asyncio
import threading

import honker
import honker.testing as kit
import pytest


@pytest.fixture
def work(db):
    @db.task(queue="q", retries=1)
    def work(n):
        if n < 0:
            raise ValueError("negative")
        return n

    return work


def test_states_that_are_reached_or_passed_answer_at_once(db):
    @db.task(queue="q")
    def work():
        return None

    result = work()
    assert kit.wait_for_sync(result, "pending") == "pending"
    job = db.queue("q").claim_one("w")
    assert kit.wait_for_sync(result, "processing") == "processing"
    assert kit.wait_for_sync(job, "pending") == "processing"
    job.retry(60)
    assert kit.wait_for_sync(result, "processing") == "pending"
    db.queue("q").cancel(job.id)
    with pytest.raises(honker.JobCancelledError):
        kit.wait_for_sync(result, "done")


def test_an_end_answers_every_earlier_state(db, work):
    done, dead = work(1), work(-1)
    kit.drain(db, raise_errors=False)
    assert kit.wait_for_sync(done, "processing") == "done"
    assert kit.wait_for_sync(dead, "dead") == "dead"
    assert kit.wait_for_sync(dead.id, "pending", target=db) == "dead"
    with pytest.raises(honker.JobFailedError, match="negative"):
        kit.wait_for_sync(dead, "done")
    with pytest.raises(honker.InvalidArgumentError, match="is done"):
        kit.wait_for_sync(done, "dead")


def test_a_wait_ends_when_another_thread_settles(db, work):
    result = work(1)

    async def main():
        thread = threading.Thread(target=kit.drain, args=(db,))
        thread.start()
        assert await kit.wait_for(result, "done") == "done"
        thread.join()

    asyncio.run(main())


def test_a_wait_ends_by_its_timeout_and_tells_the_state(db, work):
    with pytest.raises(TimeoutError, match=r"is 'pending' after 0\.05 s, not 'done'"):
        kit.wait_for_sync(work(1), "done", timeout_s=0.05)
    with pytest.raises(honker.InvalidArgumentError, match="choose one of pending"):
        kit.wait_for_sync(work(1), "finished")
    with pytest.raises(honker.InvalidArgumentError, match="target"):
        kit.wait_for_sync(1, "done")
