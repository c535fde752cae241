"""The metrics of Prometheus, scraped from a real HTTP endpoint, and the dashboard that reads them."""

import json
import re
import urllib.request
from pathlib import Path

import pytest
from honker.metrics.prometheus import Collector
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from ..support.workers import run_until

DASHBOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana.json"


@pytest.fixture
def scrape(db):
    """Read the metrics over HTTP: the value of each name and its labels."""
    registry = CollectorRegistry()
    registry.register(Collector(db, count_limit=50))
    server, thread = start_http_server(0, "127.0.0.1", registry)

    def read():
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}

    yield read
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_empty_file_has_metrics_of_workers_only(scrape):
    assert scrape() == {
        ("honker_workers", "running"): 0,
        ("honker_workers", "stopping"): 0,
        ("honker_workers", "lost"): 0,
        ("honker_slots", "busy"): 0,
        ("honker_slots", "free"): 0,
    }


def test_jobs_are_counted_by_state_up_to_the_limit(db, scrape):
    db.queue("q").enqueue_many(range(80))
    db.queue("r").enqueue(1, delay=60)
    db.queue("r").pause()
    found = scrape()
    assert found["honker_jobs", "q", "ready"] == 50
    assert (found["honker_jobs", "delayed", "r"], found["honker_queue_paused", "r"]) == (1, 1)
    assert found["honker_oldest_ready_seconds", "q"] >= 0


def test_attempts_are_counted_with_their_outcome_and_times(db, scrape):
    db.configure(counters=True)

    @db.queue("q").task(name="good")
    def good():
        pass

    @db.queue("q").task(name="bad", retries=1)
    def bad():
        raise RuntimeError("broken")

    good()
    good()
    bad()
    run_until(db, lambda: not db.stats()[0].ready and db.stats()[0].dead == 1 and not db.stats()[0].processing)
    found = scrape()
    assert found["honker_jobs_enqueued_total", "good", "q"] == 2
    assert found["honker_attempts_total", "completed", "good", "q"] == 2
    assert found["honker_attempts_total", "bad", "dead", "q"] == 1
    assert found["honker_job_wait_seconds_count", "good", "q"] == 2
    assert found["honker_job_run_seconds_count", "good", "q"] <= 2


def test_the_queries_of_the_dashboard_name_exported_metrics(db, scrape):
    db.configure(counters=True)
    db.queue("q").enqueue(1)
    exported = {name for name, *_ in scrape()}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for query in queries for name in re.findall(r"honker_\w+", query)}
    assert len(queries) >= 10
    assert named <= exported
    assert {re.sub("_(sum|count)$", "", name) for name in exported} == {
        re.sub("_(sum|count)$", "", name) for name in named
    }
