"""Readiness is asked quickly and never hangs."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from leitstand.embedded import probes
from leitstand.embedded.environment import Environment
from leitstand.embedded.probes import Health
from leitstand.services import OBJECTS, POSTGRES, WEB, Service


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """A server that gives every request this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def ask(service: Service, port: int) -> Health:
    return probes.ask_one(Environment(Path("/none"), port - service.offset), service)


def test_an_http_service_is_ready_when_it_says_so() -> None:
    with answering(200, b"{}") as port:
        assert ask(WEB, port) == Health(True)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"output": "not ready: database"}', "not ready: database"),
        (b"<html>", "answers 503"),
        (b"[]", "answers 503"),
        (b"\xff\xfe", "answers 503"),
    ],
)
def test_one_that_is_not_ready_says_why(body: bytes, detail: str) -> None:
    with answering(503, body) as port:
        assert ask(WEB, port) == Health(False, detail)


def test_an_object_store_that_answers_strangers_is_not_ready() -> None:
    with answering(200, b"") as port:
        assert not ask(OBJECTS, port).ready
    with answering(403, b"") as port:
        assert ask(OBJECTS, port).ready


@pytest.mark.parametrize(
    ("greeting", "ready"), [(b"R\0\0\0\x08", True), (b"E\0\0\0\x08", False), (b"", False)]
)
def test_postgresql_is_ready_when_it_asks_for_the_password(greeting: bytes, ready: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                assert connection.recv(100)[4:8] == b"\0\3\0\0"
                connection.sendall(greeting)

        threading.Thread(target=greet, daemon=True).start()
        assert ask(POSTGRES, server.getsockname()[1]).ready is ready


def test_nobody_there_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert ask(WEB, port) == Health(False, "does not listen yet")


def test_one_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LIMIT_SECONDS", 0.3)
    with answering(200, b"{}") as port, socket.create_server(("127.0.0.1", 0)) as silent:
        base = Environment(Path("/none"), 0)
        ready = replace(WEB, name="ready", offset=port)
        hanging = replace(WEB, name="hanging", offset=silent.getsockname()[1])
        answers = probes.ask_all(base, [hanging, ready])
    assert answers["ready"].ready
    assert not answers["hanging"].ready
