"""Traces and metrics of the calls of tasks by OpenTelemetry: ``pip install honker-db[opentelemetry]``.

    from honker.metrics.opentelemetry import Tracing

    app.middleware(Tracing())

The context of the enqueueing travels in the job, as the header ``traceparent``. Each attempt is a trace of its own with
a link to the enqueueing, as the conventions for messaging recommend:
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/

There are no ``receive`` spans: the conventions make them where the application asks for messages, and here the worker
hands them to the handler. There are no ``settle`` spans either: a worker settles the finished jobs and claims the next
ones in one transaction, which belongs to no job alone.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TracerProvider

from honker.errors import Discard, RateLimited, Retryable, Snooze
from honker.job import Job
from honker.job.headers import call_in
from honker.middleware import EnqueuedCall, Middleware

_SYSTEM: Final = "honker"
_SCOPE: Final = "honker"

# The bounds of buckets that the conventions name, and longer ones: handlers run for minutes. The default is for
# milliseconds.
_DURATIONS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 1800)


class Tracing(Middleware):
    """Makes a span for each enqueued call and each attempt, and measures both.

    Args:
        tracer_provider: The provider of the tracer; None means the global one.
        meter_provider: The provider of the meter; None means the global one.
    """

    def __init__(
        self, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
        self._sent = meter.create_counter("messaging.client.sent.messages", "{message}", "Jobs that were enqueued.")
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages", "{message}", "Attempts that were begun."
        )
        self._duration = meter.create_histogram(
            "messaging.process.duration",
            "s",
            "Seconds that handlers ran.",
            explicit_bucket_boundaries_advisory=_DURATIONS_S,
        )

    def enqueue(self, call: EnqueuedCall) -> None:
        """Record the enqueueing, and put its context into the headers of the call."""
        attributes = _attributes("send", "send", call.queue, call.task)
        with self._tracer.start_as_current_span(f"send {call.queue}", kind=SpanKind.PRODUCER, attributes=attributes):
            propagate.inject(call.headers)
        self._sent.add(1, attributes)

    def run(self, job: Job) -> AbstractContextManager[object]:
        """Record an attempt."""
        return self._processing(job)

    @contextmanager
    def _processing(self, job: Job) -> Generator[None]:
        attributes = _attributes("process", "process", job.queue.name, str(call_in(job.payload).get("task", "")))
        sent = propagate.extract({name: value for name, value in job.headers.items() if isinstance(value, str)})
        origin = trace.get_current_span(sent).get_span_context()
        span = self._tracer.start_span(
            f"process {job.queue.name}",
            # A new trace: an attempt may begin long after the enqueueing, and there may be several.
            context=context.Context(),
            kind=SpanKind.CONSUMER,
            links=[Link(origin)] if origin.is_valid else [],
            attributes={
                **attributes,
                "messaging.message.id": str(job.id),
                "messaging.client.id": job.worker_id,
                "honker.attempt": job.attempts,
            },
        )
        self._consumed.add(1, attributes)
        begun_s = time.perf_counter()
        failure: dict[str, Any] = {}
        try:
            with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
                try:
                    yield
                except BaseException as error:
                    if not isinstance(error, (Snooze, RateLimited)):
                        failure = {"error.type": type(error).__qualname__}
                        span.set_attributes(failure)
                        span.set_status(Status(StatusCode.ERROR, str(error)))
                        if not isinstance(error, (Retryable, Discard)):
                            span.record_exception(error)
                    raise
        finally:
            self._duration.record(time.perf_counter() - begun_s, {**attributes, **failure})


def _attributes(operation: str, kind: str, queue: str, task: str) -> dict[str, str]:
    return {
        "messaging.system": _SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.destination.name": queue,
        "honker.task": task,
    }
