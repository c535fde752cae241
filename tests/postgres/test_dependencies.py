"""Dependencies while parents end, and children are added and end, in several sessions at once."""

import json

import psycopg
import pytest

from .waiting_sessions import open_sessions


@pytest.fixture
def sessions(url):
    with open_sessions(url, 3) as opened:
        yield opened


def add(session, *parents, queue="parents", **options):
    if parents:
        options["after"] = list(parents)
    return session.one("SELECT honker_enqueue(%s, '{}', %s)", queue, json.dumps(options))


def add_child(session, *parents, **options):
    return add(session, *parents, queue="children", **options)


def claim(session, queue="parents"):
    return [job["id"] for job in session.json("SELECT honker_claim_batch(%s, 'w', 10, 60)", queue)]


def state(session, job):
    return session.one("SELECT state FROM live WHERE id = %s", job) or session.one(
        "SELECT 'dead: ' || last_error FROM dead WHERE id = %s", job
    )


def violations(session):
    return session.json("SELECT honker_flow_violations(10)")


ACK = "SELECT honker_ack(%s, 'w')"


def test_a_child_becomes_pending_once_when_two_parents_end_at_once(sessions):
    first, second, third = sessions
    parents = [add(first), add(first)]
    child = add_child(first, *parents)
    claim(first)
    first.one("BEGIN")
    assert first.one(ACK, parents[0]) == 1
    ack = second.begin(ACK, parents[1])
    assert state(third, child) == "waiting"
    first.one("COMMIT")
    assert ack.result() == 1
    assert state(third, child) == "pending"
    assert claim(third, "children") == [child]
    assert violations(third) == []


def test_a_child_goes_on_waiting_when_the_end_of_its_parent_is_rolled_back(sessions):
    first, second, third = sessions
    parents = [add(first), add(first)]
    child = add_child(first, *parents)
    claim(first)
    first.one("BEGIN")
    first.one(ACK, parents[0])
    ack = second.begin(ACK, parents[1])
    first.one("ROLLBACK")
    assert ack.result() == 1
    assert state(third, child) == "waiting"
    assert first.one(ACK, parents[0]) == 1
    assert state(third, child) == "pending"
    assert violations(third) == []


def test_a_killed_session_leaves_parent_and_child_as_they_were(sessions):
    first, second, third = sessions
    parents = [add(first), add(first)]
    child = add_child(first, *parents)
    claim(first)
    first.one("BEGIN")
    first.one(ACK, parents[0])
    ack = second.begin(ACK, parents[1])
    first.kill()
    assert ack.result() == 1
    assert state(third, parents[0]) == "processing"
    assert state(third, child) == "waiting"
    assert third.one(ACK, parents[0]) == 1
    assert state(third, child) == "pending"


def test_a_parent_that_ends_while_its_child_is_added_waits_for_the_child(sessions):
    first, second, third = sessions
    parent = add(first)
    claim(first)
    first.one("BEGIN")
    child = add_child(first, parent)
    ack = second.begin(ACK, parent)
    first.one("COMMIT")
    assert ack.result() == 1
    assert state(third, child) == "pending"
    assert violations(third) == []


def test_a_child_that_is_added_while_its_parent_ends_waits_for_the_end(sessions):
    first, second, third = sessions
    parent = add(first)
    other = add_child(first, parent)
    claim(first)
    first.one("BEGIN")
    first.one("SELECT honker_result_save(%s, '42', 60)", parent)
    assert first.one(ACK, parent) == 1
    adding = second.begin("SELECT honker_enqueue('children', '{}', %s)", json.dumps({"after": [parent]}))
    first.one("COMMIT")
    child = adding.result()
    assert (state(third, other), state(third, child)) == ("pending", "pending")
    assert third.json("SELECT honker_job_parents(%s)", child)[0]["result"] == "42"
    assert violations(third) == []


def test_a_child_of_a_parent_that_ended_without_a_trace_is_refused(sessions):
    first, second, third = sessions
    parent = add(first)
    claim(first)
    first.one("BEGIN")
    first.one(ACK, parent)
    adding = second.begin("SELECT honker_enqueue('children', '{}', %s)", json.dumps({"after": [parent]}))
    first.one("COMMIT")
    with pytest.raises(psycopg.Error, match="HONKER_UNKNOWN_PARENT"):
        adding.result()
    assert third.one("SELECT count(*) FROM dependencies") == 0


FAIL = "SELECT honker_fail(%s, 'w', 'broken')"
CANCEL = "SELECT honker_cancel(%s)"
ENDS = [
    (FAIL, "cancel", "dead: parent 1 failed: broken"),
    (FAIL, "run", "pending"),
    (FAIL, "wait", "waiting"),
    (CANCEL, "cancel", "dead: parent 1 was cancelled"),
    (CANCEL, "run", "pending"),
    (CANCEL, "wait", "dead: parent 1 was cancelled"),
]


@pytest.mark.parametrize(("end", "policy", "expected"), ENDS)
def test_the_failure_of_a_parent_does_to_its_child_as_the_policy_says(sessions, end, policy, expected):
    session = sessions[0]
    parent = add(session)
    child = add_child(session, parent, on_parent_failure=policy)
    claim(session)
    assert session.one(end, parent) == 1
    assert state(session, child) == expected
    assert violations(session) == []


@pytest.mark.parametrize(("end", "policy", "expected"), ENDS)
def test_a_failed_parent_does_the_same_to_a_child_that_is_added_while_it_fails(sessions, end, policy, expected):
    first, second, third = sessions
    parent = add(first)
    claim(first)
    first.one("BEGIN")
    assert first.one(end, parent) == 1
    options = {"after": [parent], "on_parent_failure": policy}
    adding = second.begin("SELECT honker_enqueue('children', '{}', %s)", json.dumps(options))
    first.one("COMMIT")
    assert state(third, adding.result()) == expected
    assert violations(third) == []


def test_two_dead_parents_that_are_requeued_at_once_bring_their_child_back(sessions):
    first, second, third = sessions
    parents = [add(first), add(first)]
    child = add_child(first, *parents)
    claim(first)
    for parent in parents:
        first.one(FAIL, parent)
    assert state(third, child) == "dead: parent 1 failed: broken"
    first.one("BEGIN")
    assert first.one("SELECT honker_requeue(%s)", parents[0]) == 1
    requeue = second.begin("SELECT honker_requeue(%s)", parents[1])
    first.one("COMMIT")
    assert requeue.result() == 1
    assert state(third, child) == "waiting"
    claim(third)
    for parent in parents:
        third.one(ACK, parent)
    assert state(third, child) == "pending"
    assert violations(third) == []


def test_a_child_that_is_cancelled_while_its_parent_ends_does_not_run(sessions):
    first, second, third = sessions
    parent = add(first)
    child = add_child(first, parent)
    claim(first)
    first.one("BEGIN")
    assert first.one(CANCEL, child) == 1
    ack = second.begin(ACK, parent)
    first.one("COMMIT")
    assert ack.result() == 1
    assert state(third, child) is None
    assert violations(third) == []
    assert third.one("SELECT count(*) FROM dependencies") == 0


def test_a_failure_spreads_through_a_chain_longer_than_the_stack(sessions):
    session = sessions[0]
    last = first = add(session)
    for _ in range(400):
        last = add_child(session, last)
    claim(session)
    session.one(FAIL, first)
    assert state(session, last).startswith(f"dead: parent {last - 1} failed: parent {last - 2} failed: ")
    assert session.one("SELECT count(*) FROM live") == 0
    assert session.one("SELECT honker_requeue(%s)", first) == 1
    assert session.one("SELECT count(*) FROM live WHERE state = 'waiting'") == 400
    assert violations(session) == []


def test_the_end_of_a_parent_that_two_last_children_leave_behind_is_pruned(sessions):
    first, second, third = sessions
    parent = add(first)
    children = [add_child(first, parent), add_child(first, parent)]
    claim(first)
    first.one(ACK, parent)
    claim(first, "children")
    first.one("BEGIN")
    first.one(ACK, children[0])
    assert second.one(ACK, children[1]) == 1, "the children do not wait for each other"
    first.one("COMMIT")
    assert third.one("SELECT count(*) FROM dependencies") == 0
    third.one("SELECT honker._prune_edges(1, 100)")
    assert third.one("SELECT count(*) FROM outcomes") == 0


def test_batches_that_end_parents_of_the_same_children_in_two_orders_do_not_end_in_a_deadlock(sessions):
    first, second, third = sessions
    parents = [add(first) for _ in range(4)]
    children = [add_child(first, parents[0], parents[3]), add_child(first, parents[1], parents[2])]
    claim(first)
    third.one("BEGIN")
    third.one("SELECT id FROM live WHERE id = %s FOR UPDATE", children[0])
    acks = [
        session.begin("SELECT honker_ack_batch(%s, 'w')", json.dumps(batch))
        for session, batch in [(first, parents[:2]), (second, parents[2:])]
    ]
    third.one("COMMIT")
    assert [ack.result() for ack in acks] == [2, 2]
    assert [state(third, child) for child in children] == ["pending", "pending"]


def test_the_key_of_a_child_is_locked_before_its_parent(sessions):
    first, second, third = sessions
    first.one("SELECT honker_queue_configure('children', %s)", '{"concurrency_per_key": 1}')
    parent = add(first)
    child = add_child(first, parent, key="k")
    claim(first)
    third.one("BEGIN")
    third.one("SELECT id FROM live WHERE id = %s FOR UPDATE", child)
    second.one("BEGIN")
    between = add_child(second, key="k")
    ack = first.begin(ACK, parent)
    options = {"after": [parent], "key": "k"}
    adding = second.start("SELECT honker_enqueue('children', '{}', %s)", json.dumps(options))
    third.one("COMMIT")
    late = adding.result()
    second.one("COMMIT")
    assert ack.result() == 1
    # A claim that parks jobs behind the first of their key may find nothing itself.
    assert (claim(third, "children") or claim(third, "children")) == [child]
    assert {state(third, job) for job in (between, late)} == {"blocked"}
