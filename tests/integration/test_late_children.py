"""Jobs that begin to wait for a job while it runs: they take its result even if its task stores none."""

import asyncio
import importlib
from pathlib import Path

import honker
import pytest
from honker._worker import run_task
from honker.errors import UnknownParentError

from ..support.workers import run_for, run_until


@pytest.fixture
def children(db):
    return db.queue("children")


def result_for_child(db, children, parent):
    """Run the parent to its end, and return the result that its child is given."""
    run_until(db, lambda: db.get_job(parent.id) is None)
    [outcome] = children.claim_one("w").parents()
    assert outcome.state == "done"
    return outcome.result


def test_a_child_that_comes_while_a_function_runs_takes_its_result(db, queue, children):
    @queue.task(name="parent", store_result=False)
    def parent(job: honker.Job):
        children.enqueue("child", after=[job])
        return {"n": 41}

    assert result_for_child(db, children, parent()) == {"n": 41}


def test_a_child_that_comes_while_a_coroutine_runs_takes_its_result(db, queue, children):
    @queue.task(name="parent", store_result=False)
    async def parent(job: honker.Job):
        await children.aenqueue("child", after=[job])
        return [1, 2]

    assert result_for_child(db, children, parent()) == [1, 2]


def test_a_child_that_a_transaction_of_the_handler_adds_takes_its_result(db, queue, children):
    @queue.task(name="parent", store_result=False)
    def parent(job: honker.Job, tx: honker.Transaction):
        children.enqueue("child", after=[job], tx=tx)
        return "in a thread"

    @queue.task(name="async_parent", store_result=False)
    async def async_parent(job: honker.Job, tx: honker.Transaction):
        async with tx:
            children.enqueue("child", after=[job], tx=tx)
        return "on the loop"

    assert result_for_child(db, children, parent()) == "in a thread"
    assert result_for_child(db, children, async_parent()) == "on the loop"


@pytest.fixture
def elsewhere(db, monkeypatch):
    """A task in a process, which returns once a file exists."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    handlers = importlib.import_module("process_handlers")
    return db.queue("q").task(executor="process", store_result=False)(handlers.return_when_told)


@pytest.mark.parametrize(("size", "kept"), [(10, True), (100_000, False)])
def test_a_child_that_comes_while_a_process_runs_takes_a_short_result(
    db, children, elsewhere, tmp_path, caplog, size, kept
):
    marker, told, value = tmp_path / "marker", tmp_path / "told", "x" * size
    parent = elsewhere(str(marker), str(told), value)
    added = []

    def is_done():
        if not added and marker.exists():
            added.append(children.enqueue("child", after=[parent.id]))
            told.touch()
        return db.get_job(parent.id) is None

    run_until(db, is_done)
    [outcome] = children.claim_one("w").parents()
    assert (outcome.state, outcome.result) == ("done", value if kept else None)
    assert ("store_result=True" in caplog.text) is not kept


def test_a_result_that_no_child_waits_for_is_not_stored(db, queue, children):
    @queue.task(name="parent", store_result=False)
    def parent():
        return {"n": 41}

    with pytest.raises(honker.ResultGoneError):
        run_for(db, parent())


def test_a_result_without_json_is_no_concern_unless_a_child_waits(db, queue, children, caplog):
    @queue.task(name="parent", store_result=False)
    def parent(job: honker.Job, has_child):
        if has_child:
            children.enqueue("child", after=[job])
        return object()

    with pytest.raises(honker.ResultGoneError):
        run_for(db, parent(False))
    assert "not stored" not in caplog.text
    assert result_for_child(db, children, parent(True)) is None
    assert "not stored" in caplog.text


def test_a_child_that_comes_after_the_end_of_a_parent_without_a_result_is_refused(db, queue, children):
    @queue.task(name="parent", store_result=False)
    def parent(): ...

    late = parent()
    run_until(db, lambda: db.get_job(late.id) is None)
    with pytest.raises(UnknownParentError):
        children.enqueue("child", after=[late])


@pytest.mark.parametrize("runs_ahead", [True, False], ids=["before the claim", "while it runs"])
def test_a_child_takes_the_result_of_a_parent_that_run_task_ran(queue, children, runs_ahead):
    parent = queue.enqueue({})
    if runs_ahead:
        children.enqueue("child", after=[parent])

    async def handler(job):
        if not runs_ahead:
            await children.aenqueue("child", after=[parent])
        return {"n": 41}

    asyncio.run(run_task(queue.claim_one("w"), handler))
    [outcome] = children.claim_one("w").parents()
    assert (outcome.state, outcome.result) == ("done", {"n": 41})


def test_a_result_that_run_task_was_not_asked_to_keep_is_not_stored(db, queue):
    parent = queue.enqueue({})
    asyncio.run(run_task(queue.claim_one("w"), lambda payload: object()))
    assert db.get_job(parent) is None
    assert queue.get_result(parent) == (False, None)
