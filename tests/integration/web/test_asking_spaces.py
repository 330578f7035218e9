"""A space asked from its page: whole without a script, piece by piece with one; nothing that is written becomes markup."""

import json

import pytest
from sqlalchemy.orm import Session

from leitstand.db.models import Item, Workspace
from leitstand.language_models import breaker, chat, reading
from leitstand.settings import get_settings
from tests.apps import web_app
from tests.integration.knowledge.test_model_answers import connect
from tests.model_server import ModelServer, models, refuses, says
from tests.people import HTML, Visitor, acting, join, visit
from tests.spaces import space_with

__all__ = ["models"]

HERONS = b"# Herons\nHerons live near fresh water. The grey heron weighs up to two kilograms.\n"
QUESTION = "How much does a heron weigh?"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(chat, "breaker", breaker.Breaker())
    monkeypatch.setattr(reading, "TELL_SECONDS", 0.0)


@pytest.fixture
def space(session: Session, workspace: Workspace, models: ModelServer) -> Item:
    connect(session, acting(session, workspace, join(session, workspace)), models)
    return space_with(session, workspace.id, HERONS)


@pytest.fixture
def visitor(session: Session, workspace: Workspace, space: Item) -> Visitor:
    return visit(web_app(), session, join(session, workspace, role="analyst", email="ana@example.test"))


def test_the_page_shows_who_wrote_the_answer_and_escapes_it(
    visitor: Visitor, space: Item, models: ModelServer
) -> None:
    models.answer(says("Up to <script>x()</script> two kilograms [1][7]."))
    page = visitor.post(f"/spaces/{space.id}/ask", question=QUESTION)
    assert page.status_code == 200
    shown = page.text.split('id="ask-written"')[1]
    assert "Up to &lt;script&gt;x()&lt;/script&gt; two kilograms" in shown and "[7]" not in shown
    assert '<a href="#citation-1">[1]</a>' in shown and 'id="citation-1"' in shown
    assert "Written by small from the documents; check the sources." in shown
    assert f'value="{QUESTION}"' in page.text


def test_the_answer_comes_as_it_is_written_in_the_readers_language(
    visitor: Visitor, space: Item, models: ModelServer
) -> None:
    models.answer(says("Up to two kilograms [1].", piece=4))
    headers = {"Accept": "text/event-stream", "Accept-Language": "de"}
    form = {"csrf": visitor.csrf, "question": QUESTION}
    body = visitor.client.post(f"/spaces/{space.id}/ask", data=form, headers=headers).text
    *written, last = [block.split("\n") for block in body.strip().split("\n\n")]
    assert {block[0] for block in written} == {"event: text"}
    assert json.loads(written[-1][1][6:]) == {"answer": "Up to two kilograms [1]."}
    assert last[0] == "event: answer" and "Von small aus den Dokumenten" in json.loads(last[1][6:])["html"]
    models.answer(refuses(401))
    body = visitor.client.post(f"/spaces/{space.id}/ask", data=form, headers=headers).text
    assert "Wort für Wort" in json.loads(body.strip().split("data: ")[-1])["html"]


def test_what_is_refused_is_told_beside_the_question(
    visitor: Visitor, space: Item, models: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/spaces/{space.id}/ask"
    assert "The question is empty" in visitor.post(address, question=" ").text
    monkeypatch.setenv("LEITSTAND_MODEL_PERSON_RATE", "1/minute")
    get_settings.cache_clear()
    models.answer(says("Two [1]."))
    visitor.post(address, question=QUESTION)
    assert "You have asked many questions" in visitor.post(address, question=QUESTION).text
    forged = visitor.client.post(address, data={"csrf": "x", "question": QUESTION}, headers=HTML)
    assert forged.status_code == 403 and len(models.asked) == 1


def test_a_link_spends_no_tokens(visitor: Visitor, space: Item, models: ModelServer) -> None:
    page = visitor.get(f"/spaces/{space.id}?ask={QUESTION}").text
    assert "up to two kilograms." in page and "word for word" in page and models.asked == []
