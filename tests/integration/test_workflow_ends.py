"""The ends of workflows: failures, callbacks, cancellation."""

import asyncio

import honker
import pytest
from honker import chain, chord, group

from ..support.workers import dead, run_until, working
from ..support.workflows import call_of, every_shape, finished, jobs, rolled_back, value  # noqa: F401 - a fixture among them

# ------------------------------------------------------------------------------------------------------------ failures


def test_a_failed_parent_cancels_what_waits_for_it(db, path, tasks):
    result = chain(tasks.fail.s(), tasks.one.s(), tasks.one.s()).enqueue()
    assert finished(db, result) == {"0": "dead", "1": "dead", "2": "dead"}
    assert tasks.done == []
    with pytest.raises(honker.JobFailedError, match=f"job {result.ids['2']} failed: parent {result.ids['1']} failed"):
        result.get(5)


def test_a_chord_in_the_header_of_a_chord_fails_both(db, tasks):
    inner = chord([tasks.fail.s(), tasks.one.s(1)], tasks.total.s())
    result = chord([inner, tasks.one.s(2)], tasks.total.s()).enqueue()
    states = finished(db, result)
    assert {name for name, state in states.items() if state == "dead"} == {"0.0.0.0", "0.0.1", "1"}
    assert sorted(tasks.done) == [1, 2]


def test_a_child_that_runs_after_failures_takes_outcomes(db, tasks):
    body = tasks.one.s().options(on_parent_failure="run")
    result = chord([tasks.fail.s(), tasks.one.s(2)], body).enqueue()
    failed, fine = value(db, result)
    assert fine == {"job_id": result.ids["0.1"], "state": "done", "result": 2, "error": None}
    assert (failed["job_id"], failed["state"], failed["result"]) == (result.ids["0.0"], "dead", None)
    assert failed["error"].startswith("broken")


def test_the_policy_of_a_step_is_that_of_its_first_jobs(db, tasks):
    result = (
        db.workflow()
        .add("a", tasks.fail.s())
        .add("b", chain(tasks.one.s(), tasks.one.s()), after="a", on_parent_failure="run")
        .enqueue()
    )
    outcome = value(db, result)["b"]
    assert (outcome["job_id"], outcome["state"]) == (result.ids["a"], "dead")


def test_a_requeued_parent_brings_back_what_its_failure_cancelled(db, queue, tasks):
    runs = []

    @queue.task(name="flaky", retries=1)
    def flaky():
        runs.append(1)
        return 1 // (len(runs) - 1)

    result = chain(flaky.s(), tasks.add.s(1)).enqueue()
    assert set(finished(db, result).values()) == {"dead"}
    assert queue.requeue(result.ids["0"])
    assert result.states() == {"0": "pending", "1": "waiting"}
    assert value(db, result) == 2


def test_a_child_that_was_requeued_without_its_parent_says_what_it_lacks(db, path, queue, tasks):
    result = chain(tasks.fail.s(), tasks.one.s()).enqueue()
    finished(db, result)
    assert queue.requeue(result.ids["1"])
    run_until(db, lambda: len(dead(path)) == 2)
    errors = [error for _, error in dead(path)]
    assert f"parent {result.ids['0']} has no result, since it is dead; requeue the parent" in errors


# ----------------------------------------------------------------------------------------------------------- callbacks


def with_callbacks(workflow, tasks):
    calls = {"on_success": [], "on_failure": [], "on_finish": []}
    for event, seen in calls.items():
        task = tasks.one._queue.task(name=event)(seen.append)
        getattr(workflow, event)(task.s())
    return calls


def test_the_callbacks_of_a_success(db, tasks):
    workflow = db.workflow().add("a", tasks.one.s(1)).add("b", group(tasks.one.s(2), tasks.one.s(3)), after=())
    calls = with_callbacks(workflow, tasks)
    result = workflow.enqueue()
    assert set(finished(db, result).values()) == {"done"}
    assert calls["on_success"] == [{"a": 1, "b": [2, 3]}]
    assert calls["on_failure"] == []
    (outcomes,) = calls["on_finish"]
    assert {name: (each["state"], each["result"]) for name, each in outcomes.items()} == {
        "a": ("done", 1), "b.0": ("done", 2), "b.1": ("done", 3),
    }  # fmt: skip


def test_the_callbacks_of_a_failure(db, tasks):
    workflow = (
        db.workflow().add("c", tasks.one.s(), after="b").add("b", tasks.fail.s(), after="a").add("a", tasks.one.s(1))
    )
    calls = with_callbacks(workflow, tasks)
    result = workflow.enqueue()
    with pytest.raises(honker.JobFailedError, match=r"failed: parent \d failed"):
        value(db, result["on_success"])
    assert finished(db, result) == {
        "a": "done", "b": "dead", "c": "dead", "on_success": "dead", "on_failure": "done", "on_finish": "done",
    }  # fmt: skip
    assert calls["on_success"] == []
    (failure,) = calls["on_failure"]
    assert (failure["name"], failure["job_id"]) == ("b", result.ids["b"])
    assert failure["error"].startswith("broken")
    (outcomes,) = calls["on_finish"]
    assert {name: each["state"] for name, each in outcomes.items()} == {"a": "done", "b": "dead", "c": "dead"}


def test_a_workflow_whose_inner_job_failed_is_no_success(db, tasks):
    handled = chain(tasks.fail.s(), tasks.one.si(1).options(on_parent_failure="run"))
    workflow = db.workflow().add("a", handled)
    calls = with_callbacks(workflow, tasks)
    result = workflow.enqueue()
    assert finished(db, result)["on_success"] == "dead"
    assert result["a.1"].get(5) == 1
    assert calls["on_success"] == []
    assert [failure["name"] for failure in calls["on_failure"]] == ["a.0"]


def test_an_immutable_callback_takes_nothing(db, tasks):
    finished(db, db.workflow().add("a", tasks.one.s(1)).on_failure(tasks.nothing.si()).enqueue())
    assert tasks.done == [1]
    finished(db, db.workflow().add("a", tasks.fail.s()).on_failure(tasks.nothing.si()).enqueue())
    assert tasks.done == [1, "nothing"]


# ---------------------------------------------------------------------------------------------------- cancel and states


def test_a_cancelled_workflow_ends_and_tells_its_callbacks(db, tasks):
    workflow = db.workflow().add("a", tasks.one.s(1)).add("b", tasks.one.s(), after="a")
    calls = with_callbacks(workflow, tasks)
    result = workflow.enqueue()
    assert result.cancel() == {"on_success": "cancelled", "b": "cancelled", "a": "cancelled"}
    states = finished(db, result)
    assert (states["a"], states["b"], states["on_success"]) == ("cancelled",) * 3
    assert tasks.done == calls["on_success"] == calls["on_failure"] == []
    assert {name: each["state"] for name, each in calls["on_finish"][0].items()} == {"a": "cancelled", "b": "cancelled"}
    assert set(result.cancel().values()) == {"gone"}


def test_a_job_that_runs_is_asked_to_end_when_its_workflow_is_cancelled(db, queue, tasks):
    started = asyncio.Event()

    @queue.task(name="endless")
    async def endless():
        started.set()
        await asyncio.Event().wait()

    result = chain(endless.s(), tasks.one.s()).enqueue()

    async def main():
        async with working(db):
            await asyncio.wait_for(started.wait(), 10)
            assert await result.acancel() == {"1": "cancelled", "0": "requested"}
            return await result.ajoin(15)

    assert asyncio.run(main()) == {"0": "cancelled", "1": "cancelled"}
    assert tasks.done == []


def test_a_cancellation_belongs_to_its_transaction(db, tasks):
    result = chain(tasks.one.s(1), tasks.one.s()).enqueue()
    assert set(rolled_back(db, result.cancel).values()) == {"cancelled"}
    assert result.states() == {"0": "pending", "1": "waiting"}


def test_waits_for_a_workflow_have_a_timeout(db, tasks):
    result = chain(tasks.one.s(1), tasks.one.s()).enqueue()
    with pytest.raises(TimeoutError, match="has no result after"):
        result.get(0.05)
    with pytest.raises(TimeoutError, match="the workflow has not ended after"):
        result.join(0.05)


@pytest.mark.sqlite_only("watches the calls of the connection that writes")
def test_a_chord_of_many_jobs_is_added_in_few_calls(db, path, tasks, monkeypatch):
    calls = []
    call = db.engine.call
    monkeypatch.setattr(db.engine, "call", lambda *args, **options: calls.append(args) or call(*args, **options))
    result = chord([tasks.one.s(n) for n in range(10_001)], tasks.total.s()).enqueue()
    assert len(calls) == 3
    assert jobs(path) == 10_002
    assert call_of(db, result.ids["1"])["parents"] == {"give": "results", "args": [10_001]}
    assert list(result.ids.values()) == list(range(1, 10_003))


def test_a_result_that_is_no_json_makes_a_dead_letter_of_the_child(db, path, queue, tasks):
    result = chain(tasks.one.s(1), tasks.one.s()).enqueue()
    job = queue.claim_one("w")
    with db.transaction() as tx:
        queue.save_result(job.id, 1, tx=tx)
        tx.execute("UPDATE _honker_results SET value = 'not json'")
    assert job.ack()
    run_until(db, lambda: dead(path))
    assert dead(path)[0][1].startswith("the result of a parent is not JSON")
    assert result.states() == {"0": "done", "1": "dead"}
