"""Handlers under `honker worker` that fork, or raise the exceptions which usually end a process."""

import errno
import signal
import subprocess
import sys

import pytest

from ..support.locking import ask
from ..support.program import running
from ..support.waiting import wait_until

TASKS = """
import asyncio, multiprocessing, os, signal, time
from pathlib import Path
import honker

db = honker.open("app.db")

def nap(marker):
    Path(marker).touch()
    time.sleep(1000)

@db.task("q", retries=1)
def terminate_a_forked_child(marker):
    child = multiprocessing.get_context("fork").Process(target=nap, args=(marker,))
    child.start()
    while not Path(marker).exists():
        time.sleep(0.005)
    child.terminate()
    child.join(5)
    code = child.exitcode
    child.kill()
    return code

@db.task("q", retries=1)
def terminate_forked_children_at_once(count):
    codes = set()
    for _ in range(count):
        child = os.fork()
        if child == 0:
            time.sleep(5)
            os._exit(0)
        os.kill(child, signal.SIGTERM)
        codes.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return sorted(codes)

@db.task("q", retries=1)
def interrupt():
    raise KeyboardInterrupt("boom")

@db.task("q", retries=1)
async def interrupt_async():
    raise KeyboardInterrupt("boom")

@db.task("q", retries=1)
async def interrupt_in_a_task():
    await asyncio.create_task(leave())

async def leave():
    raise SystemExit("boom")

@db.task("q")
def good():
    return 1
"""


@pytest.fixture
def worker(write, db, tmp_path):
    """A worker with one slot for the tasks above, which must stop cleanly at the first signal."""
    write("tasks.py", TASKS)
    with running("worker", "tasks:db", "--concurrency", "1", cwd=tmp_path) as program:
        program.expect(r"honker worker: pid=.*")
        yield program
        program.signal(signal.SIGTERM)
        code, output, _ = program.end()
        assert code == 0
        assert output.endswith("honker worker: stopped cleanly\n")


def call(db, task, *args):
    """Enqueues a call as `tasks.py` would; its id."""
    return db.queue("q").enqueue({"__honker_task__": {"task": f"tasks.{task}", "args": list(args), "kwargs": {}}})


def result(db, job_id):
    """The result of a job, waiting for it."""
    return wait_until(lambda: (seen := db.queue("q").get_result(job_id))[0] and seen, 30)[1]


def test_a_forked_child_of_a_handler_can_be_terminated(worker, db):
    assert result(db, call(db, "terminate_a_forked_child", "marker")) == -signal.SIGTERM


def test_a_forked_child_can_be_terminated_before_it_has_replaced_its_signal_handlers(worker, db):
    assert result(db, call(db, "terminate_forked_children_at_once", 100)) == [-signal.SIGTERM]


@pytest.mark.parametrize("task", ["interrupt", "interrupt_async", "interrupt_in_a_task"])
def test_only_the_workers_own_signals_stop_it(worker, db, path, task):
    failed, good = call(db, task), call(db, "good")
    assert result(db, good) == 1
    ((job_id, attempts, error),) = ask(path, "SELECT id, attempts, last_error FROM _honker_dead")
    assert (job_id, attempts) == (failed, 1)
    assert "boom" in error


WITHOUT_DESCRIPTORS = """
import os, resource, sys
from honker.cli.signals import run_until_signal

async def work():
    pass

lowest = os.open(os.devnull, os.O_RDONLY)
os.close(lowest)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, lowest))
try:
    run_until_signal(work)
except OSError as error:
    print(error.errno)
"""


def test_a_process_without_descriptors_makes_no_coroutine_that_it_cannot_run():
    run = subprocess.run([sys.executable, "-c", WITHOUT_DESCRIPTORS], capture_output=True, text=True, check=True)
    assert run.stdout == f"{errno.EMFILE}\n"
    assert "never awaited" not in run.stderr
