"""Questions that a model answers, whole and as they come; whoever goes away stops it."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api.query import create
from leitstand.db.models import ModelCall, Workspace
from leitstand.identity.sessions import COOKIE
from leitstand.language_models import breaker, chat, reading
from leitstand.settings import get_settings
from serving import following
from tests.integration.knowledge.test_model_answers import connect
from tests.integration.query.test_query import ASK, HERONS
from tests.live import served
from tests.model_server import ModelServer, malformed, models, says
from tests.people import Visitor, acting, join, visit
from tests.spaces import space_with
from tests.waiting import wait_until

__all__ = ["models"]

QUESTION = {"question": "How much does a heron weigh?"}
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(chat, "breaker", breaker.Breaker())
    monkeypatch.setattr(reading, "TELL_SECONDS", 0.0)


@pytest.fixture
def visitor(session: Session, workspace: Workspace, models: ModelServer) -> Visitor:
    """An analyst of a workspace that has a document and a model."""
    space_with(session, workspace.id, HERONS)
    connect(session, acting(session, workspace, join(session, workspace)), models)
    return visit(create(), session, join(session, workspace, role="analyst", email="ana@example.test"))


def events(body: str) -> Iterator[tuple[str, dict[str, object]]]:
    for block in filter(None, body.split("\n\n")):
        if block.startswith(":"):
            continue
        event, data = block.split("\n")
        yield event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_model_answers_in_the_same_form(visitor: Visitor, models: ModelServer) -> None:
    models.answer(says("Up to two kilograms [1] <b>[9]."))
    body = visitor.client.post(ASK, json=QUESTION).json()
    assert (body["kind"], body["model"], body["answer"]) == ("model", "small", "Up to two kilograms [1] <b>.")
    assert [one["number"] for one in body["citations"]] == [1]


def test_an_answer_comes_as_it_is_written(visitor: Visitor, models: ModelServer) -> None:
    models.answer(says("Up to two kilograms [1].", piece=4))
    answer = visitor.client.post(ASK, json=QUESTION, headers=EVENTS)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (
        200,
        "text/event-stream",
    )
    told = list(events(answer.text))
    names = [name for name, _ in told]
    assert names[0] == "passages" and names[-1] == "answer" and set(names[1:-1]) == {"text"}
    assert told[0][1]["results"][0]["title"] == "herons.md"  # type: ignore[index]
    assert told[-2][1] == {"answer": "Up to two kilograms [1]."} and told[-1][1]["kind"] == "model"


def test_a_model_that_fails_ends_in_quotes_and_what_is_refused_has_its_status(
    visitor: Visitor, models: ModelServer
) -> None:
    models.answer(malformed())
    name, answer = list(events(visitor.client.post(ASK, json=QUESTION, headers=EVENTS).text))[-1]
    assert (name, answer["kind"]) == ("answer", "extractive") and "could not be asked" in str(answer["note"])
    for body, status in (({"question": "  "}, 422), (QUESTION | {"space": "0" * 32}, 404)):
        refused = visitor.client.post(ASK, json=body, headers=EVENTS)
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")


def test_a_person_can_ask_so_often(
    visitor: Visitor, models: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_MODEL_PERSON_RATE", "1/minute")
    get_settings.cache_clear()
    models.answer(says("Two [1]."))
    assert visitor.client.post(ASK, json=QUESTION).status_code == 200
    refused = visitor.client.post(ASK, json=QUESTION, headers=EVENTS)
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    assert "many questions" in refused.json()["detail"] and len(models.asked) == 1


@pytest.mark.parametrize("headers", [EVENTS, {}])
def test_whoever_goes_away_stops_the_model_and_no_transaction_is_open_meanwhile(
    visitor: Visitor,
    models: ModelServer,
    session: Session,
    headers: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "ALIVE_SECONDS", 0.05)
    app: FastAPI = visitor.client.app  # type: ignore[assignment]
    held = threading.Event()
    models.answer(says("Up to two kilograms, or perhaps [1].", held=held))
    session.commit()
    cookies = {COOKIE: visitor.client.cookies[COOKIE]}
    with served(app) as address, httpx.Client(base_url=address, cookies=cookies, timeout=2) as client:
        with (
            suppress(httpx.ReadTimeout),
            client.stream("POST", ASK, json=QUESTION, headers=headers) as answer,
        ):
            lines = answer.iter_lines()
            assert "event: text" in lines and any(line.startswith(":") for line in lines)
            assert session.scalar(text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
            )) == 0  # fmt: skip
        session.commit()
        call = wait_until(lambda: session.scalars(select(ModelCall)).one_or_none(), 20)
        held.set()
    assert call is not None and call.succeeded is False and call.prompt_tokens > 0 and len(models.asked) == 1
