"""A companion that asks a space by a model: before the transaction, once, with the rights of the version's author."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from api.runtime import create
from leitstand.companions.preparing import Once, prepare
from leitstand.companions.runner import NO_REPLY
from leitstand.companions.runs import OpenCompanion, Outcome, Prepared, find_open, give_answer, open_run
from leitstand.db.models import FlowRun, Item, ModelCall, Workspace
from leitstand.errors import TooManyRequests
from leitstand.identity.access import Principal
from leitstand.knowledge.model_prompts import UNANSWERED
from leitstand.language_models import breaker, chat
from leitstand.settings import Settings, get_settings
from tests.apps import web_app
from tests.integration.knowledge.test_model_answers import connect
from tests.integration.runtime.conftest import SLUG, Publish
from tests.integration.runtime.test_pages import send
from tests.model_server import ModelServer, models, refuses, says
from tests.people import join, visit
from tests.spaces import space_with

__all__ = ["models"]

HERONS = b"# Herons\nHerons live near fresh water. The grey heron weighs up to two kilograms.\n"
QUESTION = "How much does a heron weigh?"
VISITOR = "v" * 32


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(chat, "breaker", breaker.Breaker())


@pytest.fixture
def space(session: Session, owner: Principal, models: ModelServer) -> Item:
    connect(session, owner, models)
    return space_with(session, owner.workspace_id, HERONS)


@pytest.fixture
def companion(session: Session, space: Item, publish_flow: Publish) -> OpenCompanion:
    publish_flow(asking(space.id))
    return find_open(session, SLUG)


@pytest.fixture
def browser(settings: Settings, companion: OpenCompanion) -> TestClient:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    return TestClient(create(), follow_redirects=True, headers={"User-Agent": agent, "Accept": "text/html"})


def asking(space: UUID) -> dict[str, Any]:
    return {
        "title": "Birds",
        "steps": [
            {"kind": "ask", "name": "ask", "text": "Your question?", "space": str(space), "next": "more", "unanswered": "no"},
            {"kind": "ask", "name": "more", "text": "Another?", "space": str(space), "next": "bye", "unanswered": "no"},
            {"kind": "end", "name": "no", "text": "We could not help."},
            {"kind": "end", "name": "bye", "text": "Bye."},
        ],
    }  # fmt: skip


def calls(session: Session) -> list[ModelCall]:
    session.expire_all()
    return list(session.scalars(select(ModelCall).order_by(ModelCall.id)))


def test_a_visitor_reads_what_a_model_wrote_and_that_it_did(
    browser: TestClient, models: ModelServer, session: Session, companion: OpenCompanion
) -> None:
    page = browser.get(f"/c/{SLUG}")
    assert "data-asks" in page.text and "runtime.js" in page.text
    models.answer(says("Up to <i>two</i> kilograms [1][99]."), refuses(401))
    page = send(browser, page, QUESTION)
    assert "Up to &lt;i&gt;two&lt;/i&gt; kilograms [1]." in page.text and "[1] herons.md" in page.text
    assert "Written by a model from our documents" in page.text
    page = send(browser, page, QUESTION)
    assert "Quoted from our documents" in page.text and "Models" not in page.text and "Bye." in page.text
    call = calls(session)[0]
    assert (call.purpose, call.item_id) == ("companion", companion.companion_id)
    assert [one["reply"]["kind"] for one in session.scalars(select(FlowRun)).one().answers] == ["model", "extractive"]  # fmt: skip


def test_where_a_model_finds_no_answer_the_run_goes_where_nothing_was_found(
    browser: TestClient, models: ModelServer
) -> None:
    models.answer(says(UNANSWERED))
    assert "We could not help." in send(browser, browser.get(f"/c/{SLUG}"), QUESTION).text


def test_a_doubled_submit_asks_once_and_is_taken_once(
    browser: TestClient, models: ModelServer, session: Session
) -> None:
    page = browser.get(f"/c/{SLUG}")
    held = threading.Event()
    models.answer(says("Up to two kilograms [1].", held=held))

    def sent(_: int) -> Response:
        return send(browser, page, QUESTION)

    with ThreadPoolExecutor(2) as pool:
        pages = pool.map(sent, range(2))
        models.wait_for(1)
        assert session.scalar(text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
        )) == 0  # fmt: skip
        held.set()
        for one in pages:
            assert "two kilograms" in one.text and "gone on already" not in one.text
    late = send(browser, page, QUESTION)
    assert "gone on already" not in late.text
    assert len(models.asked) == len(calls(session)) == 1
    assert len(session.scalars(select(FlowRun)).one().answers) == 1


def test_a_visitor_asks_models_so_often(
    companion: OpenCompanion, models: ModelServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_RUNTIME_QUESTION_RATE", "1/minute")
    get_settings.cache_clear()
    browser = TestClient(create(), headers={"User-Agent": "Mozilla/5.0 Firefox/140.0", "Accept": "text/html"})
    models.answer(says("Two [1]."))
    page = send(browser, browser.get(f"/c/{SLUG}"), QUESTION)
    refused = send(browser, page, "And how do herons live, near water?")
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    assert "You have asked many questions in a short time. Wait" in refused.text
    assert 'value="And how do herons live, near water?"' in refused.text and len(models.asked) == 1


def test_a_model_reads_what_the_author_may_read(
    engine: Engine,
    session: Session,
    owner: Principal,
    companion: OpenCompanion,
    space: Item,
    models: ModelServer,
) -> None:
    run = open_run(session, companion=companion, visitor=VISITOR)
    session.commit()
    stands: dict[str, Any] = {
        "companion": companion, "visitor": VISITOR, "run_id": run.run_id, "revision": 0, "answer": QUESTION
    }  # fmt: skip
    models.answer(says("Two [1]."))
    assert prepare(engine, **stands | {"revision": 1}) is None
    assert prepare(engine, **stands | {"answer": " "}) is None
    space.visibility, space.owner_id = "private", None
    session.commit()
    hidden = prepare(engine, **stands)
    assert hidden is not None and hidden.reply == NO_REPLY and models.asked == []
    outcome, run = give_answer(session, **stands, prepared=hidden)
    assert (outcome, run.state.step) == (Outcome.TAKEN, "no")


def test_the_same_work_is_done_once_and_nobody_queues_behind_it() -> None:
    once, begun, go_on = Once(), threading.Event(), threading.Event()
    prepared = Prepared("s", "q", NO_REPLY)
    key = (UUID(int=1), 0, "q")

    def work() -> Prepared:
        begun.set()
        go_on.wait(20)
        return prepared

    def never() -> Prepared:
        raise AssertionError

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.of, key, work)
        begun.wait(20)
        second = pool.submit(once.of, key, never)
        while not once._flights[key].waiting:
            pass
        with pytest.raises(TooManyRequests):
            once.of(key, never)
        go_on.set()
        assert first.result() is second.result() is once.of(key, never) is prepared
    with pytest.raises(ZeroDivisionError):
        once.of((UUID(int=2), 0, "q"), lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert once.of((UUID(int=2), 0, "q"), lambda: prepared) is prepared


def test_members_read_a_models_answer_in_conversations_and_previews(
    session: Session, workspace: Workspace, companion: OpenCompanion, models: ModelServer
) -> None:
    models.answer(says("Up to <i>two</i> kilograms [1]."))
    visitor = visit(web_app(), session, join(session, workspace, email="ann@example.test"))
    begun = visitor.post("/conversations/with", companion=str(companion.companion_id)).headers["location"]
    for _ in range(2):
        assert visitor.post(f"{begun}/messages", revision="0", text=QUESTION).status_code == 303
    assert visitor.get(begun).text.count("Up to &lt;i&gt;two&lt;/i&gt; kilograms [1].") == 1
    assert len(models.asked) == 1
    preview = visitor.post(f"/companions/{companion.companion_id}/flow/preview", answers="[]", text=QUESTION)
    assert "Up to &lt;i&gt;two&lt;/i&gt; kilograms [1]." in preview.text
    assert "Written by a model from our documents" in preview.text and len(models.asked) == 2
    assert {one.purpose for one in calls(session)} == {"companion"}
