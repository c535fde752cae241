"""The standard library's `sqlite3` without a queue: SQLite's own time for the same rows in the same tables.

`insert` writes the same rows as honker into honker's tables with all their indexes, by connections with honker's
settings. `put`, `take` and `settle` are a minimal queue: a separate table with one index and three statements, without
attempts, leases, delays or priorities.
"""

import contextlib
import json
import platform
import sqlite3
import sys
import time

from protocol import NUMBERS, PAYLOAD, Driver, describe_sqlite, serve

CREATE = "CREATE TABLE plain_jobs (id INTEGER PRIMARY KEY, payload TEXT NOT NULL, worker TEXT)"
CREATE_INDEX = "CREATE INDEX plain_jobs_waiting ON plain_jobs (id) WHERE worker IS NULL"
PUT = "INSERT INTO plain_jobs (payload) VALUES (?)"
TAKE = """UPDATE plain_jobs SET worker = 'worker-1'
WHERE id = (SELECT id FROM plain_jobs WHERE worker IS NULL ORDER BY id LIMIT 1) RETURNING id, payload"""
SETTLE = "DELETE FROM plain_jobs WHERE id = ? AND worker = 'worker-1'"
FILL = f"INSERT INTO plain_jobs (payload) {NUMBERS} SELECT ? FROM numbers"


class PlainDriver(Driver):
    """If `is_full`, commits wait for the disk. `settings`: PRAGMAs by name; by default the relevant ones of honker."""

    def __init__(self, *, is_full):
        self._is_full = is_full
        self._conn = None

    def describe(self):
        return {"version": platform.python_version(), **describe_sqlite(self._conn)}

    def open(self, path, settings=None):
        self.close()
        self._conn = sqlite3.connect(path, isolation_level=None, timeout=60)
        self._conn.execute("PRAGMA journal_mode = WAL").fetchall()
        for name, value in (settings or {"synchronous": 1, "cache_size": -32_000}).items():
            self._conn.execute(f"PRAGMA {name} = {value}").fetchall()
        if self._is_full:
            self._conn.execute("PRAGMA synchronous = FULL")

    def close(self):
        if self._conn is not None:
            self._conn.close()
        self._conn = None

    def insert(self, statement, row, count, seconds=None):
        """As `enqueue`, for rows of another table."""
        execute = self._conn.execute
        execute(statement, row)
        limit = float("inf") if seconds is None else seconds
        done = 0
        began = now = time.perf_counter()
        while done < count and now - began < limit:
            execute(statement, row)
            done += 1
            now = time.perf_counter()
        return done, now - began

    def insert_many(self, statement, row, count):
        """Seconds to insert `count` rows in one transaction."""
        rows = [row] * count
        self._conn.execute(statement, row)
        began = time.perf_counter()
        self._conn.execute("BEGIN IMMEDIATE")
        self._conn.executemany(statement, rows)
        self._conn.execute("COMMIT")
        return time.perf_counter() - began

    def insert_each(self, statement, row, count):
        """As `insert_many`, with a call for each row: the time of Python and `sqlite3` alone."""
        execute = self._conn.execute
        execute(statement, row)
        began = time.perf_counter()
        execute("BEGIN IMMEDIATE")
        for _ in range(count):
            execute(statement, row)
        execute("COMMIT")
        return time.perf_counter() - began

    def rows(self, table):
        return self._conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def read(self, statement, count):
        """Seconds to read the rows, a thousand at a time, each into a dict as honker does."""
        offset = seen = 0
        began = time.perf_counter()
        while rows := self._page(statement, offset):
            seen += len(rows)
            offset = rows[-1]["offset"]
        seconds = time.perf_counter() - began
        if seen != count:
            raise RuntimeError(f"{seen} rows were read instead of {count}")
        return seconds

    def _page(self, statement, offset):
        cursor = self._conn.execute(statement, (offset, 1000))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    # -------------------------------------------------------------------------------------------------- the least queue

    def create_queue(self):
        self._conn.execute(CREATE)
        self._conn.execute(CREATE_INDEX)

    def put(self, payload):
        self._conn.execute(PUT, (json.dumps(payload),))

    def take(self):
        rows = self._conn.execute(TAKE).fetchall()
        return (rows[0][0], json.loads(rows[0][1])) if rows else None

    def settle(self, job_id):
        self._conn.execute(SETTLE, (job_id,))

    def fill(self, waiting):
        with self._transaction():
            self._conn.execute(FILL, (waiting, json.dumps(PAYLOAD)))

    def count(self):
        return self.rows("plain_jobs")

    @contextlib.contextmanager
    def _transaction(self):
        self._conn.execute("BEGIN IMMEDIATE")
        yield
        self._conn.execute("COMMIT")


if __name__ == "__main__":
    serve(PlainDriver(is_full="full" in sys.argv[1:]))
