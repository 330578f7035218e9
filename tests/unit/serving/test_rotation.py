"""A process leaves the proxy's rotation before it ends, and while its colour is drained."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from leitstand.settings import get_settings
from serving import health
from tests.services import free_base_port

DRAIN_SECONDS = 1.0


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("LEITSTAND_COLOUR", "green")
    monkeypatch.setenv("LEITSTAND_STATE_DIR", str(tmp_path))
    get_settings.cache_clear()
    app = FastAPI()
    health.install(app, "web", {})
    yield TestClient(app)
    get_settings.cache_clear()


def test_a_drained_colour_leaves_and_comes_back(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/proxyz").status_code == 200
    (tmp_path / "blue.drain").touch()
    assert client.get("/proxyz").status_code == 200
    (tmp_path / "green.drain").touch()
    answer = client.get("/proxyz")
    assert (answer.status_code, answer.json()["output"]) == (503, "drained")
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200
    (tmp_path / "green.drain").unlink()
    assert client.get("/proxyz").status_code == 200


def test_readiness_says_the_colour(client: TestClient) -> None:
    assert client.get("/readyz").json()["notes"] == ["colour: green"]


@pytest.mark.slow  # starts a service as a container does
def test_a_service_that_is_told_to_end_leaves_first_and_goes_on_answering(tmp_path: Path) -> None:
    port = free_base_port()
    own = {
        "LEITSTAND_DATA_DIR": tmp_path,
        "LEITSTAND_SERVICE_PORT": port,
        "LEITSTAND_DRAIN_SECONDS": DRAIN_SECONDS,
        "LEITSTAND_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:9/none",
    }
    variables = {**os.environ, **{name: str(value) for name, value in own.items()}}
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.run", "query"], env=variables, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while status(port, "/proxyz") != 200:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        while status(port, "/proxyz") == 200:
            time.sleep(0.05)
        assert status(port, "/proxyz") == 503
        assert status(port, "/livez") == 200
        assert process.wait(20) in {0, -signal.SIGTERM}
    finally:
        process.kill()


def status(port: int, path: str) -> int:
    """Of an answer; 0 where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
