"""Spans and metrics that real exporters send by OTLP over HTTP: a producer and a worker in processes of their own."""

import subprocess
import sys
import textwrap

import honker
import pytest
from honker.metrics.opentelemetry import Tracing
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from ..support.otlp import attributes_of, collector
from ..support.workers import run_until

#: Enqueues a call of each task from inside a span of its own.
PRODUCER = textwrap.dedent("""
    import sys

    import honker
    from honker.metrics.opentelemetry import Tracing
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    path, url = sys.argv[1:]
    tracers = TracerProvider(resource=Resource({"service.name": "shop"}))
    tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    honker.registry().middleware.append(Tracing(tracers))
    with honker.open(path) as db:
        @db.queue("emails").task(name="mail")
        def mail(to): ...

        @db.queue("emails").task(name="broken", retries=1)
        def broken(): ...

        with tracers.get_tracer("shop").start_as_current_span("POST /orders"):
            mail("alice")
            broken()
    tracers.shutdown()
""")


@pytest.fixture
def collected():
    with collector() as running:
        yield running


@pytest.fixture
def telemetry(collected):
    """The providers of the worker; both export to the collector."""
    resource = Resource({"service.name": "worker"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{collected.url}/v1/traces")))
    # Exports when it is flushed, not by time.
    exporter = OTLPMetricExporter(f"{collected.url}/v1/metrics")
    meters = MeterProvider([PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)], resource)
    tracing = Tracing(tracers, meters)
    honker.registry().middleware.append(tracing)
    yield tracers, meters
    honker.registry().middleware.remove(tracing)
    meters.shutdown()
    tracers.shutdown()


@pytest.fixture
def worked(db, path, collected, telemetry):
    """The spans after a worker has run both jobs, by service, name and task."""
    subprocess.run([sys.executable, "-W", "error", "-c", PRODUCER, str(path), collected.url], check=True)

    @db.queue("emails").task(name="mail")
    async def mail(to):
        return to

    @db.queue("emails").task(name="broken", retries=1)
    def broken():
        raise ValueError("no such address")

    run_until(db, lambda: len([span for _, _, span in collected.spans if span.kind == Span.SPAN_KIND_CONSUMER]) == 2)
    return {(service, span.name, attributes_of(span).get("honker.task")): span for service, _, span in collected.spans}


def test_the_spans_of_both_processes_arrive(worked, collected):
    assert set(worked) == {
        ("shop", "POST /orders", None),
        ("shop", "send emails", "mail"),
        ("shop", "send emails", "broken"),
        ("worker", "process emails", "mail"),
        ("worker", "process emails", "broken"),
    }
    assert {scope for _, scope, _ in collected.spans} == {"shop", "honker"}


def test_an_attempt_is_linked_to_the_span_that_enqueued_it_in_another_process(worked):
    request = worked["shop", "POST /orders", None]
    for task in ("mail", "broken"):
        sent, processed = worked["shop", "send emails", task], worked["worker", "process emails", task]
        assert (sent.kind, processed.kind) == (Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER)
        assert (sent.trace_id, sent.parent_span_id) == (request.trace_id, request.span_id)
        assert [(link.trace_id, link.span_id) for link in processed.links] == [(sent.trace_id, sent.span_id)]
        assert processed.trace_id != sent.trace_id
        assert processed.parent_span_id == b""


def test_the_attributes_are_those_of_the_conventions_for_messaging(worked):
    shared = {"messaging.system": "honker", "messaging.destination.name": "emails", "honker.task": "mail"}
    sent = {**shared, "messaging.operation.name": "send", "messaging.operation.type": "send"}
    assert attributes_of(worked["shop", "send emails", "mail"]) == sent
    found = attributes_of(worked["worker", "process emails", "mail"])
    assert found.pop("messaging.client.id").startswith("honker-worker-")
    assert found == {
        **shared,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.message.id": "1",
        "honker.attempt": 1,
    }


def test_a_failed_attempt_has_its_exception(worked):
    failed = worked["worker", "process emails", "broken"]
    assert (failed.status.code, failed.status.message) == (Status.STATUS_CODE_ERROR, "no such address")
    assert attributes_of(failed)["error.type"] == "ValueError"
    (event,) = failed.events
    recorded = attributes_of(event)
    assert (event.name, recorded["exception.type"]) == ("exception", "ValueError")
    assert recorded["exception.message"] == "no such address"
    assert "in broken" in recorded["exception.stacktrace"]
    done = worked["worker", "process emails", "mail"]
    assert (done.status.code, list(done.events)) == (Status.STATUS_CODE_UNSET, [])


def test_the_metrics_arrive_with_buckets_of_seconds(worked, collected, telemetry):
    _, meters = telemetry
    assert meters.force_flush()
    duration = collected.metrics["messaging.process.duration"]
    assert duration.unit == "s"
    points = {attributes_of(point)["honker.task"]: point for point in duration.histogram.data_points}
    assert {task: point.count for task, point in points.items()} == {"mail": 1, "broken": 1}
    assert attributes_of(points["broken"])["error.type"] == "ValueError"
    assert list(points["mail"].explicit_bounds)[:3] == [0.005, 0.01, 0.025]
    consumed = collected.metrics["messaging.client.consumed.messages"].sum.data_points
    assert sum(point.as_int for point in consumed) == 2
