"""Two browsers and a shell operate a file at once, while eight workers run its jobs. Nothing fails, and no job is lost.

One browser requeues all dead letters, the other pauses and resumes the queue; the shell lists, requeues and changes a
limit. A third of the jobs fail at first, and a ninth until an operator has requeued them. At the end each job has left
exactly one row of its success in a table of the application.
"""

import contextlib
import itertools
import os
import subprocess
import sys
import threading

import honker
import pytest
from playwright.sync_api import expect

from tests.support.waiting import wait_until

from .serving import serving

WORKERS = 8
START_S, STOP_S, END_S = 60, 60, 120
APPLICATION = """
import honker

app = honker.App("orders.db")
work = app.queue("work")


@work.task(name="ship", retries=2, retry_delay_s=0)
def ship(job: honker.Job, order):
    with app.db.transaction() as tx:
        tx.execute("INSERT INTO starts (job) VALUES (?)", [job.id])
        starts = tx.query("SELECT count(*) AS n FROM starts WHERE job = ?", [job.id])[0]["n"]
    if starts <= (2 if order % 9 == 0 else order % 3 == 0):
        raise ConnectionError(f"order {order}: the carrier does not answer")
    with app.db.transaction() as tx:
        tx.execute("INSERT INTO shipped (job) VALUES (?)", [job.id])
"""
TABLES = (
    "CREATE TABLE starts (job INTEGER)",
    "CREATE INDEX starts_of_job ON starts (job)",
    "CREATE TABLE shipped (job INTEGER)",
)


@pytest.fixture
def folder(tmp_path):
    """The folder of an application with a file of its tables."""
    (tmp_path / "orders.py").write_text(APPLICATION, "utf-8")
    with honker.open(tmp_path / "orders.db") as db, db.transaction() as tx:
        for statement in TABLES:
            tx.execute(statement)
    return tmp_path


@contextlib.contextmanager
def workers(folder):
    """Run the workers, and check at the end that they stop well."""
    command = [sys.executable, "-W", "error", "-m", "honker", "worker", "orders:app", "--concurrency", "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    logs = [folder / f"worker{number}.log" for number in range(WORKERS)]
    processes = []
    try:
        for log in logs:
            with log.open("wb") as output:
                options = {"cwd": folder, "stdout": output, "stderr": output, "env": environment}
                processes.append(subprocess.Popen(command, **options))
        yield
        for process in processes:
            process.terminate()
        assert [process.wait(STOP_S) for process in processes] == [0] * WORKERS
        assert not [log for log in logs if "is locked" in log.read_text("utf-8")]
    finally:
        for process in processes:
            process.kill()
            process.wait()


class Shell(threading.Thread):
    """An operator with the command line.

    Attributes:
        count: The number of commands that have run.
        failures: The output of those that failed.
    """

    COMMANDS = (
        ("queues", "--json"),
        ("jobs", "--queue", "work", "-n", "30", "--json"),
        ("limits", "work", "--concurrency", "5"),
        ("requeue", "--all", "--queue", "work", "-n", "2", "--yes"),
        ("workers", "--json"),
        ("limits", "work", "--concurrency", "none"),
        ("dead", "--json"),
        ("pause", "other", "--reason", "a test"),
        ("resume", "other"),
    )

    def __init__(self, path):
        super().__init__(daemon=True)
        self.count, self.failures = 0, []
        self._path, self._stop_event = path, threading.Event()

    def run(self):
        for verb, *options in itertools.cycle(self.COMMANDS):
            if self._stop_event.is_set():
                return
            command = [sys.executable, "-W", "error", "-m", "honker", verb, self._path, *options]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            self.count += 1
            if done.returncode != 0:
                self.failures.append(f"{verb} {' '.join(options)}: {done.stdout}{done.stderr}")

    def stop(self):
        self._stop_event.set()
        self.join(STOP_S)
        assert not self.is_alive()


def requeue_all(page, url):
    """Requeue all dead letters by clicks, unless others were faster. Returns True if the button was pressed."""
    page.goto(f"{url}/jobs?state=dead&queue=work")
    if page.locator("#scope").count() == 0:
        return False
    page.locator("#scope").select_option("all")
    try:
        page.get_by_role("button", name="Requeue").click(timeout=3_000)
        button = page.locator("dialog .confirm").get_by_role("button", name="Requeue")
        button.click(timeout=3_000)
    except Exception as error:  # the rows went meanwhile, and the form or its button with them
        if type(error).__name__ != "TimeoutError":
            raise
        return False
    expect(page.locator(".flash").first).to_be_visible()
    return True


def pause_and_resume(page, url):
    page.goto(f"{url}/queue?name=work")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".pill.warn").first).to_contain_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


@pytest.mark.timeout(900)
@pytest.mark.torture(short_s=10, share=20)  # of 114, with which the long form has its five minutes
def test_two_browsers_a_shell_and_eight_workers_lose_nothing(folder, open_page, torture):
    path = folder / "orders.db"
    with contextlib.ExitStack() as stack:
        db = stack.enter_context(honker.open(path))
        stack.enter_context(workers(folder))
        server = stack.enter_context(serving(path, folder / "web.log"))
        wait_until(lambda: len(db.workers()) == WORKERS, START_S, every_s=0.05)
        first, second = open_page(server.url + "/"), open_page(server.url + "/queue?name=work")
        stack.callback(second.context.close)  # before the server stops
        stack.callback(first.context.close)
        shell = Shell(path)
        shell.start()
        orders = itertools.count()
        ids = []
        for number in torture.rounds(at_least=3):
            ids += enqueue(db, [next(orders) for _ in range(20)])
            torture.count("dead letters requeued by clicks", requeue_all(first, server.url))
            pause_and_resume(second, server.url)
            torture.count("rounds of clicks")
            first.goto(f"{server.url}{('/', '/workers', '/dead', '/throughput')[number % 4]}")
        shell.stop()
        assert shell.failures == []
        torture.count("commands of the shell", shell.count)
        db.queue("work").configure(concurrency=None)
        wait_until(lambda: is_done(db, len(ids)), END_S, every_s=0.2)
        shipped = [row["job"] for row in db.query("SELECT job FROM shipped ORDER BY job")]
        assert shipped == sorted(ids)
        torture.count("jobs shipped", len(shipped))


def enqueue(db, orders):
    payloads = [{"__honker_task__": {"task": "ship", "args": [order], "kwargs": {}}} for order in orders]
    return db.queue("work").enqueue_many(payloads, max_attempts=2)


def is_done(db, count):
    """Requeue the dead letters that are left, and look if nothing waits any more."""
    db.apply("requeue", queue="work", state="dead")
    stats = db.queue("work").stats()
    is_idle = not (stats.ready or stats.delayed or stats.processing or stats.blocked or stats.dead)
    return is_idle and db.query("SELECT count(*) AS n FROM shipped")[0]["n"] >= count
