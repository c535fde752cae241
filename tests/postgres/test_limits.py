"""Limits of queues and keys, exact with many sessions that claim at once."""

import json
import threading
from collections import Counter, defaultdict

import honker
import psycopg
import pytest

from ..support.waiting import wait_until
from .sessions import advance, call, claim, connect, enqueue, together

SESSIONS = 8


def configure(conn, **settings):
    call(conn, "honker_queue_configure", "q", json.dumps(settings))


def drain(session, number, *flights):
    """Claim and ack until the queue is empty. Each of `flights` notes the jobs between the claim and the ack."""
    count = 0
    while session.execute("SELECT EXISTS (SELECT 1 FROM live)").fetchone()[0]:
        jobs = claim(session, "q", 3, f"w{number}")
        for job in jobs:
            for flight in flights:
                flight.begin(job)
        for job in jobs:
            for flight in flights:
                flight.end(job)
            assert call(session, "honker_ack", job["id"], f"w{number}", job["attempts"]) == 1
            count += 1
    return count


class Flight:
    """The jobs in flight, by a field of them: the most at once, and the order in which they began."""

    def __init__(self, field):
        self.most = Counter()
        self.begun = defaultdict(list)
        self._field = field
        self._now = Counter()
        self._lock = threading.Lock()

    def begin(self, job):
        with self._lock:
            name = job[self._field]
            self._now[name] += 1
            self.most[name] = max(self.most[name], self._now[name])
            self.begun[name].append(job["id"])

    def end(self, job):
        with self._lock:
            self._now[job[self._field]] -= 1


@pytest.mark.parametrize("limit", [1, 3])
def test_the_concurrency_of_a_queue_is_exact(conn, url, limit):
    configure(conn, concurrency=limit)
    for _ in range(150):
        enqueue(conn, "q")
    flight = Flight("queue")
    assert sum(together(url, SESSIONS, lambda session, number: drain(session, number, flight))) == 150
    assert flight.most == {"q": limit}


@pytest.mark.parametrize("limit", [1, 2])
def test_the_concurrency_of_a_key_is_exact(conn, url, limit):
    configure(conn, concurrency_per_key=limit)
    for number in range(150):
        enqueue(conn, "q", key=f"k{number % 3}")
    flight = Flight("key")
    assert sum(together(url, SESSIONS, lambda session, number: drain(session, number, flight))) == 150
    assert flight.most == dict.fromkeys(("k0", "k1", "k2"), limit)


def test_both_limits_are_exact_together(conn, url):
    configure(conn, concurrency=4, concurrency_per_key=2)
    for number in range(150):
        enqueue(conn, "q", key=f"k{number % 3}")
    of_queue, of_key = Flight("queue"), Flight("key")
    assert sum(together(url, SESSIONS, lambda session, number: drain(session, number, of_queue, of_key))) == 150
    assert of_queue.most["q"] <= 4
    assert max(of_key.most.values()) <= 2


@pytest.mark.parametrize("settings", [{"ordered": True}, {"concurrency_per_key": 1}], ids=str)
def test_jobs_of_a_key_run_in_order_one_at_a_time(conn, url, settings):
    configure(conn, **settings)
    for number in range(200):
        enqueue(conn, "q", key=f"k{number % 4}")
    flight = Flight("key")
    assert sum(together(url, SESSIONS, lambda session, number: drain(session, number, flight))) == 200
    assert set(flight.most.values()) == {1}
    assert all(ids == sorted(ids) for ids in flight.begun.values())


def test_the_rate_of_a_queue_is_exact(conn, url):
    configure(conn, rate=[10, 1000], burst=10)
    for _ in range(100):
        enqueue(conn, "q")

    def work(session, _number):
        return sum(len(claim(session, "q", 2)) for _ in range(20))

    assert sum(together(url, SESSIONS, work)) == 10
    with connect(url) as later:
        advance(later, 101)
        assert len(claim(later, "q", 9)) == 1


def test_the_rate_of_a_key_is_exact(conn, url):
    configure(conn, rate_per_key=[5, 1000], burst=5)
    for number in range(60):
        enqueue(conn, "q", key=f"k{number % 2}")

    def work(session, _number):
        return [job["key"] for _ in range(20) for job in claim(session, "q", 4)]

    claimed = [key for keys in together(url, SESSIONS, work) for key in keys]
    assert sorted(claimed) == ["k0"] * 5 + ["k1"] * 5


def test_enqueues_and_exits_at_once_strand_no_job(conn, url):
    """Half of the sessions add jobs of one key, the others end them: an exit promotes each job that is blocked."""
    configure(conn, concurrency_per_key=1)
    remaining = threading.Semaphore(0)

    def work(session, number):
        if number < 4:
            for _ in range(40):
                enqueue(session, "q", key="k")
                remaining.release()
            return 0
        count = 0
        while remaining.acquire(timeout=2):
            remaining.release()
            for job in claim(session, "q", 1, f"w{number}"):
                assert call(session, "honker_ack", job["id"], f"w{number}", job["attempts"]) == 1
                assert remaining.acquire(timeout=2)
                count += 1
        return count

    # The rescue of stranded keys would hide that one was stranded.
    conn.execute(
        "CREATE OR REPLACE FUNCTION honker._rescue(rules honker.queues, queue text, now bigint) RETURNS boolean"
        " LANGUAGE sql AS $$ SELECT false $$"
    )
    assert sum(together(url, SESSIONS, work)) == 160


def test_an_exit_waits_for_an_enqueue_that_it_must_promote(conn, url):
    configure(conn, concurrency_per_key=1)
    running = enqueue(conn, "q", key="k")
    claim(conn, "q")
    with connect(url) as adding, connect(url) as ending:
        adding.execute("BEGIN")
        blocked = enqueue(adding, "q", key="k")
        thread = threading.Thread(target=call, args=(ending, "honker_ack", running, "w", 1))
        thread.start()
        wait_until(lambda: conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0])
        adding.execute("COMMIT")
        thread.join()
    assert conn.execute("SELECT id, state FROM live").fetchall() == [(blocked, "pending")]


def test_the_slot_of_a_killed_session_is_free_when_its_lease_lapses(conn, url):
    configure(conn, concurrency=1)
    first, second = enqueue(conn, "q"), enqueue(conn, "q")
    with connect(url) as other:
        assert [job["id"] for job in claim(other, "q", timeout_s=5)] == [first]
        conn.execute("SELECT pg_terminate_backend(%s)", (other.info.backend_pid,))
    assert claim(conn, "q") == []
    advance(conn, 6)
    assert [job["id"] for job in claim(conn, "q", 9)] == [first]
    assert call(conn, "honker_ack", first, "w", 2) == 1
    assert [job["id"] for job in claim(conn, "q", 9)] == [second]


def test_a_claim_passes_over_a_key_that_another_session_has_locked(conn, url):
    configure(conn, concurrency_per_key=1)
    held, other_job = enqueue(conn, "q", key="a"), enqueue(conn, "q", key="b")
    conn.execute("SET lock_timeout = '2s'")
    with connect(url) as other:
        other.execute("BEGIN")
        enqueue(other, "q", key="a")
        assert [job["id"] for job in claim(conn, "q", 9)] == [other_job]
        other.execute("COMMIT")
    assert [job["id"] for job in claim(conn, "q", 9)] == [held]


def test_pauses_of_many_keys_at_once_are_counted(conn, url):
    together(url, SESSIONS, lambda session, number: call(session, "honker_key_pause", "q", f"k{number}"))
    assert conn.execute("SELECT paused_keys FROM queues").fetchone() == (SESSIONS,)
    together(url, SESSIONS, lambda session, number: call(session, "honker_key_resume", "q", f"k{number}"))
    assert conn.execute("SELECT paused_keys FROM queues").fetchone() == (0,)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("settings", [{"concurrency": 1}, {"rate": [1, 60]}])
def test_a_transaction_with_an_older_snapshot_may_not_claim_from_a_queue_with_a_limit(conn, url, level, settings):
    configure(conn, **settings)
    enqueue(conn, "q")
    with connect(url) as other:
        other.execute(f"BEGIN ISOLATION LEVEL {level}")
        call(other, "honker_get_job", 1)
        enqueue(conn, "q", priority=9)
        with pytest.raises(psycopg.Error, match="READ COMMITTED"):
            claim(other, "q")
    assert len(claim(conn, "q")) == 1


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_handle_works_at_read_committed_whatever_the_default_of_the_database_is(conn, url, level):
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET default_transaction_isolation = '{level}'")
    shown = "SELECT current_setting('transaction_isolation') AS level"
    with honker.open(url) as db:
        assert db.query(shown) == [{"level": "read committed"}]
        with db.transaction() as tx:
            assert tx.query(shown) == [{"level": "read committed"}]
