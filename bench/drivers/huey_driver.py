"""Huey on SQLite: tasks in the queue, and its consumer. It deletes a job when handing it out, so a crash loses it."""

import logging
import sys
import time
from importlib import metadata

from huey import SqliteHuey
from protocol import NUMBERS, PAYLOAD, Driver, describe_sqlite, serve

COPY_LAST = f"""{NUMBERS} INSERT INTO task (queue, data, priority)
SELECT queue, data, priority FROM (SELECT queue, data, priority FROM task ORDER BY id DESC LIMIT 1), numbers"""

# Its defaults: one thread that polls every 0.1 s at first, then less often, down to every 10 s.
DEFAULTS = {}
# The lowest possible latency: a thread that polls every millisecond. More threads share one interpreter.
TUNED = {"workers": 1, "initial_delay": 0.001, "backoff": 1.0, "max_delay": 0.001}


class HueyDriver(Driver):
    """If `is_tuned`, commits are as durable as honker's instead of SQLite's default, and the consumer hardly sleeps."""

    def __init__(self, *, is_tuned):
        self._is_tuned = is_tuned
        self._huey = None
        self._seen = []

    def describe(self):
        return {"version": metadata.version("huey"), **describe_sqlite(self._huey.storage.conn)}

    def open(self, path):
        self.close()
        self._huey = SqliteHuey("bench", filename=path, results=False)
        if self._is_tuned:
            self._huey.storage.conn.execute("PRAGMA synchronous = NORMAL")
        seen = self._seen

        @self._huey.task(name="task")
        def task(payload):
            seen.append((payload["order"], time.monotonic_ns()))
            return payload["order"]

        self.put = task

    def close(self):
        if self._huey is not None:
            self._huey.storage.close()
        self._huey = None

    def take(self):
        """Take a decoded job, which deletes it from the queue."""
        task = self._huey.dequeue()
        return None if task is None else (task, task.args[0])

    def settle(self, task):
        """Do nothing: `take` deleted the job."""

    def copy_last(self, count):
        self._huey.storage.conn.execute(COPY_LAST, (count,))

    def count(self):
        return self._huey.pending_count()

    def work(self, count, concurrency, keeps_results):
        """Run tasks by Huey's consumer with one thread. `concurrency` is unused: threads would share one connection."""
        self._huey.results = keeps_results
        self._seen.clear()
        for number in range(count):
            self.put({**PAYLOAD, "order": number})
        began = time.perf_counter()
        consumer = self.start_consumer()
        while len(self._seen) < count or self._huey.result_count() < count * keeps_results:
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        consumer.stop(graceful=True)
        if sorted(number for number, _ in self._seen) != list(range(count)):
            raise RuntimeError(f"{len(self._seen)} of {count} tasks were run")
        return seconds

    def wait_for_jobs(self, count):
        self._seen.clear()
        consumer = self.start_consumer()
        while len(self._seen) < count:
            time.sleep(0.05)
        consumer.stop(graceful=True)
        return [at for _, at in sorted(self._seen)]

    def start_consumer(self):
        consumer = self._huey.create_consumer(**(TUNED if self._is_tuned else DEFAULTS))
        consumer.start()
        return consumer

    def idle(self):
        """Run a consumer with nothing to do, until the process ends."""
        self.start_consumer()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    serve(HueyDriver(is_tuned="tuned" in sys.argv[1:]))
