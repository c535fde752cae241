"""Workflows: chains, groups, chords and graphs of tasks in workers, and the messages of their jobs."""

import asyncio
import importlib
import json
from pathlib import Path

import honker
import pytest
from honker import chain, chord, group
from honker.task.message import read_envelope
from honker.task.parents import FromParents

from ..support.engines import placed
from ..support.workers import dead, run_until, working
from ..support.workflows import call_of, every_shape, value  # noqa: F401 - a fixture among them

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
        tx.execute("CREATE TABLE written (job_id INTEGER, number INTEGER)")
        tx.execute(placed(tx, "INSERT INTO written VALUES (?, ?)"), (job.id, number + more))
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
