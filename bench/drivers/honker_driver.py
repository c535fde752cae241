"""honker and the public honker, driven by the same calls."""

import asyncio
import contextlib
import json
import sys
import time
from importlib import metadata

import honker
from protocol import NUMBERS, PAYLOAD, Driver, name_durability, serve

QUEUE = "bench"
WORKER = "worker-1"
A_DAY_S = 86_400

# Due times one second apart, all in the past, so that the index has no long run of equal keys.
FILL_WAITING = f"""INSERT INTO _honker_live (queue, payload, run_at)
{NUMBERS} SELECT ?, ?, unixepoch() - 1 - n FROM numbers"""
FILL_DELAYED = f"""INSERT INTO _honker_live (queue, payload, priority, run_at)
{NUMBERS} SELECT ?, ?, 1 + n % ?, unixepoch() + {A_DAY_S} + n FROM numbers"""
FILL_IN_FLIGHT = f"""INSERT INTO _honker_live (queue, payload, priority, state, worker_id, attempts, claim_expires_at)
{NUMBERS} SELECT ?, ?, 1, 'processing', 'somebody', 1, unixepoch() + {A_DAY_S} + n FROM numbers"""


class HonkerDriver(Driver):
    """If `is_ours`, claims are settled by attempt as well, and a batch is acknowledged by its jobs."""

    def __init__(self, *, is_ours):
        self._is_ours = is_ours
        self._db = None
        self._loop = None

    def describe(self):
        with self._db.transaction() as tx:
            asked = ("PRAGMA journal_mode", "PRAGMA synchronous", "SELECT sqlite_version()")
            journal, synchronous, sqlite = (next(iter(tx.query(each)[0].values())) for each in asked)
        durability = name_durability(journal, synchronous)
        return {"version": version(), "sqlite": sqlite, "durability": durability}

    def open(self, path, **options):
        """Open a database; the options are those of `honker.open`."""
        self.close()
        self._db = honker.open(path, **options)
        self._queue = self._db.queue(QUEUE)
        self.put = self._queue.enqueue
        self._stream = self._db.stream("bench")

    def close(self):
        if self._db is not None:
            self._db.close()
        self._db = self._loop = None

    def take(self):
        job = self._queue.claim_one(WORKER)
        return None if job is None else (job, job.payload)

    def settle(self, job):
        if not job.ack():
            raise RuntimeError(f"{job} could not be acknowledged")

    def claim_by_loop(self, count):
        """Claim and acknowledge by a loop with ``auto_ack``, which stays open from one call to the next.

        Returns:
            The jobs and the seconds they took.
        """
        if not self._is_ours:
            raise NotImplementedError
        if self._loop is None:
            self._loop = self._queue.claim(WORKER, auto_ack=True)
        done = 0
        began = time.perf_counter()
        for job in self._loop:
            done += 1
            if done == count:
                job.ack()
                break
        return done, time.perf_counter() - began

    def claim_in_batches(self, count, size):
        """Seconds for `count` jobs. Payloads are decoded on access, which is not measured here."""
        done = 0
        began = time.perf_counter()
        while done < count:
            jobs = self._queue.claim_batch(WORKER, size)
            acked = self._queue.ack_batch(jobs if self._is_ours else [job.id for job in jobs], WORKER)
            if not jobs or acked != len(jobs):
                raise RuntimeError(f"{acked} of {len(jobs)} jobs of a batch were acknowledged")
            done += acked
        return time.perf_counter() - began

    def enqueue_in_transaction(self, count):
        enqueue = self._queue.enqueue
        enqueue(PAYLOAD)
        began = time.perf_counter()
        with self._db.transaction() as tx:
            for _ in range(count):
                enqueue(PAYLOAD, tx=tx)
        return time.perf_counter() - began

    def enqueue_by_tasks(self, count, tasks):
        """Seconds for `count` jobs by so many tasks of one event loop; by blocking calls without tasks."""

        async def add(count):
            for _ in range(count):
                await self._queue.aenqueue(PAYLOAD)

        async def run():
            await asyncio.gather(*(add(count // tasks) for _ in range(tasks)))

        began = time.perf_counter()
        if tasks:
            asyncio.run(run())
        else:
            for _ in range(count):
                self._queue.enqueue(PAYLOAD)
        return time.perf_counter() - began

    def enqueue_many(self, count):
        if not hasattr(self._queue, "enqueue_many"):
            raise NotImplementedError
        payloads = [PAYLOAD] * count
        self._queue.enqueue(PAYLOAD)
        began = time.perf_counter()
        self._queue.enqueue_many(payloads)
        return time.perf_counter() - began

    def fill(self, waiting=0, delayed=0, priorities=1, in_flight=0):
        """Fill by plain SQL, which is faster than enqueueing and claiming every job."""
        text = json.dumps(PAYLOAD)
        with self._db.transaction() as tx:
            if delayed:
                tx.execute(FILL_DELAYED, [delayed, QUEUE, text, priorities])
            if waiting:
                tx.execute(FILL_WAITING, [waiting, QUEUE, text])
            if in_flight:
                tx.execute(FILL_IN_FLIGHT, [in_flight, QUEUE, text])

    def count(self):
        return self._db.query("SELECT count(*) AS n FROM _honker_live WHERE queue = ?", [QUEUE])[0]["n"]

    # ---------------------------------------------------------------------------------------------------------- workers

    def work(self, count, concurrency, keeps_results):
        """Seconds until `count` no-op tasks have run. They already wait when the clock starts."""
        ran = []
        task = self._task(lambda number: ran.append(number) or number, store_result=keeps_results)
        ids = []
        for number in range(count):
            ids.append(task(number).id)
        began = time.perf_counter()
        asyncio.run(self._work_until(lambda: len(ran) == count and self.count() == 0, concurrency))
        seconds = time.perf_counter() - began
        results = sum(self._queue.get_result(job_id) == (True, number) for number, job_id in enumerate(ids))
        if sorted(ran) != list(range(count)) or results != (count if keeps_results else 0):
            raise RuntimeError(f"{len(ran)} of {count} tasks were run, and {results} results kept")
        return seconds

    def put_tasks(self, count):
        """Enqueue calls of a no-op task, for `work_on_tasks`."""
        task = self._task(lambda _: None, store_result=False)
        for number in range(count):
            task(number)

    def work_on_tasks(self, concurrency):
        """Run calls of the no-op task until none is left, beside other processes; the numbers that ran here."""
        ran = []
        self._task(ran.append, store_result=False)
        asyncio.run(self._work_until(self._is_empty, concurrency))
        return ran

    def _is_empty(self):
        return not self._db.query("SELECT 1 FROM _honker_live WHERE queue = ? LIMIT 1", [QUEUE])

    def wait_for_jobs(self, count):
        """The instant at which each job of `put_with_gaps` reached its handler."""
        seen = {}
        if self._is_ours:
            with self._queue.claim(WORKER) as jobs:
                self._stamp(jobs, seen, count)
        else:
            asyncio.run(self._stamp_async(seen, count))
        return [seen[number] for number in range(count)]

    @staticmethod
    def _stamp(jobs, seen, count):
        for job in jobs:
            seen[job.payload["order"]] = time.monotonic_ns()
            job.ack()
            if len(seen) == count:
                return

    async def _stamp_async(self, seen, count):
        async for job in self._queue.claim(WORKER):
            seen[job.payload["order"]] = time.monotonic_ns()
            job.ack()
            if len(seen) == count:
                return

    def _task(self, function, **options):
        honker.registry()._by_name.clear()

        @self._queue.task(name="task", **options)
        async def task(number):
            return function(number)

        return task

    async def _work_until(self, is_done, concurrency):
        stop = asyncio.Event()
        workers = asyncio.ensure_future(self._db.run_workers(QUEUE, concurrency, stop_event=stop))
        while not is_done():
            await asyncio.sleep(0.005)
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await workers

    # ---------------------------------------------------------------------------------------------------------- streams

    def publish(self, count):
        self._stream.publish(PAYLOAD)
        began = time.perf_counter()
        for _ in range(count):
            self._stream.publish(PAYLOAD)
        return time.perf_counter() - began

    def publish_in_transaction(self, count):
        self._stream.publish(PAYLOAD)
        began = time.perf_counter()
        with self._db.transaction() as tx:
            for _ in range(count):
                self._stream.publish(PAYLOAD, tx=tx)
        return time.perf_counter() - began

    def publish_many(self, count):
        if not hasattr(self._stream, "publish_many"):
            raise NotImplementedError
        payloads = [PAYLOAD] * count
        self._stream.publish(PAYLOAD)
        began = time.perf_counter()
        self._stream.publish_many(payloads)
        return time.perf_counter() - began

    def read_events(self, count):
        """Read a thousand events at a time. Payloads are decoded on access, which is not measured here."""
        read = self._stream.read_since if self._is_ours else self._stream._read_since
        seen = offset = 0
        began = time.perf_counter()
        while events := read(offset, 1000):
            seen += len(events)
            offset = events[-1].offset if self._is_ours else events[-1]["offset"]
        seconds = time.perf_counter() - began
        if seen != count:
            raise RuntimeError(f"{seen} events were read instead of {count}")
        return seconds

    def consume_events(self, count):
        """Read events through a subscription, and decode each payload."""
        return asyncio.run(self._consume_events(count))

    async def _consume_events(self, count):
        seen = 0
        began = time.perf_counter()
        async for event in self._stream.subscribe(from_offset=0):
            seen += event.payload["order"] > 0
            if seen == count:
                break
        return time.perf_counter() - began

    def event_count(self):
        return self._db.query("SELECT count(*) AS n FROM _honker_stream")[0]["n"]


def version():
    """The version of the package, which this project and the public honker distribute under different names."""
    try:
        return metadata.version("honker-db")
    except metadata.PackageNotFoundError:
        return metadata.version("honker")


if __name__ == "__main__":
    serve(HonkerDriver(is_ours="reference" not in sys.argv[1:]))
