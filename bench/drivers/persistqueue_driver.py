"""persist-queue's SQLiteAckQueue: a table with a status. Acknowledged jobs stay in it until it is cleared."""

import sys
from importlib import metadata
from pathlib import Path

from persistqueue import Empty, SQLiteAckQueue
from persistqueue.serializers import json
from protocol import NUMBERS, Driver, describe_sqlite, serve

COPY_LAST = f"""{NUMBERS} INSERT INTO ack_queue_default (data, timestamp, status)
SELECT data, timestamp, status FROM (SELECT * FROM ack_queue_default ORDER BY _id DESC LIMIT 1), numbers"""


class PersistqueueDriver(Driver):
    """If `is_tuned`, commits are as durable as honker's instead of SQLite's default."""

    def __init__(self, *, is_tuned):
        self._is_tuned = is_tuned
        self._queue = None

    def describe(self):
        return {"version": metadata.version("persist-queue"), **describe_sqlite(self._queue._conn)}

    def open(self, path):
        self.close()
        place = Path(path)
        # Without `auto_resume`, which takes jobs that other processes are working on.
        options = {"serializer": json, "auto_resume": False, "db_file_name": place.name}
        self._queue = SQLiteAckQueue(str(place.parent), **options)
        if self._is_tuned:
            self._queue._conn.execute("PRAGMA synchronous = NORMAL")

    def close(self):
        if self._queue is not None:
            self._queue.close()
        self._queue = None

    def put(self, payload):
        self._queue.put(payload)

    def take(self):
        try:
            job = self._queue.get(block=False, raw=True)
        except Empty:
            return None
        return job["pqid"], job["data"]

    def settle(self, job_id):
        if self._queue.ack(id=job_id) is None:
            raise RuntimeError(f"job {job_id} could not be acknowledged")

    def copy_last(self, count):
        self._queue._conn.execute(COPY_LAST, (count,))
        self._queue._conn.commit()

    def count(self):
        return self._queue._count() + self._queue.unack_count()


if __name__ == "__main__":
    serve(PersistqueueDriver(is_tuned="tuned" in sys.argv[1:]))
