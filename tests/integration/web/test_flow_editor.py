"""The flow editor's pages: every operation by form, what is missing told, a draft tried out and not published."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, contents
from leitstand.companions import versions
from leitstand.companions.steps import KINDS
from leitstand.db.models import Event, FlowRun
from tests.people import Visitor
from tests.unit.companions.test_steps import SHAPE


@dataclass(frozen=True)
class Desk:
    """A companion whose flow is edited, where its pages are, and what its steps use."""

    item_id: UUID
    control: str
    space: str

    @property
    def here(self) -> str:
        """The address of its flow."""
        return f"/companions/{self.item_id}/flow"

    @property
    def flow(self) -> str:
        """One step of every kind that can stand here, in the order of the run."""
        sure = {"options": [{"value": "Yes", "next": "reason"}], "next": "end"}
        many = [{"variable": "count", "operator": "more", "value": "3", "next": "end"}]
        steps = [
            {"kind": "message", "name": "hello", "text": "Hello.", "next": "party"},
            {"kind": "input", "name": "party", "text": "Who comes?", "control": self.control, "next": "ask"},
            {"kind": "ask", "name": "ask", "text": "Ask!", "space": self.space, "next": "one"},
            {
                "kind": "set",
                "name": "one",
                "variable": "count",
                "value": "1",
                "operation": "add",
                "next": "many",
            },
            {"kind": "condition", "name": "many", "branches": many, "next": "sure"},
            {"kind": "choice", "name": "sure", "text": "Sure?", **sure},
            {"kind": "question", "name": "reason", "text": "Why?", "next": "end"},
            {"kind": "end", "name": "end", "text": "Bye, {{party.people}}."},
        ]
        return json.dumps({"title": "Desk", "steps": steps})

    def names(self, visitor: Visitor, session: Session) -> list[str]:
        """The steps of the newest version."""
        session.rollback()
        _, flow = versions.newest(session, principal=visitor.principal, companion_id=self.item_id)
        return [step.name for step in flow.steps] if flow else []


@pytest.fixture
def desk(visitor: Visitor, session: Session) -> Desk:
    anna = visitor.principal
    item_id = companions.create(session, principal=anna, title="Desk").id
    control = contents.create(session, principal=anna, kind="control", title="Party", content=SHAPE)
    space = contents.create(session, principal=anna, kind="space", title="Handbook")
    session.commit()
    return Desk(item_id, str(control.id), str(space.id))


@pytest.fixture
def full(visitor: Visitor, desk: Desk) -> Desk:
    """The same with a flow of eight steps."""
    assert visitor.post(desk.here, flow=desk.flow).status_code == 303
    return desk


def test_a_flow_is_made_step_by_step(visitor: Visitor, session: Session, desk: Desk) -> None:
    here = desk.here
    assert "Add the first step" in visitor.get(here).text
    for kind in KINDS:
        assert "Name of the step" in visitor.get(f"{here}/steps/new?kind={kind}").text
    assert visitor.get(f"{here}/steps/new?kind=nonsense").status_code == 422

    def add(**fields: str) -> int:
        return visitor.post(f"{here}/steps", **fields).status_code

    assert add(kind="message", name="hello", text="Hello.") == 303
    page = visitor.get(here).text
    assert "before this can be published" in page and "which does not exist" in page
    assert visitor.post(f"/companions/{desk.item_id}/publish").status_code == 409
    assert "Nothing to try yet" in visitor.get(f"{here}/preview").text
    party = {"text": "Who comes?", "control": desk.control, "required": "yes"}
    tests = {"test-variable": "count", "test-operator": "more", "test-value": "3", "test-next": "end"}
    options = {"option-label": "Yes", "option-value": "", "option-next": ""}
    assert add(kind="end", name="end", text="Bye, {{party.people}}.", after="hello") == 303
    assert add(kind="input", name="party", after="hello", **party) == 303
    assert add(kind="ask", name="ask", text="Ask!", space=desk.space, after="party") == 303
    assert add(kind="set", name="one", variable="count", value="1", operation="add", after="ask") == 303
    assert add(kind="condition", name="many", after="one", **tests) == 303
    assert add(kind="choice", name="sure", text="Sure?", after="many", next="end", **options) == 303
    assert add(kind="question", name="why", text="Why?", after="sure", max_length="40") == 303
    assert desk.names(visitor, session) == ["hello", "party", "ask", "one", "many", "sure", "why", "end"]
    refused = visitor.post(f"{here}/steps", kind="question", name="end", text="Kept words?", after="why")
    assert refused.status_code == 422 and "Kept words?" in refused.text
    refused = visitor.post(f"{here}/steps", kind="question", name="how", text="Kept too?", max_length="many")
    assert refused.status_code == 422 and "Kept too?" in refused.text and 'value="many"' in refused.text
    assert visitor.post(f"/companions/{desk.item_id}/publish").status_code == 303


def test_a_flow_is_tried_out_and_nothing_is_kept(visitor: Visitor, session: Session, full: Desk) -> None:
    canvas = visitor.get(f"{full.here}/canvas").text
    assert canvas.count("<foreignObject") == 8 and f"{full.here}/step?name=reason" in canvas
    page = visitor.get(f"{full.here}/preview").text
    for fields in (
        {"value.people": "0"},
        {"value.people": "3"},
        {"text": "Anything?"},
        {"text": "Yes"},
        {"text": "Because"},
    ):
        found = re.search(r'name="answers" value="([^"]*)"', page)
        assert found
        page = visitor.post(f"{full.here}/preview", answers=html.unescape(found[1]), **fields).text
    assert "Bye, 3." in page and 'name="answers"' not in page
    session.rollback()
    assert not session.scalars(select(FlowRun)).all() and not session.scalars(select(Event)).all()
    assert visitor.post(f"{full.here}/preview", answers="[1").status_code == 422


def test_steps_are_changed_moved_removed_and_taken_back(
    visitor: Visitor, session: Session, full: Desk
) -> None:
    here = full.here
    change = {"old": "reason", "kind": "question", "name": "why", "text": "Why?", "next": "end"}
    assert visitor.post(f"{here}/step", version="7", **change).status_code == 409
    assert visitor.post(f"{here}/step", **change).status_code == 303
    assert visitor.post(f"{here}/move", name="why", by="1").status_code == 303
    assert full.names(visitor, session)[-1] == "why"
    stuck = visitor.post(f"{here}/remove", name="end")
    assert stuck.status_code == 409 and "lead to it" in html.unescape(stuck.text)
    assert visitor.post(f"{here}/remove", name="one").status_code == 303
    assert "one" not in full.names(visitor, session)
    assert visitor.post(f"{here}/undo").status_code == 303
    assert "one" in full.names(visitor, session)
    assert "Sure?</textarea>" in visitor.get(f"{here}/step?name=sure").text
    assert visitor.get(f"{here}/step?name=ghost").status_code == 404


def test_who_may_only_read_sees_the_outline_and_changes_nothing(
    visitor: Visitor, visitor_as: Callable[[str], Visitor], session: Session
) -> None:
    item_id = companions.create(session, principal=visitor.principal, title="Desk").id
    session.commit()
    here = f"/companions/{item_id}/flow"
    end = {"title": "Desk", "steps": [{"kind": "end", "name": "end", "text": "Bye."}]}
    assert visitor.post(here, flow=json.dumps(end)).status_code == 303
    analyst = visitor_as("analyst")
    page = analyst.get(here).text
    assert "Bye." in page and "/steps/new" not in page and "/remove" not in page
    assert analyst.get(f"{here}/canvas").status_code == 200
    for path in ("/preview", "/step?name=end", "/steps/new"):
        assert analyst.get(here + path).status_code == 403
    assert analyst.post(f"{here}/remove", name="end").status_code == 403
