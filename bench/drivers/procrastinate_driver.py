"""Procrastinate, with its asynchronous psycopg connector."""

import asyncio
import time
from importlib import metadata

import procrastinate
import psycopg
from async_driver import AsyncDriver
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status
from protocol import PAYLOAD, serve

FILL = """INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status, scheduled_at)
SELECT 'bench', 'task', 0, '{"to": "alice@example.com", "order": 4711}', 'todo', %s FROM generate_series(1, %s)"""


class ProcrastinateDriver(AsyncDriver):
    """Jobs of one task, finished jobs deleted, as honker's are."""

    _app = None

    def describe(self):
        return {"version": metadata.version("procrastinate")}

    def open(self, path):
        self.close()
        self._path = path
        self.run(self._open(path))

    async def _open(self, path):
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=path))
        await self._app.open_async()
        with psycopg.connect(path, autocommit=True) as conn:
            is_new = conn.execute("SELECT to_regclass('procrastinate_jobs') IS NULL").fetchone()[0]
        if is_new:
            await self._app.schema_manager.apply_schema_async()
        self._ran = 0

        @self._app.task(queue="bench", name="task", pass_context=False)
        async def task(**_):
            self._ran += 1

        self._task = task
        self._worker_id = await self._app.job_manager.register_worker()

    def close(self):
        if self._app is not None:
            self.run(self._app.close_async())
        self._app = None

    async def aput(self, payload):
        await self._task.defer_async(**payload)

    async def atake(self):
        return await self._app.job_manager.fetch_job(queues=["bench"], worker_id=self._worker_id)

    async def asettle(self, job):
        await self._app.job_manager.finish_job(job, status=Status.SUCCEEDED, delete_job=True)

    def bulk(self, count):
        """Seconds for `count` jobs in one call."""
        payloads = [PAYLOAD] * count
        began = time.perf_counter()
        self.run(self._task.batch_defer_async(*payloads))
        return time.perf_counter() - began

    def work(self, count, concurrency, keeps_results):
        """Seconds until `count` jobs that wait have run."""
        if keeps_results:
            raise NotImplementedError
        self.fill(waiting=count)
        began = time.perf_counter()
        worker = self._app.run_worker_async(
            queues=["bench"], concurrency=concurrency, wait=False, install_signal_handlers=False, delete_jobs="always"
        )
        self.run(asyncio.wait_for(worker, 300))
        if self._ran != count:
            raise ConnectorException(f"{self._ran} of {count} jobs were run")
        return time.perf_counter() - began

    def fill(self, waiting=0, delayed=0):
        with psycopg.connect(self._path, autocommit=True) as conn:
            if waiting:
                conn.execute(FILL, (None, waiting))
            if delayed:
                conn.execute(FILL, ("2100-01-01T00:00:00Z", delayed))
            conn.execute("VACUUM ANALYZE procrastinate_jobs")

    def count(self):
        with psycopg.connect(self._path) as conn:
            return conn.execute("SELECT count(*) FROM procrastinate_jobs").fetchone()[0]


if __name__ == "__main__":
    serve(ProcrastinateDriver())
