"""Tasks called here and run by `honker worker` in another process.

    python examples/run_tasks.py [DATABASE]

Starts `honker worker tasks_module:db`, calls the tasks of `tasks_module.py`, waits for their results, and stops the
worker as a service manager would.
"""

import importlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import honker


def call(tasks):
    """Call the tasks and check their results."""
    total = tasks.add(1, 2).get(timeout=30)
    print("1 + 2 =", total)
    assert total == tasks.add.call_local(1, 2)

    answer = tasks.send("alice@example.org").get(timeout=30)
    print(answer)
    assert not answer.endswith(f" {os.getpid()}"), "it ran in this process"

    try:
        tasks.bounce("nobody").get(timeout=30)
    except honker.JobFailedError as error:
        reason = error.error.splitlines()[0]
        print(f"job {error.job_id} failed: {reason}")
        assert "'nobody' is no address" in reason
    else:
        raise AssertionError("the job must fail")


def main(path):
    os.environ["SHOP_DB"] = os.path.abspath(path)
    tasks = importlib.import_module("tasks_module")  # opens the database, so import it after the path is set
    worker = subprocess.Popen(
        [sys.executable, "-m", "honker", "worker", "tasks_module:db", "--concurrency", "2"], cwd=Path(__file__).parent
    )
    try:
        call(tasks)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait()
        tasks.db.close()
    assert worker.returncode == 0, f"the worker ended with {worker.returncode}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(folder, "shop.db"))
