"""Unique jobs: sessions that enqueue one unique key at once make one job."""

import json
import threading

import psycopg
import pytest

from ..support.waiting import wait_until
from .sessions import advance, call, claim, connect, enqueue, together

SESSIONS = 8


def enqueue_unique(conn, payload="{}", **options):
    return json.loads(call(conn, "honker_enqueue_unique", "q", payload, json.dumps({"unique_key": "u"} | options)))


@pytest.mark.parametrize("options", [{}, {"on_conflict": "replace"}, {"unique_for_s": 60}, {"key": "k"}], ids=str)
def test_sessions_that_enqueue_one_unique_key_make_one_job(conn, url, options):
    call(conn, "honker_queue_configure", "q", '{"concurrency_per_key": 1}')
    found = together(url, SESSIONS, lambda session, _number: [enqueue_unique(session, **options) for _ in range(20)])
    answers = [answer for each in found for answer in each]
    assert len({answer["id"] for answer in answers}) == 1
    assert sum(not answer["is_duplicate"] for answer in answers) == 1
    assert conn.execute("SELECT count(*) FROM live").fetchone() == (1,)


def test_one_of_many_raises_no_error(conn, url):
    def work(session, _number):
        try:
            enqueue_unique(session, on_conflict="raise")
        except psycopg.errors.RaiseException as error:
            return error.diag.message_primary.partition(":")[0]
        except psycopg.Error as error:
            return error.diag.message_primary.partition(":")[0]
        return None

    assert sorted(map(str, together(url, SESSIONS, work))) == ["HONKER_UNIQUE_KEY_TAKEN"] * (SESSIONS - 1) + ["None"]


def test_a_second_enqueue_waits_for_the_first_and_adds_a_job_if_that_is_rolled_back(conn, url):
    answers = []
    with connect(url) as first, connect(url) as second:
        first.execute("BEGIN")
        gone = enqueue_unique(first)
        waiting = threading.Thread(target=lambda: answers.append(enqueue_unique(second)))
        waiting.start()
        wait_until(lambda: conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0])
        first.execute("ROLLBACK")
        waiting.join()
    assert answers[0]["is_duplicate"] is False
    assert answers[0]["id"] != gone["id"]
    assert conn.execute("SELECT count(*) FROM live").fetchone() == (1,)


def test_a_key_kept_after_success_is_found_by_an_enqueue_that_began_before(conn, url):
    """The ack commits between the look of the enqueue at the live job and its insert."""
    first = enqueue_unique(conn, unique_for_s=60)
    claim(conn, "q")
    answers = []
    with connect(url) as holder, connect(url) as other:
        holder.execute("BEGIN")
        assert call(holder, "honker_ack", first["id"], "w", 1) == 1
        waiting = threading.Thread(target=lambda: answers.append(enqueue_unique(other, on_conflict="rerun")))
        waiting.start()
        wait_until(lambda: conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()[0])
        holder.execute("COMMIT")
        waiting.join()
    assert answers == [{"id": first["id"], "is_duplicate": True}]
    advance(conn, 61)
    assert enqueue_unique(conn)["is_duplicate"] is False


def test_a_rerun_comes_after_the_running_job(conn, url):
    running = enqueue_unique(conn)["id"]
    claim(conn, "q")
    found = together(url, SESSIONS, lambda session, _number: enqueue_unique(session, on_conflict="rerun")["id"])
    assert len(set(found)) == 1
    assert claim(conn, "q", 9) == []
    assert call(conn, "honker_ack", running, "w", 1) == 1
    assert [job["id"] for job in claim(conn, "q", 9)] == [found[0]]


def test_enqueues_against_claims_and_acks_never_make_two_jobs(conn, url):
    """A job of the key runs at most once at a time, and the queue is empty in the end."""

    def work(session, number):
        most = 0
        for _ in range(60):
            if number % 2:
                enqueue_unique(session, on_conflict=("existing", "replace")[number // 2 % 2])
            else:
                for job in claim(session, "q", 9, f"w{number}"):
                    call(session, "honker_ack", job["id"], f"w{number}", job["attempts"])
            most = max(most, session.execute("SELECT count(*) FROM live WHERE unique_key = 'u'").fetchone()[0])
        return most

    assert max(together(url, SESSIONS, work)) == 1
    for job in claim(conn, "q", 9):
        call(conn, "honker_ack", job["id"], "w", job["attempts"])
    assert conn.execute("SELECT count(*) FROM live").fetchone() == (0,)


def test_a_debounced_job_takes_the_last_payload(conn):
    first = enqueue_unique(conn, '"a"', debounce_s=10)
    assert enqueue_unique(conn, '"b"', debounce_s=10) == {"id": first["id"], "is_duplicate": True}
    assert claim(conn, "q") == []
    advance(conn, 11)
    assert [(job["id"], job["payload"]) for job in claim(conn, "q")] == [(first["id"], '"b"')]


def test_an_enqueue_is_undone_with_the_transaction_of_its_caller(conn):
    with conn.transaction(force_rollback=True):
        enqueue(conn, "q", unique_key="u")
    assert enqueue_unique(conn)["is_duplicate"] is False
