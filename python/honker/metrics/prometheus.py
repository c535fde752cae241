"""The state and the counters of a file as metrics of Prometheus: ``pip install honker-db[prometheus]``.

    from honker.metrics.prometheus import Collector

    prometheus_client.REGISTRY.register(Collector(db))
    prometheus_client.start_http_server(9100, "127.0.0.1")

Everything is read from the file at each scrape, so one process may serve the metrics of all, and restarts lose nothing.
No label holds a host, a key or an id, and the number of series has a limit. The counters are there if
`honker.Database.configure` has turned them on. ``honker metrics`` does the same without a program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from honker.counters import MinuteCounts
from honker.database import Database
from honker.metrics.facts import Facts, read_facts
from honker.queue.stats import QueueStats
from honker.worker.listing import WorkerInfo

#: A count of jobs stops here: a scrape takes milliseconds, whatever the backlog.
COUNT_LIMIT: Final = 10_000

#: Queues, pairs of a queue and a task, schedules and consumers beyond this number are left out.
SERIES_LIMIT: Final = 1_000

#: States of jobs with their fields of `QueueStats`.
_STATES: Final = {
    "ready": "ready",
    "delayed": "delayed",
    "running": "processing",
    "blocked": "blocked",
    "waiting": "waiting",
    "dead": "dead",
}

#: Outcomes of attempts with their fields of `MinuteCounts`.
_OUTCOMES: Final = {
    "completed": "done",
    "retried": "retried",
    "dead": "dead",
    "cancelled": "cancelled",
    "snoozed": "snoozed",
    "released": "released",
    "lapsed": "lapsed",
}


class Collector:
    """Collects the metrics of one file, for `prometheus_client`'s registries.

    Args:
        db: The database.
        count_limit: The largest number of jobs to count in each state of a queue, 1 to 1,000,000; larger numbers are
            reported as this one. In a file with more than ten queues, 100,000 divided by their number if that is less.
        series_limit: The largest number of queues, of pairs of a queue and a task, of schedules and of consumers, 1 to
            9,999. The others are left out, and ``honker_metrics_incomplete`` says so.

    Cost: a scrape takes 20 ms with eight queues of 120,000 jobs, and 0.5 s with a thousand queues and tasks.
    """

    def __init__(self, db: Database, *, count_limit: int = COUNT_LIMIT, series_limit: int = SERIES_LIMIT) -> None:
        self._db = db
        self._count_limit = count_limit
        self._series_limit = series_limit

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering the collector must not read the file."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read the file, and yield its metrics."""
        facts = read_facts(self._db, self._count_limit, self._series_limit)
        yield _jobs(facts.queues)
        yield _one("honker_jobs_count_limit", "The number at which honker_jobs stops counting.", facts.count_limit)
        yield _oldest_ready(facts.queues)
        yield _paused(facts.queues)
        yield _pairs("honker_blocked_jobs", "Jobs that may not start, by reason.", ("queue", "reason"), facts.blocked)
        yield from _workers(facts.workers)
        yield _lateness(facts)
        help_text = "Events behind the offset of a consumer, counted up to 10,000."
        yield _pairs("honker_stream_lag", help_text, ("stream", "consumer"), facts.lags)
        yield _one("honker_wal_bytes", "The size of the write-ahead log.", facts.wal_bytes)
        yield _incomplete(facts.incomplete)
        yield from _counters(facts.totals)


def _one(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _pairs(name: str, help_text: str, labels: tuple[str, str], values: Mapping[tuple[str, str], float]) -> Metric:
    metric = GaugeMetricFamily(name, help_text, labels=labels)
    for pair, value in values.items():
        metric.add_metric(pair, value)
    return metric


def _lateness(facts: Facts) -> Metric:
    help_text = "Seconds since the next boundary of an enabled schedule that has not fired; 0 before it."
    metric = GaugeMetricFamily("honker_schedule_late_seconds", help_text, labels=["schedule"])
    for schedule in facts.schedules:
        metric.add_metric([schedule.name], max(0.0, facts.at - schedule.next_fire_at))
    return metric


def _incomplete(incomplete: Mapping[str, bool]) -> Metric:
    help_text = "1 if the list has more members than the metrics show."
    metric = GaugeMetricFamily("honker_metrics_incomplete", help_text, labels=["list"])
    for name, is_cut in incomplete.items():
        metric.add_metric([name], int(is_cut))
    return metric


def _jobs(stats: list[QueueStats]) -> Metric:
    metric = GaugeMetricFamily("honker_jobs", "Jobs by state, counted up to a limit.", labels=["queue", "state"])
    for queue in stats:
        for state, field in _STATES.items():
            metric.add_metric([queue.queue, state], getattr(queue, field))
    return metric


def _oldest_ready(stats: list[QueueStats]) -> Metric:
    help_text = "Seconds for which the ready job that has waited longest has been due."
    metric = GaugeMetricFamily("honker_oldest_ready_seconds", help_text, labels=["queue"])
    for queue in stats:
        metric.add_metric([queue.queue], queue.oldest_ready_age_s or 0)
    return metric


def _paused(stats: list[QueueStats]) -> Metric:
    metric = GaugeMetricFamily("honker_queue_paused", "1 if the queue is paused, else 0.", labels=["queue"])
    for queue in stats:
        metric.add_metric([queue.queue], int(queue.paused_at is not None))
    return metric


def _workers(workers: list[WorkerInfo]) -> Iterator[Metric]:
    metric = GaugeMetricFamily("honker_workers", "Registered processes of workers by state.", labels=["state"])
    for state in ("running", "stopping", "lost"):
        metric.add_metric([state], sum(worker.state == state for worker in workers))
    yield metric
    alive = [worker for worker in workers if worker.state != "lost"]
    busy = sum(worker.busy for worker in alive)
    metric = GaugeMetricFamily("honker_slots", "Slots of the workers that are not lost, by state.", labels=["state"])
    metric.add_metric(["busy"], busy)
    metric.add_metric(["free"], max(sum(worker.slots for worker in alive) - busy, 0))
    yield metric


def _counters(totals: list[MinuteCounts]) -> Iterator[Metric]:
    labels = ["queue", "task"]
    enqueued = CounterMetricFamily("honker_jobs_enqueued", "Jobs that were added.", labels=labels)
    attempts = CounterMetricFamily("honker_attempts", "Ends of attempts and of jobs.", labels=[*labels, "outcome"])
    for row in totals:
        enqueued.add_metric([row.queue, row.task], row.enqueued)
        for outcome, field in _OUTCOMES.items():
            attempts.add_metric([row.queue, row.task, outcome], getattr(row, field))
    yield enqueued
    yield attempts
    run_help = "Seconds that handlers ran."
    yield _summary("honker_job_run_seconds", run_help, totals, lambda row: (row.runs, row.run_s))
    wait_help = "Seconds from the time at which a job was due to its claim."
    yield _summary("honker_job_wait_seconds", wait_help, totals, lambda row: (row.claimed, row.wait_s))


def _summary(
    name: str, help_text: str, totals: list[MinuteCounts], read: Callable[[MinuteCounts], tuple[int, float]]
) -> Metric:
    metric = SummaryMetricFamily(name, help_text, labels=["queue", "task"])
    for row in totals:
        count, seconds = read(row)
        metric.add_metric([row.queue, row.task], count_value=count, sum_value=seconds)
    return metric
