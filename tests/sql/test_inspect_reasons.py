"""The reasons why a job is not running."""

import pytest

from .clock import advance
from .database import call, claim, enqueue
from .inspecting import configure, detail, enqueue_with, why


def test_a_delayed_job_says_until_when(conn):
    assert why(conn, enqueue(conn, run_at=4_102_444_800)) == "delayed until 2100-01-01 00:00:00 UTC"


def test_a_job_between_attempts_says_after_how_many(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 600, "boom")
    assert why(conn, 1).startswith("delayed until ")
    assert why(conn, 1).endswith(", after 1 attempts")


def test_a_running_job_names_its_worker_and_a_request_to_end(conn):
    enqueue(conn)
    claim(conn, worker="host:1")
    assert why(conn, 1).startswith("running: held by host:1 until ")
    call(conn, "honker_cancel_request", 1)
    assert "; asked to end at " in why(conn, 1)


def test_a_lapsed_lease_is_named(conn):
    enqueue(conn)
    claim(conn, worker="host:1")
    advance(conn, 100)
    assert why(conn, 1).startswith("the lease of host:1 expired at ")


def test_a_paused_queue_gives_its_reason_until_it_is_resumed(conn):
    enqueue(conn)
    call(conn, "honker_queue_pause", "q", None, "deployment")
    assert why(conn, 1) == "queue paused: deployment"
    call(conn, "honker_queue_pause", "q", 4_102_444_800, None)
    assert why(conn, 1) == "queue paused until 2100-01-01 00:00:00 UTC"
    call(conn, "honker_queue_resume", "q")
    assert "no worker has claimed it yet" in why(conn, 1)


def test_a_full_key_names_the_jobs_that_hold_its_slots(conn):
    configure(conn, concurrency_per_key=2)
    for _ in range(3):
        enqueue_with(conn, key="acme")
    claim(conn, n=2)
    assert why(conn, 3) == "key acme: 2 of 2 slots held by 1, 2"
    call(conn, "honker_ack", 1, "w")
    assert "no worker has claimed it yet" in why(conn, 3)


def test_a_paused_key_gives_its_reason(conn):
    enqueue_with(conn, key="acme")
    call(conn, "honker_key_pause", "q", "acme", None, "they asked")
    assert why(conn, 1) == "key acme paused: they asked"


@pytest.mark.parametrize("verb", ["retry", "fail"])
def test_an_ordered_line_names_its_head(conn, verb):
    configure(conn, ordered=True)
    for _ in range(2):
        enqueue_with(conn, key="acme")
    claim(conn)
    assert why(conn, 2) == "key acme: 1 of 1 slots held by 1"
    call(conn, f"honker_{verb}", 1, "w", *([600] if verb == "retry" else []), "boom")
    assert why(conn, 2) == "key acme: in order, and job 1 goes first"


def test_a_job_behind_a_better_one_of_its_key_names_it(conn):
    configure(conn, concurrency_per_key=1)
    for _ in range(3):
        enqueue_with(conn, key="acme")
    conn.execute("UPDATE _honker_live SET state = 'blocked' WHERE id = 1")
    conn.execute("UPDATE _honker_live SET state = 'pending' WHERE id = 2")
    assert why(conn, 2) == "key acme: job 1 goes first"


def test_a_full_queue_names_the_jobs_that_hold_its_slots(conn):
    configure(conn, concurrency=12)
    for _ in range(13):
        enqueue(conn)
    claim(conn, n=12)
    held = ", ".join(str(job_id) for job_id in range(1, 11))
    assert why(conn, 13) == f"queue: all of its 12 slots held by {held} and others"


def test_a_rate_of_the_queue_gives_the_next_start(conn):
    configure(conn, rate=[1, 600])
    for _ in range(2):
        enqueue(conn)
    assert len(claim(conn, n=2)) == 1
    assert why(conn, 2).startswith("rate: next start at ")
    conn.execute("UPDATE _honker_queues SET next_start_ms = next_start_ms - 601000")
    assert "no worker has claimed it yet" in why(conn, 2)


def test_a_rate_of_the_key_gives_the_next_start_before_and_after_a_claim_gave_it(conn):
    configure(conn, rate_per_key=[1, 600])
    for _ in range(2):
        enqueue_with(conn, key="acme")
    assert len(claim(conn)) == 1
    before = why(conn, 2)
    assert before.startswith("rate of key acme: next start at ")
    assert claim(conn) == []
    assert why(conn, 2) == before


def test_a_waiting_job_names_the_parents_that_have_not_ended(conn):
    first, second = enqueue(conn), enqueue(conn)
    child = enqueue_with(conn, "other", after=[first, second])
    assert why(conn, child) == "waits for parents 1, 2"
    claim(conn)
    call(conn, "honker_ack", first, "w")
    assert why(conn, child) == "waits for parent 2"
    assert detail(conn, child)["parents"] == [{"job_id": 2, "outcome": None}, {"job_id": 1, "outcome": "done"}]
    assert detail(conn, second)["children"] == [{"job_id": 3, "outcome": None}]


def test_an_expired_job_says_so(conn):
    enqueue(conn, expires=10)
    advance(conn, 20)
    assert why(conn, 1) == "expired: the next claim makes it a dead letter"


def test_an_unknown_task_is_named(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_release", 1, "w", None, 0, 1)
    assert why(conn, 1).startswith("no worker that has claimed it since ")


def test_an_ended_job_says_how(conn, every_state):
    for state in ("done", "cancelled", "dead"):
        assert why(conn, every_state[state]).startswith(f"it has ended: {state} at ")
