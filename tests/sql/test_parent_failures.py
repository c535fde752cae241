"""The failure of a parent, the fate of its children, and their revival."""

import json

import pytest

from .clock import advance
from .database import call, claim, claimed_ids, enqueue, rows
from .dependents import after, error, finish, kill, no_violations, parents, state  # noqa: F401 - a fixture for all
from .jobs import count, states

# -------------------------------------------------------------------------------------------------------------- failure


def test_a_failure_cancels_the_children_and_theirs(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    grandchild = after(conn, child)
    kill(conn, parent, "x" * 300)
    assert states(conn)[child] == ("dead", f"parent {parent} failed: {'x' * 200}")
    assert state(conn, grandchild) == "dead"
    assert error(conn, grandchild).startswith(f"parent {child} failed: parent {parent} failed: x")
    assert parents(conn, child) == [(parent, "dead", None, "x" * 300)]


def test_a_failure_counts_as_an_end_under_run(conn):
    first, second = enqueue(conn), enqueue(conn)
    child = after(conn, first, second, policy="run")
    kill(conn, first)
    assert state(conn, child) == "waiting"
    finish(conn, second, "2")
    assert state(conn, child) == "pending"
    assert parents(conn, child) == [(first, "dead", None, "broken"), (second, "done", "2", None)]


def test_a_failure_keeps_the_child_waiting_under_wait(conn):
    parent = enqueue(conn)
    child = after(conn, parent, policy="wait")
    kill(conn, parent)
    assert state(conn, child) == "waiting"
    assert claim(conn) == []
    call(conn, "honker_requeue", parent)
    finish(conn, parent)
    finish(conn, child)


def test_a_parent_that_cannot_come_back_cancels_under_wait(conn):
    parent = enqueue(conn)
    child = after(conn, parent, policy="wait")
    call(conn, "honker_cancel", parent)
    assert states(conn)[child] == ("dead", f"parent {parent} was cancelled")


def test_a_deleted_dead_letter_cancels_under_wait(conn):
    parent = enqueue(conn)
    child = after(conn, parent, policy="wait")
    kill(conn, parent)
    assert call(conn, "honker_dead_prune", "q", None, 0) == 1
    assert claim(conn) == []
    assert states(conn)[child] == ("dead", f"parent {parent} failed: broken")


@pytest.mark.parametrize("policy", ["cancel", "run"])
def test_a_cancelled_parent_is_a_failure(conn, policy):
    parent = enqueue(conn)
    child = after(conn, parent, policy=policy)
    call(conn, "honker_cancel", parent)
    assert state(conn, child) == ("pending" if policy == "run" else "dead")
    assert parents(conn, child) == [(parent, "cancelled", None, None)]


def test_an_expired_parent_is_a_failure(conn):
    parent = enqueue(conn, expires=10)
    child = after(conn, parent)
    advance(conn, 20)
    assert claim(conn) == []
    assert states(conn)[child] == ("dead", f"parent {parent} failed: expired")


def test_a_worker_that_is_lost_for_the_last_time_is_a_failure(conn):
    parent = enqueue(conn, max_attempts=1)
    child = after(conn, parent)
    claim(conn, timeout_s=5)
    advance(conn, 10)
    assert claim(conn) == []
    assert states(conn)[child] == ("dead", f"parent {parent} failed: max attempts exceeded")


def test_a_chord_in_the_header_of_a_chord_fails(conn):
    """The outer body hears of it, whichever member of the inner header was first to fail."""
    inner = [enqueue(conn) for _ in range(3)]
    inner_body = after(conn, *inner)
    other = enqueue(conn)
    outer_body = after(conn, other, inner_body)
    finally_ = after(conn, outer_body, policy="run")
    kill(conn, inner[0])
    assert [state(conn, job) for job in (inner_body, outer_body)] == ["dead", "dead"]
    assert state(conn, finally_) == "pending"
    for job in (inner[1], inner[2], other):
        assert claimed_ids(conn) == [job]
        call(conn, "honker_ack", job, "w")
    finish(conn, finally_)


def test_a_chain_of_any_length_fails_and_lives_again(conn):
    conn.execute("BEGIN")
    jobs = [enqueue(conn)]
    for _ in range(3_000):
        jobs.append(after(conn, jobs[-1]))
    conn.execute("COMMIT")
    kill(conn, jobs[0])
    assert count(conn, "_honker_dead") == len(jobs)
    assert call(conn, "honker_requeue", jobs[0]) == 1
    assert rows(conn, "SELECT state, count(*) FROM _honker_live GROUP BY state ORDER BY 1") == [
        ("pending", 1),
        ("waiting", 3_000),
    ]
    finish(conn, jobs[0])
    assert state(conn, jobs[1]) == "pending"


def test_a_cancelled_child_takes_its_ties_away(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    call(conn, "honker_cancel", child)
    finish(conn, parent)
    assert count(conn, "_honker_dependencies") == count(conn, "_honker_outcomes") == 0


# -------------------------------------------------------------------------------------------------------------- requeue


def test_a_requeued_parent_revives_what_its_failure_cancelled(conn):
    parent, other = enqueue(conn), enqueue(conn)
    child = after(conn, parent, other)
    grandchild = after(conn, child)
    kill(conn, parent)
    finish(conn, other)
    assert call(conn, "honker_requeue", parent) == 1
    assert [state(conn, job) for job in (parent, child, grandchild)] == ["pending", "waiting", "waiting"]
    assert parents(conn, child) == [(parent, None, None, None), (other, "done", None, None)]
    for job in (parent, child, grandchild):
        finish(conn, job)
    assert count(conn, "_honker_dependencies") == count(conn, "_honker_outcomes") == 0


def test_a_child_of_two_dead_parents_lives_again_with_the_second_requeue(conn):
    first, second = enqueue(conn), enqueue(conn)
    child = after(conn, first, second)
    kill(conn, first)
    kill(conn, second)
    call(conn, "honker_requeue", first)
    assert state(conn, child) == "dead"
    finish(conn, first)
    call(conn, "honker_requeue", second)
    assert state(conn, child) == "waiting"
    finish(conn, second)
    finish(conn, child)


def test_a_parent_that_dies_again_cancels_again(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    kill(conn, parent)
    call(conn, "honker_requeue", parent)
    kill(conn, parent, "worse")
    assert states(conn)[child] == ("dead", f"parent {parent} failed: worse")


def test_a_requeued_child_runs_without_its_parent(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    grandchild = after(conn, child)
    kill(conn, parent)
    assert call(conn, "honker_requeue", child) == 1
    assert [state(conn, job) for job in (child, grandchild)] == ["pending", "waiting"]
    assert parents(conn, child) == [(parent, "dead", None, "broken")]
    call(conn, "honker_requeue", parent)
    assert state(conn, child) == "pending"
    assert sorted(claimed_ids(conn, n=9)) == [parent, child]
    call(conn, "honker_fail", parent, "w", "again")
    assert call(conn, "honker_ack", child, "w") == 1
    finish(conn, grandchild)


def test_a_child_that_died_by_itself_stays_dead_when_its_parent_is_requeued(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    kill(conn, parent)
    call(conn, "honker_requeue", child)
    kill(conn, child, "its own")
    call(conn, "honker_requeue", parent)
    assert states(conn)[child] == ("dead", "its own")


def test_a_child_whose_unique_key_is_taken_stays_dead(conn):
    """The requeue of its parent does not fail because of it."""
    parent = enqueue(conn)
    child = after(conn, parent, unique_key="u")
    kill(conn, parent)
    twin = call(conn, "honker_enqueue", "q", "{}", json.dumps({"unique_key": "u"}))
    assert call(conn, "honker_requeue", parent) == 1
    assert [state(conn, job) for job in (parent, child, twin)] == ["pending", "dead", "pending"]


def test_a_child_that_expired_stays_dead(conn):
    parent = enqueue(conn)
    child = after(conn, parent, expires=10)
    advance(conn, 20)
    assert call(conn, "honker_sweep_expired", "q") == 1
    kill(conn, parent)
    call(conn, "honker_requeue", parent)
    assert states(conn)[child] == ("dead", "expired")
    finish(conn, parent)
