"""The metrics of Prometheus, scraped from a real HTTP endpoint, and the dashboard that reads them."""

import asyncio
import itertools
import json
import re
import time
import urllib.request
from pathlib import Path

import honker
import pytest
from honker.metrics.histograms import BUCKETS, Histograms
from honker.metrics.prometheus import Collector
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from ..support.engines import placed
from ..support.workers import run_until

DASHBOARD = Path(__file__).resolve().parents[2] / "docs" / "grafana.json"


@pytest.fixture
def registry(db):
    """The registry of the endpoint, with the metrics of the file."""
    made = CollectorRegistry()
    made.register(Collector(db, count_limit=50))
    return made


@pytest.fixture
def scrape(registry):
    """Read the metrics over HTTP: the value of each name and its labels."""
    server, thread = start_http_server(0, "127.0.0.1", registry)

    def read():
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}

    yield read
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_empty_file_has_metrics_of_the_file_and_of_workers_only(scrape):
    found = scrape()
    assert found.pop(("honker_wal_bytes",)) >= 0
    assert found == {
        ("honker_jobs_count_limit",): 50,
        ("honker_metrics_incomplete", "queues"): 0,
        ("honker_metrics_incomplete", "tasks"): 0,
        ("honker_metrics_incomplete", "schedules"): 0,
        ("honker_metrics_incomplete", "consumers"): 0,
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


def test_jobs_that_may_not_start_are_counted_by_the_reason(db, scrape):
    for name, settings in {
        "free": {},
        "paused": {},
        "full": {"concurrency": 1},
        "late": {"rate": (1, 3_600)},
        "keyed": {"concurrency_per_key": 1},
    }.items():
        queue = db.queue(name)
        queue.configure(**settings)
        queue.enqueue_many([1, 2, 3], **({"key": "acme"} if name == "keyed" else {}))
        queue.claim_one("w")
    db.queue("paused").pause()
    parent = db.queue("flow").enqueue(1)
    db.queue("flow").enqueue(2, after=[parent])
    found = scrape()
    reasons = itertools.product(
        ("free", "paused", "full", "late", "keyed", "flow"), ("key", "parents", "pause", "concurrency", "rate")
    )
    counts = {pair: found["honker_blocked_jobs", *sorted(pair)] for pair in reasons}
    assert {pair: count for pair, count in counts.items() if count} == {
        ("paused", "pause"): 2,
        ("full", "concurrency"): 2,
        ("late", "rate"): 2,
        ("keyed", "key"): 2,
        ("flow", "parents"): 1,
    }


def test_a_scrape_leaves_the_options_of_queues_to_the_application(db, scrape):
    db.queue("known").enqueue(1)
    db.engine.call("SELECT honker_enqueue('later', '1', NULL, NULL, 0, 3, NULL)")
    db.engine.call("SELECT honker_queue_configure('later', '{\"concurrency\": 1}')")
    db.engine.call("SELECT honker_claim_batch('later', 'w', 1, 60)")
    db.engine.call("SELECT honker_enqueue('later', '1', NULL, NULL, 0, 3, NULL)")
    assert scrape()["honker_blocked_jobs", "concurrency", "later"] == 1
    assert db.queue("later", max_attempts=9).max_attempts == 9


def test_a_schedule_is_late_from_its_boundary_until_it_fires(db, scrape):
    scheduler = honker.Scheduler(db)
    for name in ("due", "ahead", "off"):
        scheduler.add(name=name, queue="q", schedule=honker.crontab("0 3 * * *"))
    scheduler.pause("off")
    with db.transaction() as tx:
        late = "UPDATE _honker_scheduler_tasks SET next_fire_at = ? WHERE name <> 'ahead'"
        tx.execute(placed(db, late), [int(time.time()) - 100])
    found = scrape()
    assert 100 <= found["honker_schedule_late_seconds", "due"] < 200
    assert found["honker_schedule_late_seconds", "ahead"] == 0
    assert ("honker_schedule_late_seconds", "off") not in found


@pytest.mark.sqlite_only("the size of the log of SQLite")
def test_the_lag_of_each_consumer_and_the_log_are_shown(db, scrape):
    stream = db.stream("orders")
    stream.publish_many([1, 2, 3])
    stream.save_offset("mailer", 1)
    stream.save_offset("audit", 3)
    found = scrape()
    assert (found["honker_stream_lag", "mailer", "orders"], found["honker_stream_lag", "audit", "orders"]) == (2, 0)
    assert found["honker_wal_bytes",] > 0


def test_lists_are_cut_at_the_limit_of_series_and_say_so(db):
    db.configure(counters=True)
    for number in range(4):
        db.queue(f"q{number}").enqueue(1)
        db.stream("t").save_offset(f"c{number}", 1)
        honker.Scheduler(db).add(name=f"s{number}", queue="q0", schedule=honker.crontab("0 3 * * *"))
    for limit, is_cut in ((3, 1), (4, 0)):
        families = {family.name: family for family in Collector(db, series_limit=limit).collect()}
        incomplete = {sample.labels["list"]: sample.value for sample in families["honker_metrics_incomplete"].samples}
        assert incomplete == {"queues": is_cut, "tasks": is_cut, "schedules": is_cut, "consumers": is_cut}
        for name in (
            "honker_queue_paused",
            "honker_jobs_enqueued",
            "honker_stream_lag",
            "honker_schedule_late_seconds",
        ):
            assert len(families[name].samples) == limit


def test_a_count_stops_earlier_in_a_file_with_many_queues(db):
    for number in range(30):
        db.queue(f"q{number}").enqueue(1)
    db.queue("q0").enqueue_many([1] * 4_000)
    families = {family.name: family for family in Collector(db).collect()}
    [limit] = families["honker_jobs_count_limit"].samples
    ready = [each.value for each in families["honker_jobs"].samples if each.labels == {"queue": "q0", "state": "ready"}]
    assert ready == [limit.value] == [3_333]


@pytest.fixture
def histograms(registry):
    """Histograms of the attempts of this process, at the same endpoint."""
    middleware = Histograms(registry)
    honker.registry().middleware.append(middleware)
    yield middleware
    honker.registry().middleware.remove(middleware)


def test_histograms_measure_the_waits_and_runs_of_attempts(db, scrape, histograms):
    release = asyncio.Event()

    @db.queue("q").task(name="slow")
    async def slow():
        await release.wait()

    @db.queue("q").task(name="bad", retries=1)
    def bad():
        raise RuntimeError("broken")

    slow()
    bad()

    def is_done():
        state = db.stats()[0]
        if state.dead == 1 and state.processing == 1 and not release.is_set():
            asyncio.get_running_loop().call_later(0.3, release.set)
        return state.dead == 1 and not state.processing and not state.ready

    run_until(db, is_done)
    found = scrape()
    assert found["honker_attempt_run_seconds_count", "q", "slow"] == 1
    assert found["honker_attempt_run_seconds_count", "bad", "q"] == 1
    assert found["honker_attempt_run_seconds_sum", "q", "slow"] >= 0.3
    assert found["honker_attempt_wait_seconds_count", "bad", "q"] == 1
    buckets = [one for one in found if one[0] == "honker_attempt_run_seconds_bucket" and "slow" in one]
    assert len(buckets) == len(BUCKETS) + 1
    assert found["honker_attempt_run_seconds_bucket", "0.25", "q", "slow"] == 0
    assert found["honker_attempt_run_seconds_bucket", "1800.0", "q", "slow"] == 1


def test_the_queries_of_the_dashboard_name_exported_metrics(db, scrape, histograms):
    db.configure(counters=True)

    @db.queue("q").task(name="one")
    def one():
        pass

    one()
    db.stream("t").save_offset("c", 1)
    honker.Scheduler(db).add(name="nightly", queue="q", schedule=honker.crontab("0 3 * * *"))
    run_until(db, lambda: not db.stats())
    db.queue("q").enqueue(1)
    exported = {name for name, *_ in scrape() if not name.endswith("_created")}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for query in queries for name in re.findall(r"honker_\w+", query)}
    assert len(queries) >= 18
    assert named <= exported
    assert {family(name) for name in exported} == {family(name) for name in named}


def family(name):
    return re.sub("_(sum|count|bucket)$", "", name)


def test_every_panel_reads_the_chosen_data_source():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert dashboard["templating"]["list"][0]["name"] == "datasource"
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(panel["datasource"] == chosen for panel in dashboard["panels"])
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
