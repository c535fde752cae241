"""One call of a task, through the database and back."""

import asyncio

import honker
import honker.testing as kit
import pytest


def test_a_call_is_enqueued_run_settled_and_answered(db):
    seen = []

    @db.task(queue="q", priority=3)
    def total(job: honker.Job, prices):
        seen.append((job.attempts, job.priority))
        return {"total": sum(prices)}

    total([5])
    assert kit.perform(total, (1, 2)) == {"total": 3}
    assert seen == [(1, 3)]
    assert [job.args for job in kit.enqueued(db)] == [([5],)], "the other job stays"


def test_a_result_that_is_not_stored_is_returned_as_it_is(db):
    @db.task(queue="q", store_result=False)
    def pair():
        return (1, 2)

    assert kit.perform(pair) == (1, 2)


def test_the_exception_of_the_function_is_raised_and_the_job_waits_for_its_retry(db):
    @db.task(queue="q")
    def broken():
        raise KeyError("customer")

    with pytest.raises(KeyError, match="customer"):
        kit.perform(broken)
    assert kit.assert_enqueued(db, broken).attempts == 1


def test_arguments_that_do_not_fit_are_refused(db):
    @db.task(queue="q")
    def work(n):
        return n

    with pytest.raises(honker.InvalidCallError):
        kit.perform(work)
    with pytest.raises(honker.InvalidPayloadError):
        kit.perform(work, object())


def test_a_job_that_cannot_run_is_refused_and_cancelled(db):
    @db.task(queue="q")
    def work():
        return 1

    db.queue("q").pause()
    with pytest.raises(honker.InvalidCallError, match="paused"):
        kit.perform(work)
    assert kit.enqueued(db) == []


def test_a_coroutine_runs_on_the_loop_of_the_test(db):
    @db.task(queue="q")
    async def work():
        return id(asyncio.get_running_loop())

    async def main():
        assert await kit.aperform(work) == id(asyncio.get_running_loop())

    asyncio.run(main())
    assert kit.perform(work) > 0
