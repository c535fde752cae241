"""The result of a task for the caller: waiting for it, and results that never come."""

import asyncio
import contextlib
import threading

import honker
import psycopg
import pytest
from honker.postgres.location import is_postgres

from ..support.waiting import wait_until
from ..support.workers import run_for


def rolled_back(db, work):
    """The return value of `work` in a transaction that does not commit."""
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        done = work(tx)
        _ = 1 / 0
    return done


# -------------------------------------------------------------------------------------------------------------- results


@pytest.fixture
def task(queue):
    return queue.task(name="t")(lambda: None)


def wait_in_both_ways(result, timeout=None):
    """The outcomes of `get` and `aget`, each a value or an error."""

    def said(get):
        try:
            return get()
        except Exception as error:
            return error

    return said(lambda: result.get(timeout)), said(lambda: asyncio.run(result.aget(timeout)))


def test_a_result_that_is_there_is_returned_at_once(queue, task):
    result = task()
    queue.save_result(result.id, {"a": [1]})
    assert wait_in_both_ways(result) == ({"a": [1]}, {"a": [1]})


def test_a_result_is_waited_for(queue, task):
    result = task()
    thread = threading.Thread(target=lambda: queue.save_result(result.id, 42))
    thread.start()
    assert result.get(10) == 42
    thread.join()


def test_a_result_can_be_got_where_an_event_loop_runs(queue, task):
    async def main():
        result = task()
        queue.save_result(result.id, 1)
        return result.get(10)

    assert asyncio.run(main()) == 1


def test_a_result_that_does_not_come_times_out(task):
    for error in wait_in_both_ways(task(), 0.02):
        assert type(error) is TimeoutError


def test_a_dead_job_is_an_error_with_its_cause(queue, task):
    result = task()
    queue.claim_one("w").fail("broken")
    for error in wait_in_both_ways(result):
        assert type(error) is honker.JobFailedError
        assert (error.job_id, error.error) == (result.id, "broken")
    with pytest.raises(honker.JobFailedError, match="broken"):
        asyncio.run(queue.wait_result(result.id))


def test_a_cancelled_job_is_an_error(db, task):
    result = task()
    db.cancel(result.id)
    for error in wait_in_both_ways(result):
        assert type(error) is honker.JobCancelledError
        assert error.job_id == result.id


def test_a_waiter_hears_of_a_cancelling(db, task):
    result, seen = task(), []
    thread = threading.Thread(target=lambda: seen.append(wait_in_both_ways(result)[0]))
    thread.start()
    db.cancel(result.id)
    wait_until(lambda: seen)
    thread.join()
    assert type(seen[0]) is honker.JobCancelledError


def test_a_job_that_ended_without_a_result_is_a_timeout_at_once(queue, task):
    result = task()
    queue.claim_one("w").ack()
    for error in wait_in_both_ways(result, 1000):
        assert type(error) is honker.ResultGoneError
        assert isinstance(error, TimeoutError)


def test_a_job_that_is_not_committed_yet_is_waited_for(db, queue, task):
    with db.transaction() as tx:
        result = task.enqueue_with(tx=tx)()
        seen = []
        thread = threading.Thread(target=lambda: seen.append(wait_in_both_ways(result, 0.02)))
        thread.start()
        thread.join()
    assert [type(error) for error in seen[0]] == [TimeoutError, TimeoutError]
    queue.save_result(result.id, 1)
    assert result.get() == 1


# ------------------------------------------------------------------------------------- results that will never be there


@pytest.fixture
def foreign(path):
    """A transaction of the application's own driver."""
    if is_postgres(path):
        with contextlib.closing(psycopg.connect(path)) as conn:
            yield conn
        return
    with contextlib.closing(honker.connect(path, isolation_level=None)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        yield conn


@pytest.mark.parametrize("timeout", [None, 1000])
def test_the_result_of_a_call_that_was_rolled_back_is_gone_at_once(db, task, timeout):
    lost = rolled_back(db, lambda tx: task.enqueue_with(tx=tx)())
    task()  # gets the id that was rolled back
    for error in wait_in_both_ways(lost, timeout):
        assert type(error) is honker.ResultGoneError
        assert "rolled back" in str(error)


@pytest.mark.sqlite_only("PostgreSQL does not give an id again")
def test_a_call_that_was_rolled_back_cancels_no_job_that_has_its_id_now(db, task):
    lost = rolled_back(db, lambda tx: task.enqueue_with(tx=tx)())
    other = task()
    assert other.id == lost.id
    assert lost.cancel() == asyncio.run(lost.acancel()) == "gone"
    assert other.cancel() == "cancelled"


def test_a_call_that_was_rolled_back_has_no_progress_of_the_job_that_has_its_id_now(db, queue, task):
    lost = rolled_back(db, lambda tx: task.enqueue_with(tx=tx)())
    other = task()
    queue.claim_one("w").progress(1, 2)
    assert other.progress() is not None
    assert lost.progress() is asyncio.run(lost.aprogress()) is None


def test_a_waiter_is_told_of_a_rollback(db, task):
    seen = []
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        lost = task.enqueue_with(tx=tx)()
        thread = threading.Thread(target=lambda: seen.append(wait_in_both_ways(lost)))
        thread.start()
        _ = 1 / 0
    thread.join(10)
    assert [type(error) for error in seen[0]] == [honker.ResultGoneError] * 2


def test_the_result_of_a_call_in_a_foreign_transaction_that_was_rolled_back_is_gone(task, foreign):
    lost = task.enqueue_with(tx=foreign)()
    foreign.execute("ROLLBACK")
    for error in wait_in_both_ways(lost, 1000):
        assert type(error) is honker.ResultGoneError


@pytest.mark.parametrize("is_foreign", [False, True])
def test_a_job_of_a_committed_transaction_that_ended_without_a_result_is_gone(db, queue, task, request, is_foreign):
    if is_foreign:
        conn = request.getfixturevalue("foreign")
        result = task.enqueue_with(tx=conn)()
        conn.execute("COMMIT")
    else:
        with db.transaction() as tx:
            result = task.enqueue_with(tx=tx)()
    queue.claim_one("w").ack()
    for error in wait_in_both_ways(result, 1000):
        assert type(error) is honker.ResultGoneError


def test_waiting_for_a_job_that_is_gone_or_goes_says_so(queue, task):
    gone, going = task().id, task().id
    queue.claim_one("w").ack()

    async def main():
        with pytest.raises(honker.ResultGoneError):
            await queue.wait_result(gone)
        waiting = asyncio.ensure_future(queue.wait_result(going))
        await asyncio.sleep(0)
        queue.claim_one("w").ack()
        with pytest.raises(honker.ResultGoneError):
            await asyncio.wait_for(waiting, 10)

    asyncio.run(main())


def test_waiting_within_the_transaction_that_enqueued_the_job_is_refused(db, task):
    with db.transaction() as tx, pytest.raises(honker.DeadlockError, match="not committed yet"):
        task.enqueue_with(tx=tx)().get()

    async def main():
        async with db.transaction() as tx:
            with pytest.raises(honker.DeadlockError, match="not committed yet"):
                await task.enqueue_with(tx=tx)().aget()

    asyncio.run(main())


def test_another_task_may_wait_for_the_transaction_that_enqueued_the_job(db, queue, task):
    async def main():
        async with db.transaction() as tx:
            result = task.enqueue_with(tx=tx)()
            waiting = asyncio.ensure_future(result.aget(10))
            await asyncio.sleep(0)
        queue.save_result(result.id, "done")
        return await waiting

    assert asyncio.run(main()) == "done"


def test_a_handler_must_not_block_the_event_loop_of_its_worker(db, queue):
    child = queue.task(name="child")(lambda: "child")

    @queue.task(name="parent", retries=1)
    async def parent():
        child().get(timeout=30)

    with pytest.raises(honker.JobFailedError, match=r"DeadlockError.*aget"):
        run_for(db, parent())


def test_a_handler_that_waits_with_no_slot_left_is_warned(db, queue, caplog):
    child = queue.task(name="child")(lambda: "child")

    @queue.task(name="parent", retries=1)
    def parent():
        return child().get(0.5)

    with pytest.raises(honker.JobFailedError, match="TimeoutError"):
        run_for(db, parent(), concurrency=1)
    assert [each.getMessage() for each in caplog.records if "every slot" in each.getMessage()]
    caplog.clear()
    assert run_for(db, parent(), concurrency=2) == "child"
    assert "every slot" not in caplog.text
