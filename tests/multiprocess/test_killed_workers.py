"""Workers in three processes, which are killed repeatedly while they run jobs of every kind.

A killed worker leaves claims, half-done handlers and uncommitted transactions behind. Its leases expire, and the next
worker takes the jobs over. Each job ends once: successful jobs are acknowledged, hopeless ones are dead letters, and
the writes of a handler in its own transaction exist exactly once.

HONKER_SOAK=100000 runs that many jobs instead of a few hundred; give pytest a longer --timeout with it.
"""

import os
import time
from collections import Counter
from contextlib import ExitStack

import honker
from honker.task.message import envelope

from ..support.engines import placed
from ..support.locking import ask, is_sound
from ..support.processes import Child

JOBS = int(os.environ.get("HONKER_SOAK", "400"))
KILLS = max(4, JOBS // 2000)
PROCESSES = 3

KINDS = ("coroutine", "function", "transaction", "slow", "failing", "flaky", "late")
DEADLY = {"failing", "late"}

WORKER = """
import asyncio, sys
import honker

db = honker.open(sys.argv[1])
queue = db.queue("q", visibility_timeout_s=0.5, max_attempts=1000)

@queue.task(name="coroutine")
async def coroutine(number):
    return number

@queue.task(name="function", store_result=False)
def function(number):
    return number

@queue.task(name="transaction")
def transaction(job: honker.Job, tx: honker.Transaction, number):
    tx.execute("INSERT INTO ledger VALUES (?, ?)", (job.id, job.attempts))

@queue.task(name="slow")
async def slow(number):
    await asyncio.sleep(0.05)

@queue.task(name="failing", retries=2, retry_delay_s=0.01)
def failing(number):
    raise ValueError(number)

@queue.task(name="flaky", retry_delay_s=0.001)
async def flaky(job: honker.Job, number):
    if job.last_error is None:
        raise honker.Retryable("once", 0.01)

@queue.task(name="late", timeout_s=0.01, retries=1)
async def late(number):
    await asyncio.Event().wait()

print("ready", flush=True)
asyncio.run(db.run_workers(concurrency=8))
"""

SCHEMA = (
    "CREATE TABLE ledger (job_id INTEGER, attempt INTEGER)",
    "CREATE TABLE acked (job_id INTEGER)",
)
RECORD = {
    "sqlite": (
        """CREATE TRIGGER acked AFTER DELETE ON _honker_live
           WHEN NOT EXISTS (SELECT 1 FROM _honker_dead WHERE id = OLD.id)
           BEGIN INSERT INTO acked VALUES (OLD.id); END""",
    ),
    "postgres": (
        """CREATE OR REPLACE FUNCTION public.acked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NOT EXISTS (SELECT 1 FROM honker.dead WHERE id = OLD.id) THEN
               INSERT INTO public.acked VALUES (OLD.id);
             END IF;
             RETURN NULL;
           END $$""",
        # Deferred: a dead letter is written after its row has been deleted.
        """CREATE CONSTRAINT TRIGGER acked AFTER DELETE ON honker.live DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION public.acked()""",
    ),
}


def create(engine, path):
    with honker.open(path) as db, db.transaction() as tx:
        for statement in SCHEMA + RECORD[engine]:
            tx.execute(statement)


def enqueue_all(path):
    """Enqueue jobs of every kind in turn. Returns the ids of each kind."""
    ids = {kind: set() for kind in KINDS}
    with honker.open(path) as db, db.transaction() as tx:
        for number in range(JOBS):
            kind = KINDS[number % len(KINDS)]
            payload = envelope(kind, (number,))
            budget = {"failing": 2, "late": 1}.get(kind, 1000)
            ids[kind].add(db.queue("q").enqueue(payload, tx=tx, max_attempts=budget))
    return ids


def count(path, table):
    return ask(path, f"SELECT count(*) FROM {table}")[0][0]


def test_jobs_of_every_sort_end_once_however_often_workers_are_killed(engine, path):
    create(engine, path)
    deadline = time.monotonic() + 25 + JOBS / 100
    with ExitStack() as stack:

        def start():
            child = Child(placed(path, WORKER), path)
            stack.callback(end, child)
            return child

        children = [start() for _ in range(PROCESSES)]
        for child in children:
            child.expect("ready")
        ids = enqueue_all(path)
        killed = 0
        while left := count(path, "_honker_live"):
            assert time.monotonic() < deadline, f"{left} jobs are left"
            assert all(child.process.poll() is None for child in children), "a worker has ended by itself"
            if killed < KILLS and JOBS - left > killed * JOBS // (2 * KILLS):
                children.pop(0).kill()
                children.append(start())
                killed += 1
        assert killed == KILLS
    acked = Counter(job_id for (job_id,) in ask(path, "SELECT job_id FROM acked"))
    dead = {job_id for (job_id,) in ask(path, "SELECT id FROM _honker_dead")}
    written = Counter(job_id for (job_id,) in ask(path, "SELECT job_id FROM ledger"))
    assert set(acked.values()) == {1}
    assert count(path, "_honker_live") + len(dead) + len(acked) == JOBS
    # A job killed in its last attempt has none left, and is a dead letter too.
    assert dead == set.union(*(ids[kind] for kind in DEADLY))
    assert set(acked) == set.union(*(ids[kind] for kind in KINDS if kind not in DEADLY))
    assert written == Counter(ids["transaction"])
    assert is_sound(path)


def end(child):
    if child.process.poll() is None:
        child.kill()
    child.process.stdin.close()
    child.process.stdout.close()
