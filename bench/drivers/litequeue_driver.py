"""litequeue: a table with a status, on the standard library's `sqlite3`. Finished jobs stay in the table."""

import json
import time
from importlib import metadata

from litequeue import LiteQueue
from protocol import NUMBERS, PAYLOAD, Driver, describe_sqlite, serve

COPY_LAST = f"""{NUMBERS} INSERT INTO Queue (data, message_id, status, in_time)
SELECT data, message_id || printf('%08d', n), status, in_time
FROM (SELECT * FROM Queue ORDER BY rowid DESC LIMIT 1), numbers"""
COUNT = "SELECT count(*) FROM Queue WHERE status IN (0, 1)"  # ready and locked


class LitequeueDriver(Driver):
    """litequeue with its defaults, which are as durable as honker's."""

    def __init__(self):
        self._queue = None

    def describe(self):
        return {"version": metadata.version("litequeue"), **describe_sqlite(self._queue.conn)}

    def open(self, path):
        self.close()
        self._queue = LiteQueue(path)

    def close(self):
        if self._queue is not None:
            self._queue.close()
        self._queue = None

    def put(self, payload):
        self._queue.put(json.dumps(payload))

    def take(self):
        message = self._queue.pop()
        return None if message is None else (message.message_id, json.loads(message.data))

    def settle(self, message_id):
        self._queue.done(message_id)

    def enqueue_in_transaction(self, count):
        self.put(PAYLOAD)
        began = time.perf_counter()
        with self._queue.transaction():
            for _ in range(count):
                self.put(PAYLOAD)
        return time.perf_counter() - began

    def copy_last(self, count):
        self._queue.conn.execute(COPY_LAST, (count,))

    def count(self):
        return self._queue.conn.execute(COUNT).fetchone()[0]


if __name__ == "__main__":
    serve(LitequeueDriver())
