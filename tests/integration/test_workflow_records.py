"""Records of workflows: another process finds a workflow by its id."""

import asyncio
import json
import subprocess
import sys

import honker
import pytest
from honker import chain, chord, group

from ..support.workers import working
from ..support.workflows import every_shape, finished, jobs, rolled_back, value  # noqa: F401 - a fixture among them

TOPIC = "_workflows"


def diamond(db, tasks):
    return (
        db.workflow("diamond")
        .add("top", tasks.one.s(1))
        .add("sides", group(tasks.add.s(10), tasks.add.s(20)), after="top")
        .add("sum", tasks.total.s(), after="sides")
        .add("other", chord([tasks.one.s(5)], tasks.total.s(2)))
        .on_finish(tasks.nothing.si())
    )


def test_another_handle_finds_the_workflow_with_its_name_and_value(db, path, tasks):
    made = diamond(db, tasks).enqueue()
    with honker.open(path) as other:
        found = other.workflow_result(made.id)
        assert (found.id, found.name, found.ids) == (made.id, "diamond", made.ids)
        assert list(found.ids) == list(made.ids)
        assert found.states() == made.states()
        assert value(db, made) == {"sum": 32, "other": 7}
        assert found.get(10) == {"sum": 32, "other": 7}
        assert set(found.join(10).values()) == {"done"}
        assert found["top"].get(5) == 1
        assert repr(found) == repr(made) == "<honker.WorkflowResult 'diamond' of 7 jobs>"


def test_the_record_names_the_parents_of_each_job(db, tasks):
    made = diamond(db, tasks).enqueue()
    (event,) = db.stream(TOPIC).read_since(0)
    names = list(made.ids)
    parents = {name: {names[each] for each in of} for name, of in zip(names, event.payload["parents"], strict=True)}
    assert parents["top"] == set()
    assert parents["sides.0"] == parents["sides.1"] == {"top"}
    assert parents["sum"] == {"sides.0", "sides.1"}
    assert parents["on_finish"] == set(names) - {"on_finish"}


def test_the_record_of_a_workflow_with_very_many_parents_leaves_them_out(db, tasks):
    header = group(tasks.one.s(number) for number in range(101))
    wide = db.workflow("wide").add("header", header)
    for number in range(100):
        wide.add(f"body {number}", tasks.total.s(), after="header")
    wide.enqueue()
    (event,) = db.stream(TOPIC).read_since(0)
    assert "parents" not in event.payload


PROGRAM = """
import json, sys
import honker
with honker.open(sys.argv[1]) as db:
    found = db.workflow_result(int(sys.argv[2]))
    print(json.dumps([found.name, dict(found.ids), found.get(30), found.join(30)]))
"""


def test_another_process_waits_for_the_workflow(db, path, tasks):
    made = db.workflow("nightly").add("one", tasks.one.s(1)).add("two", tasks.add.s(2), after="one").enqueue()
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(path), str(made.id)]

    async def main():
        async with working(db):
            return await asyncio.to_thread(subprocess.check_output, command, timeout=60)

    states = {"one": "done", "two": "done"}
    assert json.loads(asyncio.run(main())) == ["nightly", dict(made.ids), {"two": 3}, states]


def test_a_workflow_that_was_found_is_cancelled_but_for_its_callbacks(db, path, tasks):
    made = diamond(db, tasks).enqueue()
    with honker.open(path) as other:
        answers = other.workflow_result(made.id).cancel()
    assert set(answers) == set(made.ids) - {"on_finish"}
    assert set(answers.values()) == {"cancelled"}
    assert finished(db, made)["on_finish"] == "done"


def test_a_record_exists_if_and_only_if_its_transaction_commits(db, path, tasks):
    lost = rolled_back(db, diamond(db, tasks).enqueue)
    assert db.workflow_result(lost.id) is None
    assert jobs(path) == 0
    assert db.retention() == []
    with db.transaction() as tx:
        kept = diamond(db, tasks).enqueue(tx=tx)
        assert db.workflow_result(kept.id) is None
    assert db.workflow_result(kept.id).ids == kept.ids


@pytest.mark.sqlite_only("a connection of sqlite3")
def test_the_transaction_of_another_driver_carries_the_record(db, path, tasks):
    conn = honker.connect(path)
    made = diamond(db, tasks).enqueue(tx=conn)
    assert db.workflow_result(made.id) is None
    conn.commit()
    conn.close()
    assert db.workflow_result(made.id).ids == made.ids


def test_workflows_are_listed_by_name_and_kept_by_the_policy_of_their_topic(db, tasks):
    first = db.workflow("a").add("x", tasks.one.s(1)).enqueue()
    [policy] = db.retention()
    assert (policy.name, policy.max_age_s, policy.max_keep) == (TOPIC, 30 * 24 * 3600, 100_000)
    db.stream(TOPIC).retain(max_keep=5)
    second = db.workflow().add("x", tasks.one.s(1)).enqueue()
    assert [policy.max_keep for policy in db.retention()] == [5]
    listed = [(event.offset, event.key, event.payload["name"]) for event in db.stream(TOPIC).read_since(0)]
    assert listed == [(first.id, "a", "a"), (second.id, None, "")]
    db.stream(TOPIC).prune(max_keep=1)
    assert db.workflow_result(first.id) is None
    assert db.workflow_result(second.id).name == ""


def test_the_asynchronous_twins_do_the_same(db, tasks):
    async def main():
        made = await diamond(db, tasks).aenqueue()
        async with db.transaction() as tx:
            again = await diamond(db, tasks).aenqueue(tx=tx)
        found = [await db.aworkflow_result(each.id) for each in (made, again)]
        assert await db.aworkflow_result(again.id + 1) is None
        return made, again, found

    made, again, found = asyncio.run(main())
    assert made.id < again.id
    assert [each.ids for each in found] == [made.ids, again.ids]


def test_chains_and_groups_have_no_record(db, tasks):
    made = chain(tasks.one.s(1), tasks.one.s()).enqueue()
    assert (made.id, made.name) == (None, "")
    tasks.one.map([1, 2])
    assert db.stream(TOPIC).read_since(0) == []


@pytest.mark.parametrize("payload", [None, 5, {"name": "x"}, {"name": "x", "jobs": 5, "shape": None, "filled_by": []}])
def test_an_event_that_is_no_record_is_no_workflow(db, payload):
    offset = db.stream(TOPIC).publish(payload)
    assert db.workflow_result(offset) is None


@pytest.mark.parametrize("number", [0, -1, 99])
def test_an_unknown_id_is_no_workflow(db, tasks, number):
    diamond(db, tasks).enqueue()
    assert db.workflow_result(number) is None


def test_an_id_that_is_no_number_is_refused(db):
    with pytest.raises(honker.InvalidArgumentError, match=r"^workflow_id "):
        db.workflow_result("diamond")


def test_the_jobs_of_a_workflow_are_listed_and_cancelled_by_its_id(db, tasks):
    made, other = diamond(db, tasks).enqueue(), tasks.one(1)
    assert sorted(job.id for job in db.jobs(workflow=made.id).jobs) == sorted(made.ids.values())
    assert asyncio.run(db.ajobs(workflow=made.id, state="ready")).jobs == db.jobs(workflow=made.id, state="ready").jobs
    asyncio.run(db.aapply("cancel", workflow=made.id))
    db.apply("cancel", workflow=made.id)
    assert db.jobs(workflow=made.id).jobs == []
    assert [job.id for job in db.jobs().jobs] == [other.id]


def test_a_job_knows_its_workflow(db, tasks):
    before = tasks.one(1).id
    made = [diamond(db, tasks).enqueue() for _ in range(5)]
    between = tasks.one(2).id
    db.stream(TOPIC).publish("an event of the application")
    made += [diamond(db, tasks).enqueue() for _ in range(5)]
    after = tasks.one(3).id
    for workflow in made:
        assert {db.job(job_id).workflow for job_id in workflow.ids.values()} == {workflow.id}
    assert [db.job(job_id).workflow for job_id in (before, between, after)] == [None, None, None]


def test_a_job_without_any_record_of_workflows_has_none(db, tasks):
    assert db.job(tasks.one(1).id).workflow is None
