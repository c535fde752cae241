"""Histograms of the attempts of a worker's process, for Prometheus: ``pip install honker-db[prometheus]``.

    from honker.metrics.histograms import Histograms

    app.middleware(Histograms())

The counters of a file hold sums and maxima, from which no percentile follows. So each process of workers measures its
own attempts, and Prometheus scrapes each of them; `honker.metrics.prometheus.Collector` shows the state of the file.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from prometheus_client import REGISTRY, CollectorRegistry, Histogram

from honker.job import Job
from honker.job.headers import call_in
from honker.middleware import Middleware

#: The upper ends of the buckets, in seconds.
BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Histograms(Middleware):
    """Measures how long jobs waited and how long their handlers ran, by queue and task.

    ``honker_attempt_wait_seconds`` counts from the time at which an attempt was due to the start of its handler, and
    ``honker_attempt_run_seconds`` from there to its end, with success or without. Make one object for a registry of
    metrics.

    Args:
        registry: Where the histograms are registered; None means `prometheus_client.REGISTRY`.
        buckets: The upper ends of the buckets, in seconds.
    """

    def __init__(self, registry: CollectorRegistry | None = None, buckets: Sequence[float] = BUCKETS) -> None:
        options: dict[str, Any] = {
            "labelnames": ("queue", "task"),
            "registry": REGISTRY if registry is None else registry,
            "buckets": tuple(buckets),
        }
        wait_help = "Seconds from the time at which an attempt was due to the start of its handler."
        self._wait = Histogram("honker_attempt_wait_seconds", wait_help, **options)
        self._run = Histogram("honker_attempt_run_seconds", "Seconds that a handler ran.", **options)

    def run(self, job: Job) -> AbstractContextManager[object]:
        """Measure an attempt."""
        return self._measured(job)

    @contextmanager
    def _measured(self, job: Job) -> Generator[None]:
        labels = (job.queue.name, str(call_in(job.payload).get("task", "")))
        self._wait.labels(*labels).observe(max(0.0, job.queue.db.engine.clock() - job.run_at))
        begun_s = time.perf_counter()
        try:
            yield
        finally:
            self._run.labels(*labels).observe(time.perf_counter() - begun_s)
