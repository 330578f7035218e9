"""Threads over the API: begun once for a key, followed, decided; apps and their schedules; problems say where."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.db.models import Item, Thread
from tests.integration.agents.conftest import INPUTS, waiting
from tests.integration.api.conftest import Caller, Program


@pytest.fixture
def agent(session: Session, call: Caller) -> Item:
    made = contents.create(session, principal=call.visitor.principal, kind="agent", title="Helper")
    session.commit()
    return made


def test_a_thread_is_begun_once_for_a_key(
    session: Session, program: Callable[..., Program], agent: Item
) -> None:
    robot = program("item:read", "item:write")
    asked = {"text": "What is new?", "limits": {"steps": 3}}
    answers = [robot("POST", f"/agents/{agent.id}/threads", asked, idempotency_key="k") for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 201] and answers[0].json() == answers[1].json()
    assert session.scalar(select(func.count()).select_from(Thread)) == 1
    thread = answers[0].json()
    assert answers[0].headers["location"] == f"/api/v1/threads/{thread['id']}"
    assert (thread["begun_by"], thread["status"], thread["limits"]["steps"]) == ("program", "queued", 3)
    assert robot("GET", f"/threads/{thread['id']}").json()["text"] == "What is new?"
    reader = program("item:read")
    assert reader("POST", f"/agents/{agent.id}/threads", asked).status_code == 403
    assert reader("POST", f"/threads/{thread['id']}/cancel").status_code == 403


def test_a_thread_is_followed_decided_and_repeated(
    session: Session, call: Caller, call_as: Callable[[str], Caller], agent: Item
) -> None:
    thread = session.get_one(Thread, call("POST", f"/agents/{agent.id}/threads", {"text": "Go"}).json()["id"])
    first, second = waiting(session, thread, tools=2)
    here = f"/threads/{thread.id}"
    assert call("POST", f"{here}/steps/{first.id}/approve").json()["status"] == "waiting"
    told = call("POST", f"{here}/steps/{second.id}/refuse").json()
    assert told["status"] == "queued" and [step["status"] for step in told["made"]] == ["approved", "refused"]
    late = call("POST", f"{here}/steps/{first.id}/approve")
    assert late.status_code == 409 and late.json()["type"] == "/docs/errors#conflict" and late.json()["hint"]
    assert call("POST", f"{here}/retry").status_code == 409
    assert call("POST", f"{here}/cancel").json()["status"] == "cancelled"
    again = call("POST", f"{here}/retry")
    assert again.status_code == 201 and again.json()["retry_of"] == str(thread.id)
    assert call("GET", here).json()["retries"] == [again.json()["id"]]
    page = call("GET", "/threads?limit=1").json()
    assert [one["id"] for one in page["items"]] == [again.json()["id"]]
    rest = call("GET", f"/threads?limit=1&cursor={page['next']}").json()
    assert [one["id"] for one in rest["items"]] == [str(thread.id)] and rest["next"] is None
    assert (
        call("GET", f"/threads?status=open&agent={agent.id}").json()["items"][0]["id"] == again.json()["id"]
    )
    member = call_as("member")
    assert member("GET", "/threads").json()["items"] == [] and member("GET", here).status_code == 404
    for wrong in ("status=asleep", "cursor=x", "since=1"):
        assert call("GET", f"/threads?{wrong}").status_code == 422


def test_an_app_is_run_and_planned(session: Session, call: Caller, agent: Item) -> None:
    content = {"agent_id": str(agent.id), "inputs": INPUTS}
    made = contents.create(
        session, principal=call.visitor.principal, kind="app", title="Writer", content=content
    )
    session.commit()
    here = f"/apps/{made.id}"
    refused = call("POST", f"{here}/runs", {"inputs": {"length": "x"}})
    assert refused.status_code == 422
    assert {one["pointer"] for one in refused.json()["errors"]} == {"/inputs/topic", "/inputs/length"}
    given = {"inputs": {"topic": "Trains", "length": 2}}
    ran = call("POST", f"{here}/runs", given).json()
    assert (ran["app_id"], ran["inputs"]) == (str(made.id), given["inputs"])
    assert call("POST", f"{here}/schedules", {"cron": "* * * * *", **given}).status_code == 422
    planned = call(
        "POST", f"{here}/schedules", {"cron": "0 7 * * *", "zone": "Europe/Vienna", **given}
    ).json()
    one = f"{here}/schedules/{planned['id']}"
    assert planned["next_at"] and call("PATCH", one, {"active": False}).json()["next_at"] is None
    assert call("PATCH", f"{here}/schedules/{uuid4()}", {"active": True}).status_code == 404
    assert [row["id"] for row in call("GET", f"{here}/schedules").json()] == [planned["id"]]
    assert call("DELETE", one).status_code == 204 and call("GET", f"{here}/schedules").json() == []
