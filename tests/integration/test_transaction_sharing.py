"""One transaction and several who use it: threads, tasks, signal handlers, a forked child."""

import asyncio
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from honker import (
    NestedTransactionError,
    TransactionNotStartedError,
)

from ..support.locking import ask
from ..support.processes import run
from ..support.waiting import wait_until


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
    """What has an id is there, and what came too late is refused."""
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


def test_a_thread_that_waits_for_a_handlers_transaction_to_begin_holds_up_nobody(db, queue, path, impatient):
    """Neither the task that is before it, and uses the same transaction, nor the loop."""
    tx = db.handler_transaction()

    async def use_and_finish():
        async with tx:
            await asyncio.sleep(0.1)
            queue.enqueue("task", tx=tx)
        tx.finish(commits=True)

    def use_in_thread():
        queue.enqueue("thread", tx=tx)
        tx.finish(commits=True)

    async def main():
        async with db.transaction() as other:
            task = asyncio.create_task(use_and_finish())
            await asyncio.sleep(0.1)
            thread = asyncio.ensure_future(asyncio.to_thread(use_in_thread))
            await asyncio.sleep(0.1)  # now both wait for their turn
            queue.enqueue("other", tx=other)
        await task
        await thread

    asyncio.run(main())
    assert [payload for _, payload in jobs(path)] == ["other", "task", "thread"]


CHILD = """
import os, sys, threading
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
        for use in (lambda: queue.enqueue(1, tx=tx), lambda: tx.query("SELECT 1"), lambda: tx.__exit__(*[None] * 3)):
            try:
                use()
            except honker.ForkError:
                continue
            os._exit(1)
        os._exit(0)
    print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    thread.join()
"""


@pytest.mark.parametrize("parent", ["idle", "busy"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_at_once_that_the_transaction_is_not_its_own(path, parent):
    assert run(CHILD, path, parent) == ["child 0"]
    assert jobs(path) == [(n + 1, n) for n in range(20)]
