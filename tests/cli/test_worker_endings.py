"""`honker worker` with the options that end it, its hooks, and its logs; run as a separate process."""

import fcntl
import json
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

@db.task("adding")
def add(a, b):
    return a + b

@db.task("adding", max_attempts=1)
def fail():
    raise LookupError("no such order")

@db.task("other")
def add_later(a, b):
    add(a, b)

@db.task("big")
def hold(mib):
    held.append(b"x" * (mib * 2**20))

held = []
"""

HOOKS = """
import asyncio, time
from pathlib import Path
import honker

db = honker.open("app.db")

@db.task("q", timeout_s=None)
def wait_for_file(name):
    Path(name + ".begun").touch()
    while not Path(name).exists():
        time.sleep(0.005)
    print("handled", flush=True)

async def start():
    print("started hook", flush=True)
    while not Path("start").exists():
        await asyncio.sleep(0.005)

async def stop():
    print("stop hook", flush=True)
    while not Path("stop").exists():
        await asyncio.sleep(0.005)
    print("stop hook ended", flush=True)

honker.registry().on_start.append(start)
honker.registry().on_stop.append(stop)
"""

STARTED = r"honker worker: pid=(\d+) .*"
STOPPING = r"honker worker: stopping \(SIG(INT|TERM)\); tasks have \S+ s to end"
STOPPED = "honker worker: stopped cleanly"
LIVE = "SELECT state, attempts FROM _honker_live"


@pytest.fixture
def tasks(write, db):
    write("tasks.py", TASKS)
    return lambda queue, task, *args: call(db, queue, task, *args)


@pytest.fixture
def hooked(write, db, tmp_path):
    """A worker with slow hooks, running."""
    write("tasks.py", HOOKS)
    with running("worker", "tasks:db", "--grace", "40", cwd=tmp_path) as worker:
        worker.expect("started hook")
        yield worker


def call(db, queue, task, *args):
    """Enqueue a call as `tasks.py` would, and return its id."""
    return db.queue(queue).enqueue({"__honker_task__": {"task": f"tasks.{task}", "args": list(args), "kwargs": {}}})


# -------------------------------------------------------------------------------------------------------------- endings


def test_a_burst_runs_what_is_due_and_says_how_it_ended(tasks, db, tmp_path):
    for number in range(3):
        tasks("other", "add_later", number, 1)
    tasks("adding", "fail")
    done = program.honker("worker", "tasks:db", "--burst", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["honker worker: 7 attempts: 1 dead, 6 done", STOPPED]
    assert ask(db.path, LIVE) == []


def test_a_burst_reports_json_if_that_is_asked_for(tasks, tmp_path):
    tasks("adding", "add", 1, 2)
    done = program.honker("worker", "tasks:db", "--burst", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()][1:] == [
        {"event": "done", "attempts": 1, "outcomes": {"done": 1}},
        {"event": "stopped"},
    ]


def test_a_burst_of_nothing_ends(tasks, tmp_path):
    done = program.honker("worker", "tasks:db", "--burst", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == ["honker worker: 0 attempts", STOPPED]


def test_a_worker_ends_after_max_jobs(tasks, db, tmp_path):
    for number in range(5):
        tasks("adding", "add", number, 1)
    done = program.honker("worker", "tasks:db", "--max-jobs", "3", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["honker worker: 3 attempts: 3 done", STOPPED]
    assert ask(db.path, LIVE) == [("pending", 0)] * 2


def test_a_scheduler_beside_ends_with_the_worker(tasks, tmp_path, write):
    write("tasks.py", TASKS + "db.periodic_task(honker.crontab('0 0 1 1 *'), queue='adding', name='yearly')(print)\n")
    tasks("adding", "add", 1, 1)
    done = program.honker("worker", "tasks:db", "--with-scheduler", "--max-jobs", "1", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2:] == ["honker worker: 1 attempt: 1 done", STOPPED]


def test_a_worker_ends_beyond_its_memory_after_the_job(tasks, db, tmp_path):
    for _ in range(100):
        tasks("big", "hold", 32)
    done = program.honker(
        "worker", "tasks:db", "--queue", "big", "--concurrency", "1", "--max-memory", "256", cwd=tmp_path
    )
    assert done.returncode == 0
    assert "no more jobs are claimed: the process uses" in done.stderr
    left = ask(db.path, LIVE)
    assert left, "it has ended before the last job"
    assert left == [("pending", 0)] * len(left)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--burst", "--with-scheduler"], "a scheduler never ends"),
        (["--burst", "--reload"], "--reload goes with no option"),
        (["--list", "--reload"], "--reload goes with no option"),
        (["--max-jobs", "0"], "--max-jobs"),
        (["--max-memory", "0"], "--max-memory"),
        (["--log-format", "xml"], "--log-format"),
    ],
)
def test_options_that_exclude_each_other_are_a_usage_error(tasks, tmp_path, options, reason):
    done = program.honker("worker", "tasks:db", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr


# ---------------------------------------------------------------------------------------------------------------- hooks


def test_hooks_are_called_around_the_work(hooked, db, tmp_path):
    call(db, "q", "wait_for_file", "go")
    (tmp_path / "go").touch()
    (tmp_path / "stop").touch()
    assert not (tmp_path / "go.begun").exists()
    (tmp_path / "start").touch()
    hooked.expect(STARTED)
    hooked.expect("handled")
    hooked.signal()
    hooked.expect(STOPPING)
    assert hooked.end() == (0, f"stop hook\nstop hook ended\n{STOPPED}\n", "")


def test_a_signal_during_a_start_hook_lets_it_end_and_claims_nothing(hooked, db, tmp_path):
    call(db, "q", "wait_for_file", "go")
    hooked.signal(signal.SIGTERM)
    hooked.expect(STOPPING)
    (tmp_path / "stop").touch()
    (tmp_path / "start").touch()
    assert hooked.end() == (0, f"stop hook\nstop hook ended\n{STOPPED}\n", "")
    assert ask(db.path, LIVE) == [("pending", 0)]


def test_a_signal_during_a_plain_start_hook_claims_nothing(write, db, tmp_path):
    source = HOOKS.replace("async def start", "def start").replace("await asyncio.sleep", "time.sleep", 1)
    write("tasks.py", source)
    call(db, "q", "wait_for_file", "go")
    (tmp_path / "stop").touch()
    with running("worker", "tasks:db", cwd=tmp_path) as worker:
        worker.expect("started hook")
        worker.signal(signal.SIGTERM)
        (tmp_path / "start").touch()
        worker.expect(STOPPING)
        assert worker.end()[0] == 0
    assert not (tmp_path / "go.begun").exists()
    assert ask(db.path, LIVE) == [("pending", 0)]


def test_a_second_signal_ends_a_start_hook_at_once_and_calls_the_stop_hooks(hooked, tmp_path):
    (tmp_path / "stop").touch()
    hooked.signal(signal.SIGTERM)
    hooked.expect(STOPPING)
    hooked.signal(signal.SIGTERM)
    assert hooked.end() == (128 + signal.SIGTERM, "stop hook\nstop hook ended\n", "")


def test_stop_hooks_wait_for_the_last_handler(hooked, db, tmp_path):
    (tmp_path / "start").touch()
    hooked.expect(STARTED)
    call(db, "q", "wait_for_file", "go")
    wait_until((tmp_path / "go.begun").exists, 30)
    hooked.signal(signal.SIGTERM)
    hooked.expect(STOPPING)
    (tmp_path / "go").touch()
    hooked.expect("handled")
    hooked.expect("stop hook")
    (tmp_path / "stop").touch()
    assert hooked.end() == (0, f"stop hook ended\n{STOPPED}\n", "")
    assert ask(db.path, LIVE) == []


def test_a_signal_during_a_stop_hook_ends_it(hooked, tmp_path):
    (tmp_path / "start").touch()
    hooked.expect(STARTED)
    hooked.signal(signal.SIGTERM)
    hooked.expect(STOPPING)
    hooked.expect("stop hook")
    hooked.signal(signal.SIGTERM)
    assert hooked.end() == (128 + signal.SIGTERM, "", "")


@pytest.mark.parametrize("line", ["threading.Event().wait()", "fcntl.flock(open('held', 'w'), fcntl.LOCK_EX)"])
def test_a_stop_hook_that_blocks_is_named_and_left(write, tmp_path, line):
    hanging = f"import fcntl, threading\ndef hang():\n    {line}\nhonker.registry().on_stop.append(hang)\n"
    write("tasks.py", TASKS + hanging)
    with open(tmp_path / "held", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = program.honker("worker", "tasks:db", "--burst", "--grace", "0", cwd=tmp_path)
    assert (done.returncode, "tasks.hang blocks the event loop" in done.stderr) == (1, True)
    assert done.stdout.splitlines()[1:] == ["honker worker: stop hook tasks.hang does not end; leaving without it"]


def test_a_start_hook_that_fails_is_an_error_with_its_traceback(write, db, tmp_path):
    failing = "def connect():\n    raise ConnectionError('no broker')\nhonker.registry().on_start.append(connect)\n"
    write("tasks.py", TASKS + failing)
    call(db, "adding", "add", 1, 1)
    done = program.honker("worker", "tasks:db", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[-1] == "Error: start hook tasks.connect failed: no broker"
    assert "ConnectionError: no broker" in lines
    assert ask(db.path, LIVE) == [("pending", 0)]


# ----------------------------------------------------------------------------------------------------------------- logs


def records(stderr):
    return [json.loads(line) for line in stderr.splitlines()]


def test_json_logs_have_one_debug_line_for_each_attempt(tasks, tmp_path):
    job_id = tasks("adding", "add", 1, 2)
    done = program.honker("worker", "tasks:db", "--burst", "--log-format", "json", "--log-level", "debug", cwd=tmp_path)
    (record,) = [each for each in records(done.stderr) if "task" in each]
    assert record.pop("seconds") >= 0
    assert record.pop("time")
    assert record.pop("message").startswith(f"task 'tasks.add', job {job_id} of queue 'adding', attempt 1: done in ")
    assert record == {
        "level": "debug",
        "logger": "honker",
        "task": "tasks.add",
        "queue": "adding",
        "job_id": job_id,
        "attempt": 1,
        "outcome": "done",
    }
    assert done.stdout.splitlines()[-1] == STOPPED, "the lines on standard output stay text"


def test_json_logs_have_the_traceback_of_a_failure_as_a_field(tasks, tmp_path):
    tasks("adding", "fail")
    done = program.honker("worker", "tasks:db", "--burst", "--log-format", "json", cwd=tmp_path)
    (record,) = [each for each in records(done.stderr) if "task" in each]
    assert (record["level"], record["task"], record["outcome"]) == ("error", "tasks.fail", "dead")
    assert record["error"] == "no such order"
    assert record["message"].endswith("failed for good: no such order")
    assert record["traceback"].startswith("Traceback (most recent call last):\n")
    assert record["traceback"].endswith("LookupError: no such order\n")


def test_text_logs_show_the_traceback_of_a_failure(tasks, tmp_path):
    tasks("adding", "fail")
    done = program.honker("worker", "tasks:db", "--burst", "--json", "--log-format", "text", cwd=tmp_path)
    assert "LookupError: no such order" in done.stderr.splitlines()
    assert json.loads(done.stdout.splitlines()[0])["event"] == "started"
