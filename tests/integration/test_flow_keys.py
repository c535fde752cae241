"""Keys of jobs: limits per key, order, pauses, and jobs that run after others."""

import asyncio
import time

import honker
import pytest
from honker.errors import UnknownParentError


def test_a_key_is_kept_with_the_job(queue):
    queue.enqueue(1, key="acme")
    queue.enqueue(2)
    assert [(job.key, job.snoozes) for job in queue.claim_batch("w", 2)] == [("acme", 0), (None, 0)]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", 7, b"a"], ids=repr)
def test_a_key_that_is_no_name_is_refused(queue, key):
    with pytest.raises(honker.InvalidArgumentError, match=r"key|option"):
        queue.enqueue(1, key=key)
    assert queue.stats().ready == 0


def test_one_job_of_a_key_runs_at_a_time_and_other_keys_go_on(queue):
    queue.configure(concurrency_per_key=1)
    queue.enqueue_many([1, 2, 3, 4], key=["a", "a", "b", None])
    held = queue.claim_batch("w", 9)
    assert [job.payload for job in held] == [1, 3, 4]
    assert queue.stats().blocked == 1
    held[0].ack()
    assert queue.claim_one("w").payload == 2


def test_jobs_of_a_key_in_an_ordered_queue_wait_for_a_retry(queue):
    queue.configure(ordered=True)
    queue.enqueue_many([1, 2], key="a")
    queue.claim_one("w").retry(3600)
    assert queue.claim_one("w") is None


def test_keys_of_many_jobs_need_one_value_each(queue):
    with pytest.raises(honker.InvalidArgumentError, match=r"2|3"):
        queue.enqueue_many([1, 2, 3], key=["a", "b"])
    with pytest.raises(honker.InvalidArgumentError, match="key has 2 values and unique_key has 3"):
        queue.enqueue_many([1, 2, 3], key=["a", "b"], unique_key=["x", "y", "z"])
    assert queue.stats().ready == 0


def test_options_keep_their_meaning_beside_a_key(queue):
    queue.enqueue(1, key="a", priority=7, max_attempts=9, expires=60)
    queue.enqueue(2, key="a", delay=3600)
    queue.enqueue(3, key="a", run_at=time.time() + 3600)
    job = queue.claim_one("w")
    assert (job.payload, job.priority, job.max_attempts, job.expires_at is None) == (1, 7, 9, False)
    assert queue.claim_one("w") is None
    assert queue.stats().delayed == 2


def test_the_attempts_of_the_queue_are_the_default_beside_a_key(db):
    queue = db.queue("q", max_attempts=5)
    queue.enqueue(1, key="a")
    queue.enqueue_many([2], key="a")
    assert [job.max_attempts for job in queue.claim_batch("w", 2)] == [5, 5]


def test_a_paused_key_stands_still_until_it_is_resumed(queue):
    queue.enqueue_many([1, 2], key=["acme", "other"])
    assert queue.pause_key("acme", reason="disputed")
    assert not queue.pause_key("acme")
    assert [job.payload for job in queue.claim_batch("w", 9)] == [2]
    assert queue.resume_key("acme")
    assert not queue.resume_key("acme")
    assert queue.claim_one("w").payload == 1


def test_a_pause_has_an_end_and_a_reason(queue):
    until = int(time.time()) + 3600
    assert queue.pause(until=until, reason="deploy")
    assert not queue.pause(until=until + 60, reason="longer")
    stats = queue.stats()
    assert (stats.paused_until, stats.pause_reason) == (until + 60, "longer")
    assert queue.resume()
    assert queue.stats().paused_until is None


def test_a_pause_that_has_passed_is_refused(queue):
    with pytest.raises(honker.InvalidArgumentError, match="until"):
        queue.pause(until=1000)
    with pytest.raises(honker.InvalidArgumentError, match="until"):
        queue.pause_key("acme", until=1000)
    assert queue.stats().paused_at is None


# ---------------------------------------------------------------------------------------------------------- parents


def test_a_job_waits_for_its_parents_and_reads_their_results(db, queue):
    first, second = queue.enqueue("first"), queue.enqueue("second")
    child = queue.enqueue("child", after=[second, first])
    assert queue.get_job(child).state == "waiting"
    for job in queue.claim_batch("w", 9):
        assert job.has_dependents
        queue.save_result(job.id, {"of": job.payload})
        job.ack()
    job = queue.claim_one("w")
    assert (job.payload, job.has_parents, job.has_dependents) == ("child", True, False)
    assert [(each.job_id, each.state, each.has_result, each.result, each.error) for each in job.parents()] == [
        (second, "done", True, {"of": "second"}, None),
        (first, "done", True, {"of": "first"}, None),
    ]


def test_a_parent_is_a_job_or_its_id(db, queue):
    with db.transaction() as tx:
        parent = queue.enqueue_unique(1, "a", tx=tx)
        child = queue.enqueue(2, after=[parent], tx=tx)
        queue.enqueue_many([3, 4], after=[child, parent.id], tx=tx)
    assert queue.stats().waiting == 3


def test_a_failed_parent_cancels_its_child_unless_it_runs_anyway(queue):
    parent = queue.enqueue(1)
    doomed = queue.enqueue(2, after=[parent])
    queue.enqueue(3, after=[parent], on_parent_failure="run")
    queue.claim_one("w").fail("broken")
    job = queue.claim_one("w")
    [outcome] = job.parents()
    assert (job.payload, outcome.state, outcome.has_result, outcome.error) == (3, "dead", False, "broken")
    assert queue.get_job(doomed) is None
    assert queue.stats().dead == 2


def test_a_parent_that_never_existed_is_an_error(queue):
    with pytest.raises(UnknownParentError):
        queue.enqueue(1, after=[99])
    assert queue.stats().waiting == 0


@pytest.mark.parametrize("after", [7, "17", ["x"], [1.5], [None], [True]], ids=repr)
def test_parents_that_are_no_jobs_are_refused(queue, after):
    queue.enqueue(1)
    with pytest.raises(honker.InvalidArgumentError, match="after"):
        queue.enqueue(2, after=after)


def test_the_twins_do_the_same(queue):
    async def main():
        parent = await queue.aenqueue(1, key="a")
        await queue.aenqueue_many([2], after=[parent], key=["b"])
        assert await queue.apause_key("a")
        assert await queue.aclaim_one("w") is None
        assert await queue.aresume_key("a")
        await (await queue.aclaim_one("w")).aack()
        child = await queue.aclaim_one("w")
        assert [each.job_id for each in await child.aparents()] == [parent]
        assert await queue.apause(reason="r")

    asyncio.run(main())
    assert queue.stats().pause_reason == "r"
