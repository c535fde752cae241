"""Metrics and traces on the libraries of Prometheus and OpenTelemetry, each an extra of this package."""
