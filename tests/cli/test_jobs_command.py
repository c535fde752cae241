"""`honker jobs`, `job` and `dead`."""

import json
import time

import pytest
from honker.cli import main

from ..support.program import honker
from ..support.terminal import on_terminal


def call(task, *args, **kwargs):
    return {"__honker_task__": {"task": task, "args": list(args), "kwargs": kwargs}}


def run(capsys, *arguments):
    code = main.run([*map(str, arguments), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def ids(capsys, *arguments):
    return [row["id"] for row in run(capsys, *arguments)[1]]


@pytest.fixture
def jobs(db):
    """Six jobs: dead, running, blocked, delayed, waiting and ready."""
    queue = db.queue("q")
    queue.configure(concurrency_per_key=1)
    queue.enqueue(call("send", "alice"))
    queue.claim_one("w").fail("TimeoutError: too slow\nsecond line")
    queue.enqueue(call("send", to="bob"), key="acme")
    queue.claim_one("w")
    queue.enqueue(call("send", to="carol"), key="acme")
    queue.enqueue(call("report"), delay=60)
    queue.enqueue(5, after=[2])
    db.queue("other").enqueue(6)
    return queue


def test_jobs_are_listed_newest_first(jobs, path, capsys):
    code, rows = run(capsys, "jobs", path)
    assert code == 0
    states = [(row["id"], row["state"]) for row in rows]
    assert states == [(6, "ready"), (5, "waiting"), (4, "delayed"), (3, "blocked"), (2, "running"), (1, "dead")]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--queue", "other"], [6]),
        (["--state", "blocked"], [3]),
        (["--task", "send"], [3, 2, 1]),
        (["--key", "acme"], [3, 2]),
        (["--error", "TimeoutError"], [1]),
        (["--args", "to=bob"], [2]),
        (["--args", "0=alice"], [1]),
        (["--args", "alice"], [1]),
        (["--since", "1h"], [6, 5, 4, 3, 2, 1]),
        (["--since", str(time.time() + 9999)], []),
        (["--task", "send", "--state", "running"], [2]),
        (["--task", "nothing"], []),
    ],
)
def test_filters_select_jobs(jobs, path, options, found, capsys):
    assert ids(capsys, "jobs", path, *options) == found


def test_the_jobs_of_a_workflow_are_selected_by_its_id(jobs, db, path, capsys):
    record = db.stream("_workflows").publish({"name": "etl", "jobs": {"a": 4, "b": 6}})
    assert ids(capsys, "jobs", path, "--workflow", record) == [6, 4]


@pytest.mark.parametrize(
    "options", [["--since", "yesterday"], ["--state", "gone"], ["--workflow", "etl"], ["--args", "a", "--args", "b=1"]]
)
def test_a_filter_that_cannot_be_read_is_a_usage_error(jobs, path, options, capsys):
    assert main.run(["jobs", str(path), *options]) == 2
    assert capsys.readouterr().out == ""


def test_a_long_list_goes_on_after_a_cursor(db, path):
    db.queue("q").enqueue_many(list(range(5)))
    done = honker("jobs", path, "-n", 3)
    assert done.stdout.count("\n") == 4
    cursor = done.stderr.split("--after ")[1].split()[0]
    rest = honker("jobs", path, "--after", cursor)
    assert [line.split()[0] for line in rest.stdout.splitlines()[1:]] == ["2", "1"]
    assert rest.stderr == ""


def test_more_jobs_than_a_page_are_listed(db, path, capsys):
    db.queue("q").enqueue_many([0] * 2_500)
    assert ids(capsys, "jobs", path, "-n", 2_400) == list(range(2_500, 100, -1))


@pytest.fixture
def rare(db):
    """A job behind others whose payloads take a second to search."""
    queue = db.queue("q")
    queue.enqueue(call("rare"))
    queue.enqueue_many([call("other", "\n" * 100_000)] * 400)


def test_a_search_ends_at_its_bound_and_says_where_to_go_on(rare, path):
    done = honker("jobs", path, "--task", "rare")
    assert (done.returncode, done.stdout) == (0, "no match so far\n")
    cursor = int(done.stderr.split("--after ")[1].split()[0])
    assert 1 < cursor < 401
    assert "--all to search all" in done.stderr
    further = honker("jobs", path, "--task", "rare", "--after", cursor, "--all", "--json")
    assert [json.loads(line)["id"] for line in further.stdout.splitlines()] == [1]


def test_a_search_of_all_finds_a_rare_job_among_many(rare, path, capsys):
    assert ids(capsys, "jobs", path, "--task", "rare", "--all") == [1]


def test_a_long_search_tells_its_progress(rare, path, capsys, monkeypatch):
    monkeypatch.setattr("honker.cli.jobs._PROGRESS_S", 0.0)
    assert main.run(["jobs", str(path), "--task", "rare", "--all"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].split()[0] == "1"
    searched = [int(line.rsplit(" ", 1)[1]) for line in printed.err.splitlines()]
    assert searched
    assert searched == sorted(searched, reverse=True)


def test_people_see_the_arguments_and_the_error(jobs, path, capsys):
    assert main.run(["jobs", str(path), "--task", "send"]) == 0
    heading, blocked, running, dead = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "queue", "state", "task", "key", "attempt", "enqueued", "about"]
    assert blocked.endswith('to="carol"')
    assert running.split()[:6] == ["2", "q", "running", "send", "acme", "1/3"]
    assert dead.endswith("TimeoutError: too slow")


def test_a_table_fits_its_terminal(db, path):
    db.queue("q" * 40).enqueue(call("module.of.many.names.task" * 3, "漢字" * 60))
    for columns in (120, 80, 50):
        with on_terminal("jobs", path, columns=columns, NO_COLOR="1") as terminal:
            code, output = terminal.end()
        assert code == 0
        lines = output.replace("\r\n", "\n").splitlines()
        assert len(lines) == 2
        assert all(width_of(line) <= columns for line in lines)


def width_of(line):
    return sum(2 if "\u2e80" <= each <= "\uffdc" else 1 for each in line)


def test_a_job_is_shown_with_the_reason_why_it_does_not_run(jobs, path, capsys):
    assert main.run(["job", str(path), "3"]) == 0
    shown = capsys.readouterr().out
    assert "state" in shown.splitlines()[1]
    assert "acme" in next(line for line in shown.splitlines() if line.startswith("why"))
    assert '      "task": "send"' in shown
    _, [record] = run(capsys, "job", path, 3)
    assert (record["id"], record["state"], record["key"]) == (3, "blocked", "acme")


def test_a_job_is_shown_with_its_relatives_its_error_and_its_attempts(jobs, path, capsys):
    assert main.run(["job", str(path), "5"]) == 0
    assert "parents     2\n" in capsys.readouterr().out
    assert main.run(["job", str(path), "1"]) == 0
    shown = capsys.readouterr().out
    assert "error:\n  TimeoutError: too slow\n  second line\n" in shown
    assert "attempts that did not succeed:\n  1  " in shown


def test_a_job_is_shown_with_its_workflow(db, path, capsys):
    report = db.queue("q").task(name="report")(print)
    workflow = db.workflow("nightly").add("report", report.s()).enqueue()
    (job_id,) = workflow.ids.values()
    assert run(capsys, "job", path, job_id)[1][0]["workflow"] == workflow.id
    assert f"workflow    {workflow.id}\n" in honker("job", path, job_id).stdout


def test_a_job_that_does_not_exist_is_an_exit_code(db, path):
    done = honker("job", path, 99)
    assert (done.returncode, done.stdout) == (1, "")
    assert "job 99 does not exist" in done.stderr


def test_a_list_of_dead_letters_goes_on_after_its_cursor(db, path):
    queue = db.queue("q")
    queue.enqueue_many(list(range(5)))
    for each in queue.claim_batch("w", 5):
        each.fail("no")
    done = honker("dead", path, "-n", 3)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["5", "4", "3"]
    cursor = done.stderr.split("--after ")[1].split()[0]
    rest = honker("dead", path, "--after", cursor)
    assert [line.split()[0] for line in rest.stdout.splitlines()[1:]] == ["2", "1"]
    assert rest.stderr == ""
    groups = honker("dead", path, "--by", "error", "--after", cursor)
    assert (groups.returncode, groups.stdout) == (2, "")
    assert "exclude each other" in groups.stderr


def test_dead_letters_are_grouped_by_error(db, path, capsys):
    queue = db.queue("q")
    for error in ("TimeoutError: a", "ValueError: b", "TimeoutError: c"):
        queue.enqueue(call("send"))
        queue.claim_one("w").fail(error)
    assert ids(capsys, "dead", path) == [3, 2, 1]
    assert ids(capsys, "dead", path, "-n", 1) == [3]
    _, groups = run(capsys, "dead", path, "--by", "error")
    assert [(each["task"], each["error"], each["count"]) for each in groups] == [
        ("send", "TimeoutError", 2),
        ("send", "ValueError", 1),
    ]
    assert run(capsys, "dead", path, "--by", "error", "--queue", "other")[1] == []
    assert len(run(capsys, "dead", path, "--by", "error", "--since", "1h")[1]) == 2
    assert main.run(["dead", str(path), "--by", "error"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["2", "q", "send", "TimeoutError"]
