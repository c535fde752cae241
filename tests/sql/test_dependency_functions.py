"""Dependencies: jobs that wait until other jobs have ended."""

import json

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, dump, enqueue, refused
from .dependents import after, error, finish, kill, no_violations, parents, state  # noqa: F401 - a fixture for all
from .jobs import count, live, states

# -------------------------------------------------------------------------------------------------------------- success


def test_a_job_waits_until_its_last_parent_has_succeeded(conn):
    first, second = enqueue(conn), enqueue(conn)
    child = after(conn, first, second)
    assert state(conn, child) == "waiting"
    finish(conn, first)
    assert state(conn, child) == "waiting"
    assert live(conn, "waiting_for", child) == 1
    finish(conn, second)
    assert state(conn, child) == "pending"
    finish(conn, child)


def test_an_empty_list_of_parents_is_no_dependency(conn):
    child = after(conn)
    assert state(conn, child) == "pending"
    assert parents(conn, child) == []


def test_a_parent_that_is_named_twice_counts_once(conn):
    parent = enqueue(conn)
    child = after(conn, parent, parent)
    finish(conn, parent)
    assert state(conn, child) == "pending"


def test_a_failed_attempt_of_a_parent_settles_nothing(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    claim(conn)
    assert call(conn, "honker_retry", parent, "w", 0, "again") == 1
    assert state(conn, child) == "waiting"
    finish(conn, parent)
    assert state(conn, child) == "pending"


def test_parents_are_told_in_declared_order_with_their_results(conn):
    first, second, third = (enqueue(conn) for _ in range(3))
    child = after(conn, third, first, second)
    finish(conn, first, '"one"')
    finish(conn, second)
    assert parents(conn, child) == [
        (third, None, None, None),
        (first, "done", '"one"', None),
        (second, "done", None, None),
    ]


def test_a_result_outlives_its_time_while_a_child_needs_it(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    finish(conn, parent, "1")
    advance(conn, 3600)
    call(conn, "honker_result_sweep")
    assert call(conn, "honker_result_get", parent) is None
    assert parents(conn, child) == [(parent, "done", "1", None)]


def test_a_result_that_is_saved_after_the_ack_is_told(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    finish(conn, parent)
    call(conn, "honker_result_save", parent, "1", 60)
    assert parents(conn, child) == [(parent, "done", "1", None)]


def test_the_round_of_a_worker_keeps_the_result_and_claims_the_child(conn):
    parent = enqueue(conn)
    child = after(conn, parent)
    claim(conn)
    settled = json.dumps([{"id": parent, "attempt": 1, "do": "ack", "result": "7", "result_ttl_s": 60}])
    done = call_json(conn, "honker_work", "q", "w", 5, 60, settled)
    assert [job["id"] for job in done["jobs"]] == [child]
    assert done["jobs"][0]["has_parents"]
    assert parents(conn, child) == [(parent, "done", "7", None)]


def test_nothing_is_left_when_the_last_child_has_ended(conn):
    parent = enqueue(conn)
    first, second = after(conn, parent), after(conn, parent)
    finish(conn, parent, "1")
    finish(conn, first)
    assert parents(conn, first) == []
    assert parents(conn, second) == [(parent, "done", "1", None)]
    finish(conn, second)
    assert count(conn, "_honker_dependencies") == count(conn, "_honker_outcomes") == 0


def test_a_child_keeps_its_own_time(conn):
    parent = enqueue(conn)
    child = call(conn, "honker_enqueue", "q", "{}", json.dumps({"after": [parent], "delay": 1000, "key": "k"}))
    call(conn, "honker_queue_configure", "q", json.dumps({"concurrency_per_key": 1}))
    finish(conn, parent)
    assert state(conn, child) == "pending"
    assert claim(conn) == []


def test_a_ready_child_enters_the_line_of_its_key(conn):
    call(conn, "honker_queue_configure", "q", json.dumps({"concurrency_per_key": 1}))
    parent = enqueue(conn)
    holder = call(conn, "honker_enqueue", "other", "{}", json.dumps({"key": "k"}))
    child = after(conn, parent, key="k")
    second = after(conn, parent, key="k")
    finish(conn, parent)
    assert sorted([state(conn, child), state(conn, second)]) == ["blocked", "pending"]
    finish(conn, child)
    finish(conn, second)
    assert state(conn, holder) == "pending"


def test_parents_may_be_of_other_queues(conn):
    parent = enqueue(conn, "other")
    child = after(conn, parent)
    finish(conn, parent, queue="other")
    assert claimed_ids(conn) == [child]


def test_a_diamond_runs_in_order(conn):
    top = enqueue(conn)
    left, right = after(conn, top), after(conn, top)
    bottom = after(conn, left, right)
    finish(conn, top)
    assert claimed_ids(conn, n=9) == [left, right]
    assert call(conn, "honker_ack_batch", json.dumps([left, right]), "w") == 2
    finish(conn, bottom)


def test_many_parents_cost_one_step_each(conn):
    """The virtual machine of SQLite counts: an ack does not look at the other parents."""

    def steps(members):
        ids = call_json(conn, "honker_enqueue_many", "q", json.dumps([0] * members), None, None, 0, 3, None)
        child = after(conn, *ids)
        claim(conn, n=members)
        call(conn, "honker_ack", ids[0], "w")
        ticks = 0

        def tick():
            nonlocal ticks
            ticks += 1

        conn.set_progress_handler(tick, 1)
        assert call(conn, "honker_ack", ids[1], "w") == 1
        conn.set_progress_handler(None, 0)
        call(conn, "honker_ack_batch", json.dumps(ids[2:]), "w")
        finish(conn, child)
        return ticks

    few = steps(10)
    assert few > 10
    assert steps(5_000) <= few * 1.2


# ----------------------------------------------------------------------------------------- parents that ended before


def test_a_parent_that_has_succeeded_counts_by_its_result(conn):
    parent = enqueue(conn)
    finish(conn, parent, "1")
    child = after(conn, parent)
    assert state(conn, child) == "pending"
    assert parents(conn, child) == [(parent, "done", "1", None)]
    advance(conn, 3600)
    assert parents(conn, child) == [(parent, "done", "1", None)]


def test_a_parent_that_has_ended_counts_while_another_child_remembers_it(conn):
    parent = enqueue(conn)
    after(conn, parent)
    finish(conn, parent)
    assert state(conn, after(conn, parent)) == "pending"


@pytest.mark.parametrize(("policy", "expected"), [(None, "dead"), ("run", "pending"), ("wait", "waiting")])
def test_a_parent_that_is_dead_counts_by_the_policy(conn, policy, expected):
    parent = enqueue(conn)
    kill(conn, parent)
    child = after(conn, parent, policy=policy)
    assert state(conn, child) == expected
    assert call(conn, "honker_requeue", parent) == 1
    assert state(conn, child) == ("pending" if policy == "run" else "waiting")
    assert parent in claimed_ids(conn, n=9)
    call(conn, "honker_ack", parent, "w")
    assert state(conn, child) in {"pending", "processing"}


def test_a_parent_that_was_cancelled_counts_as_a_failure(conn):
    parent = enqueue(conn)
    call(conn, "honker_cancel", parent)
    child = after(conn, parent)
    assert states(conn)[child] == ("dead", f"parent {parent} was cancelled")
    assert parents(conn, child) == [(parent, "cancelled", None, None)]


@pytest.mark.parametrize("job_id", [99, 0, -1])
def test_a_parent_that_never_existed_is_refused(conn, job_id):
    enqueue(conn)
    call(conn, "honker_result_save", job_id, "1", 60)
    before = dump(conn)
    with refused("HONKER_UNKNOWN_PARENT", f"job {job_id},"):
        after(conn, 1, job_id)
    assert dump(conn) == before


def test_a_parent_that_ended_without_a_trace_is_refused(conn):
    parent = enqueue(conn)
    finish(conn, parent)
    with refused("HONKER_UNKNOWN_PARENT", str(parent)):
        after(conn, parent)
