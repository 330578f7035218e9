"""The public status page answers while the database is away, and tells nobody what is inside."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from leitstand.db.engine import make_engine
from leitstand.health.overview import overview
from leitstand.health.public_status import StatusBoard, judged
from leitstand.services import SERVICES
from leitstand.settings import Settings
from tests.apps import web_app
from web.routes import status

NOW = datetime(2026, 11, 28, 4, tzinfo=UTC)
ALL_UP = {service.name: "up" for service in SERVICES}


def test_it_answers_without_a_database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this environment runs, and its database is on a port where nobody listens."""
    away = settings.model_copy(update={"database_url_override": "postgresql+psycopg://u:hush@127.0.0.1:1/x"})
    asked = []

    def ask() -> list[object]:
        asked.append(1)
        return overview(make_engine(away), away)

    board = StatusBoard(ask)
    monkeypatch.setattr(status, "board", lambda: board)
    client = TestClient(web_app(), follow_redirects=False)
    page = client.get("/status", headers={"Accept-Language": "de"})
    document = client.get("/status.json")
    assert (page.status_code, document.status_code, len(asked)) == (200, 200, 1)
    assert "Etwas geht nicht" in page.text and page.headers["cache-control"] == "public, max-age=15"
    assert "set-cookie" not in page.headers
    found = {part["name"]: part["state"] for part in document.json()["parts"]}
    assert document.json()["state"] == found["pages"] == found["background"] == "down"
    for inner in ("127.0.0.1", "PostgreSQL", "Prefect", "hush", "refused"):
        assert inner not in page.text + document.text


def test_one_service_down_is_what_people_notice_of_it() -> None:
    before = judged(ALL_UP, NOW)
    assert before.state == "up"
    later = NOW + timedelta(minutes=5)
    after = judged(ALL_UP | {"runtime": "down", "worker": "degraded"}, later, before)
    states = {part.name: (part.state, part.since) for part in after.parts}
    assert after.state == "down"
    assert states["companions"] == ("down", later)
    assert states["background"] == ("degraded", later)
    assert states["pages"] == ("up", NOW)
    assert judged({}, later).state == "down"
