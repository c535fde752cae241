"""A collector of OpenTelemetry: it decodes what exporters post to it over HTTP, and keeps it in memory."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2


class Collected:
    """The telemetry that has arrived.

    Attributes:
        url: The address of the collector.
        spans: The spans, each with the name of its service and its instrumentation scope.
        metrics: The metrics of the last export, by name.
    """

    def __init__(self, url):
        self.url = url
        self.spans = []
        self.metrics = {}

    def add_spans(self, request):
        for resource in request.resource_spans:
            service = attributes_of(resource.resource)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [(service, scope.scope.name, span) for span in scope.spans]

    def add_metrics(self, request):
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self.metrics |= {metric.name: metric for metric in scope.metrics}


def attributes_of(record):
    """The attributes of a message of the protocol."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in record.attributes}


@contextmanager
def collector():
    """Listen on loopback for the length of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    server.collected = Collected(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.collected
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        collected = self.server.collected
        if self.path == "/v1/traces":
            collected.add_spans(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            answer = trace_service_pb2.ExportTraceServiceResponse()
        else:
            assert self.path == "/v1/metrics"
            collected.add_metrics(metrics_service_pb2.ExportMetricsServiceRequest.FromString(body))
            answer = metrics_service_pb2.ExportMetricsServiceResponse()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()
        self.wfile.write(answer.SerializeToString())

    def log_message(self, *_):
        """Nothing on standard error."""
