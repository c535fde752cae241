"""Several sessions of one database, of which one may wait for a lock of another."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import psycopg

from ..support.waiting import wait_until


class Session:
    """A connection whose statements can run in a thread."""

    def __init__(self, url, watcher):
        self.conn = psycopg.connect(url, autocommit=True, options="-c search_path=honker,public")
        self._watcher = watcher
        self._thread = ThreadPoolExecutor(1)

    def one(self, sql, *arguments):
        """The first value of the first row, if there is one."""
        cursor = self.conn.execute(sql, arguments)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]

    def json(self, sql, *arguments):
        return json.loads(self.one(sql, *arguments))

    def begin(self, sql, *arguments):
        """Start a statement, and wait until it waits for a lock. Returns its future."""
        started = self._thread.submit(self.one, sql, *arguments)
        wait_until(lambda: started.done() or self._waits())
        assert not started.done(), f"{sql} did not wait: {started.result()}"
        return started

    def start(self, sql, *arguments):
        """Start a statement. Returns its future."""
        return self._thread.submit(self.one, sql, *arguments)

    def kill(self):
        self._watcher.execute("SELECT pg_terminate_backend(%s)", [self.conn.info.backend_pid])

    def close(self):
        self._thread.shutdown()
        self.conn.close()

    def _waits(self):
        query = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
        return self._watcher.execute(query, [self.conn.info.backend_pid]).fetchone()[0]


@contextlib.contextmanager
def open_sessions(url, count):
    with psycopg.connect(url, autocommit=True) as watcher:
        sessions = [Session(url, watcher) for _ in range(count)]
        try:
            yield sessions
        finally:
            for session in sessions:
                session.close()
