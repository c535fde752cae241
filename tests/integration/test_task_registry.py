"""The registry of tasks: names, queues and databases."""

import asyncio
import importlib

import honker
import pytest
from honker.task.message import envelope
from honker.task.registry import TaskRegistry

from ..support.workers import run_for, run_until, working


def test_the_registry_knows_names_and_queues(db):
    db.task("x", name="b")(lambda: None)
    db.task("y", name="a")(lambda: None)
    tasks = honker.registry()
    assert (tasks.names(), tasks.queues()) == (["a", "b"], {"x", "y"})
    assert tasks.get("a").queue_name == "y"


def test_one_name_is_one_function(queue):
    def first(): ...

    queue.task(name="t")(first)
    queue.task(name="t", priority=1)(first)
    assert honker.registry().get("t").priority == 1
    with pytest.raises(honker.TaskConflictError, match="duplicate task name"):
        queue.task(name="t")(lambda: None)


def other_database(tmp_path):
    return honker.open(tmp_path / "other.db")


def test_a_function_may_be_a_task_of_two_queues_and_both_are_served(db):
    def double(n):
        return 2 * n

    one, two = db.task("one")(double), db.task("two")(double)
    assert honker.registry().queues() == {"one", "two"}
    calls = [one(1), two(2)]

    async def main():
        async with working(db):
            return [await each.aget(10) for each in calls]

    assert asyncio.run(main()) == [2, 4]


def test_a_task_of_two_queues_has_the_options_of_the_queue_that_its_job_came_from(db):
    def broken():
        raise ZeroDivisionError

    db.task("patient", name="t", retries=1_000, retry_delay_s=1_000)(broken)
    db.task("hasty", name="t", retries=1)(broken)
    waiting = db.queue("patient").enqueue(envelope("t"), max_attempts=1_000)
    dying = db.queue("hasty").enqueue(envelope("t"), max_attempts=1_000)
    run_until(db, lambda: db.get_job(dying) is None and db.get_job(waiting)["attempts"] == 1)
    assert db.get_job(waiting)["state"] == "pending"


def test_databases_may_have_different_tasks_of_one_name(db, tmp_path):
    def define(database, answer):
        @database.task(name="t")
        def task():
            return answer

        return task

    with other_database(tmp_path) as other:
        ours, theirs = define(db, "ours"), define(other, "theirs")
        assert run_for(db, ours()) == "ours"
        assert run_for(other, theirs()) == "theirs"


def test_a_worker_serves_only_queues_and_tasks_of_its_database(db, tmp_path):
    ran = []
    with other_database(tmp_path) as other:
        other.task("theirs", name="their task")(lambda: ran.append("their task"))
        ours = db.task("ours", name="our task")(lambda: ran.append("our task"))
        strays = [db.queue(name).enqueue(envelope("their task")) for name in ("theirs", "ours")]
        run_for(db, ours())
        run_until(db, lambda: db.get_job(strays[1])["unknown_since"])
        assert ran == ["our task"]
        assert [db.get_job(each)["attempts"] for each in strays] == [0, 0]


@pytest.mark.sqlite_only("names of files")
def test_workers_of_a_database_without_tasks_say_whose_tasks_there_are(db, tmp_path):
    db.task()(lambda: None)
    with other_database(tmp_path) as other, pytest.raises(honker.NoTasksError, match=r"other\.db.*belong to .*app\.db"):
        asyncio.run(other.run_workers())


def test_a_task_registered_without_a_database_belongs_to_every_one(db, tmp_path):
    honker.registry().register(honker.TaskSpec("t", lambda: "ran", "q"))
    with other_database(tmp_path) as other:
        for each in (db, other):
            assert run_for(each, honker.TaskResult(each.engine, each.queue("q").enqueue(envelope("t")))) == "ran"
        with pytest.raises(honker.TaskConflictError):
            other.task(name="t")(lambda: None)


def test_a_local_task_may_be_defined_again_after_its_handle_is_closed(path):
    for answer in (1, 2):
        with honker.open(path) as db:
            task = db.task(name="t")(lambda answer=answer: answer)
            assert run_for(db, task()) == answer


def test_tasks_can_be_forgotten(db):
    db.task(name="t")(lambda: None)
    honker.registry().clear()
    assert honker.registry().names() == []
    db.task(name="t")(lambda: None)


RELOADED = """
import honker
def decorate(name):
    return lambda fn: honker.registry().register(honker.TaskSpec(name, fn, "q"))
@decorate("t")
def task(): return {answer}
"""


def test_a_module_that_is_reloaded_replaces_its_tasks(tmp_path, monkeypatch):
    file = tmp_path / "reloaded_tasks.py"
    file.write_text(RELOADED.format(answer=1))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    module = importlib.import_module("reloaded_tasks")
    assert honker.registry().get("t").fn() == 1
    file.write_text(RELOADED.format(answer=22))
    importlib.reload(module)
    assert honker.registry().get("t").fn() == 22
    with pytest.raises(honker.TaskConflictError):
        exec("@decorate('t')\ndef other(): ...", vars(module))


def test_an_unknown_name_is_an_error_that_names_the_known():
    with pytest.raises(honker.UnknownTaskError, match=r"unknown task: 'x'. Registered tasks: \[\]"):
        TaskRegistry().get("x")


def test_an_unknown_task_of_a_script_is_explained():
    with pytest.raises(honker.UnknownTaskError, match=r"unknown task: '__main__\.send'.*a script.*pass name="):
        TaskRegistry().get("__main__.send")


@pytest.fixture
def task(queue):
    return queue.task(name="t")(lambda: None)
