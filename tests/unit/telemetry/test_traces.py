"""Spans reach a collector, as children of the caller's trace."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from leitstand.telemetry import traces

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    received: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()


def test_spans_are_sent_and_continue_the_callers_trace(
    collector: tuple[str, list[tuple[str, bytes]]],
) -> None:
    endpoint, received = collector
    traces.configure_tracing("unit", endpoint)
    with traces.server_span("unit GET", TRACE) as handed_on:
        assert handed_on.split("-")[1] == TRACE.split("-")[1]
        assert handed_on.split("-")[2] != TRACE.split("-")[2]
    traces.shut_down()
    path, body = received[0]
    assert path == "/v1/traces"
    assert b"unit GET" in body
    assert b"leitstand-unit" in body
    assert bytes.fromhex(TRACE.split("-")[1]) in body


def test_without_a_collector_the_trace_is_still_handed_on() -> None:
    with traces.server_span("unit GET", TRACE) as handed_on:
        assert handed_on.split("-")[1] == TRACE.split("-")[1]
