"""One transaction shared by several users: threads, tasks, signal handlers, a forked child."""

import asyncio
import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from honker import (
    NestedTransactionError,
    TransactionNotStartedError,
)

from ..support.locking import ask, is_locked, write_lock_elsewhere
from ..support.processes import run
from ..support.waiting import until, wait_until


def jobs(path):
    return [
        (job_id, json.loads(payload))
        for job_id, payload in ask(path, "SELECT id, payload FROM _honker_live ORDER BY id")
    ]


def test_threads_that_share_a_transaction_get_the_ids_of_their_jobs(db, queue, path):
    ready = threading.Barrier(4)

    def add(tx, thread):
        ready.wait()
        return [(queue.enqueue([thread, n], tx=tx), [thread, n]) for n in range(3_000)]

    with db.transaction() as tx, ThreadPoolExecutor(4) as threads:
        added = [pair for each in threads.map(add, [tx] * 4, range(4)) for pair in each]
    assert sorted(added) == jobs(path)


def test_a_thread_that_adds_while_the_block_ends_is_told_the_truth(db, queue, path):
    """Every row with a returned id is stored, and a late add raises."""
    added, is_over = [], threading.Event()

    def add(tx):
        while True:
            try:
                added.append((queue.enqueue("x", tx=tx), "x"))
            except TransactionNotStartedError:
                if is_over.is_set():
                    return

    for _ in range(20):
        is_over.clear()
        with ThreadPoolExecutor(2) as threads:
            with db.transaction() as tx:
                adding = [threads.submit(add, tx) for _ in range(2)]
                wait_until(lambda: len(added) % 1_000 > 100)
            is_over.set()
            for each in adding:
                each.result()
    assert sorted(added) == jobs(path)


def test_a_signal_handler_that_uses_the_transaction_it_interrupted_is_refused(db, queue, path):
    refused, added = [], []

    def interrupt(*_):
        try:
            added.append((queue.enqueue("handler", tx=tx), "handler"))
        except NestedTransactionError as error:
            refused.append(error)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with db.transaction() as tx:
            signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
            while len(refused) < 20:
                added.append((queue.enqueue("block", tx=tx), "block"))
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert sorted(added) == jobs(path)


def test_what_a_thread_does_while_the_block_fails_is_rolled_back_or_refused(db, path):
    """It must run neither in autocommit nor in the next transaction."""
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (n INTEGER)")
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def write(tx):
        with pytest.raises(TransactionNotStartedError):  # noqa: PT012
            while True:
                tx.execute("INSERT INTO orders VALUES (1)")
                db.queue("q").enqueue(1, tx=tx)

    try:
        with ThreadPoolExecutor(1) as threads:
            for _ in range(150):
                with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
                    writing = threads.submit(write, tx)
                    wait_until(lambda: tx._is_in_use)
                    raise ZeroDivisionError
                with db.transaction() as another:
                    for n in range(20):
                        db.queue("mine").enqueue(n, tx=another)
                writing.result()
    finally:
        sys.setswitchinterval(before)
    assert ask(path, "SELECT * FROM orders") == ask(path, "SELECT * FROM _honker_live WHERE queue = 'q'") == []
    assert ask(path, "SELECT count(*) FROM _honker_live") == [(3_000,)]


@pytest.mark.sqlite_only("one writer")
def test_a_thread_that_waits_for_a_handlers_transaction_to_begin_holds_up_nobody(db, queue, path, impatient):
    """Neither the task that is before it, and uses the same transaction, nor the loop; and it is not begun again."""
    scope = db.engine.handler_transaction()
    tx = scope.transaction

    async def use_and_finish():
        async with tx:
            queue.enqueue("task", tx=tx)
        scope.finish(commits=True)

    async def main():
        async with db.transaction() as other:
            task = asyncio.create_task(use_and_finish())
            await until(lambda: len(db.engine.current._write_lock._waiters) == 1)
            thread = asyncio.ensure_future(asyncio.to_thread(queue.enqueue, "thread", tx=tx))
            await until(lambda: len(db.engine.current._write_lock._waiters) == 2)
            queue.enqueue("other", tx=other)
        await task
        with pytest.raises(TransactionNotStartedError, match="handler has ended"):
            await thread

    asyncio.run(main())
    assert [payload for _, payload in jobs(path)] == ["other", "task"]
    assert not is_locked(path)


def test_threads_of_a_handler_begin_its_transaction_once(db, queue, path, impatient):
    for _ in range(30):
        scope = db.engine.handler_transaction()
        tx = scope.transaction
        with ThreadPoolExecutor(4) as threads:
            added = list(threads.map(lambda n, tx=tx: queue.enqueue(n, tx=tx), range(8)))
        scope.finish(commits=True)
        assert len(set(added)) == 8
    assert len(jobs(path)) == 240


def test_a_handlers_transaction_that_is_finished_or_revoked_does_not_begin(db, queue, path):
    finished, revoked = db.engine.handler_transaction(), db.engine.handler_transaction()
    queue.enqueue(1, tx=finished.transaction)
    finished.finish(commits=True)
    revoked.revoke()
    for tx in (finished.transaction, revoked.transaction):
        with pytest.raises(TransactionNotStartedError, match=r"ended|lease"):
            queue.enqueue(2, tx=tx)
        with pytest.raises(TransactionNotStartedError):
            tx.__enter__()
        with pytest.raises(TransactionNotStartedError):
            asyncio.run(tx.__aenter__())
    assert jobs(path) == [(1, 1)]
    assert not is_locked(path)


@pytest.mark.parametrize("way", ["thread", "task"])
@pytest.mark.sqlite_only("one writer")
def test_a_handlers_transaction_that_is_revoked_while_it_waits_for_its_turn_ends_at_once(db, queue, path, way):
    scope = db.engine.handler_transaction()
    tx = scope.transaction

    async def begin():
        if way == "thread":
            await asyncio.to_thread(queue.enqueue, 1, tx=tx)
        else:
            async with tx:
                queue.enqueue(1, tx=tx)

    async def main():
        async with db.transaction():
            beginning = asyncio.create_task(begin())
            await until(lambda: db.engine.current._write_lock._waiters)
            scope.revoke()
        with pytest.raises(TransactionNotStartedError, match="lease"):
            await beginning

    asyncio.run(main())
    assert jobs(path) == []
    assert not is_locked(path)
    assert queue.enqueue(2) == 1


# ----------------------------------------------------------------------------------------------------------- interrupts


class Interrupted(BaseException):
    """The exception that Ctrl-C raises here."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
@pytest.mark.sqlite_only("one writer")
def test_an_interrupt_while_a_transaction_begins_leaves_none_open(db, queue, path):
    """SQLite keeps waiting for the lock, and gets it; only then does Python raise."""

    def interrupt(*_):
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with write_lock_elsewhere(path) as release:
            releasing = threading.Timer(0.4, release)
            releasing.start()
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(Interrupted), db.transaction():
                pass
            releasing.join()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not is_locked(path)
    assert queue.enqueue("next") == 1
    assert jobs(path) == [(1, "next")]


def in_a_transaction(db):
    with db.transaction() as tx:
        db.queue("q").enqueue("next", tx=tx)


async def in_a_transaction_async(db):
    async with db.transaction() as tx:
        await db.queue("q").aenqueue("next", tx=tx)


def after_a_claim(db):
    assert db.queue("q").claim_now("w") is None
    db.queue("q").enqueue("next")


NEXT = {
    "call": lambda db: db.queue("q").enqueue("next"),
    "acall": lambda db: asyncio.run(db.queue("q").aenqueue("next")),
    "call_now": after_a_claim,
    "transaction": in_a_transaction,
    "async transaction": lambda db: asyncio.run(in_a_transaction_async(db)),
}


@pytest.mark.parametrize("name", NEXT)
@pytest.mark.sqlite_only("one writer")
def test_what_an_interrupt_left_open_is_rolled_back_by_whoever_comes_next(db, path, name):
    """He would otherwise write into a transaction that nobody commits."""
    db.engine.current._writer.run("BEGIN IMMEDIATE")
    db.engine.current._writer.scalar("SELECT honker_enqueue('q', '\"left\"', NULL, NULL, 0, 3, NULL)")
    NEXT[name](db)
    assert jobs(path) == [(1, "next")]


CHILD = """
import os, signal, sys, threading
import honker
db = honker.open(sys.argv[1])
queue = db.queue("q")
with db.transaction() as tx:
    for number in range(20):
        queue.enqueue(number, tx=tx)
    slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"
    thread = threading.Thread(target=tx.query, args=(slow,)) if sys.argv[2] == "busy" else threading.Thread()
    thread.start()
    while sys.argv[2] == "busy" and not tx._is_in_use:
        pass
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # should it hang
        for use in (lambda: queue.enqueue(1, tx=tx), lambda: tx.query("SELECT 1"), lambda: tx.__exit__(*[None] * 3)):
            try:
                use()
            except honker.ForkError:
                continue
            os._exit(1)
        tx.__exit__(ValueError, ValueError(), None)
        os._exit(0)
    print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    thread.join()
"""


@pytest.mark.parametrize("parent", ["idle", "busy"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_at_once_that_the_transaction_is_not_its_own(path, parent):
    assert run(CHILD, path, parent) == ["child 0"]
    assert jobs(path) == [(n + 1, n) for n in range(20)]
