"""`honker worker`, run as a separate process and stopped with signals."""

import json
import signal

import honker
import pytest

from ..support import program
from ..support.locking import ask
from ..support.program import running
from ..support.waiting import wait_until

TASKS = """
import asyncio, time
from pathlib import Path
import honker

db = honker.open("app.db")

@db.task("adding")
def add(a, b):
    return a + b

@db.task("slow", timeout_s=None)
def wait_for_file(name):
    "Says that it runs, and goes on until the file is there."
    Path(name + ".begun").touch()
    while not Path(name).exists():
        time.sleep(0.005)
    return "waited"

@db.task("slow")
async def wait_for_file_async(name):
    Path(name + ".begun").touch()
    while not Path(name).exists():
        await asyncio.sleep(0.005)

@db.task("slow")
async def block_for_ever():
    Path("blocked").touch()
    while True:
        time.sleep(0.005)
"""
STARTED = r"honker worker: pid=(\d+) queues=(\S+) concurrency=(\d+) tasks=(\d+)"
STOPPING = r"honker worker: stopping \(SIG(INT|TERM)\); tasks have \S+ s to end"
STOPPED = "honker worker: stopped cleanly"
LIVE = "SELECT state, attempts FROM _honker_live"


@pytest.fixture
def run_worker(write, db, tmp_path):
    """Start a worker for the tasks above, and return its `Program`."""
    write("tasks.py", TASKS)
    return lambda *options: running("worker", "tasks:db", *options, cwd=tmp_path)


def call(db, queue, task, *args):
    """Enqueue a call as `tasks.py` would, and return its id."""
    return db.queue(queue).enqueue({"__honker_task__": {"task": f"tasks.{task}", "args": list(args), "kwargs": {}}})


def result(db, queue, job_id):
    """Wait for the result of a job, and return it."""
    wait_until(lambda: db.queue(queue).get_result(job_id)[0], 30)
    return db.queue(queue).get_result(job_id)[1]


# -------------------------------------------------------------------------------------------------------------- running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tasks_are_run_until_a_signal_stops_it(run_worker, db, number):
    first = call(db, "adding", "add", 1, 2)
    with run_worker() as worker:
        started = worker.expect(STARTED)
        assert (int(started[1]), started[2], started[4]) == (worker.process.pid, "adding,slow", "4")
        wait_until(lambda: db.queue("adding").get_result(first)[0], 30)
        assert db.queue("adding").get_result(first) == (True, 3)
        second = call(db, "adding", "add", 3, 4)
        wait_until(lambda: db.queue("adding").get_result(second)[0], 30)
        worker.signal(number)
        worker.expect(STOPPING)
        worker.expect(STOPPED)
        assert worker.end() == (0, "", "")


def test_only_the_queues_that_are_named_are_worked_on(run_worker, db):
    call(db, "slow", "wait_for_file", "never")
    done = call(db, "adding", "add", 1, 2)
    with run_worker("--queue", "adding", "--concurrency", "7") as worker:
        started = worker.expect(STARTED)
        assert started.group(2, 3, 4) == ("adding", "7", "1")
        wait_until(lambda: db.queue("adding").get_result(done)[0], 30)
        worker.signal()
        worker.expect(STOPPING)
        worker.expect(STOPPED)
    assert ask(db.path, LIVE) == [("pending", 0)]


def test_several_queues_can_be_named(run_worker):
    with run_worker("--queue", "slow", "--queue", "adding", "--queue", "slow") as worker:
        assert worker.expect(STARTED)[2] == "adding,slow"


def test_its_lines_are_json_if_that_is_asked_for(run_worker, tmp_path):
    with run_worker("--json", "--concurrency", "2") as worker:
        assert json.loads(worker.line()) == {
            "event": "started",
            "pid": worker.process.pid,
            "queues": ["adding", "slow"],
            "concurrency": 2,
            "tasks": 4,
        }
        worker.signal()
        assert json.loads(worker.line()) == {"event": "stopping", "signal": "SIGINT", "grace": 10}
        assert json.loads(worker.line()) == {"event": "stopped"}


def test_periodic_tasks_run_with_a_scheduler_beside(write, db, tmp_path):
    write(
        "tasks.py",
        "import honker\n"
        "db = honker.open('app.db')\n"
        "@db.periodic_task(honker.every_s(1), queue='reports', scheduler_name='report')\n"
        "def report():\n"
        "    db.notify('reports', 'written')\n",
    )
    with db.listen("reports") as reports, running("worker", "tasks:db", "--with-scheduler", cwd=tmp_path) as worker:
        worker.expect(STARTED)
        worker.expect("honker scheduler: leading; 1 schedule")
        assert next(reports).payload == "written"
        worker.signal()
        worker.expect(STOPPING)
        worker.expect(STOPPED)
        assert worker.end() == (0, "", "")


def test_a_scheduler_with_nothing_to_do_is_an_error(run_worker):
    """The workers end with the scheduler."""
    with run_worker("--with-scheduler") as worker:
        worker.expect(STARTED)
        code, output, errors = worker.end()
    assert (code, output) == (1, "")
    assert "Error: no registered tasks: add a schedule" in errors


# ------------------------------------------------------------------------------------------------------------- stopping


@pytest.mark.parametrize("task", ["wait_for_file", "wait_for_file_async"])
def test_a_task_that_runs_may_end_within_the_grace_period(run_worker, db, tmp_path, task):
    call(db, "slow", task, "go")
    with run_worker("--grace", "40") as worker:
        worker.expect(STARTED)
        wait_until((tmp_path / "go.begun").exists, 30)
        later = call(db, "adding", "add", 1, 2)
        wait_until(lambda: db.queue("adding").get_result(later)[0], 30)
        worker.signal(signal.SIGTERM)
        worker.expect(STOPPING)
        call(db, "adding", "add", 1, 2)
        (tmp_path / "go").touch()
        worker.expect(STOPPED)
        assert worker.end() == (0, "", "")
    assert ask(db.path, LIVE) == [("pending", 0)], "the last call came too late, and no other job is left"


@pytest.mark.parametrize("task", ["wait_for_file", "wait_for_file_async"])
def test_after_the_grace_period_jobs_are_given_back_and_threads_left_behind(run_worker, db, tmp_path, task):
    call(db, "slow", task, "never")
    with run_worker("--grace", "0.1", "--log-level", "error") as worker:
        worker.expect(STARTED)
        wait_until((tmp_path / "never.begun").exists, 30)
        worker.signal()
        worker.expect(STOPPING)
        worker.expect(STOPPED)
        assert worker.end() == (0, "", "")
    assert ask(db.path, LIVE) == [("pending", 0)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_it_at_once(run_worker, db, tmp_path, number):
    call(db, "slow", "wait_for_file", "never")
    with run_worker("--grace", "1000", "--log-level", "error") as worker:
        worker.expect(STARTED)
        wait_until((tmp_path / "never.begun").exists, 30)
        worker.signal()
        worker.expect(STOPPING)
        worker.signal(number)
        assert worker.end() == (128 + number, "", "")
    assert ask(db.path, LIVE) == [("pending", 0)], "given back, uncharged"


def test_a_task_that_blocks_the_event_loop_does_not_keep_signals_from_killing_it(run_worker, db, tmp_path):
    call(db, "slow", "block_for_ever")
    with run_worker() as worker:
        worker.expect(STARTED)
        wait_until((tmp_path / "blocked").exists, 30)

        def has_died():
            worker.signal()
            return worker.process.poll() is not None

        wait_until(has_died, 30)
        assert worker.end() == (-signal.SIGINT, "", "")
    assert ask(db.path, LIVE) == [("processing", 1)], "its lease has to lapse"


def test_it_goes_on_when_nobody_reads_what_it_says(run_worker, db):
    with run_worker() as worker:
        worker.expect(STARTED)
        worker.process.stdout.close()
        worker.signal()
        assert worker.process.wait(timeout=45) == 0
        assert worker.process.stderr.read() == ""


def test_a_worker_whose_file_is_replaced_ends_with_an_error(run_worker, db, tmp_path):
    """It must not go on to work in a file that no other process sees."""
    with run_worker("--queue", "adding") as worker:
        worker.expect(STARTED)
        done = call(db, "adding", "add", 1, 2)
        wait_until(lambda: db.queue("adding").get_result(done)[0], 30)
        with honker.open(tmp_path / "new.db"):
            pass
        (tmp_path / "new.db").rename(db.path)
        worker.expect_notice(r"Error: .*replaced.*open the database again")
        assert worker.end()[0] == 1


# ------------------------------------------------------------------------------------------------------ tasks and usage


def test_the_list_has_a_header_and_a_line_for_each_task(write, tmp_path):
    write("tasks.py", TASKS)
    done = program.honker("worker", "tasks:db", "--list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == [
        "tasks.add  queue=adding",
        "tasks.block_for_ever  queue=slow",
        "tasks.wait_for_file  queue=slow",
        "tasks.wait_for_file_async  queue=slow",
    ]
    of_queue = program.honker("worker", "tasks:db", "--list", "--queue", "adding", cwd=tmp_path)
    assert of_queue.stdout.splitlines()[1:] == ["tasks.add  queue=adding"]


def test_the_list_is_json_if_that_is_asked_for(write, tmp_path):
    write(
        "tasks.py",
        "import honker\ndb = honker.open('app.db')\n"
        "db.periodic_task(honker.crontab('0 3 * * *'), queue='q', name='nightly')(print)\n"
        "db.task('q', name='now')(repr)\n",
    )
    done = program.honker("worker", "tasks:db", "--list", "--json", cwd=tmp_path)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"name": "nightly", "queue": "q", "schedule": "0 3 * * *"},
        {"name": "now", "queue": "q", "schedule": None},
    ]


def test_a_list_of_no_tasks_is_no_error(write, tmp_path):
    write("tasks.py", "import honker\ndb = honker.open('app.db')\n")
    done = program.honker("worker", "tasks:db", "--list", cwd=tmp_path)
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (0, 1, "")


def test_a_worker_without_tasks_is_an_error(write, tmp_path):
    write("tasks.py", "import honker\ndb = honker.open('app.db')\n")
    done = program.honker("worker", "tasks:db", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: no tasks are registered for tasks:db: tasks and what it imports define none")
    assert "imports=[...]" in done.stderr


def test_a_queue_without_tasks_is_an_error(write, tmp_path):
    write("tasks.py", TASKS)
    done = program.honker("worker", "tasks:db", "--queue", "ading", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: no task uses the queue 'ading'; the queues with tasks are adding, slow\n"


@pytest.mark.parametrize(
    "options", [["--concurrency", "0"], ["--concurrency", "many"], ["--grace", "-1"], ["--log-level", "x"], ["--wrong"]]
)
def test_a_wrong_option_is_a_usage_error(write, tmp_path, options):
    write("tasks.py", "raise SystemExit('it was imported')")
    done = program.honker("worker", "tasks:db", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert options[0] in done.stderr
    assert "imported" not in done.stderr
