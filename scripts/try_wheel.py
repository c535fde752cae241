"""Try an installed package, without the repository: a transaction, a worker process, a wake, the command line.

    python scripts/try_wheel.py

Exit code 0 and one line with the versions: all of it works.
"""

from __future__ import annotations

import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import honker

TASKS = """
import honker

app = honker.App("shop.db")


@app.task
def double(number: int) -> int:
    return 2 * number
"""


def main() -> None:
    """Run all steps in a temporary folder."""
    library, _ = honker.extension_info()
    if Path(__file__).resolve().parents[1] in Path(library).resolve().parents:
        sys.exit(f"{library} belongs to the repository; install the wheel into another environment first")
    with tempfile.TemporaryDirectory() as folder:
        work_in_another_process(Path(folder))
        roll_back(Path(folder) / "shop.db")
    libc = " ".join(platform.libc_ver()) or platform.system()
    print(f"ok: {Path(library).name}, SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}, {libc}")


def work_in_another_process(folder: Path) -> None:
    """A worker that waits runs a call from this process, and stops cleanly."""
    (folder / "tasks.py").write_text(TASKS, "utf-8")
    worker = subprocess.Popen([sys.executable, "-m", "honker", "worker", "tasks:app"], cwd=folder)
    try:
        call = "import tasks; print(tasks.double(21).get(timeout=60))"
        done = subprocess.run([sys.executable, "-c", call], cwd=folder, capture_output=True, text=True, check=False)
        if done.stdout != "42\n":
            sys.exit(f"the task returned {done.stdout!r} instead of 42: {done.stderr}")
    finally:
        worker.terminate()
        code = worker.wait(60)
    if code != 0 and sys.platform != "win32":  # Windows has no SIGTERM: `terminate` kills
        sys.exit(f"the worker ended with {code} instead of 0")


def roll_back(path: Path) -> None:
    """A job of a transaction that fails does not exist, and a commit wakes a listener."""
    with honker.open(path) as db:
        queue = db.queue("emails")
        try:
            with db.transaction() as tx:
                queue.enqueue({"to": "alice"}, tx=tx)
                raise KeyError("the order is refused")
        except KeyError:
            pass
        if queue.stats().ready != 0:
            sys.exit("a job of a transaction that was rolled back exists")
        with db.listen("orders") as listener:
            began = time.monotonic()
            db.notify("orders", {"id": 1})
            if next(listener).payload != {"id": 1} or time.monotonic() - began > 1:
                sys.exit("a notification did not arrive within a second")


if __name__ == "__main__":
    main()
