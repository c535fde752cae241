"""`honker call`."""

import json

import pytest
from honker.cli import main

from ..support.locking import ask
from ..support.program import honker, running

JOB = "SELECT queue, payload, priority, max_attempts FROM _honker_live"


def test_a_call_is_enqueued_as_the_task_itself_would(db, path):
    task = db.queue("emails").task(name="shop.send")(lambda to, n=1, *, cc=None: None)
    task("alice", 2, cc="bob")
    arguments = ["--queue", "emails", "--arg", "alice", "--arg", "2", "--kwarg", "cc=bob"]
    done = honker("call", path, "shop.send", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")
    by_task, by_command = ask(path, JOB)
    assert by_command == by_task


VALUES = [("17", 17), ("alice", "alice"), ('"17"', "17"), ("null", None), ('{"a": [1]}', {"a": [1]}), ("", "")]


@pytest.mark.parametrize(("text", "value"), [*VALUES, ("NaN", "NaN")])
def test_an_argument_is_json_or_text(db, path, text, value):
    assert main.run(["call", str(path), "t", "--arg", text, "--kwarg", f"name={text}"]) == 0
    ((queue, payload, *_),) = ask(path, JOB)
    assert queue == "default"
    assert json.loads(payload) == {"__honker_task__": {"task": "t", "args": [value], "kwargs": {"name": value}}}


def test_the_options_are_those_of_the_job(db, path):
    options = ["--delay", "1000", "--priority", "4", "--max-attempts", "7", "--json"]
    done = honker("call", path, "t", *options)
    assert json.loads(done.stdout) == {"id": 1, "queue": "default", "task": "t"}
    job = db.get_job(1)
    assert job["run_at"] - job["created_at"] >= 999
    assert (job["priority"], job["max_attempts"]) == (4, 7)


@pytest.mark.parametrize("wrong", [["--kwarg", "x"], ["--kwarg", "1x=1"], ["--kwarg", "x=1", "--kwarg", "x=2"]])
def test_a_wrong_keyword_argument_is_a_usage_error(db, path, wrong, capsys):
    assert main.run(["call", str(path), "t", *wrong]) == 2
    assert "--kwarg" in capsys.readouterr().err
    assert ask(path, JOB) == []


@pytest.mark.parametrize("command", [["call", "t"], ["enqueue", "q", "{}"]])
@pytest.mark.parametrize("delay", ["-5", "-0.001"])
def test_a_negative_delay_is_a_usage_error(db, path, command, delay, capsys):
    name, *arguments = command
    assert main.run([name, str(path), *arguments, "--delay", delay]) == 2
    assert "--delay" in capsys.readouterr().err
    assert ask(path, JOB) == []


MODULE = """
import honker
db = honker.open("app.db")

@db.task(queue="emails")
def send_email(to):
    print("sent to", to, flush=True)
"""


def test_the_commands_of_the_readme_work_together(tmp_path):
    (tmp_path / "shop.py").write_text(MODULE)
    with running("worker", "shop:db", "--queue", "emails", "--json", "--log-level", "debug", cwd=tmp_path) as worker:
        assert json.loads(worker.line())["event"] == "started"
        call = ["shop.send_email", "--queue", "emails", "--arg", "alice"]
        assert honker("call", "app.db", *call, cwd=tmp_path).returncode == 0
        worker.expect("sent to alice")
        worker.signal()
        code, _, errors = worker.end()
    assert code == 0
    logged = [json.loads(line) for line in errors.splitlines()]
    (attempt,) = [each for each in logged if "outcome" in each]
    assert (attempt["task"], attempt["queue"], attempt["job_id"]) == ("shop.send_email", "emails", 1)
    assert (attempt["level"], attempt["logger"], attempt["outcome"]) == ("debug", "honker", "done")
