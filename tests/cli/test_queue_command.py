"""`honker queue`, `pause`, `resume` and `cancel`, and the options of `enqueue` that relate a job to others."""

import json
import time

import pytest
from honker import Scheduler, crontab
from honker.cli import main

from ..support.program import honker

UNSET = {
    "concurrency": None,
    "concurrency_per_key": None,
    "ordered": None,
    "on_dead": None,
    "rate": None,
    "rate_per_key": None,
    "burst": None,
    "keep_finished_s": None,
}


def run(capsys, *arguments):
    """Run a command in this process; return its exit code and its lines as JSON."""
    code = main.run([*map(str, arguments), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_settings_are_changed_and_printed(db, path):
    db.queue("emails").enqueue(1)
    done = honker("queue", "configure", path, "emails", "--concurrency", "3", "--rate", "100/60", "--ordered")
    assert (done.returncode, done.stderr) == (0, "")
    assert "concurrency          3\n" in done.stdout
    assert "rate                 100 per 60 s\n" in done.stdout
    assert "ordered              yes\n" in done.stdout
    assert db.queue("emails").settings() == {**UNSET, "concurrency": 3, "rate": (100, 60), "burst": 1, "ordered": True}


def test_every_setting_has_an_option(db, path, capsys):
    options = ["--concurrency-per-key", 2, "--rate-per-key", "5/0.5", "--burst", 4, "--keep-finished", 3600]
    options += ["--on-dead", "continue", "--concurrency", 7, "--rate", "9"]
    code, [printed] = run(capsys, "queue", "configure", path, "q", *options)
    assert code == 0
    assert printed == {
        "queue": "q",
        "concurrency": 7,
        "concurrency_per_key": 2,
        "ordered": None,
        "on_dead": "continue",
        "rate": [9, 1],
        "rate_per_key": [5, 0.5],
        "burst": 4,
        "keep_finished_s": 3600,
    }
    assert run(capsys, "queue", "show", path, "q") == (0, [printed])


def test_none_removes_a_setting_and_an_option_left_out_keeps_it(db, path, capsys):
    db.queue("q").configure(concurrency=3, rate=(1, 1), on_dead="continue", ordered=True)
    code, [printed] = run(capsys, "queue", "configure", path, "q", "--rate", "none", "--on-dead", "none", "--unordered")
    assert (code, printed["concurrency"], printed["rate"], printed["on_dead"]) == (0, 3, None, None)
    assert printed["ordered"] is None


def test_only_unset_leaves_the_change_of_an_operator(db, path, capsys):
    db.queue("q").configure(concurrency=3)
    _, [printed] = run(
        capsys, "queue", "configure", path, "q", "--concurrency", 9, "--keep-finished", 2, "--only-unset"
    )
    assert (printed["concurrency"], printed["keep_finished_s"]) == (3, 2)


@pytest.mark.parametrize(
    "options",
    [["--concurrency", "many"], ["--concurrency", "0"], ["--rate", "fast"], ["--rate", "1/x"], ["--burst", "-1"]],
)
def test_a_value_outside_its_range_is_a_usage_error(db, path, options, capsys):
    assert main.run(["queue", "configure", str(path), "q", *options]) == 2
    assert capsys.readouterr().out == ""
    assert db.queue("q").settings() == UNSET


def test_a_queue_is_paused_and_resumed(db, path, capsys):
    until = time.time() + 3600
    assert run(capsys, "pause", path, "q", "--until", until, "--reason", "deploy") == (
        0,
        [{"queue": "q", "key": None, "was_paused": False}],
    )
    stats = db.queue("q").stats()
    assert (stats.paused_until, stats.pause_reason) == (pytest.approx(until, abs=1), "deploy")
    assert run(capsys, "resume", path, "q") == (0, [{"queue": "q", "key": None, "was_paused": True}])
    assert run(capsys, "resume", path, "q") == (0, [{"queue": "q", "key": None, "was_paused": False}])


def test_one_key_is_paused_and_resumed(db, path, capsys):
    queue = db.queue("q")
    queue.enqueue(1, key="acme")
    assert run(capsys, "pause", path, "q", "--key", "acme")[0] == 0
    assert queue.claim_one("w") is None
    assert run(capsys, "resume", path, "q", "--key", "acme")[1] == [{"queue": "q", "key": "acme", "was_paused": True}]
    assert queue.claim_one("w") is not None


def test_a_moment_that_has_passed_is_a_usage_error(db, path, capsys):
    assert main.run(["pause", str(path), "q", "--until", "1000"]) == 2
    assert db.queue("q").stats().paused_at is None


def test_cancelling_says_what_became_of_each_job(db, path, capsys):
    queue = db.queue("q")
    running, waiting = queue.enqueue(1), queue.enqueue(2)
    queue.claim_one("w")
    code, printed = run(capsys, "cancel", path, running, waiting, 99)
    assert code == 1
    assert printed == [
        {"id": running, "outcome": "requested"},
        {"id": waiting, "outcome": "cancelled"},
        {"id": 99, "outcome": "gone"},
    ]
    assert main.run(["cancel", str(path), str(running), "--queue", "another"]) == 1
    assert main.run(["cancel", str(path), str(running), "--queue", "q"]) == 0


def test_a_job_is_enqueued_with_a_key_and_parents(db, path, capsys):
    queue = db.queue("q")
    parent = queue.enqueue(1)
    code, [printed] = run(
        capsys, "enqueue", path, "q", "2", "--key", "acme", "--after", parent, "--on-parent-failure", "run"
    )
    assert (code, printed) == (0, {"queue": "q", "id": parent + 1})
    assert queue.get_job(parent + 1).state == "waiting"
    queue.claim_one("w").fail("broken")
    child = queue.claim_one("w")
    assert (child.key, [each.state for each in child.parents()]) == ("acme", ["dead"])


def test_a_unique_key_is_enqueued_once(db, path, capsys):
    first = run(capsys, "enqueue", path, "q", "1", "--unique-key", "a")
    again = run(capsys, "enqueue", path, "q", "2", "--unique-key", "a")
    assert first == (0, [{"queue": "q", "id": 1, "is_duplicate": False}])
    assert again == (0, [{"queue": "q", "id": 1, "is_duplicate": True}])
    assert main.run(["enqueue", str(path), "q", "3", "--unique-key", "a", "--on-conflict", "raise"]) == 1
    assert run(capsys, "enqueue", path, "q", "4", "--unique-key", "a", "--on-conflict", "replace")[0] == 0
    assert db.queue("q").claim_one("w").payload == 4


@pytest.mark.parametrize("options", [["--on-conflict", "raise"], ["--debounce", "5"], ["--on-parent-failure", "run"]])
def test_an_option_without_the_one_it_belongs_to_is_a_usage_error(db, path, options, capsys):
    assert main.run(["enqueue", str(path), "q", "1", *options]) == 2
    assert db.queue("q").claim_one("w") is None


# ------------------------------------------------------------------------------------------------------- unknown queues

UNKNOWN = "honker: the queue 'emial' has no jobs, settings, workers or schedules; did you mean 'email'?\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["pause", "{}", "emial"],
        ["pause", "{}", "emial", "--key", "k"],
        ["resume", "{}", "emial"],
        ["limits", "{}", "emial"],
        ["limits", "{}", "emial", "--concurrency", "3"],
        ["queue", "show", "{}", "emial"],
        ["queue", "configure", "{}", "emial", "--ordered"],
        ["discard", "{}", "--all", "--yes", "--queue", "emial"],
        ["requeue", "{}", "--all", "--yes", "--queue", "emial"],
        ["cancel", "{}", "--all", "--yes", "--queue", "emial"],
    ],
    ids=" ".join,
)
def test_a_queue_that_nothing_uses_is_named_with_a_similar_one(db, path, capsys, arguments):
    db.queue("email").enqueue(1)
    assert main.run([each.format(path) for each in arguments]) == 0
    assert capsys.readouterr().err == UNKNOWN


def test_a_queue_that_has_a_setting_a_pause_or_a_schedule_is_known(db, path, capsys):
    db.queue("set").configure(concurrency=3)
    db.queue("paused").pause()
    Scheduler(db).add(name="nightly", queue="reports", schedule=crontab("0 3 * * *"))
    for name in ("set", "paused", "reports"):
        assert main.run(["pause", str(path), name]) == 0
    assert capsys.readouterr().err == ""
    assert main.run(["pause", str(path), "something else"]) == 0
    assert capsys.readouterr().err.endswith("has no jobs, settings, workers or schedules\n")
