"""The query service over HTTP: signed in, within the workspace, in a form that programs can rely on."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from api.query import LARGEST_BODY, create
from leitstand.db.models import Item, Workspace
from leitstand.knowledge import encoder
from leitstand.settings import Settings
from tests.people import Visitor, join, visit
from tests.spaces import space_with
from tests.waiting import wait_until

HERONS = b"# Herons\nHerons live near fresh water. The grey heron weighs up to two kilograms.\n"
ASK, SEARCH = "/query/v1/ask", "/query/v1/search"
Fill = Callable[[Workspace], Item]


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create()


@pytest.fixture
def fill(session: Session) -> Fill:
    """Makes a space with one document in a workspace."""

    def of(workspace: Workspace) -> Item:
        return space_with(session, workspace.id, HERONS)

    return of


@pytest.fixture
def visitor(app: FastAPI, session: Session, workspace: Workspace) -> Visitor:
    """An analyst, signed in: whoever may read items may ask."""
    return visit(app, session, join(session, workspace, role="analyst"))


def test_a_question_is_answered_with_citations_that_can_be_checked(
    visitor: Visitor, workspace: Workspace, fill: Fill
) -> None:
    space = fill(workspace)
    answer = visitor.client.post(ASK, json={"question": "How much does a heron weigh?"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["relevant"], body["kind"]) == (True, "extractive")
    assert "No model endpoint is configured" in body["note"]
    (citation,) = body["citations"]
    assert citation["number"] == 1
    assert (citation["title"], citation["heading"]) == ("herons.md", "herons.md › Herons")
    assert citation["space_id"] == str(space.id)
    assert citation["quote"] in citation["text"]
    marked = [citation["text"][place["start"] : place["end"]] for place in citation["highlights"]]
    assert "weighs" in marked
    assert f"{citation['quote']} [1]" == body["answer"]


def test_where_nothing_fits_it_says_so(visitor: Visitor, workspace: Workspace, fill: Fill) -> None:
    fill(workspace)
    body = visitor.client.post(ASK, json={"question": "Who governs Mongolia?"}).json()
    assert (body["relevant"], body["citations"]) == (False, [])
    assert body["answer"].startswith("Nothing in the documents")


def test_search_gives_passages(visitor: Visitor, workspace: Workspace, fill: Fill) -> None:
    space = fill(workspace)
    body = visitor.client.get(SEARCH, params={"q": "heron", "space": str(space.id)}).json()
    assert [(hit["title"], hit["passage"]) for hit in body["results"]] == [("herons.md", 1)]


def test_nobody_asks_without_a_session(app: FastAPI) -> None:
    client = TestClient(app)
    for answer in (client.post(ASK, json={"question": "x"}), client.get(SEARCH, params={"q": "x"})):
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


def test_another_workspace_is_not_there(
    app: FastAPI, session: Session, visitor: Visitor, workspace: Workspace, fill: Fill
) -> None:
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.commit()
    theirs = fill(other)
    assert visitor.client.get(SEARCH, params={"q": "heron"}).json()["results"] == []
    answer = visitor.client.post(ASK, json={"question": "heron", "space": str(theirs.id)})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"question": ""}, 422),
        ({"question": "   "}, 422),
        ({"question": "x" * 2001}, 422),
        ({"question": 7}, 422),
        ({"question": "x", "space": "no uuid"}, 422),
        ({"question": "x", "more": 1}, 422),
        ({"question": "x\u0000y"}, 200),
    ],
)
def test_malformed_questions_are_refused(visitor: Visitor, body: dict[str, object], status: int) -> None:
    assert visitor.client.post(ASK, json=body).status_code == status


def test_another_site_can_not_ask(visitor: Visitor) -> None:
    answer = visitor.client.post(ASK, json={"question": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_a_body_that_is_too_large_is_refused(visitor: Visitor) -> None:
    answer = visitor.client.post(ASK, json={"question": "x" * LARGEST_BODY})
    assert answer.status_code == 413
    assert "x-request-id" in answer.headers


@pytest.mark.parametrize("limit", ["0", "51", "x"])
def test_a_limit_out_of_range_is_refused(visitor: Visitor, limit: str) -> None:
    assert visitor.client.get(SEARCH, params={"q": "x", "limit": limit}).status_code == 422


def test_the_interface_is_described(visitor: Visitor) -> None:
    paths = visitor.client.get("/query/v1/openapi.json").json()["paths"]
    assert set(paths) == {ASK, SEARCH}


def test_the_model_comes_with_the_service_and_not_with_the_first_question(app: FastAPI) -> None:
    encoder._model.cache_clear()
    with TestClient(app) as client:
        assert client.get("/livez").status_code == 200, "it is not waited for"
        wait_until(lambda: encoder._model.cache_info().currsize == 1, 30)
