"""Transactions of handlers: the writes, the children and the end of the job are committed together."""

import asyncio
import threading

import honker
import pytest

from ..support.engines import placed
from ..support.locking import ask
from ..support.workers import dead, live, run_for, run_until


@pytest.fixture
def ledger(db):
    with db.transaction() as tx:
        tx.execute(placed(tx, "CREATE TABLE ledger (id INTEGER PRIMARY KEY, entry TEXT)"))
    return lambda: [row["entry"] for row in db.query("SELECT entry FROM ledger ORDER BY id")]


INSERT = "INSERT INTO ledger (entry) VALUES (?)"


def transactional(child):
    """A handler with a transaction, plain and as a coroutine; it enqueues a child, and fails on request."""

    def plain(tx: honker.Transaction, entry, fails=False):
        tx.execute(placed(tx, INSERT), (entry,))
        child.enqueue_with(tx=tx)()
        if fails:
            raise ValueError(entry)
        return entry

    async def coroutine(job: honker.Job, tx: honker.Transaction, entry, fails=False):
        async with tx:
            plain(tx, entry, fails)
        return entry

    return {"plain": plain, "coroutine": coroutine}


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_writes_children_result_and_ack_commit_together(db, queue, path, ledger, kind):
    child = db.task("children", name="child")(lambda: None)
    task = queue.task(name="t", retries=1)(transactional(child)[kind])
    assert run_for(db, task("a"), queue="q") == "a"
    assert ledger() == ["a"]
    with pytest.raises(honker.JobFailedError):
        run_for(db, task("b", fails=True), queue="q")
    assert ledger() == ["a"]
    assert ask(path, "SELECT queue FROM _honker_live") == [("children",)]


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
def test_a_transaction_whose_lease_is_lost_is_rolled_back(db, queue, path, ledger, kind):
    def plain(job: honker.Job, tx: honker.Transaction):
        tx.execute(placed(tx, INSERT), ("x",))
        job.queue.cancel(job.id, tx=tx)  # as good as expired: the lease is not held any more

    async def coroutine(job: honker.Job, tx: honker.Transaction):
        async with tx:
            plain(job, tx)

    task = queue.task(name="t")(plain if kind == "plain" else coroutine)
    ended = []
    last = queue.task(name="last")(lambda: ended.append(1))
    task()
    last.enqueue_with(priority=-1)()
    run_until(db, lambda: ended, concurrency=1)
    assert ledger() == []
    # The rollback included the cancel: the lease stays until it expires.
    assert [state for state, _, _ in live(path)] == ["processing"]


def test_a_transaction_that_is_not_used_locks_nothing(db, queue):
    @queue.task(name="t")
    async def task(tx: honker.Transaction, other: int):
        return other

    assert run_for(db, task(7)) == 7


def test_a_coroutine_that_would_block_the_event_loop_is_told_how_not_to(db, queue, path, ledger):
    @queue.task(name="t", retries=1)
    async def task(tx: honker.Transaction):
        tx.execute(placed(tx, INSERT), ("x",))

    with pytest.raises(honker.JobFailedError, match="async with tx"):
        run_for(db, task())


def test_a_handler_that_was_given_up_cannot_write_any_more(db, queue, path, ledger):
    proceed, refused = threading.Event(), threading.Event()

    @queue.task(name="t", retries=1, timeout_s=0.05)
    def task(tx: honker.Transaction):
        proceed.wait(10)
        try:
            tx.execute(placed(tx, INSERT), ("x",))
        except honker.TransactionNotStartedError:
            refused.set()

    task()
    run_until(db, lambda: dead(path))
    proceed.set()
    assert refused.wait(10)
    assert ledger() == []


def test_a_transaction_whose_commit_fails_is_a_failed_attempt(db, queue, ledger):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        tx.execute("CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")

    @queue.task(name="t", retries=1)
    def task(tx: honker.Transaction):
        tx.execute(placed(tx, INSERT), ("x",))
        tx.execute("INSERT INTO child VALUES (7)")

    with pytest.raises(honker.JobFailedError, match=r"(?i)foreign key"):
        run_for(db, task())
    assert ledger() == []


def test_the_transaction_of_a_thread_that_returns_a_coroutine_after_it_was_given_up_ends(db):
    begun, goes_on, kept = threading.Event(), threading.Event(), []

    async def rest(): ...

    @db.task("q")
    def work(tx: honker.Transaction):
        tx.query("SELECT 1")
        kept.append(tx)
        begun.set()
        goes_on.wait(10)
        return rest()

    work()

    async def main():
        stop = asyncio.Event()
        running = asyncio.ensure_future(honker.Worker(db.queue("q"), grace_s=0).run(stop))
        await asyncio.to_thread(begun.wait, 10)
        stop.set()
        await running

    asyncio.run(main())
    goes_on.set()
    db.queue("other").enqueue(1)  # needs the write lock
    assert len(kept) == 1
