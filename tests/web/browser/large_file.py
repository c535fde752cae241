"""A file with as many jobs as a page has to stand: in eight queues, of four tasks, ready, delayed, running and dead.

python tests/web/browser/large_file.py 1000000 large.db
"""

import contextlib
import sqlite3
import sys

import honker

QUEUES = 8
NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
QUEUE = f"'queue-' || (n % {QUEUES})"
CALL = """json_object('__honker_task__', json_object(
  'task', 'shop.task_' || (n % 4), 'args', json_array(n), 'kwargs', json_object('note', 'number ' || n)))"""
READY = f"""INSERT INTO _honker_live (queue, payload, run_at)
{NUMBERS} SELECT {QUEUE}, {CALL}, unixepoch() - 1 - n % 3600 FROM numbers"""
DELAYED = f"""INSERT INTO _honker_live (queue, payload, run_at)
{NUMBERS} SELECT {QUEUE}, {CALL}, unixepoch() + 60 + n FROM numbers"""
RUNNING = f"""INSERT INTO _honker_live (queue, payload, state, worker_id, attempts, claim_expires_at)
{NUMBERS} SELECT {QUEUE}, {CALL}, 'processing', 'worker-' || (n % 8), 1, unixepoch() + 86400 + n FROM numbers"""
DEAD = f"""INSERT INTO _honker_dead (id, queue, payload, attempts, max_attempts, last_error)
{NUMBERS} SELECT n + (SELECT max(id) FROM _honker_live), {QUEUE}, {CALL}, 3, 3,
  CASE n % 3 WHEN 0 THEN 'ConnectionError: refused' WHEN 1 THEN 'ValueError: number ' || n ELSE 'KeyError: 7' END
FROM numbers"""
EVENTS = f"""INSERT INTO _honker_stream (topic, payload)
{NUMBERS} SELECT 'topic-' || (n % 5), json_object('event', n) FROM numbers"""
CONSUMERS = f"""INSERT INTO _honker_stream_consumers (name, topic, "offset")
{NUMBERS} SELECT 'consumer-' || n, 'topic-' || (n % 5), n * 10 FROM numbers"""
COUNTS = f"""INSERT INTO _honker_counters
{NUMBERS}, queues (q) AS (SELECT 0 UNION ALL SELECT q + 1 FROM queues WHERE q < {QUEUES - 1})
SELECT 'queue-' || q, 'shop.task_' || (q % 4), unixepoch() / 60 - 240 + n, n * 50, n * 45, n * 40, n * 5, n * 4, n,
  0, 0, 0, 0, n * 45, n * 0.9, 0.2, n * 2.0, 0.9
FROM numbers, queues"""


def build(path, count):
    """Write rows as the engine stores them, which takes seconds instead of minutes."""
    with honker.open(path) as db:
        db.configure(counters=True)
    shares = {READY: 0.80, DELAYED: 0.10, RUNNING: 0.001, DEAD: 0.099}
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as conn:
        conn.execute("PRAGMA synchronous = OFF")
        for statement, share in shares.items():
            conn.execute(statement, [int(count * share)])
        conn.execute(EVENTS, [count // 10])
        conn.execute(CONSUMERS, [20])
        series = ",".join(f"({number})" for number in range(QUEUES))
        conn.execute(
            COUNTS.replace("generate_series AS q", f"(SELECT column1 AS value FROM (VALUES {series})) AS q"), [240]
        )
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with honker.open(path) as db:
        queue = db.queue("queue-0")
        for number in range(300):
            add_workflow(db, queue, number)


def add_workflow(db, queue, number):
    """A recorded workflow of three jobs that are waiting behind each other."""
    with db.transaction() as tx:
        first = queue.enqueue({"step": 1}, tx=tx)
        second = queue.enqueue({"step": 2}, after=[first], tx=tx)
        third = queue.enqueue({"step": 3}, after=[second], tx=tx)
        record = {"name": f"workflow {number}", "jobs": {"extract": first, "load": second, "publish": third}}
        db.stream("_workflows").publish(record | {"shape": None, "filled_by": []}, tx=tx)


if __name__ == "__main__":
    build(sys.argv[2], int(sys.argv[1]))
