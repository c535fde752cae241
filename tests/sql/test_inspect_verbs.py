"""Verbs for many jobs."""

from .database import call, call_json, claim, dump, enqueue, refused
from .inspecting import apply, configure, detail, enqueue_with, fail, ids, why
from .jobs import count, live


def test_requeue_takes_the_dead_letters_that_match(conn):
    for queue in ("q", "q", "other"):
        fail(conn, claim(conn, queue)[0]["id"] if enqueue(conn, queue) else 0)
    enqueue(conn)
    assert apply(conn, "requeue", queue="q")["done"] == 2
    assert ids(conn, state="dead") == [3]
    assert ids(conn, state="ready") == [4, 2, 1]


def test_a_verb_goes_on_after_the_last_job(conn):
    for _ in range(5):
        enqueue(conn)
    first = apply(conn, "cancel", n=2)
    assert (first["done"], first["next"]) == (2, 4)
    enqueue(conn)
    second = apply(conn, "cancel", after=first["next"])
    assert (second["done"], second["next"]) == (3, None)
    assert ids(conn) == [6]


def test_a_requeue_whose_unique_key_is_taken_is_refused_and_the_others_go_on(conn):
    for unique_key in ("a", "b"):
        enqueue_with(conn, unique_key=unique_key)
    claim(conn, n=2)
    fail(conn, 1)
    fail(conn, 2)
    enqueue_with(conn, unique_key="a")
    found = apply(conn, "requeue")
    assert (found["done"], found["skipped"], found["reasons"]) == (1, 1, {"unique key is taken": 1})
    assert ids(conn, state="dead") == [1]


def test_cancel_removes_waiting_jobs_and_asks_running_ones(conn, every_state):
    found = apply(conn, "cancel")
    assert found["done"] == 5
    assert live(conn, "cancel_requested_at IS NOT NULL", every_state["running"]) == 1
    assert count(conn, "_honker_live") == 1


def test_cancel_by_id_refuses_jobs_that_have_ended(conn, every_state):
    names = ("dead", "done", "ready")
    found = apply(conn, "cancel", ids=[*(every_state[name] for name in names), 999])
    assert (found["done"], found["skipped"]) == (1, 3)
    assert found["reasons"] == {"has ended": 2, "no such job": 1}


def test_delete_forgets_dead_letters_and_finished_jobs_with_their_attempts(conn, every_state):
    assert count(conn, "_honker_attempts") > 0
    assert apply(conn, "delete")["done"] == 3
    assert [count(conn, table) for table in ("_honker_dead", "_honker_finished", "_honker_attempts")] == [0, 0, 0]
    assert count(conn, "_honker_live") == 5
    assert apply(conn, "delete", ids=[every_state["ready"]])["reasons"] == {"has not ended": 1}


def test_deleting_a_dead_letter_fails_the_jobs_that_wait_for_its_requeue(conn):
    enqueue(conn)
    child = enqueue_with(conn, "other", after=[1], on_parent_failure="wait")
    claim(conn)
    fail(conn, 1, "boom")
    assert why(conn, child) == "waits for parent 1"
    apply(conn, "delete", ids=[1])
    assert detail(conn, child)["error"] == "parent 1 failed: boom"
    assert call_json(conn, "honker_flow_violations", 10) == []


def test_deleting_the_dead_head_of_an_ordered_line_lets_the_line_go_on(conn):
    configure(conn, ordered=True)
    for _ in range(2):
        enqueue_with(conn, key="k")
    claim(conn)
    fail(conn, 1)
    assert claim(conn) == []
    apply(conn, "delete", ids=[1])
    assert [job["id"] for job in claim(conn)] == [2]


def test_run_now_makes_delayed_jobs_due(conn, every_state):
    assert apply(conn, "run_now")["done"] == 1
    assert ids(conn, state="delayed") == []
    claimed = [job["id"] for job in claim(conn, n=10)]
    assert claimed == [every_state["ready"], every_state["delayed"]]


def test_run_now_refuses_the_others_with_the_reason(conn, every_state):
    found = apply(conn, "run_now", ids=list(every_state.values()))
    assert (found["done"], found["skipped"]) == (1, 7)
    assert found["reasons"] == {
        "blocked by its key": 1, "has ended": 3, "is due already": 1, "is running": 1, "waits for its parents": 1,
    }  # fmt: skip


def test_run_now_takes_a_job_into_the_line_of_its_key(conn):
    configure(conn, concurrency_per_key=1)
    enqueue_with(conn, key="k")
    claim(conn)
    enqueue_with(conn, key="k", delay=600)
    assert apply(conn, "run_now")["done"] == 1
    assert live(conn, "state", 2) == "blocked"
    call(conn, "honker_ack", 1, "w")
    assert [job["id"] for job in claim(conn)] == [2]
    assert call_json(conn, "honker_flow_violations", 10) == []


def test_run_now_does_not_break_the_rate_of_a_key(conn):
    configure(conn, rate_per_key=[1, 600])
    for _ in range(2):
        enqueue_with(conn, key="k")
    assert len(claim(conn, n=2)) == 1
    assert apply(conn, "run_now")["reasons"] == {"the rate of its key has set its start": 1}


def test_a_batch_of_which_one_job_fails_changes_nothing(conn):
    for _ in range(3):
        enqueue(conn)
    conn.execute(
        "CREATE TRIGGER no BEFORE DELETE ON _honker_live WHEN OLD.id = 1 BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "not this one"):
        apply(conn, "cancel")
    assert dump(conn) == before


def test_a_verb_in_a_transaction_of_the_caller_is_part_of_it(conn):
    enqueue(conn)
    conn.execute("BEGIN")
    assert apply(conn, "cancel")["done"] == 1
    conn.execute("ROLLBACK")
    assert ids(conn) == [1]
