"""Worker processes of a test, and the jobs that a program has been promised."""

import contextlib
import itertools
import signal
import subprocess
import sys
import threading
from pathlib import Path

import honker
import psycopg

from ..support.waiting import wait_until
from .worker_program import declare

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def worker_processes(url, count, log):
    """So many processes that run the tasks of `worker_program`; their logs go to a file."""
    command = [sys.executable, "-m", "tests.postgres.worker_program", url]
    with log.open("wb") as file:
        running = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=file, text=True) for _ in range(count)
        ]
    try:
        for each in running:
            assert each.stdout.readline() == "ready\n", log.read_text()
        yield running
        assert [each.poll() for each in running] == [None] * count, log.read_text()
        for each in running:
            each.send_signal(signal.SIGTERM)
        assert [each.wait(20) for each in running] == [0] * count, log.read_text()
    finally:
        for each in running:
            each.kill()
            each.wait()
            each.stdout.close()


class Enqueuer:
    """A thread that enqueues one job after another, and notes those that were acknowledged to it.

    A call that fails may have taken effect, so its number is not used again.
    """

    def __init__(self, url):
        self.db = honker.open(url)
        self._tasks = declare(self.db)
        self.acknowledged = {kind: [] for kind in self._tasks}
        self.failures = 0
        self._strange = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def count(self):
        return sum(map(len, self.acknowledged.values()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.end()
        self.db.close()

    def end(self):
        self._ending.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert not self._strange

    def wait_for(self, more):
        """Wait until so many more jobs were acknowledged."""
        goal = self.count + more
        wait_until(lambda: self.count >= goal, 30)

    def _run(self):
        for number in itertools.count():
            for kind, task in self._tasks.items():
                if self._ending.wait(0.002):
                    return
                try:
                    task(number)
                except honker.DatabaseError as error:
                    self.failures += 1
                    self._strange += [] if error.is_retryable else [error]
                    self._ending.wait(0.05)
                else:
                    self.acknowledged[kind].append(number)


def prepare(url):
    """The table of effects."""
    honker.open(url).close()
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE effects (kind text, number bigint)")


def effects(url):
    """How often each number had its effect, by kind."""
    with psycopg.connect(url) as conn:
        rows = conn.execute("SELECT kind, number, count(*) FROM effects GROUP BY kind, number").fetchall()
    found = {"exact": {}, "often": {}, "aexact": {}}
    for kind, number, count in rows:
        found[kind][number] = count
    return found


def left(url):
    """The states of the jobs that are left, and the errors of dead ones."""
    with psycopg.connect(url) as conn:
        live = conn.execute("SELECT state, count(*) FROM honker.live GROUP BY state").fetchall()
        return dict(live) | {"errors": conn.execute("SELECT last_error FROM honker.dead").fetchall()}


def check_promises(url, acknowledged, timeout_s=60):
    """Every acknowledged job is done: at least once, and exactly once where the effect is in its transaction."""
    wait_until(lambda: left(url) == {"errors": []}, timeout_s, every_s=0.05)
    found = effects(url)
    for kind, numbers in acknowledged.items():
        missing = set(numbers) - set(found[kind])
        assert not missing, f"{kind}: {sorted(missing)} were acknowledged and not done"
    for kind in ("exact", "aexact"):
        twice = {number for number, count in found[kind].items() if count > 1}
        assert not twice, f"{kind}: {sorted(twice)} were done twice"
