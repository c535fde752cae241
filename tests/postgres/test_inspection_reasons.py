"""The reasons why a job is not running, and the facts about one job."""

import json

import pytest

from .inspecting import bury, configure, detail, fail, why
from .sessions import advance, call, claim, enqueue


def clock(conn):
    return conn.execute("SELECT honker._now()").fetchone()[0] / 1000


def test_a_delayed_job_says_until_when(conn):
    assert why(conn, enqueue(conn, "q", run_at=4_102_444_800)) == "delayed until 2100-01-01 00:00:00 UTC"


def test_a_job_between_attempts_says_after_how_many(conn):
    enqueue(conn, "q")
    claim(conn, "q")
    call(conn, "honker_retry", 1, "w", 600, "boom")
    assert why(conn, 1).startswith("delayed until ")
    assert why(conn, 1).endswith(", after 1 attempts")


def test_a_running_job_names_its_worker_and_a_request_to_end(conn):
    enqueue(conn, "q")
    claim(conn, "q")
    assert why(conn, 1).startswith("running: held by w until ")
    call(conn, "honker_cancel_request", 1)
    assert "; asked to end at " in why(conn, 1)
    advance(conn, 100)
    assert why(conn, 1).startswith("the lease of w expired at ")


def test_a_paused_queue_gives_its_reason_until_it_is_resumed(conn):
    enqueue(conn, "q")
    call(conn, "honker_queue_pause", "q", None, "deployment")
    assert why(conn, 1) == "queue paused: deployment"
    call(conn, "honker_queue_pause", "q", 4_102_444_800, None)
    assert why(conn, 1) == "queue paused until 2100-01-01 00:00:00 UTC"
    call(conn, "honker_queue_resume", "q")
    assert "no worker has claimed it yet" in why(conn, 1)


def test_a_full_key_names_the_jobs_that_hold_its_slots(conn):
    configure(conn, concurrency_per_key=2)
    for _ in range(3):
        enqueue(conn, "q", key="acme")
    claim(conn, "q", 2)
    assert why(conn, 3) == "key acme: 2 of 2 slots held by 1, 2"
    call(conn, "honker_ack", 1, "w")
    assert "no worker has claimed it yet" in why(conn, 3)


def test_a_paused_key_gives_its_reason(conn):
    enqueue(conn, "q", key="acme")
    call(conn, "honker_key_pause", "q", "acme", None, "they asked")
    assert why(conn, 1) == "key acme paused: they asked"


@pytest.mark.parametrize("verb", ["retry", "fail"])
def test_an_ordered_line_names_its_head(conn, verb):
    configure(conn, ordered=True)
    for _ in range(2):
        enqueue(conn, "q", key="acme")
    claim(conn, "q")
    assert why(conn, 2) == "key acme: 1 of 1 slots held by 1"
    call(conn, f"honker_{verb}", 1, "w", *([600] if verb == "retry" else []), "boom")
    assert why(conn, 2) == "key acme: in order, and job 1 goes first"


def test_a_job_behind_a_better_one_of_its_key_names_it(conn):
    configure(conn, concurrency_per_key=1)
    for _ in range(3):
        enqueue(conn, "q", key="acme")
    conn.execute("UPDATE live SET state = 'blocked' WHERE id = 1")
    conn.execute("UPDATE live SET state = 'pending' WHERE id = 2")
    assert why(conn, 2) == "key acme: job 1 goes first"


def test_a_full_queue_names_the_jobs_that_hold_its_slots(conn):
    configure(conn, concurrency=12)
    for _ in range(13):
        enqueue(conn, "q")
    claim(conn, "q", 12)
    held = ", ".join(str(job_id) for job_id in range(1, 11))
    assert why(conn, 13) == f"queue: all of its 12 slots held by {held} and others"


def test_a_rate_of_the_queue_gives_the_next_start(conn):
    configure(conn, rate=[1, 600])
    for _ in range(2):
        enqueue(conn, "q")
    assert len(claim(conn, "q", 2)) == 1
    assert why(conn, 2).startswith("rate: next start at ")
    advance(conn, 601)
    assert "no worker has claimed it yet" in why(conn, 2)


def test_a_rate_of_the_key_gives_the_next_start_before_and_after_a_claim_gave_it(conn):
    configure(conn, rate_per_key=[1, 600])
    for _ in range(2):
        enqueue(conn, "q", key="acme")
    assert len(claim(conn, "q")) == 1
    before = why(conn, 2)
    assert before.startswith("rate of key acme: next start at ")
    assert claim(conn, "q") == []
    assert why(conn, 2) == before


def test_a_waiting_job_names_the_parents_that_have_not_ended(conn):
    first, second = enqueue(conn, "q"), enqueue(conn, "q")
    child = enqueue(conn, "other", after=[first, second])
    assert why(conn, child) == "waits for parents 1, 2"
    claim(conn, "q")
    call(conn, "honker_ack", first, "w")
    assert why(conn, child) == "waits for parent 2"
    assert detail(conn, child)["parents"] == [{"job_id": 2, "outcome": None}, {"job_id": 1, "outcome": "done"}]
    assert detail(conn, second)["children"] == [{"job_id": 3, "outcome": None}]


def test_a_job_with_many_children_names_the_first_thousand(conn):
    parent = enqueue(conn, "q")
    for _ in range(2):
        conn.execute(
            "SELECT honker.honker_enqueue_many('q', %s, NULL, NULL, 0, 3, NULL, %s)",
            (json.dumps([0] * 500), json.dumps({"after": [parent]})),
        )
    assert (len(detail(conn, parent)["children"]), detail(conn, parent)["children_is_exact"]) == (1000, True)
    enqueue(conn, "q", after=[parent])
    assert (len(detail(conn, parent)["children"]), detail(conn, parent)["children_is_exact"]) == (1000, False)


def test_expired_and_unknown_jobs_say_so(conn):
    enqueue(conn, "q")
    claim(conn, "q")
    call(conn, "honker_release", 1, "w", None, 0, 1)
    assert why(conn, 1).startswith("no worker that has claimed it since ")
    expired = enqueue(conn, "q", expires=10)
    advance(conn, 20)
    assert why(conn, expired) == "expired: the next claim makes it a dead letter"


def test_an_ended_job_says_how(conn):
    configure(conn, "kept", keep_finished_s=60)
    letter, done = bury(conn, error="first line\nsecond line"), enqueue(conn, "kept")
    claim(conn, "kept")
    call(conn, "honker_ack", done, "w")
    assert why(conn, letter).startswith("it has ended: dead at ")
    assert why(conn, done).startswith("it has ended: done at ")
    assert detail(conn, letter)["error"] == "first line\nsecond line"
    assert [attempt["outcome"] for attempt in detail(conn, letter)["history"]] == ["failed"]
    advance(conn, 100)
    assert call(conn, "honker_job_detail", done) is None


def test_a_failed_job_tells_the_whole_of_long_texts(conn):
    job_id = enqueue(conn, "q", json.dumps({"text": "é" * 10_000}))
    claim(conn, "q")
    fail(conn, job_id, "e" * 5_000)
    found = detail(conn, job_id)
    assert (len(found["payload"]), len(found["error"])) == (len(json.dumps({"text": "é" * 10_000})), 5_000)
