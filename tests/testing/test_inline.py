"""Jobs that run at once when they are enqueued."""

import asyncio

import honker
import honker.testing as kit
import pytest


@pytest.fixture
def ran():
    return []


@pytest.fixture
def work(db, ran):
    @db.task(queue="q")
    def work(n):
        ran.append(n)
        if n > 1:
            work(n - 1)
        return n

    return work


def test_a_call_runs_before_it_returns_with_the_calls_that_it_makes(db, work, ran):
    with kit.inline(db):
        result = work(3)
        assert ran == [3, 2, 1]
        assert result.get(0) == 3
    work(9)
    assert ran == [3, 2, 1], "outside the block, jobs wait"


def test_the_jobs_of_a_transaction_run_when_it_has_committed(db, work, ran):
    with kit.inline(db):
        with db.transaction() as tx:
            work.enqueue_with(tx=tx)(1)
            assert ran == []
        assert ran == [1]
        with pytest.raises(KeyError):
            roll_back(db, work)
    assert ran == [1]
    assert kit.enqueued(db) == []


@pytest.mark.parametrize("is_async", [False, True])
def test_the_jobs_after_one_that_failed_run_at_the_end_of_the_block(db, ran, is_async):
    @db.task(queue="q")
    def work(n):
        if n == 0:
            raise KeyError(n)
        ran.append(n)

    def enqueue():
        with db.transaction() as tx:
            work.enqueue_with(tx=tx)(0)
            work.enqueue_with(tx=tx)(1)

    async def aenqueue():
        async with db.transaction() as tx:
            await work.enqueue_with(tx=tx).aenqueue(0)
            await work.enqueue_with(tx=tx).aenqueue(1)

    with kit.inline(db):
        with pytest.raises(KeyError):
            asyncio.run(aenqueue()) if is_async else enqueue()
        assert ran == []
    assert ran == [1]


def roll_back(db, work):
    with db.transaction() as tx:
        work.enqueue_with(tx=tx)(1)
        raise KeyError


def test_a_delayed_job_waits(db, work, ran):
    with kit.inline(db):
        work.enqueue_with(delay=60)(1)
    assert ran == []


def test_an_exception_leaves_the_call(db):
    @db.task(queue="q")
    def broken():
        raise ValueError("no")

    with kit.inline(db):
        with pytest.raises(ValueError, match="no"):
            broken()
        with pytest.raises(ValueError, match="no"), db.transaction() as tx:
            broken.enqueue_with(tx=tx)()
    with kit.inline(db, raise_errors=False):
        broken()


def test_coroutines_run_on_the_loop_that_enqueues(db):
    loops = []

    @db.task(queue="q")
    async def work():
        loops.append(asyncio.get_running_loop())

    async def main():
        with kit.inline(db):
            await work.aenqueue()
            async with db.transaction() as tx:
                await work.enqueue_with(tx=tx).aenqueue()
            assert loops == [asyncio.get_running_loop()] * 2

    asyncio.run(main())


def test_jobs_of_a_foreign_transaction_run_at_the_end_of_the_block(db, work, ran):
    conn = honker.connect(db.path, isolation_level=None)
    with kit.inline(db):
        conn.execute("BEGIN")
        work.enqueue_with(tx=conn)(1)
        conn.execute("COMMIT")
        assert ran == []
    conn.close()
    assert ran == [1]
