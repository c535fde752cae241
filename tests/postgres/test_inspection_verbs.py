"""Verbs for many jobs."""

import json

import psycopg
import pytest

from .inspecting import apply, bury, configure, detail, fail, ids, why
from .sessions import call, claim, connect, enqueue, together
from .waiting_sessions import open_sessions


def violations(conn):
    return json.loads(call(conn, "honker_flow_violations", 10))


def test_requeue_takes_the_dead_letters_that_match(conn):
    for queue in ("q", "q", "other"):
        bury(conn, queue)
    enqueue(conn, "q")
    assert apply(conn, "requeue", queue="q")["done"] == 2
    assert ids(conn, state="dead") == [3]
    assert ids(conn, state="ready") == [4, 2, 1]


def test_a_verb_goes_on_after_the_last_job(conn):
    for _ in range(5):
        enqueue(conn, "q")
    first = apply(conn, "cancel", n=2)
    assert (first["done"], first["next"]) == (2, 4)
    enqueue(conn, "q")
    second = apply(conn, "cancel", after=first["next"])
    assert (second["done"], second["next"]) == (3, None)
    assert ids(conn) == [6]


def test_a_requeue_whose_unique_key_is_taken_is_refused_and_the_others_go_on(conn):
    for unique_key in ("a", "b"):
        enqueue(conn, "q", unique_key=unique_key)
    claim(conn, "q", 2)
    fail(conn, 1)
    fail(conn, 2)
    enqueue(conn, "q", unique_key="a")
    found = apply(conn, "requeue")
    assert (found["done"], found["skipped"], found["reasons"]) == (1, 1, {"unique key is taken": 1})
    assert ids(conn, state="dead") == [1]


def test_cancel_ends_a_job_before_its_parents(conn):
    parent = enqueue(conn, "q")
    child = enqueue(conn, "q", after=[parent])
    enqueue(conn, "q", after=[child])
    assert apply(conn, "cancel")["done"] == 3
    assert ids(conn) == []


def test_cancel_by_id_refuses_jobs_that_have_ended(conn):
    letter, ready, running = bury(conn), enqueue(conn, "q"), enqueue(conn, "other")
    claim(conn, "other")
    found = apply(conn, "cancel", ids=[letter, ready, running, 999])
    assert (found["done"], found["reasons"]) == (2, {"has ended": 1, "no such job": 1})
    assert apply(conn, "cancel", ids=[running])["reasons"] == {"was asked to end already": 1}


def test_delete_forgets_dead_letters_and_finished_jobs_with_their_attempts(conn):
    configure(conn, "kept", keep_finished_s=60)
    enqueue(conn, "kept")
    claim(conn, "kept")
    call(conn, "honker_retry", 1, "w", 0, "once")
    claim(conn, "kept")
    call(conn, "honker_ack", 1, "w")
    bury(conn)
    ready = enqueue(conn, "q")
    assert conn.execute("SELECT count(*) FROM attempts").fetchone()[0] == 2
    assert apply(conn, "delete")["done"] == 2
    assert conn.execute("SELECT count(*) FROM attempts").fetchone()[0] == 0
    assert ids(conn) == [ready]
    assert apply(conn, "delete", ids=[ready])["reasons"] == {"has not ended": 1}


def test_deleting_a_dead_letter_fails_the_jobs_that_wait_for_its_requeue(conn):
    enqueue(conn, "q")
    child = enqueue(conn, "other", after=[1], on_parent_failure="wait")
    claim(conn, "q")
    fail(conn, 1)
    assert why(conn, child) == "waits for parent 1"
    apply(conn, "delete", ids=[1])
    assert detail(conn, child)["error"] == "parent 1 failed: boom"
    assert violations(conn) == []


def test_deleting_the_dead_head_of_an_ordered_line_lets_the_line_go_on(conn):
    configure(conn, ordered=True)
    for _ in range(2):
        enqueue(conn, "q", key="k")
    claim(conn, "q")
    fail(conn, 1)
    assert claim(conn, "q") == []
    apply(conn, "delete", ids=[1])
    assert [job["id"] for job in claim(conn, "q")] == [2]


def test_run_now_takes_a_job_into_the_line_of_its_key(conn):
    configure(conn, concurrency_per_key=1)
    enqueue(conn, "q", key="k")
    claim(conn, "q")
    enqueue(conn, "q", key="k", delay=600)
    assert apply(conn, "run_now")["done"] == 1
    assert detail(conn, 2)["state"] == "blocked"
    call(conn, "honker_ack", 1, "w")
    assert [job["id"] for job in claim(conn, "q")] == [2]
    assert violations(conn) == []


def test_run_now_refuses_the_others_with_the_reason(conn):
    configure(conn, "keyed", concurrency_per_key=1)
    for _ in range(2):
        enqueue(conn, "keyed", key="k")
    claim(conn, "keyed")
    ready, delayed = enqueue(conn, "q"), enqueue(conn, "q", delay=600)
    waiting, letter = enqueue(conn, "q", after=[ready]), bury(conn, "other")
    found = apply(conn, "run_now", ids=[1, 2, ready, delayed, waiting, letter])
    assert (found["done"], found["skipped"]) == (1, 5)
    assert found["reasons"] == {
        "is running": 1, "blocked by its key": 1, "is due already": 1, "waits for its parents": 1, "has ended": 1,
    }  # fmt: skip


def test_run_now_does_not_break_the_rate_of_a_key(conn):
    configure(conn, rate_per_key=[1, 600])
    for _ in range(2):
        enqueue(conn, "q", key="k")
    assert len(claim(conn, "q", 2)) == 1
    assert apply(conn, "run_now")["reasons"] == {"the rate of its key has set its start": 1}


def test_a_verb_wakes_waiters_if_it_has_changed_a_job(conn, url):
    with connect(url) as waiter:
        waiter.execute("LISTEN honker")
        waiter.execute("SELECT pg_advisory_lock_shared(1752133739, 1)")
        enqueue(conn, "q", delay=600)
        assert len(list(waiter.notifies(timeout=10, stop_after=1))) == 1
        apply(conn, "run_now")
        assert len(list(waiter.notifies(timeout=10, stop_after=1))) == 1
        apply(conn, "run_now")
        assert list(waiter.notifies(timeout=0.2)) == []


def test_a_verb_that_fails_for_one_job_changes_nothing(conn):
    for _ in range(3):
        enqueue(conn, "q")
    conn.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$")
    conn.execute("CREATE TRIGGER no BEFORE DELETE ON live FOR EACH ROW WHEN (OLD.id = 1) EXECUTE FUNCTION no()")
    with pytest.raises(psycopg.Error, match="not this one"):
        apply(conn, "cancel")
    assert ids(conn) == [3, 2, 1]


def test_a_job_that_another_session_moves_meanwhile_is_refused(conn, url):
    first, second = enqueue(conn, "q"), enqueue(conn, "q")
    claim(conn, "q")
    with open_sessions(url, 2) as (worker, operator):
        worker.one("BEGIN")
        worker.one("SELECT honker.honker_ack(%s, 'w')", first)
        answer = operator.begin("SELECT honker.honker_jobs_apply('cancel', NULL, NULL, 10)")
        worker.one("COMMIT")
        found = json.loads(answer.result(30))
    assert (found["done"], found["reasons"]) == (1, {"has ended": 1})
    assert ids(conn) == []
    assert second > first


def test_two_verbs_on_keyed_jobs_and_a_worker_end_in_no_deadlock(conn, url):
    configure(conn, concurrency_per_key=2)
    for number in range(120):
        enqueue(conn, "q", key=f"k{number % 5}", after=[number] if number % 3 == 2 else [])

    def work(session, number):
        if number == 0:
            for _ in range(40):
                jobs = claim(session, "q", 4)
                call(session, "honker_ack_batch", json.dumps([job["id"] for job in jobs]), "w")
        else:
            for verb in ("run_now", "cancel", "requeue", "delete") * 3:
                apply(session, verb, n=50, queue="q")

    together(url, 3, work)
    assert violations(conn) == []
