"""No commit is missed by a waiter, and none is announced while nothing waits.

Writers announce a commit by NOTIFY only while a listener holds the lock IDLE, so the dangerous moment is the begin of
a wait: a writer that has looked before it, and commits after the waiter's look.
"""

import asyncio
import contextlib
import random
import threading
import time

import honker
import psycopg
import pytest

from ..support.waiting import until, wait_until
from .sessions import connect, enqueue, together

# The longest time in which a waiter must see a commit. Without an announcement it would look after many seconds.
SEEN_WITHIN_S = 0.1
ARMED = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1752133739 AND objid = 1"


@pytest.fixture
def db(url):
    with contextlib.closing(honker.open(url)) as opened:
        yield opened


@pytest.fixture
def marks(conn):
    """A table whose commits are announced, as honker's functions announce theirs."""
    conn.execute("CREATE TABLE public.marks (number bigint)")
    return conn


def commit(conn, number, pause_s=0.0):
    """Announce, and commit after a pause. Returns the instant."""
    with conn.transaction():
        conn.execute("INSERT INTO marks VALUES (%s)", [number])
        conn.execute("SELECT honker._announce()")
        time.sleep(pause_s)
    return time.monotonic()


def is_armed(conn):
    return conn.execute(ARMED).fetchone()[0] > 0


def announcements(listening):
    """The announcements that a session has heard since the last call, without those of honker's listeners."""
    return list(listening.notifies(timeout=0.1))


class Watcher(threading.Thread):
    """Looks after each wake only, and waits again and again, each time for a short time."""

    def __init__(self, db, url, goal):
        super().__init__(daemon=True)
        self.seen_at = {}
        self._db, self._url, self._goal = db, url, goal
        self.start()

    def run(self):
        with connect(self._url) as conn, contextlib.closing(self._db.update_events()) as updates:
            while self._goal not in self.seen_at:
                newest = conn.execute("SELECT coalesce(max(number), 0) FROM marks").fetchone()[0]
                known = len(self.seen_at)
                self.seen_at.update(dict.fromkeys(range(known + 1, newest + 1), time.monotonic()))
                # A look after a wait without a wake would hide one that is lost.
                while newest < self._goal and not updates.wait(random.choice([0.001, 0.01, 0.05])):
                    pass


@pytest.mark.timeout(120)
@pytest.mark.parametrize("pause_s", [0.0, 0.004])
@pytest.mark.parametrize("rest_s", [0.0, 1.0])
def test_every_commit_wakes_waiters_that_begin_at_any_moment(db, url, marks, pause_s, rest_s, monkeypatch):
    """A listener without a rest is armed anew for each wait, so a commit may meet any step of that."""
    monkeypatch.setattr("honker.postgres.listener._REST_S", rest_s)
    committed_at = {}
    watchers = [Watcher(db, url, 150) for _ in range(3)]
    for number in range(1, 151):
        committed_at[number] = commit(marks, number, random.uniform(0, pause_s))
        # The next commit must not wake in the place of this one.
        wait_until(lambda number=number: all(number in each.seen_at for each in watchers), 20, every_s=0.0005)
        time.sleep(random.choice([0, 0.001, 0.003, 0.02]))  # moments, not a wait for an effect
    for each in watchers:
        each.join(20)
    delays = sorted(each.seen_at[number] - at for each in watchers for number, at in committed_at.items())
    # A busy machine may be late now and then; a wake that is lost is later by seconds.
    assert delays[int(len(delays) * 0.98)] < SEEN_WITHIN_S, delays[-20:]
    assert delays[-1] < 2, delays[-20:]


def test_no_commit_is_announced_while_nothing_waits(db, url, conn):
    with connect(url) as listening:
        listening.execute("LISTEN honker")
        with contextlib.closing(db.update_events()) as updates:
            wait_until(lambda: updates.stats()["connections"] == 1)
            updates.wait(0)
            wait_until(lambda: not is_armed(conn))
            announcements(listening)  # the proof of the listener
            for _ in range(50):
                enqueue(conn, "q")
            assert announcements(listening) == []

            waiting = threading.Thread(target=lambda: [updates.wait(5) for _ in range(3)])
            waiting.start()
            wait_until(lambda: is_armed(conn))
            enqueue(conn, "q")
            assert len(announcements(listening)) == 1
            wait_until(lambda: not waiting.is_alive() or (enqueue(conn, "q") and False), every_s=0.05)

            wait_until(lambda: not is_armed(conn))
            announcements(listening)
            enqueue(conn, "q")
            assert announcements(listening) == []


def test_writers_of_many_sessions_announce_next_to_nothing_while_nothing_waits(url):
    """Two writers that test the lock IDLE in the same microseconds may take each other for a waiter."""
    with connect(url) as listening:
        listening.execute("LISTEN honker")
        together(url, 4, lambda conn, _: [enqueue(conn, "q") for _ in range(250)])
        assert len(announcements(listening)) < 100


def test_a_long_transaction_is_looked_for_without_waking_the_waiters(db, url, marks):
    """It was announced before the wait, so the waiter must be woken by its end and by nothing before."""
    with connect(url) as writer, contextlib.closing(db.update_events()) as updates:
        writer.execute("BEGIN")
        writer.execute("SELECT honker._announce()")
        woken = [updates.wait(0.1) for _ in range(10)]
        assert woken.count(True) <= 3
        assert woken[-3:] == [False] * 3
        began = time.monotonic()
        writer.execute("COMMIT")
        assert updates.wait(5)
        assert time.monotonic() - began < SEEN_WITHIN_S


def test_a_loop_has_commits_announced_only_while_a_coroutine_waits(db, conn):
    async def wait_for_ever(waiter):
        while True:  # the first wakes may come from the begin of listening
            await waiter.wait_async(None)

    async def main():
        waiter = db.engine.loop_updates()
        waiting = asyncio.ensure_future(wait_for_ever(waiter))
        await until(lambda: is_armed(conn))
        waiting.cancel()
        await until(lambda: not is_armed(conn))
        enqueue(conn, "q")  # announced to none, and found by the look after the next wait has begun
        assert await waiter.wait_async(5)
        waiter.close()

    asyncio.run(main())


def test_a_listener_that_is_terminated_listens_again_and_wakes(db, conn):
    with contextlib.closing(db.update_events()) as updates:
        while updates.wait(0.3):
            pass
        for connections in range(2, 5):
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = 1752133739 AND objid = 1")
            assert updates.wait(5)  # commits may have been missed
            wait_until(lambda connections=connections: updates.stats()["connections"] == connections)
            while updates.wait(0.3):
                pass
            wait_until(lambda: is_armed(conn))
            enqueue(conn, "q")
            began = time.monotonic()
            assert updates.wait(5)
            assert time.monotonic() - began < SEEN_WITHIN_S


def test_the_functions_announce_to_a_waiter_in_any_language(conn, url):
    """The protocol by hand, as a program without this package would follow it."""
    with psycopg.connect(url, autocommit=True) as listening:
        listening.execute("LISTEN honker")
        listening.execute("SELECT pg_advisory_lock_shared(1752133739, 1)")
        enqueue(conn, "q")
        assert [each.channel for each in announcements(listening)] == ["honker"]


@contextlib.asynccontextmanager
async def working(db, **options):
    """Workers of a handle in the block."""
    stop = asyncio.Event()
    running = asyncio.create_task(db.run_workers(stop_event=stop, **options))
    try:
        yield
    finally:
        stop.set()
        await running


def test_a_worker_whose_slots_are_taken_has_only_requests_to_cancel_announced(db, url, conn):
    started, ended = threading.Event(), []

    @db.queue("q").task(name="held")
    async def held(number):
        started.set()
        try:
            await asyncio.sleep(60 if number == 0 else 0)
        finally:
            ended.append((number, time.monotonic()))

    async def main():
        result = held(0)
        async with working(db, concurrency=1):
            await until(started.is_set)
            await until(lambda: not is_armed(conn))
            with connect(url) as listening:
                listening.execute("LISTEN honker")
                next_one = held(1)
                for _ in range(20):
                    enqueue(conn, "other")
                assert announcements(listening) == []
                began = time.monotonic()
                assert result.cancel() == "requested"
                assert len(announcements(listening)) == 1
                await until(lambda: len(ended) == 2)
                # The look for requests pauses for 0.1 s, and the free slot looks at once.
                assert ended[0][1] - began < 2
                await next_one.aget(timeout=5)
            await until(lambda: is_armed(conn))

    asyncio.run(main())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("rest_s", [0.0, 1.0])
def test_a_worker_misses_no_job_that_comes_while_its_slots_are_taken(db, url, rest_s, monkeypatch):
    """The job is committed at any moment of the end of another one, of the round after it and of the new wait."""
    monkeypatch.setattr("honker.postgres.listener._REST_S", rest_s)
    begun_at = {}

    @db.queue("q").task(name="work")
    async def work(number):
        begun_at[number] = time.monotonic()
        await asyncio.sleep(random.uniform(0, 0.01))

    def enqueue_from_elsewhere():
        with contextlib.closing(honker.open(url)) as other:
            queue = other.queue("q")
            for number in range(120):
                committed_at = time.monotonic()
                queue.enqueue({"__honker_task__": {"task": "work", "args": [number], "kwargs": {}}})
                wait_until(lambda number=number: number in begun_at, 20, every_s=0.0005)
                delays.append(begun_at[number] - committed_at)
                time.sleep(random.choice([0, 0.002, 0.005, 0.02]))  # moments, not a wait for an effect

    delays = []

    async def main():
        async with working(db, concurrency=1):
            await asyncio.to_thread(enqueue_from_elsewhere)

    asyncio.run(main())
    # Without a wake the worker would look after 5 s.
    assert len(delays) == 120
    assert max(delays) < 3, sorted(delays)[-5:]
