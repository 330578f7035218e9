"""The flow editor's pages: every operation by form, what is missing told, a draft tried out and not published."""

import html
import json
import re
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions, contents
from leitstand.companions import versions
from leitstand.companions.steps import KINDS
from leitstand.db.models import Event, FlowRun
from tests.people import Visitor
from tests.unit.companions.test_steps import SHAPE


def names(session: Session, visitor: Visitor, item_id: object) -> list[str]:
    session.rollback()
    _, flow = versions.newest(session, principal=visitor.principal, companion_id=item_id)  # type: ignore[arg-type]
    return [step.name for step in flow.steps] if flow else []


def test_a_flow_is_made_step_by_step_tried_and_taken_back(visitor: Visitor, session: Session) -> None:
    anna = visitor.principal
    item_id = companions.create(session, principal=anna, title="Desk").id
    control = contents.create(session, principal=anna, kind="control", title="Party", content=SHAPE)
    space = contents.create(session, principal=anna, kind="space", title="Handbook")
    session.commit()
    here = f"/companions/{item_id}/flow"
    assert "Add the first step" in visitor.get(here).text
    for kind in KINDS:
        assert "Name of the step" in visitor.get(f"{here}/steps/new?kind={kind}").text
    assert visitor.get(f"{here}/steps/new?kind=nonsense").status_code == 422

    def add(**fields: object) -> int:
        return visitor.post(f"{here}/steps", **fields).status_code  # type: ignore[arg-type]

    assert add(kind="message", name="hello", text="Hello.") == 303
    page = visitor.get(here).text
    assert "before this can be published" in page and "which does not exist" in page
    assert visitor.post(f"/companions/{item_id}/publish").status_code == 409
    assert "Nothing to try yet" in visitor.get(f"{here}/preview").text
    assert add(kind="end", name="end", text="Bye, {{party.people}}.", after="hello") == 303
    assert (
        add(
            kind="input",
            name="party",
            text="Who comes?",
            control=str(control.id),
            required="yes",
            after="hello",
        )
        == 303
    )
    assert add(kind="ask", name="ask", text="Ask!", space=str(space.id), after="party") == 303
    assert add(kind="set", name="one", variable="count", value="1", operation="add", after="ask") == 303
    tests = {"test-variable": "count", "test-operator": "more", "test-value": "3", "test-next": "end"}
    assert add(kind="condition", name="many", after="one", **tests) == 303
    options = {"option-label": "Yes", "option-value": "", "option-next": ""}
    assert add(kind="choice", name="sure", text="Sure?", after="many", next="end", **options) == 303
    assert add(kind="question", name="why", text="Why?", after="sure", max_length="40") == 303
    assert names(session, visitor, item_id) == ["hello", "party", "ask", "one", "many", "sure", "why", "end"]
    refused = visitor.post(f"{here}/steps", kind="question", name="end", text="Kept words?", after="why")
    assert refused.status_code == 422 and "Kept words?" in refused.text
    refused = visitor.post(f"{here}/steps", kind="question", name="how", text="Kept too?", max_length="many")
    assert refused.status_code == 422 and "Kept too?" in refused.text and 'value="many"' in refused.text
    assert (
        visitor.post(
            f"{here}/step", old="why", kind="question", name="reason", text="Why?", next="end", version="2"
        ).status_code
        == 409
    )
    assert (
        visitor.post(
            f"{here}/step", old="why", kind="question", name="reason", text="Why?", next="end"
        ).status_code
        == 303
    )
    assert visitor.post(f"{here}/move", name="reason", by="1").status_code == 303
    assert names(session, visitor, item_id)[-1] == "reason"
    stuck = visitor.post(f"{here}/remove", name="end")
    assert stuck.status_code == 409 and "lead to it" in html.unescape(stuck.text)
    assert visitor.post(f"{here}/remove", name="one").status_code == 303
    assert "one" not in names(session, visitor, item_id)
    assert visitor.post(f"{here}/undo").status_code == 303
    assert "one" in names(session, visitor, item_id)
    canvas = visitor.get(f"{here}/canvas").text
    assert canvas.count("<foreignObject") == 8 and f"{here}/step?name=reason" in canvas
    assert "Sure?</textarea>" in visitor.get(f"{here}/step?name=sure").text
    assert visitor.get(f"{here}/step?name=ghost").status_code == 404
    _try_out(visitor, session, here)
    assert visitor.post(f"/companions/{item_id}/publish").status_code == 303


def _try_out(visitor: Visitor, session: Session, here: str) -> None:
    page = visitor.get(f"{here}/preview").text
    for fields in (
        {"value.people": "0"},
        {"value.people": "3"},
        {"text": "Anything?"},
        {"text": "Yes"},
        {"text": "Because"},
    ):
        found = re.search(r'name="answers" value="([^"]*)"', page)
        assert found
        page = visitor.post(f"{here}/preview", answers=html.unescape(found[1]), **fields).text
    assert "Bye, 3." in page and 'name="answers"' not in page
    session.rollback()
    assert not session.scalars(select(FlowRun)).all() and not session.scalars(select(Event)).all()
    assert visitor.post(f"{here}/preview", answers="[1").status_code == 422


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
