"""Signals and forks in the middle of a statement, and locks that are held by coroutines of the same loop."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import honker
import pytest
from honker.errors import ConnectionLostError, DatabaseBusyError
from honker.postgres.holders import Holders
from honker.postgres.transaction import PostgresTransaction

from ..support.waiting import until, wait_until

SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%%pg_sleep%%'"


@pytest.fixture
def db(url):
    with honker.open(url) as opened:
        yield opened


def interrupt_soon(conn):
    """Press Ctrl-C once the server sleeps."""

    def press():
        active = SLEEPING + " AND state = 'active' AND pid <> pg_backend_pid()"
        wait_until(lambda: conn.execute(active).fetchone()[0])
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def test_ctrl_c_ends_a_statement_and_the_handle_goes_on(db, conn):
    pressing = interrupt_soon(conn)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        db.query("SELECT pg_sleep(30)")
    assert time.monotonic() - began < 10
    pressing.join()
    assert db.query("SELECT 1 AS one") == [{"one": 1}]
    # The server does not go on either.
    wait_until(lambda: not conn.execute(SLEEPING + " AND state = 'active' AND pid <> pg_backend_pid()").fetchone()[0])


def test_ctrl_c_rolls_a_transaction_back(db, conn):
    pressing = interrupt_soon(conn)

    def work():
        with db.transaction() as tx:
            db.queue("q").enqueue(1, tx=tx)
            tx.query("SELECT pg_sleep(30)")

    with pytest.raises(KeyboardInterrupt):
        work()
    pressing.join()
    assert conn.execute("SELECT count(*) FROM honker.live").fetchone() == (0,)
    with db.transaction() as tx:
        db.queue("q").enqueue(2, tx=tx)
    assert conn.execute("SELECT count(*) FROM honker.live").fetchone() == (1,)


@pytest.mark.parametrize("method", ["enter", "leave"])
def test_ctrl_c_at_the_begin_or_the_end_of_a_transaction_does_not_bar_the_next_one(db, monkeypatch, method):
    """Python may raise it between any two statements, also in the part of honker that would forget the transaction."""

    def interrupt(holders, given):
        if method == "enter":
            original(holders, given)
        raise KeyboardInterrupt

    def work():
        try:
            with db.transaction() as tx:
                db.queue("q").enqueue(1, tx=tx)
        except KeyboardInterrupt:
            return True

    with monkeypatch.context() as patch:
        original = getattr(Holders, method)
        patch.setattr(Holders, method, interrupt)
        assert work()
    assert db.queue("q").enqueue(2) > 0
    assert not work()


def test_ctrl_c_before_the_end_of_a_transaction_rolls_it_back(db, monkeypatch):
    presses = [KeyboardInterrupt]

    def end(tx, *, commits):
        if presses:
            raise presses.pop()
        original(tx, commits=commits)

    original = PostgresTransaction._end
    monkeypatch.setattr(PostgresTransaction, "_end", end)
    with pytest.raises(KeyboardInterrupt), db.transaction() as tx:
        db.queue("q").enqueue(1, tx=tx)
    assert not tx.is_active
    assert db.queue("q").enqueue(2) > 0
    assert [job.payload for job in db.queue("q").claim_batch("w", 9)] == [2]


FORKS = """
import os, sys, threading
import honker
from honker.errors import ForkError

url = sys.argv[1]
db = honker.open(url)
queue = db.queue("q")
queue.enqueue("before")
updates = db.update_events()
updates.wait(1)

def refused(use):
    try:
        use()
    except ForkError:
        return
    raise AssertionError("an inherited object was used")

with db.transaction() as tx:
    queue.enqueue("in the parent's transaction", tx=tx)
    session = tx.query("SELECT pg_backend_pid() AS pid")
    pid = os.fork()
    if pid == 0:
        refused(lambda: tx.query("SELECT 1"))
        refused(lambda: updates.wait(0))
        assert db.query("SELECT pg_backend_pid() AS pid") != session
        queue.enqueue("in the child")
        own = db.update_events()
        queue.claim_one("w").ack()
        own.wait(5)
        sys.exit(0)  # the ordinary end, with everything that Python does then
    assert os.waitpid(pid, 0)[1] == 0
    assert tx.query("SELECT pg_backend_pid() AS pid") == session
assert updates.wait(5)
assert sorted(job.payload for job in queue.claim_batch("w", 9)) == ["in the child", "in the parent's transaction"]
db.close()
"""


def test_a_forked_child_opens_sessions_and_leaves_those_of_its_parent(url):
    options = ["-W", "error", "-W", "ignore:.*multi-threaded.*fork:DeprecationWarning"]
    command = [sys.executable, *options, "-c", FORKS, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, env=os.environ)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_ack_that_waits_for_a_lock_leaves_the_event_loop_to_the_holder(db, conn):
    """On the loop's own thread the ack would wait for a coroutine that could never go on."""
    conn.execute("CREATE TABLE public.orders (id bigint PRIMARY KEY)")
    queue = db.queue("q")

    async def main():
        async with db.transaction() as first:
            await queue.aenqueue(1, unique_key="key", tx=first)

            async def second():
                async with db.transaction() as tx:
                    return await queue.aenqueue(2, unique_key="key", tx=tx)

            waiting = asyncio.ensure_future(second())
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            await until(lambda: waiting.done() or conn.execute(query).fetchone()[0])
        return await asyncio.wait_for(waiting, 10)

    assert asyncio.run(main()) == conn.execute("SELECT id FROM honker.live").fetchone()[0]


def test_a_statement_of_a_coroutine_that_would_wait_for_its_own_loop_fails(db, conn):
    conn.execute("CREATE TABLE public.orders (id bigint PRIMARY KEY, n bigint)")
    conn.execute("INSERT INTO public.orders VALUES (1, 0)")

    async def main():
        async with db.transaction() as first:
            first.execute("UPDATE orders SET n = 1")
            async with asyncio.timeout(20):
                await asyncio.gather(in_another_task())

    async def in_another_task():
        with pytest.raises(DatabaseBusyError, match="lock timeout"):
            async with db.transaction() as second:
                second.execute("UPDATE orders SET n = 2")

    asyncio.run(main())
    assert conn.execute("SELECT n FROM public.orders").fetchone() == (1,)


def test_more_transactions_of_coroutines_than_connections_end(db, conn):
    """Those that wait for a connection occupy threads, and the holders need threads for their statements."""
    queue = db.queue("q")

    async def one(number):
        async with db.transaction() as tx:
            await asyncio.sleep(0.01)
            await queue.aenqueue(number, tx=tx)

    async def main():
        async with asyncio.timeout(30):
            await asyncio.gather(*(one(number) for number in range(60)))

    asyncio.run(main())
    assert conn.execute("SELECT count(*) FROM honker.live").fetchone() == (60,)


def lose_connection(tx, conn):
    pid = tx.query("SELECT pg_backend_pid() AS pid")[0]["pid"]
    conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_lost_connection_leaves_the_error_of_the_application_as_it_is(db, conn):
    def fail():
        with db.transaction() as tx:
            db.queue("q").enqueue(1, tx=tx)
            lose_connection(tx, conn)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert conn.execute("SELECT count(*) FROM honker.live").fetchone() == (0,)


def test_a_commit_on_a_lost_connection_fails_and_the_handle_goes_on(db, conn):
    def commit():
        with db.transaction() as tx:
            db.queue("q").enqueue(1, tx=tx)
            lose_connection(tx, conn)

    with pytest.raises(ConnectionLostError):
        commit()
    assert db.queue("q").enqueue(2) > 0
    assert conn.execute("SELECT count(*) FROM honker.live").fetchone() == (1,)


def test_idle_sessions_that_are_terminated_fail_no_call(db, conn):
    for _ in range(10):
        db.queue("q").enqueue(1)
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert conn.execute("SELECT count(*) FROM honker.live").fetchone() == (10,)
