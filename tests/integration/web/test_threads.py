"""Pages of threads, and what agents and apps show of them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.db.models import AppSchedule, Item, Thread
from tests.integration.agents.conftest import INPUTS, waiting
from tests.people import Visitor


@pytest.fixture
def agent(session: Session, visitor: Visitor) -> Item:
    content = {"instructions": "Be brief.", "questions": ["What is new?"]}
    made = contents.create(
        session, principal=visitor.principal, kind="agent", title="Helper", content=content
    )
    session.commit()
    return made


@pytest.fixture
def app_item(session: Session, visitor: Visitor, agent: Item) -> Item:
    content = {"agent_id": str(agent.id), "inputs": INPUTS, "output": "table"}
    made = contents.create(session, principal=visitor.principal, kind="app", title="Writer", content=content)
    session.commit()
    return made


def only(session: Session) -> Thread:
    session.expire_all()
    return session.scalars(select(Thread)).one()


def test_an_agent_is_asked_from_its_page_and_followed(
    session: Session, visitor: Visitor, agent: Item
) -> None:
    page = visitor.get(f"/agents/{agent.id}")
    assert 'name="question" value="What is new?"' in page.text and "You have not asked it yet" in page.text
    refused = visitor.post(f"/agents/{agent.id}/threads", question=" ")
    assert refused.status_code == 422 and "Nothing is asked" in refused.text
    sent = visitor.post(f"/agents/{agent.id}/threads", question="What is new?")
    thread = only(session)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/threads/{thread.id}")
    shown = visitor.get(f"/threads/{thread.id}").text
    assert "Waits for a worker." in shown and 'hx-trigger="every 2s"' in shown and "Load again" in shown
    assert thread.trace and thread.trace in shown, "operators find its log lines"
    assert "What is new?" in visitor.get(f"/agents/{agent.id}").text.split('id="threads"')[1]


def test_the_piece_that_follows_says_only_what_is_new(
    session: Session, visitor: Visitor, agent: Item
) -> None:
    visitor.post(f"/agents/{agent.id}/threads", question="Go")
    thread = only(session)
    here = f"/threads/{thread.id}"
    seen = visitor.get(here).text.split(f'hx-get="{here}')[1].split('"')[0]
    assert visitor.piece(here + seen).status_code == 204
    (step,) = waiting(session, thread)
    step.error = "<b>"
    session.commit()
    news = visitor.piece(here + seen)
    assert (
        news.status_code == 200
        and "It waits until somebody decides" in news.text
        and "&lt;b&gt;" in news.text
    )
    thread.status, thread.output = "succeeded", "**Done** <script>"
    session.commit()
    ended = visitor.piece(here + seen)
    assert ended.headers["hx-refresh"] == "true" and "<strong>Done</strong> &lt;script&gt;" in ended.text
    assert visitor.get(here + "/state").headers["location"] == here


def test_a_tool_is_approved_a_thread_cancelled_and_repeated(
    session: Session, visitor: Visitor, agent: Item
) -> None:
    visitor.post(f"/agents/{agent.id}/threads", question="Go")
    thread = only(session)
    first, second = waiting(session, thread, tools=2)
    here = f"/threads/{thread.id}"
    assert visitor.post(f"{here}/steps/{first.id}/approve").status_code == 303
    late = visitor.post(f"{here}/steps/{first.id}/refuse")
    assert late.status_code == 409 and "decided already" in late.text
    assert visitor.post(f"{here}/steps/{second.id}/refuse").status_code == 303
    assert only(session).status == "queued"
    assert visitor.post(f"{here}/retry").status_code == 409
    assert visitor.post(f"{here}/cancel").status_code == 303 and only(session).status == "cancelled"
    again = visitor.post(f"{here}/retry")
    session.expire_all()
    assert session.scalars(select(Thread.retry_of).where(Thread.retry_of.is_not(None))).one() == thread.id
    assert "an earlier thread" in visitor.get(again.headers["location"]).text


def test_the_list_has_filters_in_its_address(
    session: Session, visitor: Visitor, visitor_as: Callable[[str], Visitor], agent: Item
) -> None:
    assert "No threads yet" in visitor.get("/threads").text
    visitor.post(f"/agents/{agent.id}/threads", question="Own question")
    member = visitor_as("member")
    member.post(f"/agents/{agent.id}/threads", question="Theirs")
    page = visitor.get(f"/threads?status=open&agent={agent.id}&since=2026-01-01")
    assert "Own question" in page.text and "Theirs" in page.text and "Member Person" in page.text
    assert (
        "Theirs" not in visitor.get(f"/threads?person={visitor.principal.person_id}").text.split("<table")[1]
    )
    mine = member.get("/threads").text
    assert "Theirs" in mine and "Own question" not in mine and 'name="person"' not in mine
    assert "Nothing found" in visitor.get("/threads?status=failed").text
    for wrong in ("status=asleep", "agent=x", "since=x", "cursor=x"):
        assert visitor.get(f"/threads?{wrong}").status_code == 422
    assert "2 going on" not in visitor.piece("/home/threads").text, "others' are not one's own"
    assert "1 going on" in visitor.piece("/home/threads").text


def test_an_app_is_run_from_its_form_and_planned(session: Session, visitor: Visitor, app_item: Item) -> None:
    here = f"/apps/{app_item.id}"
    page = visitor.get(here).text
    assert 'name="input.topic"' in page and "<option>dry</option>" in page and 'type="number"' in page
    refused = visitor.post(f"{here}/threads", **{"input.length": "3"})
    assert refused.status_code == 422 and "Topic: is needed." in refused.text and 'value="3"' in refused.text
    fields = {"input.topic": "Trains", "input.length": "3,5", "input.tone": "dry"}
    assert visitor.post(f"{here}/threads", **fields).headers["location"].startswith("/threads/")
    thread = only(session)
    assert thread.input["inputs"] == {"topic": "Trains", "length": 3.5, "tone": "dry"}
    thread.status, thread.output = "succeeded", '[{"a": "<i>"}]'
    session.commit()
    assert '<th scope="col">a</th>' in visitor.get(f"/threads/{thread.id}").text
    wrong = visitor.post(f"{here}/threads", **fields, do="plan", when="often", zone="UTC")
    assert wrong.status_code == 422 and 'value="often"' in wrong.text and "Trains" in wrong.text
    sent = visitor.post(f"{here}/threads", **fields, do="plan", when="0 7 * * *", zone="UTC")
    assert sent.headers["location"] == f"{here}#schedules"
    made = session.scalars(select(AppSchedule)).one()
    made.problem, made.last_at = "It is broken.", datetime.now(UTC)
    session.commit()
    shown = visitor.get(here).text
    assert "It is broken." in shown and "0 7 * * *" in shown
    for deed in ("pause", "resume", "remove"):
        assert visitor.post(f"{here}/schedules/{made.id}/{deed}").status_code == 303
    assert not session.scalars(select(AppSchedule)).all()


def test_limits_stand_in_the_form_of_an_agent(session: Session, visitor: Visitor, agent: Item) -> None:
    here = f"/agents/{agent.id}"
    fields = {
        "title": "Helper",
        "limit_steps": "7",
        "limit_seconds": "60",
        "limit_tokens": "5000",
        "limit_cost": "0,25",
    }
    assert visitor.post(f"{here}/edit", **fields).status_code == 303
    session.expire_all()
    limits = contents.stored(session, agent).document()["limits"]
    assert limits == {"steps": 7, "seconds": 60, "tokens": 5000, "cost": 250_000}
    assert 'name="limit_cost" value="0.25"' in visitor.get(f"{here}/edit").text
    for name, wrong in (
        ("limit_cost", "much"),
        ("limit_steps", "0"),
        ("limit_tokens", "x"),
        ("limit_cost", "1e99"),
    ):
        answer = visitor.post(f"{here}/edit", **(fields | {name: wrong}))
        assert answer.status_code == 422 and f'value="{wrong}"' in answer.text, name
