"""The proxy alone, before echoing stand-ins of the services: who gets which request, and with which headers."""

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from leitstand.embedded import probes, programs
from leitstand.embedded.credentials import ensure_secrets
from leitstand.embedded.environment import Environment
from leitstand.services import API, INSIGHTS, PREFECT, PROXY, QUERY, RUNTIME, WEB, Service
from tests.services import free_base_port

pytestmark = pytest.mark.slow

UPSTREAMS = (WEB, API, RUNTIME, QUERY, INSIGHTS, PREFECT)
SIGNED_IN = {"Cookie": "leitstand_session=operator"}


def echo(service: Service, port: int) -> ThreadingHTTPServer:
    """A service that answers with what it was asked; web's also decides who is an operator."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            allowed = "operator" in self.headers.get("Cookie", "")
            gate = service is WEB and self.path.startswith("/auth/operator")
            self.send_response(401 if gate and not allowed else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            seen = {
                "service": service.name,
                "path": self.path,
                "headers": dict(self.headers),
                "bytes": len(body),
            }
            self.wfile.write(json.dumps(seen).encode())

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    environment = Environment(tmp_path_factory.mktemp("proxy"), free_base_port())
    ensure_secrets(environment)
    servers = [echo(service, environment.port_of(service)) for service in UPSTREAMS]
    variables = os.environ | environment.variables() | programs.proxy_variables(environment)
    log = (environment.data_dir / "proxy.log").open("wb")
    process = subprocess.Popen(programs.proxy_argv(environment), env=variables, stdout=log, stderr=log)
    deadline = time.monotonic() + 30
    while not probes.ask_one(environment, PROXY).ready:
        assert time.monotonic() < deadline, (environment.data_dir / "proxy.log").read_text()
        time.sleep(0.1)
    yield environment
    process.terminate()
    process.wait(20)
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def client(environment: Environment) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=environment.base_url, trust_env=False) as client:
        yield client


def seen(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", WEB),
        ("/companions?kind=a%20b", WEB),
        ("/insights", WEB),
        ("/livez", WEB),
        ("/apiary", WEB),
        ("/c", RUNTIME),
        ("/c/intake", RUNTIME),
        ("/companion", WEB),
        ("/api", API),
        ("/api/v1/companions?after=x", API),
        ("/query/ask", QUERY),
        ("/insights/overview", INSIGHTS),
        ("/insights/overview/ws?a=b", INSIGHTS),
    ],
)
def test_a_path_reaches_its_service_as_it_was_typed(
    client: httpx.Client, path: str, service: Service
) -> None:
    assert (seen(client.get(path))["service"], seen(client.get(path))["path"]) == (service.name, path)


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/proxyz", "/auth/operator"])
def test_what_is_for_monitoring_stays_inside(client: httpx.Client, path: str) -> None:
    assert client.get(path, headers=SIGNED_IN).status_code == 404


def test_a_well_formed_request_id_is_passed_on(client: httpx.Client) -> None:
    assert (
        seen(client.get("/", headers={"X-Request-ID": "abc-12345"}))["headers"]["X-Request-Id"] == "abc-12345"
    )


@pytest.mark.parametrize(
    "sent", [{}, {"X-Request-ID": "short"}, {"X-Request-ID": "x" * 200}, {"X-Request-ID": "a b c d e f g"}]
)
def test_any_other_request_id_is_replaced_by_a_new_one(client: httpx.Client, sent: dict[str, str]) -> None:
    first, second = (client.get("/", headers=sent) for _ in range(2))
    ids = {seen(answer)["headers"]["X-Request-Id"] for answer in (first, second)}
    assert len(ids) == 2
    assert all(len(given) == 36 for given in ids)
    assert first.headers["X-Request-ID"] in ids


def test_services_are_told_who_asks_and_a_visitor_can_not_say_so_himself(client: httpx.Client) -> None:
    headers = seen(client.get("/", headers={"X-Forwarded-For": "192.0.2.66"}))["headers"]
    assert headers["X-Forwarded-For"] == "127.0.0.1"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1"])
def test_another_name_for_this_machine_gets_nothing(client: httpx.Client, host: str) -> None:
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert "service" not in answer.text


def test_localhost_is_a_name_of_it(client: httpx.Client, environment: Environment) -> None:
    assert seen(client.get("/", headers={"Host": f"localhost:{environment.port}"}))["service"] == "web"


@pytest.mark.parametrize(
    "path", ["/prefect/", "/prefect/api/flows/filter", "/prefect/ui-settings", "/prefect/assets/x.js"]
)
def test_prefect_is_for_operators_only(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.get(path, headers={"Authorization": "Basic YWRtaW46YWRtaW4="}).status_code == 401


def test_an_operators_request_carries_the_services_credential_and_no_cookie(
    client: httpx.Client, environment: Environment
) -> None:
    asked = seen(
        client.get("/prefect/api/health", headers=SIGNED_IN | {"Authorization": "Basic bm9ib2R5Om5v"})
    )
    expected = base64.b64encode(programs.prefect_login(environment).encode()).decode()
    assert asked["service"] == "prefect"
    assert asked["path"] == "/prefect/api/health"
    assert asked["headers"]["Authorization"] == f"Basic {expected}"
    assert "Cookie" not in asked["headers"]


def test_no_other_service_gets_the_credential(client: httpx.Client) -> None:
    for path in ("/", "/api/v1", "/c/x", "/query", "/insights/overview"):
        assert "Authorization" not in seen(client.get(path, headers=SIGNED_IN))["headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null"])
def test_another_sites_page_can_not_use_an_operators_session_for_prefect(
    client: httpx.Client, origin: str
) -> None:
    headers = SIGNED_IN | {"Origin": origin}
    assert client.post("/prefect/api/deployments/x/create_flow_run", headers=headers).status_code == 403
    assert (
        client.get("/prefect/api/events/out", headers=headers | {"Upgrade": "websocket"}).status_code == 403
    )


def test_prefects_own_page_can(client: httpx.Client, environment: Environment) -> None:
    headers = SIGNED_IN | {"Origin": environment.base_url}
    assert seen(client.post("/prefect/api/flows/filter", headers=headers))["service"] == "prefect"


def test_prefects_page_is_told_not_to_ask_for_a_password_and_to_stay_here(client: httpx.Client) -> None:
    settings = client.get("/prefect/ui-settings", headers=SIGNED_IN)
    assert (settings.json()["auth"], settings.json()["api_url"]) == (None, "/prefect/api")
    policy = client.get("/prefect/dashboard", headers=SIGNED_IN).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "connect-src 'self' ws: wss:" in policy


def test_bodies_have_a_limit(client: httpx.Client) -> None:
    refused = client.post("/c/intake", content=b"x" * 1_100_000)
    assert (refused.status_code, refused.json()["title"]) == (413, "Too large")
    assert seen(client.post("/api/v1/documents", content=b"x" * 1_100_000))["bytes"] == 1_100_000


def test_a_service_that_is_down_is_an_honest_problem_document(
    environment: Environment, client: httpx.Client
) -> None:
    """The same proxy configuration, with nobody behind the query service."""
    other = Environment(environment.data_dir, free_base_port())
    variables = os.environ | other.variables() | programs.proxy_variables(other)
    process = subprocess.Popen(
        programs.proxy_argv(other), env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not probes.ask_one(other, PROXY).ready:
            assert process.poll() is None
            time.sleep(0.1)
        answer = httpx.get(
            f"{other.base_url}/query", headers={"X-Request-ID": "abc-12345"}, timeout=20, trust_env=False
        )
    finally:
        process.terminate()
        process.wait(20)
    assert answer.status_code in {502, 503}
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == "abc-12345"


def test_answers_say_nothing_of_what_serves_them(client: httpx.Client) -> None:
    answer = client.get("/_proxy/health")
    assert answer.json()["status"] == "pass"
    assert "Server" not in answer.headers
    assert "Via" not in answer.headers


def test_the_proxys_log_holds_no_cookie_and_no_credential(
    environment: Environment, client: httpx.Client
) -> None:
    client.get(
        "/companions",
        headers={"Cookie": "leitstand_session=token-of-someone", "Authorization": "Basic c2VjcmV0"},
    )
    log: Path = environment.data_dir / "proxy.log"
    deadline = time.monotonic() + 10
    while "/companions" not in (text := log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "/companions" in text
    assert "token-of-someone" not in text
    assert "c2VjcmV0" not in text
    assert environment.secret("prefect_password") not in text
