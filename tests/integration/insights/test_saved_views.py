"""Saved views: whose they are, which one a dashboard begins with, and what becomes of deleted ones."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, SavedView, Workspace
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity.access import Principal
from leitstand.insights import saved_views as core
from tests.integration.insights.test_annotations import person

CHOICES = {"range": "last-7", "zone": "Asia/Tokyo"}


def save(session: Session, principal: Principal, name: str = "Week", **more: Any) -> SavedView:
    return core.save_view(session, principal=principal, app="overview", name=name, choices=CHOICES, **more)


def change(session: Session, principal: Principal, view: SavedView, **changes: Any) -> SavedView:
    return core.change_view(session, principal=principal, view_id=view.id, **changes)


def names(session: Session, principal: Principal, app: str = "overview") -> list[str]:
    return [view.name for view in core.list_views(session, principal=principal, app=app)]


def first(session: Session, principal: Principal) -> str | None:
    found = core.first_view(session, principal=principal, app="overview")
    return found.name if found else None


@pytest.fixture
def ann(session: Session, workspace: Workspace) -> Principal:
    return person(session, workspace, "analyst")


def test_mine_are_mine_until_they_are_shared(session: Session, ann: Principal, owner: Principal) -> None:
    view = save(session, ann)
    assert (names(session, ann), names(session, owner), names(session, ann, "flow")) == (["Week"], [], [])
    with pytest.raises(NotFound):
        change(session, owner, view, name="Stolen")
    change(session, ann, view, shared=True)
    assert names(session, owner) == ["Week"]
    with pytest.raises(Forbidden):
        change(session, owner, view, name="Stolen")
    with pytest.raises(Forbidden):
        core.delete_view(session, principal=owner, view_id=view.id)


def test_a_dashboard_begins_with_mine_before_the_workspaces(
    session: Session, ann: Principal, owner: Principal
) -> None:
    assert first(session, ann) is None
    common = save(session, owner, "Common", shared=True)
    change(session, owner, common, first_for_all=True)
    assert (first(session, ann), first(session, owner)) == ("Common", "Common")
    save(session, ann, "Mine", first_for_me=True)
    assert (first(session, ann), first(session, owner)) == ("Mine", "Common")
    save(session, ann, "Newer", first_for_me=True)
    assert first(session, ann) == "Newer"
    change(session, owner, common, shared=False)
    assert first(session, owner) is None


def test_only_who_manages_the_workspace_chooses_its_first_view(
    session: Session, ann: Principal, owner: Principal
) -> None:
    view = save(session, ann, shared=True)
    with pytest.raises(Forbidden):
        change(session, ann, view, first_for_all=True)
    change(session, owner, view, first_for_all=True)
    assert first(session, owner) == "Week"
    private = save(session, owner, "Private")
    with pytest.raises(InvalidInput):
        change(session, owner, private, first_for_all=True)


def test_deleted_is_undone_and_every_change_is_noted(session: Session, ann: Principal) -> None:
    view = save(session, ann, first_for_me=True)
    change(session, ann, view, name="Seven days")
    core.delete_view(session, principal=ann, view_id=view.id)
    assert (names(session, ann), first(session, ann)) == ([], None)
    core.restore_view(session, principal=ann, view_id=view.id)
    assert (names(session, ann), first(session, ann)) == (["Seven days"], None)
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == ["view.save", "view.change", "view.delete", "view.restore"]


def test_nothing_of_another_workspace(session: Session, ann: Principal) -> None:
    view = save(session, ann, shared=True)
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    stranger = person(session, other, "owner")
    assert names(session, stranger) == []
    with pytest.raises(NotFound):
        change(session, stranger, view, first_for_all=True)


@pytest.mark.parametrize(
    "choices",
    [{f"c{number}": "" for number in range(21)}, {"x" * 41: ""}, {"x": "y" * 501}, {"x": "a\x00b"}],
)
def test_choices_are_bounded(session: Session, ann: Principal, choices: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        core.save_view(session, principal=ann, app="overview", name="x", choices=choices)


def test_a_member_saves_nothing(session: Session, workspace: Workspace) -> None:
    with pytest.raises(Forbidden):
        save(session, person(session, workspace, "member"))
