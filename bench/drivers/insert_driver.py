"""Plain statements on PostgreSQL through psycopg, as a lower bound: a table with honker's columns and indexes."""

import json
import time

import psycopg
from honker_driver import QUEUE, WORKER
from protocol import PAYLOAD, Driver, serve

COLUMNS = "queue, payload, priority, run_at, max_attempts, created_at"
ADD = f"INSERT INTO plain ({COLUMNS}) VALUES (%s, %s, 0, %s, 3, %s) RETURNING id"
# A claim without any rule: the first due row that no other session has locked.
TAKE = """UPDATE plain AS p SET state = 'processing', worker_id = %s, claim_expires_at = %s, attempts = p.attempts + 1
WHERE p.id = ANY (ARRAY(
  SELECT f.id FROM plain AS f WHERE f.queue = %s AND f.state = 'pending' AND f.priority = 0 AND f.run_at <= %s
  ORDER BY f.run_at, f.id LIMIT 1 FOR UPDATE SKIP LOCKED))
RETURNING p.id, p.payload"""
FILL = f"""INSERT INTO plain ({COLUMNS})
SELECT %s, %s, 0, %s - n, 3, 0 FROM generate_series(1, %s) AS n"""
A_DAY_MS = 86_400_000


class InsertDriver(Driver):
    """Statements of one connection in autocommit, prepared by psycopg."""

    _conn = None

    def describe(self):
        return {"version": psycopg.__version__}

    def open(self, path):
        self.close()
        self._conn = psycopg.connect(path, autocommit=True)
        self._conn.execute("CREATE TABLE IF NOT EXISTS plain (LIKE honker.live INCLUDING ALL)")
        self._text = json.dumps(PAYLOAD, separators=(",", ":"))

    def close(self):
        if self._conn is not None:
            self._conn.close()
        self._conn = None

    def put(self, payload):
        now = time.time_ns() // 1_000_000
        text = json.dumps(payload, separators=(",", ":"))
        self._conn.execute(ADD, (QUEUE, text, now, now)).fetchone()

    def take(self):
        now = time.time_ns() // 1_000_000
        row = self._conn.execute(TAKE, (WORKER, now + 60_000, QUEUE, now)).fetchone()
        return None if row is None else (row[0], json.loads(row[1]))

    def settle(self, job_id):
        self._conn.execute("DELETE FROM plain WHERE id = %s AND worker_id = %s", (job_id, WORKER))

    def fill(self, waiting=0, delayed=0):
        now = time.time_ns() // 1_000_000
        for count, delay in ((waiting, 0), (delayed, A_DAY_MS + delayed)):
            if count:
                self._conn.execute(FILL, (QUEUE, self._text, now + delay, count))
        self._conn.execute("VACUUM ANALYZE plain")

    def bulk(self, count):
        """Seconds for `count` rows by COPY."""
        now = time.time_ns() // 1_000_000
        began = time.perf_counter()
        with self._conn.cursor() as cursor, cursor.copy(f"COPY plain ({COLUMNS}) FROM STDIN") as copy:
            for _ in range(count):
                copy.write_row((QUEUE, self._text, 0, now, 3, now))
        return time.perf_counter() - began

    def count(self):
        return self._conn.execute("SELECT count(*) FROM plain").fetchone()[0]


if __name__ == "__main__":
    serve(InsertDriver())
