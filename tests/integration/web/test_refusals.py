"""The page of refused events: empty, filtered, a page at a time, sent once more."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.companions import ensure_companion
from leitstand.db.models import EventRefusal, Workspace
from leitstand.events import intake
from tests.people import Visitor

EVENT = (
    '{"kind": "viewed", "companion": "shop", "run_key": "<b>%s</b>", "occurred_at": "2026-03-01T00:00:00Z"}'
)


@pytest.fixture
def refused(session: Session, workspace: Workspace) -> list[int]:
    """Sixty events of a companion that is not there, and a line that is no event."""
    body = "\n".join([*(EVENT % number for number in range(60)), "{broken"])
    given = intake.read_ndjson(body.encode())
    intake.take_in_for(session, workspace_id=workspace.id, events=given, source="api")
    session.commit()
    return list(session.scalars(select(EventRefusal.id).order_by(EventRefusal.id)))


def test_without_any_it_says_so(visitor: Visitor) -> None:
    assert "Nothing was refused" in visitor.get("/refusals").text
    assert "Nothing found" in visitor.get("/refusals?reason=x").text


def test_a_page_at_a_time_and_nothing_as_markup(visitor: Visitor, refused: list[int]) -> None:
    first = visitor.get("/refusals").text
    assert "61 events" in first
    assert "<b>" not in first and "&lt;b&gt;" in first
    following = re.search(r'hx-get="([^"]+)"[^>]*>Show more', first)
    assert following
    rest = visitor.piece(following[1].replace("&amp;", "&")).text
    assert (first.count('<th scope="row">'), rest.count('<th scope="row">')) == (50, 11)
    assert "Show more" not in rest and "<html" not in rest
    assert "1 event<" in visitor.piece("/refusals?reason=not+JSON").text


def test_replaying_one_and_all(
    visitor: Visitor, refused: list[int], session: Session, workspace: Workspace
) -> None:
    still = visitor.post("/refusals/replay", id=str(refused[0]))
    assert "0 accepted, 0 known already, 1 still refused" in still.text
    ensure_companion(session, workspace_id=workspace.id, key="shop")
    session.commit()
    assert "1 accepted" in visitor.post("/refusals/replay", id=str(refused[0])).text
    assert "59 accepted" in visitor.post("/refusals/replay", reason="no companion").text
    assert "60 events" in visitor.get("/refusals?outcome=accepted").text
    assert visitor.client.post("/refusals/replay", data={"id": str(refused[0])}).status_code == 403


def test_only_who_may_write_events_sees_it(visitor_as: Callable[[str], Visitor]) -> None:
    analyst = visitor_as("analyst")
    assert analyst.get("/refusals").status_code == 403
    assert "/refusals" not in analyst.get("/").text
