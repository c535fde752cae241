"""Claims of many sessions: each job once, in order, and nothing lost when backends are killed."""

import contextlib
import json
import random
import threading
from collections import Counter

import psycopg
import pytest

from .sessions import advance, call, claim, connect, enqueue, together

JOBS = 2000


def enqueue_many(conn, queue, count, **columns):
    payloads = json.dumps(list(range(count)))
    named = {"run_at": None, "delay": None, "priority": 0, "max_attempts": 3, "expires": None} | columns
    return json.loads(call(conn, "honker_enqueue_many", queue, payloads, *named.values()))


def test_sixteen_sessions_claim_and_ack_each_job_once(conn, url):
    ids = enqueue_many(conn, "q", JOBS)

    def work(session, number):
        claimed, acked = [], 0
        while jobs := claim(session, "q", 7, f"w{number}"):
            claimed += [(job["id"], job["attempts"]) for job in jobs]
            for job in jobs:
                acked += call(session, "honker_ack", job["id"], f"w{number}", job["attempts"])
        return claimed, acked

    results = together(url, 16, work)
    claimed = Counter(each for claims, _ in results for each in claims)
    assert claimed == Counter((job_id, 1) for job_id in ids)
    assert sum(acked for _, acked in results) == JOBS
    assert conn.execute("SELECT count(*) FROM live").fetchone()[0] == 0


def test_sixteen_sessions_settle_and_claim_in_one_call(conn, url):
    ids = enqueue_many(conn, "q", JOBS)

    def work(session, number):
        claimed, settlements = [], []
        while True:
            answer = json.loads(call(session, "honker_work", "q", f"w{number}", 10, 60, json.dumps(settlements)))
            assert answer["settled"] == [1] * len(settlements)
            if not answer["jobs"]:
                return claimed
            claimed += [job["id"] for job in answer["jobs"]]
            settlements = [{"id": job["id"], "attempt": job["attempts"], "do": "ack"} for job in answer["jobs"]]

    assert sorted(job_id for claims in together(url, 16, work) for job_id in claims) == ids
    assert conn.execute("SELECT count(*) FROM live").fetchone()[0] == 0


def kill_some(url, is_over):
    """End backends of the application `victim`, one after the other."""
    chance = random.Random(17)
    with connect(url) as session:
        while not is_over.is_set():
            found = session.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'victim'"
            ).fetchall()
            if found:
                session.execute("SELECT pg_terminate_backend(%s)", chance.choice(found))
            # This thread would use up the processor that it shares with the server.
            is_over.wait(0.002)


def ack_all(session, worker_id, acked):
    """Claim and ack until the queue is empty."""
    while jobs := claim(session, "q", 5, worker_id):
        for job in jobs:
            acked[job["id"]] += call(session, "honker_ack", job["id"], worker_id, job["attempts"])


def test_killed_backends_lose_no_job_and_no_ack_is_given_twice(conn, url):
    ids = set(enqueue_many(conn, "q", 600, max_attempts=1000))
    acked = Counter()
    is_over = threading.Event()

    def work(number):
        while True:
            with contextlib.suppress(psycopg.OperationalError), connect(f"{url}&application_name=victim") as session:
                return ack_all(session, f"w{number}", acked)

    killer = threading.Thread(target=kill_some, args=(url, is_over))
    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in (killer, *workers):
        thread.start()
    for worker in workers:
        worker.join()
    is_over.set()
    killer.join()
    # The jobs of killed sessions come back when their leases lapse.
    advance(conn, 61)
    ack_all(conn, "w", acked)
    assert conn.execute("SELECT (SELECT count(*) FROM live) + (SELECT count(*) FROM dead)").fetchone() == (0,)
    # The answer to an ack is lost with its session, so a few acks are not counted.
    assert max(acked.values()) == 1
    assert set(acked) <= ids


def test_a_claim_that_is_rolled_back_has_not_been(conn, url):
    job_id = enqueue(conn, "q")
    with connect(url) as other:
        other.execute("BEGIN")
        assert [job["id"] for job in claim(other, "q")] == [job_id]
        other.execute("ROLLBACK")
    assert [(job["id"], job["attempts"]) for job in claim(conn, "q")] == [(job_id, 1)]


def test_a_claim_does_not_wait_for_that_of_another_session(conn, url):
    first, second = enqueue(conn, "q"), enqueue(conn, "q")
    conn.execute("SET lock_timeout = '2s'")
    with connect(url) as other:
        other.execute("BEGIN")
        assert [job["id"] for job in claim(other, "q")] == [first]
        assert [job["id"] for job in claim(conn, "q", 9)] == [second]


def test_jobs_come_by_priority_then_time_then_id(conn):
    low, high, late, early = (
        enqueue(conn, "q", **options)
        for options in ({"priority": -1}, {"priority": 9}, {"run_at": 2000}, {"run_at": 1000})
    )
    delayed = enqueue(conn, "q", priority=99, delay=30)
    assert [job["id"] for job in claim(conn, "q", 9)] == [high, early, late, low]
    advance(conn, 30)
    assert [job["id"] for job in claim(conn, "q", 9)] == [delayed]


def test_a_lapsed_lease_is_taken_over_and_the_late_holder_settles_nothing(conn, url):
    job_id = enqueue(conn, "q")
    claim(conn, "q", worker_id="first", timeout_s=5)
    with connect(url) as other:
        advance(other, 6)
        assert [job["attempts"] for job in claim(other, "q", worker_id="second")] == [2]
    for function, *arguments in (
        ("honker_ack", 1),
        ("honker_retry", 0.0, "late", 1),
        ("honker_fail", "late", 1),
        ("honker_release", 1),
        ("honker_snooze", 0.0, 1),
        ("honker_heartbeat", 60.0, 1),
        ("honker_cancel_held", 1),
    ):
        assert call(conn, function, job_id, "first", *arguments) == 0
    assert call(conn, "honker_ack", job_id, "second", 2) == 1


def test_a_job_without_an_attempt_left_is_dead_lettered_by_the_claim_that_meets_it(conn):
    gone, there = enqueue(conn, "q", max_attempts=1), enqueue(conn, "q")
    claim(conn, "q", timeout_s=5)
    advance(conn, 6)
    assert [job["id"] for job in claim(conn, "q", 9)] == [there]
    assert conn.execute("SELECT id, last_error FROM dead").fetchall() == [(gone, "max attempts exceeded")]


def test_an_expired_job_makes_way_for_the_next(conn):
    enqueue(conn, "q", expires=5)
    there = enqueue(conn, "q")
    advance(conn, 6)
    assert [job["id"] for job in claim(conn, "q")] == [there]
    assert conn.execute("SELECT last_error FROM dead").fetchall() == [("expired",)]


@pytest.mark.parametrize(
    "settings",
    [{}, {"concurrency": 1}, {"concurrency_per_key": 1}, {"rate": [1, 60]}],
    ids=str,
)
def test_a_claim_that_finds_nothing_writes_nothing(conn, settings):
    call(conn, "honker_queue_configure", "q", json.dumps(settings))
    enqueue(conn, "q", key="k")
    claim(conn, "q")
    enqueue(conn, "q", delay=60)
    with conn.transaction():
        assert claim(conn, "q", 9) == []
        assert conn.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()[0] is None


def test_a_batch_ends_when_its_payloads_have_64_mib(conn):
    for _ in range(4):
        conn.execute("SELECT honker_enqueue('q', repeat('x', 22 * 1024 * 1024), NULL)")
    for count in (3, 1):
        claimed = conn.execute("SELECT json_array_length(honker_claim_batch('q', 'w', 9, 60)::json)").fetchone()
        assert claimed == (count,)


def test_the_two_ends_of_one_claim_do_not_both_count(conn, url):
    """Ack and cancel of one job at once: one of them has ended it."""
    for _ in range(50):
        job_id = enqueue(conn, "q", key="k")
        claim(conn, "q")

        ends = [("honker_ack", job_id, "w", 1), ("honker_cancel", job_id)]
        assert sum(together(url, 2, lambda session, number, ends=ends: call(session, *ends[number]))) == 1
