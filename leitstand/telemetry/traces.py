"""OpenTelemetry traces: sent over OTLP when a collector is set, else only propagated.

The SDK is imported only when it is used, since it costs every process memory and start-up time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leitstand.telemetry.context import accept_traceparent

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_tracers: list["Tracer"] = []


def configure_tracing(service: str, endpoint: str) -> None:
    """Send this process's spans to the collector at `endpoint` (OTLP over HTTP); nothing happens when empty."""
    if not endpoint or _tracers:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"leitstand-{service}"}))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))
    )
    _tracers.append(provider.get_tracer("leitstand"))


@contextmanager
def server_span(name: str, incoming: str | None) -> Iterator[str]:
    """A span around the handling of a request, a job or a flow; gives the traceparent to hand on.

    Args:
        name: what is done, without anything secret or personal.
        incoming: the caller's traceparent; ignored when it is not well-formed.
    """
    continued = accept_traceparent(incoming)
    if not _tracers:
        yield continued
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    parent = propagator.extract({"traceparent": incoming or ""})
    with _tracers[0].start_as_current_span(name, context=parent, kind=SpanKind.SERVER):
        carrier: dict[str, str] = {}
        propagator.inject(carrier)
        yield carrier.get("traceparent", continued)


def shut_down() -> None:
    """Send what is still buffered and end tracing."""
    while _tracers:
        provider = getattr(_tracers.pop(), "span_processor", None)
        if provider is not None:
            provider.shutdown()
