"""Lost parents, violations, two connections, and failures within a transition of jobs with dependencies."""

import json
import threading

import pytest

from .database import call, call_json, claim, claimed_ids, dump, enqueue, refused, value
from .dependents import after, error, finish, kill, no_violations, parents, state  # noqa: F401 - a fixture for all
from .jobs import count, live, put, states

# ------------------------------------------------------------------------------------------------ parents that are lost


def test_a_parent_that_another_program_deletes_is_taken_for_done(conn):
    parents_ = [enqueue(conn) for _ in range(3)]
    child = after(conn, *parents_)
    call(conn, "honker_result_save", parents_[0], "1", 60)
    conn.execute("DELETE FROM _honker_live WHERE id IN (?, ?, ?)", parents_)
    assert claimed_ids(conn) == [child]
    assert [told[1:3] for told in parents(conn, child)] == [("done", "1"), ("done", None), ("done", None)]


def test_a_parent_that_another_program_kills_is_a_failure(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    conn.execute("INSERT INTO _honker_dead (id, queue, payload, last_error) VALUES (?, 'q', '{}', 'theirs')", (parent,))
    conn.execute("DELETE FROM _honker_live WHERE id = ?", (parent,))
    assert claim(conn) == []
    assert states(conn)[child] == ("dead", f"parent {parent} failed: theirs")


def test_lost_parents_are_found_behind_many_jobs_that_wait_rightly(conn):
    parent, lost = enqueue(conn, delay=1000), enqueue(conn, delay=1000)
    for _ in range(100):
        after(conn, parent)
    child = after(conn, lost)
    conn.execute("DELETE FROM _honker_live WHERE id = ?", (lost,))
    claims = [claimed_ids(conn) for _ in range(8)]
    assert [child] in claims


def test_edges_of_jobs_that_are_gone_are_deleted_by_a_sweep(conn):
    parent = enqueue(conn)
    for _ in range(20):
        after(conn, parent)
    conn.execute("DELETE FROM _honker_live WHERE state = 'waiting'")
    for _ in range(100):
        call(conn, "honker_sweep_expired", "q")
    finish(conn, parent)
    assert count(conn, "_honker_dependencies") == 0


def test_edges_of_pruned_dead_letters_do_not_pile_up(conn):
    """Nothing but enqueues: each looks at more children than it adds."""
    for _ in range(60):
        parent = enqueue(conn)
        after(conn, parent)
        kill(conn, parent)
        call(conn, "honker_dead_prune", "q", None, 0)
    assert count(conn, "_honker_dependencies") < 40
    conn.execute("DELETE FROM _honker_dependencies")
    conn.execute("DELETE FROM _honker_outcomes")


# ----------------------------------------------------------------------------------------------------------- violations


def kinds(conn):
    return [violation["kind"] for violation in call_json(conn, "honker_flow_violations", 100)]


VIOLATIONS = {
    "waiting_without_parent": "DELETE FROM _honker_dependencies",
    "lost_parent": "DELETE FROM _honker_live WHERE state = 'pending'",
    "wrong_count": "UPDATE _honker_live SET waiting_for = 5 WHERE state = 'waiting'",
    "edge_without_child": "DELETE FROM _honker_live WHERE state = 'waiting'",
    "failure_without_effect": "UPDATE _honker_dependencies SET outcome = 'dead'",
    "outcome_without_child": "INSERT INTO _honker_outcomes (job_id, state) VALUES (99, 'done')",
    "stranded_key": "DELETE FROM _honker_live WHERE id = 3",
}


@pytest.mark.parametrize(("kind", "statement"), VIOLATIONS.items(), ids=list(VIOLATIONS))
def test_a_violation_is_found(conn, kind, statement):
    parent = enqueue(conn)
    after(conn, parent)
    call(conn, "honker_queue_configure", "k", json.dumps({"concurrency_per_key": 1}))
    for _ in range(2):
        call(conn, "honker_enqueue", "k", "{}", json.dumps({"key": "a"}))
    assert kinds(conn) == []
    conn.execute(statement)
    assert kind in kinds(conn)
    assert len(call_json(conn, "honker_flow_violations", 1)) == 1
    assert call_json(conn, "honker_flow_violations", 0) == []


# ------------------------------------------------------------------------------------------------------ two connections


def test_a_parent_that_is_acked_while_the_child_is_added_is_waited_for(conn, connect):
    parent = enqueue(conn)
    claim(conn)
    adder = connect(check_same_thread=False)
    adder.execute("BEGIN IMMEDIATE")
    child = after(adder, parent)
    conn.execute("PRAGMA busy_timeout = 10000")
    timer = threading.Timer(0.05, adder.execute, ["COMMIT"])
    timer.start()
    assert call(conn, "honker_ack", parent, "w") == 1
    timer.join()
    assert state(conn, child) == "pending"


def test_a_child_that_is_added_while_its_parent_is_acked_is_ready(conn, connect):
    parent = enqueue(conn)
    claim(conn)
    holder = connect(check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    call(holder, "honker_result_save", parent, "1", 60)
    assert call(holder, "honker_ack", parent, "w") == 1
    conn.execute("PRAGMA busy_timeout = 10000")
    timer = threading.Timer(0.05, holder.execute, ["COMMIT"])
    timer.start()
    child = after(conn, parent)
    timer.join()
    assert state(conn, child) == "pending"


def test_a_transaction_that_saw_the_parent_alive_cannot_add_a_child_after_its_ack(conn, connect):
    parent = enqueue(conn)
    claim(conn)
    adder = connect()
    adder.execute("BEGIN")
    assert live(adder, "state", parent) == "processing"
    assert call(conn, "honker_ack", parent, "w") == 1
    with refused("HONKER_BUSY"):
        after(adder, parent)
    adder.execute("ROLLBACK")


# ------------------------------------------------------------------------------------------------------------ atomicity

WRITES = {
    "edges": "UPDATE ON _honker_dependencies",
    "the end": "INSERT ON _honker_outcomes",
    "the count": "UPDATE ON _honker_live WHEN OLD.state = 'waiting'",
    "dead letters of children": "INSERT ON _honker_dead WHEN NEW.last_error LIKE 'parent%'",
}
ENDS = {
    "ack": ("honker_ack(1, 'w')", ["edges", "the end", "the count"]),
    "ack_batch": ("honker_ack_batch('[1]', 'w')", ["edges", "the end", "the count"]),
    "fail": ("honker_fail(1, 'w', 'x')", ["edges", "the end", "dead letters of children"]),
    "cancel": ("honker_cancel(1)", ["edges", "the end", "dead letters of children"]),
}


@pytest.mark.parametrize(
    ("function_call", "write"), [(function, write) for function, writes in ENDS.values() for write in writes]
)
def test_an_end_that_cannot_settle_its_children_has_not_happened(conn, function_call, write):
    parent, other = enqueue(conn), enqueue(conn)
    after(conn, parent)
    after(conn, parent, other)
    after(conn, parent, policy="run")
    claim(conn)
    conn.execute(f"CREATE TRIGGER refuse BEFORE {WRITES[write]} BEGIN SELECT RAISE(ABORT, 'refused'); END")
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        value(conn, f"SELECT {function_call}")
    assert dump(conn) == before
    conn.execute("DROP TRIGGER refuse")
    assert value(conn, f"SELECT {function_call}") == 1


@pytest.mark.parametrize("write", ["INSERT ON _honker_dependencies", "UPDATE ON _honker_live"])
def test_a_job_that_cannot_be_tied_is_not_added(conn, write):
    parent = enqueue(conn)
    conn.execute(f"CREATE TRIGGER refuse BEFORE {write} BEGIN SELECT RAISE(ABORT, 'refused'); END")
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        after(conn, parent)
    assert dump(conn) == before


def test_a_requeue_that_cannot_revive_the_children_has_not_happened(conn):
    parent = enqueue(conn)
    after(conn, parent)
    kill(conn, parent)
    conn.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON _honker_live WHEN NEW.state = 'waiting' "
        "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    before = dump(conn)
    with refused("HONKER_CONSTRAINT", "refused"):
        call(conn, "honker_requeue", parent)
    assert dump(conn) == before


def test_a_hand_made_job_in_state_waiting_is_a_violation(conn):
    """It is reported, and never started: no rule says that it may."""
    job_id = put(conn, state="waiting")
    assert claim(conn) == []
    assert kinds(conn) == ["waiting_without_parent"]
    call(conn, "honker_cancel", job_id)
