"""What pages of others may send about a published companion, and what they may not."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.runtime import create
from leitstand.catalogue.companions import withdraw
from leitstand.companions.runs import OpenCompanion
from leitstand.db.ids import derived_uuid7
from leitstand.db.models import Event, EventRefusal, RunFact
from leitstand.events import page_events
from leitstand.identity.access import Principal
from leitstand.settings import Settings, get_settings
from tests.integration.runtime.conftest import SLUG

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
VISITOR = secrets.token_urlsafe(24)
NOW = datetime.now(UTC)


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create()


@pytest.fixture
def browser(app: FastAPI, companion: OpenCompanion) -> TestClient:
    """A browser on somebody else's page."""
    headers = {"User-Agent": PERSON, "Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    return TestClient(app, headers=headers, raise_server_exceptions=False)


def event(kind: str = "viewed", at: datetime = NOW, **more: Any) -> dict[str, Any]:
    name = str(sorted(more.items())).encode() + kind.encode()
    given = {"event_id": str(derived_uuid7(at, name)), "kind": kind, "run_key": "r1"}
    return given | {"occurred_at": at.isoformat()} | more


def send(browser: TestClient, *events: object, visitor: str = VISITOR, **headers: str) -> Response:
    body = json.dumps({"visitor": visitor, "events": events})
    named = {"Content-Type": "text/plain"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return browser.post(f"/c/{SLUG}/events", content=body, headers=named)


def outcomes(answer: Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["outcome"] for item in answer.json()["items"]]


def count(session: Session, model: Any) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_a_pages_events_are_a_run_of_its_visitor(
    browser: TestClient, companion: OpenCompanion, session: Session
) -> None:
    sent = [event(), event("answered", step="size", seq=1), event("completed", step="paid", seq=2)]
    answer = send(browser, *sent)
    assert outcomes(answer) == ["accepted"] * 3
    assert "set-cookie" not in answer.headers and "access-control-allow-origin" not in answer.headers
    assert outcomes(send(browser, *sent)) == ["duplicate"] * 3
    (fact,) = session.scalars(select(RunFact)).all()
    assert (fact.companion_id, fact.run_key, fact.steps) == (
        companion.companion_id,
        "web-r1",
        ["paid", "size"],
    )
    stored = session.scalars(select(Event)).all()
    assert {row.source for row in stored} == {"snippet"}
    assert VISITOR not in repr([row.__dict__ for row in stored])
    assert len({row.actor_key for row in stored}) == 1


def test_a_page_says_only_what_is_its_to_say(browser: TestClient, session: Session) -> None:
    unfit: list[tuple[Any, str]] = [
        (event(companion="other"), "nothing of 'companion'"),
        (event(actor_key="boss"), "nothing of 'actor_key'"),
        (event(is_test=True), "nothing of 'is_test'"),
        (event(props={"x": 1}), "nothing of 'props'"),
        (event(at=NOW - timedelta(hours=30)), "last 24 hours"),
        (event(event_id=str(derived_uuid7(NOW + timedelta(days=400), b"x"))), "last 24 hours"),
        (event(event_id=7), "last 24 hours"),
        (event(occurred_at=(NOW - timedelta(hours=30)).isoformat()), "older than 24 hours"),
        (event(run_key=""), "run_key is empty"),
        (event("looked"), "kind is not one of"),
        (event(step=json.loads("[" * 400 + "]" * 400)), "nested too deeply"),
        (7, "not a JSON object"),
    ]
    answer = send(browser, *(given for given, _ in unfit))
    assert outcomes(answer) == ["refused"] * len(unfit)
    for (given, reason), item in zip(unfit, answer.json()["items"], strict=True):
        assert reason in item["reason"], given
    assert count(session, RunFact) == 0
    assert count(session, EventRefusal) == len(unfit)
    assert PERSON not in repr(session.scalars(select(EventRefusal.raw)).all())


def test_bots_count_in_no_figure(browser: TestClient, session: Session) -> None:
    assert outcomes(send(browser, event(), User_Agent="Googlebot/2.1")) == ["accepted"]
    assert count(session, RunFact) == 0
    assert session.scalars(select(Event.actor_kind)).all() == ["bot"]


@pytest.mark.parametrize("header", ["DNT", "Sec_GPC"])
def test_nothing_is_taken_from_who_wants_not_to_be_tracked(
    browser: TestClient, session: Session, header: str
) -> None:
    assert send(browser, event(), **{header: "1"}).status_code == 204
    assert count(session, Event) == 0


def test_what_is_no_body_of_the_snippet(browser: TestClient, session: Session) -> None:
    for body in (
        b"",
        b"[]",
        b"{}",
        b'{"visitor": 1, "events": []}',
        b'{"visitor": "x", "events": {}}',
        b"\xff",
    ):
        assert browser.post(f"/c/{SLUG}/events", content=body).status_code == 422, body
    assert send(browser, event(), visitor="short").status_code == 422
    assert send(browser, *[event()] * (page_events.MOST + 1)).status_code == 413
    assert browser.post(f"/c/{SLUG}/events", content=b"x" * 70_000).status_code == 413
    assert count(session, EventRefusal) == 0


def test_only_a_published_companion_takes_any(
    browser: TestClient, companion: OpenCompanion, session: Session, owner: Principal
) -> None:
    assert browser.get("/c/nobody/leitstand.js").status_code == 404
    assert browser.post("/c/nobody/events", content=b"{}").status_code == 404
    withdraw(session, principal=owner, item_id=companion.companion_id)
    session.commit()
    assert send(browser, event()).status_code == 404
    assert browser.get(f"/c/{SLUG}/leitstand.js").status_code == 404


def test_pages_that_are_not_on_the_list_are_refused(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_SNIPPET_ORIGINS", "https://shop.example https://blog.example")
    get_settings.cache_clear()
    assert outcomes(send(browser, event())) == ["accepted"]
    assert send(browser, event(), Origin="https://evil.example").status_code == 403
    assert send(browser, event(), Origin="https://shop.example.evil").status_code == 403


def test_an_address_sends_at_a_bounded_rate(
    companion: OpenCompanion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_SNIPPET_ADDRESS_RATE", "2/minute")
    get_settings.cache_clear()
    browser = TestClient(create(), headers={"User-Agent": PERSON}, raise_server_exceptions=False)
    answers = [send(browser, event(run_key=f"r{number}")) for number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) > 0


def test_the_script_is_of_the_companions_workspace_and_can_be_kept(browser: TestClient) -> None:
    script = browser.get(f"/c/{SLUG}/leitstand.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "max-age" in script.headers["cache-control"]
    assert '"WORKSPACE"' not in script.text and "cookie" not in script.text.split("*/", 1)[1]
