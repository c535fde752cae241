"""Spans and metrics of OpenTelemetry, read from its in-memory exporters."""

import asyncio

import honker
import pytest
from honker.metrics.opentelemetry import Tracing
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from ..support.workers import run_until


@pytest.fixture
def telemetry():
    """The finished spans, the points of each metric by name, and the tracer of the application."""
    spans, reader, tracers = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    meters = MeterProvider([reader])
    tracing = Tracing(tracers, meters)
    honker.registry().middleware.append(tracing)

    def points():
        data = reader.get_metrics_data()
        found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return {metric.name: list(metric.data.data_points) for metric in found}

    yield spans, points, tracers.get_tracer("app")
    honker.registry().middleware.remove(tracing)
    meters.shutdown()
    tracers.shutdown()


def of_kind(spans, kind):
    return [span for span in spans.get_finished_spans() if span.kind is kind]


def test_an_attempt_is_linked_to_its_enqueueing(db, telemetry):
    spans, points, tracer = telemetry

    @db.queue("q").task(name="mail")
    async def mail():
        await asyncio.sleep(0)

    with tracer.start_as_current_span("request") as request:
        job_id = mail().id
    run_until(db, lambda: of_kind(spans, SpanKind.CONSUMER))
    (sent,), (processed,) = of_kind(spans, SpanKind.PRODUCER), of_kind(spans, SpanKind.CONSUMER)
    assert (sent.name, sent.parent.span_id) == ("send q", request.get_span_context().span_id)
    assert [link.context.span_id for link in processed.links] == [sent.context.span_id]
    assert processed.parent is None
    assert processed.context.trace_id != sent.context.trace_id
    shown = dict(processed.attributes)
    assert shown.pop("messaging.client.id").startswith("honker-worker-")
    assert shown == {
        "messaging.system": "honker",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "q",
        "messaging.message.id": str(job_id),
        "honker.task": "mail",
        "honker.attempt": 1,
    }
    assert [point.value for point in points()["messaging.client.sent.messages"]] == [1]


def test_each_attempt_is_a_span_and_a_failed_one_says_why(db, telemetry):
    spans, points, _ = telemetry

    @db.queue("q").task(name="flaky", retries=2, retry_delay_s=0)
    def flaky():
        if honker.current_job().attempts == 1:
            raise ValueError("broken")

    flaky()
    run_until(db, lambda: len(of_kind(spans, SpanKind.CONSUMER)) == 2)
    first, second = of_kind(spans, SpanKind.CONSUMER)
    assert (first.status.status_code, first.attributes["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert first.status.description == "broken"
    assert second.status.status_code is StatusCode.UNSET
    assert [link.context for link in first.links] == [link.context for link in second.links]
    found = points()
    assert sum(point.value for point in found["messaging.client.consumed.messages"]) == 2
    assert {point.attributes.get("error.type"): point.count for point in found["messaging.process.duration"]} == {
        "ValueError": 1,
        None: 1,
    }


@pytest.mark.parametrize("wish", [honker.Snooze(60), honker.RateLimited(60)], ids=["snooze", "rate_limited"])
def test_an_attempt_that_is_put_off_has_not_failed(db, telemetry, wish):
    spans, points, _ = telemetry

    @db.queue("q").task(name="later")
    def later():
        raise wish

    later()
    run_until(db, lambda: of_kind(spans, SpanKind.CONSUMER))
    (attempt,) = of_kind(spans, SpanKind.CONSUMER)
    assert attempt.status.status_code is StatusCode.UNSET
    assert "error.type" not in attempt.attributes
    assert ["error.type" in point.attributes for point in points()["messaging.process.duration"]] == [False]


def test_a_handler_makes_its_spans_inside_the_attempt(db, telemetry):
    spans, _, tracer = telemetry

    @db.queue("q").task(name="outer")
    def outer():
        with tracer.start_as_current_span("inner"):
            pass

    outer()
    run_until(db, lambda: of_kind(spans, SpanKind.CONSUMER))
    (inner,) = of_kind(spans, SpanKind.INTERNAL)
    assert inner.parent.span_id == of_kind(spans, SpanKind.CONSUMER)[0].context.span_id


def test_a_job_without_headers_has_no_link(db, telemetry):
    spans, _, _ = telemetry

    @db.queue("q").task(name="plain")
    def plain():
        pass

    db.queue("q").enqueue({"__honker_task__": {"task": "plain", "args": [], "kwargs": {}}})
    run_until(db, lambda: of_kind(spans, SpanKind.CONSUMER))
    assert of_kind(spans, SpanKind.CONSUMER)[0].links == ()
