"""`honker queues`, `workers`, `schedules`, `streams`, `locks` and `workflows`."""

import csv
import io
import json
import sqlite3
import subprocess
import time
from contextlib import closing

import honker as package
import pytest
from honker.cli import main

from ..support.program import COMMAND, honker

LISTS = ["queues", "jobs", "dead", "workers", "schedules", "streams", "locks", "workflows"]


def run(capsys, *arguments):
    code = main.run([*map(str, arguments), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def lines(capsys, *arguments):
    assert main.run(list(map(str, arguments))) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("command", LISTS)
def test_an_empty_list_names_the_command_that_fills_it(db, path, command, capsys):
    [line] = lines(capsys, command, path)
    assert line.startswith("no ")
    assert run(capsys, command, path) == (0, [])
    assert lines(capsys, command, path, "--csv") == []


@pytest.mark.parametrize("command", LISTS)
def test_two_forms_at_once_are_a_usage_error(db, path, command):
    assert main.run([command, str(path), "--json", "--csv"]) == 2


def test_queues_are_listed_with_their_jobs_by_state(db, path, capsys):
    queue = db.queue("emails")
    queue.configure(concurrency=2)
    parent = queue.enqueue(1, run_at=time.time() - 120)
    queue.enqueue(2)
    queue.enqueue(3, delay=60)
    queue.enqueue(4, after=[parent])
    queue.claim_one("w")
    db.queue("reports").pause(reason="deploy")
    heading, emails, reports = lines(capsys, "queues", path)
    assert heading.split() == ["queue", "ready", "delayed", "running", "blocked", "waiting", "dead", "oldest"]
    assert emails.split()[:7] == ["emails", "1", "1", "1/2", "0", "1", "0"]
    assert reports.split()[0] == "reports"
    assert reports.endswith("paused: deploy")
    _, [emails, _] = run(capsys, "queues", path)
    assert (emails["queue"], emails["processing"], emails["concurrency"]) == ("emails", 1, 2)


def test_counts_of_a_few_queues_go_further(db, path, capsys):
    db.queue("a").enqueue_many([1] * 1_500)
    assert run(capsys, "queues", path)[1][0]["ready"] == 1_500
    for name in "bcdef":
        db.queue(name).enqueue(1)
    assert (run(capsys, "queues", path)[1][0]["ready"], lines(capsys, "queues", path)[1].split()[1]) == (
        1_000,
        "1,000+",
    )


def test_csv_has_the_names_and_values_of_the_json(db, path, capsys):
    db.queue("a,b").enqueue(1)
    [row] = csv.DictReader(io.StringIO("\n".join(lines(capsys, "queues", path, "--csv"))))
    [record] = run(capsys, "queues", path)[1]
    assert list(row) == list(record)
    assert (row["queue"], row["ready"]) == ("a,b", "1")


def test_text_that_a_spreadsheet_would_run_is_escaped(db, path, capsys):
    db.queue("=cmd|' /C calc'!A0").enqueue(1)
    [row] = csv.DictReader(io.StringIO("\n".join(lines(capsys, "queues", path, "--csv"))))
    assert row["queue"] == "'=cmd|' /C calc'!A0"


@pytest.mark.parametrize("name", ["two\nlines", "carriage\rreturn", 'quo"te', "a\r\nb"])
def test_csv_quotes_line_breaks(db, path, name):
    db.queue(name).enqueue(1)
    printed = subprocess.run([*COMMAND, "queues", str(path), "--csv"], capture_output=True, check=True).stdout.decode()
    [row] = csv.DictReader(io.StringIO(printed, newline=""))
    assert (row["queue"], row["ready"]) == (name, "1")


def test_csv_keeps_escape_sequences_of_terminals_visible(db, path):
    db.queue("\x1b[31mred\x1b[0m").enqueue(1)
    [row] = csv.DictReader(io.StringIO(honker("queues", path, "--csv").stdout))
    assert row["queue"] == "\\u001b[31mred\\u001b[0m"


def test_streams_are_listed_with_the_lag_of_each_consumer(db, path, capsys):
    orders = db.stream("orders")
    for number in range(5):
        orders.publish(number)
    orders.save_offset("audit", 3)
    orders.save_offset("mail", 5)
    db.stream("quiet").publish(1)
    code, rows = run(capsys, "streams", path)
    assert code == 0
    assert [(row["topic"], row["count"], row["consumer"], row["lag"]) for row in rows] == [
        ("orders", 5, "audit", 2),
        ("orders", 5, "mail", 0),
        ("quiet", 1, None, None),
    ]
    assert lines(capsys, "streams", path)[1].split()[0] == "orders"


def test_locks_are_listed_with_their_owners(db, path, capsys):
    with db.lock("report", ttl=60, owner="me"):
        [row] = run(capsys, "locks", path)[1]
        heading, line = lines(capsys, "locks", path)
    assert (row["name"], row["owner"], row["token"]) == ("report", "me", 1)
    assert (heading.split()[0], line.split()[:2]) == ("lock", ["report", "me"])


def test_workflows_are_listed_with_the_states_of_their_jobs(path, capsys):
    app = package.App(path)

    @app.task(queue="q", name="step")
    def step(*values):
        return 1

    workflow = app.db.workflow("import")
    workflow.add("load", step.s())
    workflow.add("save", step.s(), after=["load"])
    workflow.enqueue()
    [row] = run(capsys, "workflows", path)[1]
    assert (row["name"], row["count"], row["states"]) == ("import", 2, {"ready": 1, "waiting": 1})
    assert [job["name"] for job in row["jobs"]] == ["load", "save"]
    assert "0/2" in lines(capsys, "workflows", path)[1]
    app.db.close()


@pytest.fixture
def nightly(db):
    db.queue("q")
    package.Scheduler(db).add(name="nightly", queue="q", schedule=package.crontab("0 3 * * *"), payload={"n": 1})


def test_schedules_are_listed(db, path, nightly, capsys):
    heading, line = lines(capsys, "schedules", path)
    assert heading.split() == ["schedule", "queue", "times", "zone", "next", "last", "job"]
    assert line.startswith("nightly   q      0 3 * * *")
    assert [row["name"] for row in run(capsys, "schedules", path)[1]] == ["nightly"]


def test_a_schedule_is_run_now_and_keeps_its_next_boundary(db, path, nightly, capsys):
    before = package.Scheduler(db).list()[0].next_fire_at
    _, [printed] = run(capsys, "schedules", path, "run", "nightly")
    assert db.queue("q").claim_one("w").payload == {"n": 1}
    assert printed == {"schedule": "nightly", "job_id": 1}
    assert package.Scheduler(db).list()[0].next_fire_at == before


def test_a_schedule_is_paused_and_resumed(db, path, nightly, capsys):
    assert lines(capsys, "schedules", path, "pause", "nightly") == ["nightly paused"]
    assert lines(capsys, "schedules", path, "pause", "nightly") == ["nightly was paused already"]
    assert lines(capsys, "schedules", path)[1].endswith("paused")
    assert run(capsys, "schedules", path, "resume", "nightly")[1] == [{"schedule": "nightly", "is_changed": True}]
    assert package.Scheduler(db).list()[0].enabled


def test_a_schedule_that_does_not_exist_is_a_usage_error_that_names_the_others(db, path, nightly, capsys):
    assert main.run(["schedules", str(path), "run", "nigtly"]) == 2
    assert "'nigtly' is no schedule; the schedules are: nightly" in capsys.readouterr().err
    assert main.run(["schedules", str(path), "run"]) == 2
    assert main.run(["schedules", str(path), "stop", "nightly"]) == 2


def test_workers_are_listed_with_the_jobs_that_they_run(db, path, capsys):
    report = {
        "name": "web1:7:abc", "host": "web1", "pid": 7, "version": "1.2", "started_at": time.time() - 60,
        "is_stopping": False, "slots": 4, "busy": 1, "queues": ["emails"], "worker_ids": ["w"],
        "running": [{"id": 17, "queue": "emails", "task": "send", "since": time.time()}],
    }  # fmt: skip
    db.engine.call("SELECT honker_worker_report(?)", json.dumps(report))
    [row] = run(capsys, "workers", path)[1]
    assert (row["name"], row["state"], row["busy"], row["running"][0]["id"]) == ("web1:7:abc", "running", 1, 17)
    _, line = lines(capsys, "workers", path)
    assert line.split()[:4] == ["web1:7:abc", "running", "1/4", "emails"]
    assert line.endswith("send 17")


def test_limits_are_shown_and_set(db, path, capsys):
    options = ["--concurrency", "3", "--per-key", "1", "--rate", "100/60"]
    _, [printed] = run(capsys, "limits", path, "emails", *options)
    expected = {"queue": "emails", "concurrency": 3, "concurrency_per_key": 1, "rate": [100, 60]}
    assert printed == {**expected, "rate_per_key": None, "burst": 1}
    assert run(capsys, "limits", path, "emails")[1] == [printed]
    assert run(capsys, "limits", path, "emails", "--rate", "none")[1][0]["rate"] is None
    assert db.queue("emails").settings().concurrency == 3


def test_stored_names_do_not_control_the_terminal(db, path, capsys):
    db.queue("a\x1b[2Jb").enqueue("\x1b[31m")
    for command in ("queues", "jobs"):
        assert all(line.isprintable() for line in lines(capsys, command, path))


def test_a_list_of_a_file_of_a_million_jobs_answers_at_once(path, capsys):
    """The measured bound is 50 ms; the test leaves room for a busy machine."""
    package.open(path).close()
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
            "INSERT INTO _honker_live (queue, payload) SELECT 'q' || (i % 10), '{}' FROM n"
        )
    with package.open(path) as db:
        db.stats()
    for command in ("queues", "jobs"):
        started = time.perf_counter()
        assert main.run([command, str(path)]) == 0
        assert time.perf_counter() - started < 1
    assert " 1,000+ " in capsys.readouterr().out


def test_programs_get_the_same_in_a_pipe(db, path):
    db.queue("q").enqueue(1)
    done = honker("queues", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
