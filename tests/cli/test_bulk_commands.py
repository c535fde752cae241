"""`honker requeue`, `run-now`, `cancel` and `discard`, for given jobs and for all that match."""

import json
import signal

import pytest
from honker.cli import main
from honker.cli.bulk import _Progress

from ..support.program import honker
from ..support.terminal import on_terminal


def run(capsys, *arguments):
    code = main.run([*map(str, arguments), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def applied(verb, done, reasons=None):
    reasons = reasons or {}
    skipped = sum(reasons.values())
    return {"verb": verb, "done": done, "skipped": skipped, "reasons": reasons, "is_complete": True}


@pytest.fixture
def dead(db):
    """Dead letters 1 to 4: two errors, two queues."""
    for name, error in (("q", "TimeoutError"), ("q", "ValueError"), ("other", "TimeoutError"), ("q", "TimeoutError")):
        db.queue(name).enqueue(1)
        db.queue(name).claim_one("w").fail(error)
    return db


def remaining(db):
    return sorted(job.id for job in db.jobs(state="dead").jobs)


def test_given_dead_letters_are_requeued(dead, path, capsys):
    assert run(capsys, "requeue", path, 1, 3) == (0, [applied("requeue", 2)])
    assert remaining(dead) == [2, 4]
    assert dead.queue("q").claim_one("w").id == 1


def test_a_job_that_is_passed_over_is_named_by_its_reason_and_an_exit_code(dead, path, capsys):
    code, [printed] = run(capsys, "requeue", path, 1, 99)
    assert (code, printed) == (1, applied("requeue", 1, {"no such job": 1}))
    assert honker("requeue", path, 99).stdout == "0 requeued; passed over: 1 no such job\n"


def test_all_that_match_are_requeued(dead, path, capsys):
    filters = ["--all", "--queue", "q", "--error", "TimeoutError", "--yes"]
    assert run(capsys, "requeue", path, *filters) == (0, [applied("requeue", 2)])
    assert remaining(dead) == [2, 3]


def test_a_dry_run_counts_and_changes_nothing(dead, path, capsys):
    code, [printed] = run(capsys, "discard", path, "--all", "--queue", "q", "--dry-run")
    assert (code, printed) == (0, {"verb": "delete", "matching": 3, "is_exact": True, "is_dry_run": True})
    assert run(capsys, "requeue", path, 1, 99, "--dry-run")[1][0]["matching"] == 1
    assert remaining(dead) == [1, 2, 3, 4]


@pytest.mark.parametrize(("answer", "left"), [("y\n", [3]), ("n\n", [1, 2, 3, 4]), ("\n", [1, 2, 3, 4])])
def test_it_prints_the_count_and_asks(dead, path, answer, left):
    done = honker("discard", path, "--all", "--queue", "q", text=answer)
    assert "3 jobs will be discarded. Go on? [y/N]" in done.stderr
    assert remaining(dead) == left
    assert done.returncode == (0 if left == [3] else 1)


def test_without_a_terminal_and_without_yes_nothing_is_changed(dead, path):
    done = honker("discard", path, 1)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pass --yes" in done.stderr
    assert remaining(dead) == [1, 2, 3, 4]


def test_ctrl_c_at_the_question_changes_nothing(dead, path):
    with on_terminal("discard", path, "--all", NO_COLOR="1") as terminal:
        terminal.wait_for_text("Go on?")
        terminal.process.send_signal(signal.SIGINT)
        code, _ = terminal.end()
    assert code == 130
    assert remaining(dead) == [1, 2, 3, 4]


def test_an_operation_that_ends_early_tells_how_many_jobs_it_changed(db, path, monkeypatch, capsys):
    db.queue("q").enqueue_many([1] * 1_200, delay=60)
    told = _Progress.tell

    def interrupt(self, done, skipped):
        told(self, done, skipped)
        if done == 1_000:
            raise KeyboardInterrupt

    monkeypatch.setattr(_Progress, "tell", interrupt)
    assert main.run(["cancel", str(path), "--all", "--yes"]) == 130
    assert "honker: ended early; 1,000 jobs are cancelled, and stay so\n" in capsys.readouterr().err
    assert db.queue("q").stats().delayed == 200


def test_cancelling_a_dead_letter_changes_nothing(dead, path, capsys):
    assert run(capsys, "cancel", path, 1) == (1, [{"id": 1, "outcome": "gone"}])
    assert remaining(dead) == [1, 2, 3, 4]


def test_requeuing_given_jobs_does_not_ask(dead, path):
    assert honker("requeue", path, 1).returncode == 0


def test_finished_jobs_are_discarded_too(db, path, capsys):
    queue = db.queue("q")
    queue.configure(keep_finished_s=3600)
    queue.enqueue(1)
    queue.claim_one("w").ack()
    queue.enqueue(2)
    assert run(capsys, "discard", path, 1, 2, "--yes")[1][0]["done"] == 1
    assert [job.id for job in db.jobs().jobs] == [2]


def test_all_waiting_jobs_of_a_state_are_cancelled(db, path, capsys):
    queue = db.queue("q")
    queue.enqueue_many([1] * 1_200, delay=60)
    queue.enqueue(2)
    assert run(capsys, "cancel", path, "--all", "--state", "delayed", "--yes")[1][0]["done"] == 1_200
    assert queue.claim_one("w").payload == 2


def test_given_delayed_jobs_are_made_due(db, path, capsys):
    queue = db.queue("q")
    for payload in (1, 2, 3):
        queue.enqueue(payload, delay=600)
    queue.enqueue(4)
    assert run(capsys, "run-now", path, 1, 2) == (0, [applied("run_now", 2)])
    assert run(capsys, "run-now", path, 1, 4) == (1, [applied("run_now", 0, {"is due already": 2})])
    assert sorted(queue.claim_one("w").payload for _ in range(3)) == [1, 2, 4]
    assert honker("run-now", path, 3).stdout == "1 made due\n"


def test_all_delayed_jobs_of_a_filter_are_made_due(db, path, capsys):
    for name in ("q", "other"):
        db.queue(name).enqueue_many([1] * 700, delay=600)
    filters = ["--all", "--queue", "q"]
    assert run(capsys, "run-now", path, *filters, "--dry-run")[1][0]["matching"] == 700
    assert db.queue("q").stats().ready == 0
    assert run(capsys, "run-now", path, *filters, "--yes") == (0, [applied("run_now", 700)])
    assert (db.queue("q").stats().ready, db.queue("other").stats().ready) == (700, 0)
    assert honker("run-now", path, "--all", "--state", "dead", "--yes").returncode == 2


def test_a_limit_bounds_the_change(db, path, capsys):
    db.queue("q").enqueue_many([1] * 10)
    assert run(capsys, "cancel", path, "--all", "-n", 4, "--yes")[1][0]["done"] == 4
    assert db.queue("q").stats().ready == 6


def test_running_jobs_are_asked_to_end(db, path, capsys):
    queue = db.queue("q")
    queue.enqueue(1)
    job = queue.claim_one("w")
    assert run(capsys, "cancel", path, "--all", "--state", "running", "--yes")[0] == 0
    assert job.is_cancelled or db.job(job.id).cancel_requested_at is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no jobs are named; give IDs, or --all"),
        (["--queue", "q"], "the filters need --all"),
        (["1", "--all"], "exclude each other"),
        (["1", "--task", "t"], "filters and --limit go with --all"),
        (["1", "-n", "3"], "filters and --limit go with --all"),
    ],
)
@pytest.mark.parametrize("command", ["requeue", "run-now", "discard", "cancel"])
def test_an_ambiguous_selection_is_a_usage_error(dead, path, command, options, message, capsys):
    assert main.run([command, str(path), *options]) == 2
    assert message in capsys.readouterr().err
    assert remaining(dead) == [1, 2, 3, 4]


def test_a_state_without_such_jobs_is_a_usage_error(dead, path, capsys):
    assert main.run(["requeue", str(path), "--all", "--state", "ready"]) == 2
    assert "'ready' jobs cannot be requeued; name one of dead" in capsys.readouterr().err
