"""Prometheus metrics that every service has; a feature adds its own beside its code."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "leitstand_http_requests_total", "HTTP requests answered.", ["service", "method", "route", "status"]
)
LATENCY = Histogram(
    "leitstand_http_request_duration_seconds",
    "Time from the first byte of a request to the last of its answer.",
    ["service", "method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
