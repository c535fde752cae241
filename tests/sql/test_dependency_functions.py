"""Dependencies: jobs that wait until other jobs have ended, and the power of a parent's end over its children."""

import json
import threading

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, dump, enqueue, refused, rows, value
from .jobs import count, live, put, states


def after(conn, *parents, queue="q", policy=None, **options):
    options |= {"after": list(parents)}
    if policy is not None:
        options |= {"on_parent_failure": policy}
    return call(conn, "honker_enqueue", queue, "{}", json.dumps(options))


def state(conn, job_id):
    return states(conn).get(job_id, (None, None))[0]


def error(conn, job_id):
    return states(conn)[job_id][1]


def finish(conn, job_id, result=None, queue="q"):
    """Run the job, which must be the next one, to success."""
    assert claimed_ids(conn, queue) == [job_id]
    if result is not None:
        call(conn, "honker_result_save", job_id, result, 60)
    assert call(conn, "honker_ack", job_id, "w") == 1


def kill(conn, job_id, reason="broken"):
    """Run the job, which must be the next one, to its death."""
    assert claimed_ids(conn) == [job_id]
    assert call(conn, "honker_fail", job_id, "w", reason) == 1


def parents(conn, job_id):
    return [tuple(parent.values()) for parent in call_json(conn, "honker_job_parents", job_id)]


@pytest.fixture(autouse=True)
def no_violations(conn, request):
    """Only tests that write to the tables of honker leave violations."""
    yield
    if "violation" not in request.node.name:
        assert call_json(conn, "honker_flow_violations", 100) == []


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


def test_a_child_that_expired_stays_dead(conn):
    parent = enqueue(conn)
    child = after(conn, parent, expires=10)
    advance(conn, 20)
    assert call(conn, "honker_sweep_expired", "q") == 1
    kill(conn, parent)
    call(conn, "honker_requeue", parent)
    assert states(conn)[child] == ("dead", "expired")
    finish(conn, parent)


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
