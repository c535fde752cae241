"""Counters of moves that several sessions write at once."""

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from .waiting_sessions import open_sessions

SESSIONS = 8
# 2026-01-01 00:00:00 UTC, the beginning of a minute.
START_MS = 1_767_225_600_000
MINUTE_MS = 60_000


@pytest.fixture
def sessions(url):
    with open_sessions(url, 3) as opened:
        opened[0].one("SELECT honker_file_configure(%s)", '{"counters": true}')
        yield opened


def at(session, minute):
    """Set the clock of a session to so many minutes after the start."""
    session.conn.execute(f"SET honker.clock_ms = {START_MS + minute * MINUTE_MS}")


def enqueue(session, queue="q"):
    return session.one("SELECT honker_enqueue(%s, '{}', '{}')", queue)


def totals(session):
    return {row["queue"]: row for row in session.json("SELECT honker_counter_totals(NULL, NULL, 100)")}


def minutes(session, queue="q"):
    found = session.json("SELECT honker_counter_minutes(%s, 240)", queue)
    assert found["is_complete"]
    return [((row["minute"] * 1000 - START_MS) // MINUTE_MS, row["enqueued"]) for row in found["counters"]]


def test_the_sums_of_eight_busy_sessions_are_exact(sessions, url):
    def work(number):
        with psycopg.connect(url, autocommit=True, options="-c search_path=honker,public") as conn:
            for turn in range(25):
                # The clocks of some are minutes apart, so they fold what the others write.
                conn.execute(f"SET honker.clock_ms = {START_MS + number % 3 * 5 * MINUTE_MS + turn * 20_000}")
                conn.execute("SELECT honker_enqueue('q', '{}', '{}')")
                with conn.transaction(force_rollback=turn % 5 == 0):
                    conn.execute("SELECT honker_enqueue('q', '{}', '{}')")
                jobs = json.loads(conn.execute("SELECT honker_claim_batch('q', 'w', 1, 86400)").fetchone()[0])
                for job in jobs:
                    conn.execute("SELECT honker_ack(%s, 'w')", [job["id"]])
        return len(jobs)

    with ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(work, range(SESSIONS)))
    session = sessions[0]
    sums = totals(session)["q"]
    left = session.one("SELECT count(*) FROM live")
    assert sums["enqueued"] == SESSIONS * (25 + 20)
    assert sums["claimed"] == sums["done"] == sums["enqueued"] - left
    at(session, 15)
    assert sum(enqueued for _, enqueued in minutes(session)) == sums["enqueued"]


def test_writers_do_not_wait_for_each_other(sessions):
    first, second, third = sessions
    for session in (first, second):
        session.one("BEGIN")
        enqueue(session)
    assert enqueue(third)
    second.one("COMMIT")
    first.one("ROLLBACK")
    assert totals(third)["q"]["enqueued"] == 2


def test_counts_of_a_killed_session_go_with_its_jobs(sessions):
    first, second, _ = sessions
    enqueue(second)
    first.one("BEGIN")
    enqueue(first)
    first.kill()
    assert totals(second)["q"]["enqueued"] == 1


def test_the_totals_outlive_the_minutes(sessions):
    session = sessions[0]
    for minute in (0, 0, 1, 300, 301, 600):
        at(session, minute)
        enqueue(session)
    assert minutes(session) == [(600, 1)]
    assert totals(session)["q"]["enqueued"] == 6
    assert totals(session)["q"]["minute"] * 1000 == START_MS + 600 * MINUTE_MS
    assert session.one("SELECT count(*) FROM counters") == 2


def test_rows_of_many_sessions_are_folded_into_one_a_minute(sessions):
    for minute in (0, 1):
        for session in sessions:
            at(session, minute)
            enqueue(session)
    assert sessions[0].one("SELECT count(*) FROM counters") == 6
    at(sessions[0], 9)
    enqueue(sessions[0])
    assert minutes(sessions[0]) == [(0, 3), (1, 3), (9, 1)]
    assert sessions[0].one("SELECT count(*) FROM counters") == 3


def test_a_row_that_another_session_holds_is_folded_later(sessions):
    first, second, _ = sessions
    for session in (first, second):
        at(session, 0)
        enqueue(session)
    second.one("BEGIN")
    enqueue(second)
    at(first, 9)
    enqueue(first)
    second.one("COMMIT")
    assert totals(first)["q"]["enqueued"] == 4
    at(first, 10)
    enqueue(first)
    assert minutes(first) == [(0, 3), (9, 1), (10, 1)]
    assert first.one("SELECT count(*) FROM counters WHERE slot <> 0") == 2


def test_a_session_that_folds_keeps_no_other_one_waiting(sessions):
    first, second, third = sessions
    for minute, session in ((0, third), (300, first)):
        at(session, minute)
        enqueue(session)
    at(first, 600)
    first.one("BEGIN")
    enqueue(first)
    for minute, session in ((302, third), (605, second)):
        at(session, minute)
        enqueue(session)
    first.one("COMMIT")
    at(second, 606)
    enqueue(second)
    assert totals(second)["q"]["enqueued"] == 6
    assert minutes(second) == [(600, 1), (605, 1), (606, 1)]
    assert second.one("SELECT enqueued FROM counters WHERE minute = -1") == 3


def test_sums_do_not_fall_when_the_clock_is_set_back(sessions):
    session = sessions[0]
    at(session, 300)
    enqueue(session)
    at(session, 0)
    enqueue(session)
    assert totals(session)["q"]["enqueued"] == 2
    assert minutes(session) == [(0, 1)]


def test_a_settlement_counts_the_task_that_its_worker_names(sessions):
    session = sessions[0]
    job = enqueue(session)
    session.one("SELECT honker_claim_batch('q', 'w', 1, 60)")
    ack = [{"id": job, "attempt": 1, "do": "ack", "task": "named", "run_s": 2}]
    session.one("SELECT honker_work('q', 'w', 0, 60, %s)", json.dumps(ack))
    rows = {row["task"]: row for row in session.json("SELECT honker_counter_totals(NULL, NULL, 100)")}
    assert (rows[""]["claimed"], rows[""]["done"]) == (1, 0)
    assert (rows["named"]["done"], rows["named"]["runs"], rows["named"]["run_max_s"]) == (1, 1, 2.0)


@pytest.mark.parametrize(
    ("payload", "task"),
    [
        ('{"__honker_task__": {"task": "a.b", "args": [1, 2', "a.b"),
        (r'{"__honker_task__":{"task":"\u00e9","args":[]}}', "é"),
        ('{"__honker_task__":{"args":[],"task":"late"}}', "late"),
        ('{"__honker_encoded_task__":{"task":"a","codec":"signed","body":"x', "a"),
        (' { "__honker_encoded_task__" : {"codec":"signed","task" : "late"}}', "late"),
        ('{"__honker_task__":{"args":[1,2,3', None),
        ('{"__honker_task__":{"task":""}}', None),
        ('{"__honker_task__x":{"task":"a"}}', None),
        (r'{"__honker_task__":{"task":"\u0000"}}', None),
        ('{"task": "a"}', None),
        ("[]", None),
        ("", None),
    ],
)
def test_the_task_is_found_in_the_beginning_of_a_call(conn, payload, task):
    assert conn.execute("SELECT honker._task_of(%s)", [payload]).fetchone()[0] == task
