"""A process that continuously uses everything that could accumulate: jobs with results, events, notifications."""

import asyncio
import contextlib
import time
from pathlib import Path

import honker

from .checks import CheckError
from .latency import SPAWN

BATCH = 50
RESULT_TTL_S = 1
# Limits for kept events and notifications. Without them the file grows, and with it SQLite's page cache, up to its
# limit of 32 MB. By default notifications are kept for a day.
KEPT = 1_000
PRUNE_EVERY_N_JOBS = 10_000
# The limit of waiting jobs, so that time grows and not a backlog.
PATIENCE_S = 30


class Worker:
    """The worker process, seen from outside."""

    def __init__(self, path):
        self._done = SPAWN.RawValue("q", 0)
        self._process = SPAWN.Process(target=work, args=(str(path), self._done), daemon=True)
        self._process.start()

    def jobs(self):
        return self._done.value

    def resident_bytes(self):
        if not self._process.is_alive():
            raise CheckError(f"the worker ended with {self._process.exitcode}")
        for line in Path(f"/proc/{self._process.pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        raise CheckError("the worker has no memory")

    def kill(self):
        self._process.kill()
        self._process.join()


@contextlib.contextmanager
def running(path):
    """Start a `Worker`, and kill it at the end."""
    worker = Worker(path)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while worker.jobs() == 0:
            if time.monotonic() > deadline:
                raise CheckError("the worker did not begin")
            worker.resident_bytes()
            time.sleep(0.02)
        yield worker
    finally:
        worker.kill()


def work(path, done):
    with honker.open(path) as db:
        asyncio.run(work_on(db, done))


async def work_on(db, done):
    queue, stream = db.queue("churn"), db.stream("churn")
    stream.retain(max_keep=KEPT)

    @queue.task(name="churn", result_ttl_s=RESULT_TTL_S)
    async def task(number):
        return number

    workers = asyncio.ensure_future(db.run_workers("churn", 8))
    listener = db.listen("churn")
    events = stream.subscribe("churn")
    while not workers.done():
        with db.transaction() as tx:
            results = [task.enqueue_with(tx=tx)(number) for number in range(BATCH)]
            stream.publish(done.value, tx=tx)
            db.notify("churn", done.value, tx=tx)
        for result in results:
            await result.aget(timeout=PATIENCE_S)
        await anext(listener)
        await anext(events)
        done.value += BATCH
        if done.value % PRUNE_EVERY_N_JOBS == 0:
            db.prune_notifications(max_keep=KEPT)
    await workers
