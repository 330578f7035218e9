"""What every service answers, whatever it is for: health, metrics, identity, headers, problems."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from leitstand.errors import NotFound, TooManyRequests
from leitstand.settings import Settings
from serving.app import create_app


def _broken() -> None:
    raise ConnectionRefusedError("password=hunter2")


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    app = create_app("web", title="Test")

    @app.get("/missing")
    def missing() -> None:
        raise NotFound("There is no companion 'x'.", hint="Look at the list.")

    @app.get("/crash")
    def crash() -> None:
        raise RuntimeError("password=hunter2")

    @app.get("/limited")
    def limited() -> None:
        raise TooManyRequests("Too many.", details={"retry_after": 7})

    @app.get("/number/{value}")
    def number(value: int) -> int:
        return value

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_health_and_metrics(client: TestClient) -> None:
    assert client.get("/livez").json()["status"] == "pass"
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.headers["content-type"] == "application/health+json"
    assert ready.json()["checks"]["database"][0]["status"] == "pass"
    assert "leitstand_http_requests_total" in client.get("/metrics").text


def test_readiness_names_what_fails_without_its_secrets(settings: Settings) -> None:
    with TestClient(create_app("web", title="Test", probes={"queue": _broken})) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["output"] == "not ready: queue"
    assert "hunter2" not in answer.text


def test_identity_is_taken_over_when_well_formed(client: TestClient) -> None:
    assert (
        client.get("/livez", headers={"X-Request-ID": "req-12345678"}).headers["x-request-id"]
        == "req-12345678"
    )
    assert len(client.get("/livez", headers={"X-Request-ID": "no"}).headers["x-request-id"]) == 32
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert (
        client.get("/livez", headers={"traceparent": trace}).headers["traceparent"].split("-")[1]
        == trace.split("-")[1]
    )


def test_every_answer_has_security_headers(client: TestClient) -> None:
    headers = client.get("/livez").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_errors_are_problem_documents(client: TestClient) -> None:
    missing = client.get("/missing")
    assert missing.status_code == 404
    assert missing.headers["content-type"] == "application/problem+json"
    body = missing.json()
    assert body["type"].endswith("#not-found")
    assert body["hint"] == "Look at the list."
    assert body["request_id"] == missing.headers["x-request-id"]
    assert client.get("/limited").headers["retry-after"] == "7"
    assert client.get("/number/x").json()["errors"][0]["pointer"] == "/path/value"
    assert client.get("/nowhere").headers["content-type"] == "application/problem+json"


def test_an_unexpected_error_says_nothing_of_its_cause(client: TestClient) -> None:
    crash = client.get("/crash")
    assert crash.status_code == 500
    assert "hunter2" not in crash.text
