"""PgQueuer, with its asyncpg driver."""

import asyncio
import json
import time
import uuid
from datetime import timedelta
from importlib import metadata

import asyncpg
from async_driver import AsyncDriver
from pgqueuer import AsyncpgDriver, PgQueuer, Queries
from pgqueuer.domain.types import QueueExecutionMode
from pgqueuer.queries import EntrypointExecutionParameter
from protocol import PAYLOAD, serve

FILL = """INSERT INTO pgqueuer (priority, entrypoint, payload, status, execute_after)
SELECT 0, 'bench', $1, 'queued', now() + $2 FROM generate_series(1, $3::int)"""


class PgQueuerDriver(AsyncDriver):
    """Jobs of one entrypoint; finished jobs go to its log, as they do by default."""

    _conn = None

    def describe(self):
        return {"version": metadata.version("pgqueuer")}

    def open(self, path):
        self.close()
        self.run(self._open(path))

    async def _open(self, path):
        self._conn = await asyncpg.connect(path)
        self._driver = AsyncpgDriver(self._conn)
        self._queries = Queries(self._driver)
        if await self._conn.fetchval("SELECT to_regclass('pgqueuer') IS NULL"):
            await self._queries.install()
        self._text = json.dumps(PAYLOAD, separators=(",", ":")).encode()
        self._manager = uuid.uuid4()
        self._entrypoints = {"bench": EntrypointExecutionParameter(concurrency_limit=0)}

    def close(self):
        if self._conn is not None:
            self.run(self._conn.close())
        self._conn = None

    async def aput(self, payload):
        await self._queries.enqueue("bench", json.dumps(payload, separators=(",", ":")).encode())

    async def _take_batch(self, size):
        return await self._queries.dequeue(
            batch_size=size,
            entrypoints=self._entrypoints,
            queue_manager_id=self._manager,
            global_concurrency_limit=None,
            heartbeat_timeout=timedelta(seconds=60),
        )

    async def atake(self):
        jobs = await self._take_batch(1)
        return jobs[0] if jobs else None

    async def asettle(self, job):
        await self._queries.log_jobs([(job, "successful", None)])

    def claim_in_batches(self, count, size):
        """Seconds for `count` jobs."""
        began = time.perf_counter()
        self.run(self._claim_in_batches(count, size))
        return time.perf_counter() - began

    async def _claim_in_batches(self, count, size):
        done = 0
        while done < count:
            jobs = await self._take_batch(size)
            if not jobs:
                raise RuntimeError(f"nothing to claim after {done} of {count} jobs")
            await self._queries.log_jobs([(job, "successful", None) for job in jobs])
            done += len(jobs)

    def bulk(self, count):
        """Seconds for `count` jobs in one call."""
        began = time.perf_counter()
        self.run(self._queries.enqueue(["bench"] * count, [self._text] * count, [0] * count))
        return time.perf_counter() - began

    def work(self, count, concurrency, keeps_results):
        """Seconds until `count` jobs that wait have run."""
        if keeps_results:
            raise NotImplementedError
        self.fill(waiting=count)
        began = time.perf_counter()
        ran = self.run(asyncio.wait_for(self._work(count, concurrency), 300))
        if ran != count:
            raise RuntimeError(f"{ran} of {count} jobs were run")
        return time.perf_counter() - began

    async def _work(self, count, concurrency):
        app, ran = PgQueuer(self._driver), []

        @app.entrypoint("bench")
        async def task(job):
            ran.append(job.id)

        await app.qm.run(batch_size=concurrency, mode=QueueExecutionMode.drain, dequeue_timeout=timedelta(seconds=1))
        return len(ran)

    def fill(self, waiting=0, delayed=0):
        self.run(self._fill(waiting, delayed))

    async def _fill(self, waiting, delayed):
        for count, delay in ((waiting, timedelta(0)), (delayed, timedelta(days=1))):
            if count:
                await self._conn.execute(FILL, self._text, delay, count)
        await self._conn.execute("VACUUM ANALYZE pgqueuer")

    def count(self):
        return self.run(self._conn.fetchval("SELECT count(*) FROM pgqueuer"))


if __name__ == "__main__":
    serve(PgQueuerDriver())
