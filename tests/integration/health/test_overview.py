"""The state of every service, with real ones, dead ones and ones that answer badly."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from leitstand.cli.health import group
from leitstand.db.engine import make_engine, transaction
from leitstand.health.overview import DEGRADED, DOWN, UP, ServiceState, overview
from leitstand.jobs.heartbeat import beat
from leitstand.services import API, PROXY, RUNTIME, SERVICES, WEB, WORKER, Service
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from tests.services import free_base_port

ANSWERS = {
    WEB: (200, b'{"status": "pass"}'),
    API: (503, b'{"status": "fail", "output": "not ready: database"}'),
    RUNTIME: (500, b"<html>oops"),
    WORKER: (200, b"{}"),
}


def answer(service: Service, port: int) -> ThreadingHTTPServer:
    status, body = ANSWERS[service]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == service.health else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def elsewhere(settings: Settings) -> Iterator[Settings]:
    """Settings of an environment on ports where only some services answer."""
    moved = settings.model_copy(update={"port": free_base_port()})
    servers = [answer(service, moved.port_of(service)) for service in ANSWERS]
    yield moved
    for server in servers:
        server.shutdown()
        server.server_close()


def states(engine: Engine, settings: Settings) -> dict[str, ServiceState]:
    found = overview(engine, settings)
    assert [state.name for state in found] == [service.name for service in SERVICES]
    return {state.name: state for state in found}


def test_each_service_is_judged_by_what_it_answers(engine: Engine, elsewhere: Settings) -> None:
    ObjectStorage(elsewhere).ensure_buckets()
    with transaction(engine) as session:
        beat(session, service="worker", instance="a")
    found = states(engine, elsewhere)
    assert found["web"].state == UP
    assert (found["api"].state, found["api"].detail) == (DEGRADED, "not ready: database")
    assert (found["runtime"].state, found["runtime"].detail) == (DEGRADED, "answers 500")
    assert (found["worker"].state, found["postgres"].state, found["objects"].state) == (UP, UP, UP)
    assert (found["proxy"].state, found["proxy"].detail) == (DOWN, "connection refused")
    assert found["proxy"].address == elsewhere.address_of(PROXY)
    assert json.loads(json.dumps([state.to_dict() for state in found.values()]))


def test_a_worker_without_heartbeat_is_degraded(engine: Engine, elsewhere: Settings) -> None:
    assert states(engine, elsewhere)["worker"].state == DEGRADED


def test_everything_away_is_an_answer_too(settings: Settings) -> None:
    away = settings.model_copy(
        update={
            "port": free_base_port(),
            "database_url_override": "postgresql+psycopg://leitstand:hunter2@127.0.0.1:1/none",
            "s3_endpoint": "http://127.0.0.1:2",
        }
    )
    found = overview(make_engine(away), away)
    assert {state.state for state in found} == {DOWN}
    assert "hunter2" not in json.dumps([state.to_dict() for state in found])


def test_wrong_credentials_and_a_missing_bucket_are_named(engine: Engine, elsewhere: Settings) -> None:
    missing = elsewhere.model_copy(update={"bucket_media": "no-such-bucket"})
    assert "no-such-bucket is missing" in states(engine, missing)["objects"].detail
    from pydantic import SecretStr

    wrong = elsewhere.model_copy(update={"s3_secret_key": SecretStr("wrong")})
    assert states(engine, wrong)["objects"].detail == "refuses our credentials"


def test_the_command_prints_one_document_and_fails_when_a_service_does(engine: Engine) -> None:
    done = CliRunner().invoke(group, ["--json"])
    document = json.loads(done.stdout)
    assert (done.exit_code, document["ok"]) == (1, False)
    assert {service["name"]: service["state"] for service in document["services"]}["postgres"] == UP
    table = CliRunner().invoke(group, [])
    assert table.exit_code == 1
    assert "postgres" in table.stdout
