"""`honker worker --reload`: real files are edited beside a running worker."""

import signal

import pytest

from ..support import program
from ..support.locking import ask
from ..support.program import running
from ..support.waiting import wait_until

TASKS = """
import time
from pathlib import Path
import honker

db = honker.open("app.db")

@db.task("q")
def version():
    return 1

@db.task("q", timeout_s=None)
def wait_for_file(name):
    Path(name + ".begun").touch()
    while not Path(name).exists():
        time.sleep(0.005)
    return "waited"
"""
STARTED = r"honker worker: pid=(\d+) .*"
RELOADING = r"honker worker: reloading; changed: (.*)"
STOPPING = r"honker worker: stopping \(SIG(INT|TERM)\); tasks have \S+ s to end"
STOPPED = "honker worker: stopped cleanly"


@pytest.fixture
def reloading(write, db, tmp_path):
    """A worker that reloads, running."""
    write("tasks.py", TASKS)
    with running("worker", "tasks:db", "--reload", "--grace", "40", cwd=tmp_path) as worker:
        worker.pid = int(worker.expect(STARTED)[1])
        yield worker
        if worker.process.poll() is None:
            worker.signal(signal.SIGTERM)  # which stops its child too
            worker.process.wait(45)


def result(db, task, *args):
    """The result of a call, once it is there."""
    payload = {"__honker_task__": {"task": f"tasks.{task}", "args": list(args), "kwargs": {}}}
    job_id = db.queue("q").enqueue(payload)
    wait_until(lambda: db.queue("q").get_result(job_id)[0], 30)
    return db.queue("q").get_result(job_id)[1]


def expect_restart(worker, files):
    """The lines of a reload, up to the start of the new process."""
    assert worker.expect(RELOADING)[1] == files
    worker.expect(STOPPING)
    worker.expect(STOPPED)
    pid = int(worker.expect(STARTED)[1])
    assert pid != worker.pid
    worker.pid = pid


def test_an_edited_file_is_run_by_a_new_process(reloading, db, write):
    assert result(db, "version") == 1
    write("tasks.py", TASKS.replace("return 1", "return 2"))
    expect_restart(reloading, "tasks.py")
    assert result(db, "version") == 2
    reloading.signal()
    reloading.expect(STOPPING)
    reloading.expect(STOPPED)
    assert reloading.end() == (0, "", "")


def test_a_job_that_runs_may_end_before_the_reload(reloading, db, write, tmp_path):
    job_id = db.queue("q").enqueue({"__honker_task__": {"task": "tasks.wait_for_file", "args": ["go"], "kwargs": {}}})
    wait_until((tmp_path / "go.begun").exists, 30)
    write("tasks.py", TASKS + "\n")
    reloading.expect(RELOADING)
    reloading.expect(STOPPING)
    (tmp_path / "go").touch()
    reloading.expect(STOPPED)
    reloading.expect(STARTED)
    assert db.queue("q").get_result(job_id) == (True, "waited")
    assert ask(db.path, "SELECT count(*) FROM _honker_live") == [(0,)]


def test_a_file_that_is_not_python_changes_nothing(reloading, db, write, tmp_path):
    (tmp_path / "notes.txt").write_text("a")
    write("other.py", "")
    expect_restart(reloading, "other.py")


def test_a_broken_file_is_reported_and_its_repair_starts_the_worker_again(reloading, db, write):
    write("tasks.py", "def broken(:\n")
    reloading.expect(RELOADING)
    reloading.expect(STOPPING)
    reloading.expect(STOPPED)
    while "cannot be imported" not in reloading.process.stderr.readline():
        assert reloading.process.poll() is None
    write("tasks.py", TASKS.replace("return 1", "return 3"))
    reloading.expect(RELOADING)
    reloading.expect(STARTED)
    assert result(db, "version") == 3


def test_a_second_signal_is_passed_on(reloading, db, tmp_path):
    db.queue("q").enqueue({"__honker_task__": {"task": "tasks.wait_for_file", "args": ["never"], "kwargs": {}}})
    wait_until((tmp_path / "never.begun").exists, 30)
    reloading.signal(signal.SIGTERM)
    reloading.expect(STOPPING)
    reloading.signal(signal.SIGTERM)
    code, output, _ = reloading.end()
    assert (code, output) == (128 + signal.SIGTERM, "")
    assert ask(db.path, "SELECT state, attempts FROM _honker_live") == [("pending", 0)]


def test_a_missing_package_is_named_with_its_extra(write, db, tmp_path):
    write("tasks.py", TASKS)
    write("watchfiles.py", "raise ModuleNotFoundError('no watchfiles here')\n")
    done = program.honker("worker", "tasks:db", "--reload", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'honker-db[reload]'" in done.stderr
