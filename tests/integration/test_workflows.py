"""Workflows: chains, groups, chords and graphs of tasks, their refusals, and their results and ends in workers."""

import asyncio
import contextlib
import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import honker
import pytest
from honker import chain, chord, group
from honker.task.message import read_envelope
from honker.task.parents import FromParents

from ..support.locking import ask
from ..support.workers import dead, run_until, working


@pytest.fixture
def tasks(queue):
    """Tasks of every shape; `done` lists the calls that ran, in order."""
    done = []

    @queue.task(name="one")
    def one(value):
        done.append(value)
        return value

    @queue.task(name="add")
    async def add(*numbers):
        done.append(numbers)
        return sum(numbers)

    @queue.task(name="total")
    def total(numbers, extra=0):
        done.append(numbers)
        return sum(numbers) + extra

    @queue.task(name="fail", retries=1)
    def fail(*args):
        raise ValueError("broken")

    @queue.task(name="nothing")
    def nothing():
        done.append("nothing")

    return SimpleNamespace(done=done, one=one, add=add, total=total, fail=fail, nothing=nothing)


def finished(db, result):
    """Run workers until every job of the workflow has ended, and return the states."""

    async def main():
        async with working(db):
            return await result.ajoin(15)

    return asyncio.run(main())


def value(db, result):
    """Run workers until the value of the workflow is there, and return it."""

    async def main():
        async with working(db):
            return await result.aget(15)

    return asyncio.run(main())


def rolled_back(db, work):
    """The return value of `work` in a transaction that does not commit."""
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        done = work(tx=tx)
        _ = 1 / 0
    return done


def jobs(path):
    return ask(path, "SELECT count(*) FROM _honker_live")[0][0]


def call_of(db, job_id):
    return json.loads(db.get_job(job_id).payload)["__honker_task__"]


# -------------------------------------------------------------------------------------------------------------- values


def test_a_chain_passes_each_result_to_the_next_call(db, tasks):
    assert value(db, chain(tasks.one.s(1), tasks.add.s(2), tasks.add.s(3, 4)).enqueue()) == 10
    assert tasks.done == [1, (1, 2), (3, 3, 4)]


def test_an_immutable_call_takes_no_result(db, tasks):
    assert value(db, chain(tasks.one.s(1), tasks.nothing.si(), tasks.one.si(2)).enqueue()) == 2
    assert tasks.done == [1, "nothing", 2]


def test_a_chord_passes_the_results_in_the_order_of_its_header(db, queue):
    order = []

    @queue.task(name="late")
    async def late(number):
        while number == 0 and len(order) < 2:
            await asyncio.sleep(0.001)
        order.append(number)
        return number

    @queue.task(name="body")
    def body(numbers):
        return numbers

    assert value(db, chord([late.s(0), late.s(1), late.s(2)], body.s()).enqueue()) == [0, 1, 2]
    assert order[-1] == 0


def test_a_chord_with_an_empty_header_runs_its_body_with_an_empty_list(db, tasks):
    assert value(db, chord([], tasks.total.s(5)).enqueue()) == 5
    assert tasks.done == [[]]


def test_the_step_after_an_empty_group_waits_for_the_step_before_it(db, tasks):
    result = chain(tasks.one.s(1), group([]), tasks.total.s()).enqueue()
    assert result.states() == {"0": "pending", "2": "waiting"}
    assert value(db, result) == 0
    assert tasks.done == [1, []]


def test_a_group_of_empty_groups_waits_for_the_step_before_it(db, tasks):
    result = chain(tasks.one.s(1), group(group([]), group([])), tasks.one.s()).enqueue()
    assert result.states() == {"0": "pending", "2": "waiting"}
    assert value(db, result) == [[], []]


def test_a_group_has_the_list_of_its_results(db, tasks):
    assert value(db, group(tasks.one.s(n) for n in range(3)).enqueue()) == [0, 1, 2]


def test_each_step_of_a_group_takes_the_result_of_the_step_before_it(db, tasks):
    assert value(db, chain(tasks.one.s(1), group(tasks.add.s(10), tasks.add.s(20))).enqueue()) == [11, 21]


def test_steps_nest(db, tasks):
    inner = chord([tasks.one.s(1), chain(tasks.one.s(2), tasks.add.s(3))], tasks.total.s())
    outer = chord([inner, tasks.one.s(10), group(tasks.one.s(7), tasks.one.s(8))], tasks.one.s())
    assert value(db, outer.enqueue()) == [6, 10, [7, 8]]


def test_a_step_of_a_graph_takes_one_argument_for_each_step_before_it(db, tasks):
    workflow = (
        db.workflow("graph")
        .add("last", tasks.one.s(), after=["joined"])
        .add("joined", tasks.add.s(100), after=["b", "a"])
        .add("a", tasks.one.s(1))
        .add("b", tasks.one.s(2))
    )
    result = workflow.enqueue()
    assert set(result.ids) == {"a", "b", "joined", "last"}
    assert value(db, result) == {"last": 103}
    assert (2, 1, 100) in tasks.done
    assert result["joined"].get(1) == 103


def test_a_group_in_a_graph_is_one_argument(db, tasks):
    result = (
        db.workflow()
        .add("parts", group(tasks.one.s(1), tasks.one.s(2)))
        .add("sum", tasks.total.s(3), after="parts")
        .enqueue()
    )
    assert list(result.ids) == ["parts.0", "parts.1", "sum"]
    assert value(db, result) == {"sum": 6}


def test_the_job_and_the_transaction_of_a_child_come_before_its_results(db, queue, tasks):
    @queue.task(name="writes")
    def writes(job: honker.Job, tx: honker.Transaction, number, more):
        tx.execute("CREATE TABLE written (job_id, number)")
        tx.execute("INSERT INTO written VALUES (?, ?)", (job.id, number + more))
        return number

    result = chain(tasks.one.s(1), writes.s(2)).enqueue()
    assert value(db, result) == 1
    assert [tuple(row.values()) for row in db.query("SELECT * FROM written")] == [(result.ids["1"], 3)]


def test_a_child_whose_parent_keeps_no_result_takes_its_result(db, queue, tasks):
    @queue.task(name="unkept", store_result=False)
    def unkept():
        return 41

    assert value(db, chain(unkept.s(), tasks.add.s(1)).enqueue()) == 42


def test_a_child_in_another_process_takes_results_and_outcomes(db, queue, tasks, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    process_handlers = importlib.import_module("process_handlers")
    add = queue.task(name="add_elsewhere", executor="process")(process_handlers.add)
    assert value(db, chain(tasks.one.s(1), add.s(2)).enqueue()) == 3
    joined = add.s([1]).options(on_parent_failure="run")
    outcomes = value(db, chord([tasks.fail.s(), tasks.one.s(2)], joined).enqueue())
    assert [outcome if outcome == 1 else outcome["state"] for outcome in outcomes] == ["dead", "done", 1]


def test_large_results_reach_the_child(db, tasks):
    texts = [f"{n}" * 40_000 for n in range(4)]
    assert value(db, chord([tasks.one.s(text) for text in texts], tasks.one.s()).enqueue()) == texts


def test_a_map_enqueues_a_call_for_each_value(db, tasks):
    results = tasks.one.map(range(5), priority=3)
    assert [db.get_job(result.id).priority for result in results] == [3] * 5
    run_until(db, lambda: len(tasks.done) == 5)
    assert [result.get(5) for result in results] == [0, 1, 2, 3, 4]
    assert tasks.one.map([]) == []


def test_the_asynchronous_twins_do_the_same(db, tasks):
    async def main():
        async with working(db):
            results = await tasks.one.amap([1, 2])
            assert [await each.aget(5) for each in results] == [1, 2]
            assert await (await tasks.one.s(3).aenqueue()).aget(5) == 3
            assert await (await chain(tasks.one.s(4)).aenqueue()).aget(5) == 4
            result = await db.workflow().add("a", tasks.one.s(5)).aenqueue()
            assert await result.aget(5) == {"a": 5}
            assert await result.ajoin(5) == await result.astates() == {"a": "done"}
            assert await result.acancel() == {"a": "gone"}

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------------------ messages


def test_a_call_that_takes_nothing_from_parents_has_the_message_of_the_reference(db, tasks):
    result = chain(tasks.one.s(1), tasks.one.si(2)).enqueue()
    assert call_of(db, result.ids["1"]) == {"task": "one", "args": [2], "kwargs": {}}


def test_the_message_of_a_child_tells_the_shape_of_its_arguments(db, tasks):
    result = chord([tasks.one.s(1), group(tasks.one.s(2), tasks.one.s(3))], tasks.total.s(4)).enqueue()
    assert call_of(db, result.ids["1"]) == {
        "task": "total", "args": [4], "kwargs": {}, "parents": {"give": "results", "args": [[None, 2]]},
    }  # fmt: skip


@pytest.mark.parametrize(
    "parents",
    [
        1,
        [],
        {"give": "results"},
        {"give": "all", "args": []},
        {"give": "results", "args": ["x"]},
        {"give": "results", "args": [-1]},
        {"give": "results", "args": [True]},
        {"give": "results", "args": [10**9]},
        {"give": "results", "args": [[1.5]]},
        {"give": "results", "args": [], "if": "dead"},
        {"give": ["results"], "args": []},
    ],
)
def test_a_message_with_an_unknown_instruction_is_no_call(parents):
    call = {"task": "t", "args": [], "kwargs": {}, "parents": parents}
    assert read_envelope({"__honker_task__": call}) is None


def test_an_instruction_is_read_as_it_was_written():
    taken = FromParents("failure", [{"a": None, "b": [1, None]}], only_if_failed=True)
    assert FromParents.read(json.loads(json.dumps(taken.as_json()))) == taken


def test_a_message_that_takes_more_than_there_are_parents_is_dead_lettered(db, path, queue, tasks):
    call = {"task": "one", "args": [], "kwargs": {}, "parents": {"give": "results", "args": [2]}}
    queue.enqueue({"__honker_task__": call})
    run_until(db, lambda: dead(path))
    assert dead(path)[0][1] == "the call takes the outcomes of 2 parents, and 0 are known"


# ------------------------------------------------------------------------------------------------------------ refusals


def refuses(build, error, text):
    with pytest.raises(error, match=text):
        build()


def test_unknown_names_and_circles_are_refused_before_anything_is_written(db, path, tasks):
    unknown = db.workflow().add("a", tasks.one.s(1)).add("b", tasks.one.s(), after=["a", "c"])
    refuses(
        unknown.enqueue, honker.InvalidArgumentError, "after of 'b' names 'c', which is no step; the steps are 'a', 'b'"
    )
    circle = db.workflow().add("a", tasks.one.s(), after="c").add("b", tasks.one.s(), after="a")
    circle.add("c", tasks.one.s(), after="b")
    refuses(circle.enqueue, honker.InvalidArgumentError, "in a circle: . -> . -> . -> .; remove one")
    itself = db.workflow().add("a", tasks.one.s(), after="a")
    refuses(itself.enqueue, honker.InvalidArgumentError, "in a circle: a -> a")
    assert jobs(path) == 0


def test_arguments_that_do_not_fit_are_refused_before_anything_is_written(db, path, tasks):
    refuses(chain(tasks.one.s(1), tasks.nothing.s()).enqueue, honker.InvalidCallError, "call of task 'nothing'")
    refuses(chain(tasks.one.s()).enqueue, honker.InvalidCallError, "missing a required argument")
    refuses(tasks.one.si, honker.InvalidCallError, "missing a required argument")
    refuses(chain(tasks.one.s(1), tasks.one.si(object())).enqueue, honker.InvalidPayloadError, "JSON")
    refuses(lambda: tasks.nothing.map([1]), honker.InvalidCallError, "call of task 'nothing'")
    assert jobs(path) == 0


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda db, t: chain(), "chain has no steps"),
        (lambda db, t: chain(t.one), "chain: the step at position 0 is <honker.Task 'one'.*task.s"),
        (lambda db, t: chain([t.one.s(1)]), "position 0"),
        (lambda db, t: group(t.one.s(1), 5), "group: the step at position 1 is 5"),
        (lambda db, t: group(5), "group: the step is 5"),
        (lambda db, t: chord([t.one.s(1)], t.total), "position 1 is <honker.Task 'total'"),
        (lambda db, t: group([]).enqueue(), "has no jobs"),
        (lambda db, t: db.workflow().enqueue(), "has no jobs"),
        (lambda db, t: db.workflow().add("", t.one.s(1)), "name is ''"),
        (lambda db, t: db.workflow().add(1, t.one.s(1)), "name is 1"),
        (lambda db, t: db.workflow().add("a", t.one.s(1)).add("a", t.one.s(1)), "name 'a' is taken"),
        (lambda db, t: db.workflow().add("a", group(t.one.s(1))).add("a.0", t.one.s(1)).enqueue(), "'a.0' is taken"),
        (lambda db, t: db.workflow().add("a", t.one), "step of 'a' is <honker.Task"),
        (lambda db, t: db.workflow().add("a", t.one.s(), after=["b", "b"]), "name each step once"),
        (lambda db, t: db.workflow().add("a", t.one.s(1), on_parent_failure="go"), "'cancel', 'run' or 'wait'"),
        (lambda db, t: db.workflow().add("a", t.one.s(1), on_parent_failure="run").enqueue(), "it has no parents"),
        (lambda db, t: t.one.s(1).options(on_parent_failure="go"), "'cancel', 'run' or 'wait'"),
        (lambda db, t: t.one.s(1).options(on_parent_failure="run").enqueue(), "it has no parents"),
        (lambda db, t: t.one.s(1).options(priority=0.5), "priority is 0.5"),
        (lambda db, t: t.one.s(1).options(unique_for_s="x"), "unique_for_s is 'x'"),
        (lambda db, t: t.one.s(1).options(expires="x"), "expires must be a number of seconds"),
        (lambda db, t: chain(t.one.s(1), t.one.s().options(key="")).enqueue(), "key"),
        (lambda db, t: db.workflow().on_success(t.one), "on_success is <honker.Task"),
        (lambda db, t: db.workflow().on_success(t.one.s()).on_success(t.one.s()), "already"),
        (lambda db, t: db.workflow().on_finish(t.one.s().options(on_parent_failure="run")), "the event decides"),
    ],
)  # fmt: skip
def test_a_wrong_workflow_is_refused(db, path, tasks, build, text):
    refuses(lambda: build(db, tasks), honker.InvalidArgumentError, text)
    assert jobs(path) == 0


def test_a_workflow_of_two_databases_is_refused(db, path, tasks, tmp_path):
    with honker.open(tmp_path / "other.db") as other:

        @other.queue("q").task(name="other")
        def foreign(): ...

        refuses(chain(tasks.one.s(1), foreign.si()).enqueue, honker.InvalidArgumentError, "belong to 2 databases")
        refuses(db.workflow().add("a", foreign.s()).enqueue, honker.InvalidArgumentError, "other.db', and the workflow")
    assert jobs(path) == 0


def test_an_error_of_the_engine_leaves_no_part_of_a_workflow(db, path, tasks):
    group(tasks.one.s(1).options(unique_key="u")).enqueue()
    taken = tasks.one.s().options(unique_key="u", on_conflict="raise")
    with pytest.raises(honker.errors.UniqueKeyTakenError):
        chain(tasks.one.s(1), taken).enqueue()
    assert jobs(path) == 1


def test_two_parents_that_are_one_job_are_refused(db, path, tasks):
    same = tasks.one.s(1).options(unique_key="u")
    refuses(
        chord([same, same], tasks.total.s()).enqueue, honker.InvalidArgumentError, "are one job, by their unique_key"
    )
    assert jobs(path) == 0


# -------------------------------------------------------------------------------------------------------- transactions


def test_a_workflow_exists_if_and_only_if_its_transaction_commits(db, path, tasks):
    lost = rolled_back(db, chain(tasks.one.s(1), tasks.one.s()).enqueue)
    assert set(lost.ids) == {"0", "1"}
    assert jobs(path) == 0
    with pytest.raises(honker.ResultGoneError, match="rolled back"):
        lost.get(5)
    with pytest.raises(honker.ResultGoneError, match="rolled back"):
        lost.join(5)
    with db.transaction() as tx:
        kept = chain(tasks.one.s(1), tasks.one.s()).enqueue(tx=tx)
        mapped = tasks.one.map([7], tx=tx)
        with pytest.raises(honker.DeadlockError):
            kept.get(1)
    assert value(db, kept) == 1
    assert mapped[0].get(5) == 7


def test_the_transaction_of_another_driver_carries_a_workflow(db, path, tasks):
    conn = honker.connect(path)
    result = chain(tasks.one.s(1), tasks.add.s(1)).enqueue(tx=conn)
    assert set(result.states().values()) == {"unknown"}
    conn.commit()
    conn.close()
    assert value(db, result) == 2


def test_options_belong_to_the_job_of_the_call(db, path, tasks):
    call = tasks.one.s(1).options(priority=5).options(delay=60, expires=3600, key="k")
    job = db.get_job(group(call).enqueue().ids["0"])
    assert (job.priority, job.max_attempts) == (5, 3)
    assert 3600 <= job.expires_at - job.created_at < 3602
    assert 60 <= job.run_at - job.created_at < 62
    assert ask(path, "SELECT key FROM _honker_live") == [("k",)]
    assert tasks.one.s(1).enqueue().id == job.id + 1


def test_the_keys_of_a_task_are_those_of_its_calls_in_a_workflow(db, path, queue, tasks):
    @queue.task(name="keyed", key=lambda customer, _: customer, unique_key=str.__add__)
    def keyed(customer, order): ...

    group(keyed.s("a", "1"), keyed.s("a", "2"), keyed.s("b", "1").options(key="c")).enqueue()
    assert ask(path, "SELECT key, unique_key FROM _honker_live ORDER BY id") == [("a", "a1"), ("a", "a2"), ("c", "b1")]
    after_result = chain(tasks.one.s("a"), keyed.s("1"))
    refuses(after_result.enqueue, honker.InvalidArgumentError, "key of task .keyed. is a function of its arg")
    named = keyed.s("1").options(key="k", unique_key="u")
    chain(tasks.one.s("a"), named).enqueue()
    assert ask(path, "SELECT key, unique_key FROM _honker_live ORDER BY id DESC LIMIT 1") == [("k", "u")]


def test_a_map_of_a_unique_task_adds_no_duplicates(db, path, queue, tasks):
    @queue.task(name="once", unique_key=str)
    def once(number): ...

    first, second, again = once.map([1, 2, 1])
    assert again.id == first.id != second.id
    assert jobs(path) == 2


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
