"""honker on PostgreSQL, through its Python API."""

import json
import time
from importlib import metadata

import psycopg
from honker_driver import QUEUE, WORKER, HonkerDriver
from protocol import PAYLOAD, serve

A_DAY_MS = 86_400_000

# Due times one millisecond apart, so that the index has no long run of equal keys.
FILL = """INSERT INTO honker.live (queue, payload, priority, run_at, max_attempts, created_at)
SELECT %s, %s, 0, honker._now() + %s - n, 3, honker._now() FROM generate_series(1, %s) AS n"""


class PostgresDriver(HonkerDriver):
    """The calls of the driver for SQLite; only what looks into tables differs."""

    def __init__(self):
        super().__init__(is_ours=True)

    def describe(self):
        return {"version": metadata.version("honker-db")}

    def open(self, path):
        self._path = path
        super().open(path)

    def fill(self, waiting=0, delayed=0):
        """Fill by plain SQL, which is faster than enqueueing every job."""
        text = json.dumps(PAYLOAD, separators=(",", ":"))
        with psycopg.connect(self._path, autocommit=True) as conn:
            for count, delay in ((waiting, 0), (delayed, A_DAY_MS + delayed)):
                if count:
                    conn.execute(FILL, (QUEUE, text, delay, count))
            conn.execute("VACUUM ANALYZE honker.live")

    def count(self):
        return self._ask("SELECT count(*) FROM honker.live WHERE queue = %s", QUEUE)

    def bulk(self, count):
        """Seconds for `count` jobs in one call."""
        payloads = [PAYLOAD] * count
        began = time.perf_counter()
        self._queue.enqueue_many(payloads)
        return time.perf_counter() - began

    def wait_for_jobs(self, count):
        seen = {}
        with self._queue.claim(WORKER) as jobs:
            self._stamp(jobs, seen, count)
        return [seen[number] for number in range(count)]

    def _ask(self, statement, *parameters):
        with psycopg.connect(self._path, autocommit=True) as conn:
            return conn.execute(statement, parameters).fetchone()[0]


if __name__ == "__main__":
    serve(PostgresDriver())
