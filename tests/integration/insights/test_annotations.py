"""Annotations: who may make, change and see them, and on which days they stand."""

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leitstand.db.models import Annotation, AuditEntry, Person, Workspace
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity.access import ROLES, Principal
from leitstand.insights import annotations as core
from leitstand.insights.undoing import KEEP_DELETED

DAY = date(2026, 3, 1)


def person(session: Session, workspace: Workspace, role: str, name: str = "Ann") -> Principal:
    made = Person(email=f"{uuid4().hex}@x.test", name=name, password_hash=None)
    session.add(made)
    session.flush()
    return Principal(made.id, workspace.id, name, made.email, role, ROLES[role])


def add(session: Session, principal: Principal, text: str = "v2", day: date | None = DAY) -> Annotation:
    return core.add_annotation(session, principal=principal, kind="release", text=text, day=day)


def texts(session: Session, principal: Principal, start: date, end: date, zone: str = "UTC") -> list[str]:
    found = core.list_annotations(session, principal=principal, start=start, end=end, zone=zone)
    return [one.text for one in found]


def test_a_day_is_that_day_in_every_zone_and_an_instant_is_not(session: Session, owner: Principal) -> None:
    add(session, owner, "the day")
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    core.add_annotation(session, principal=owner, kind="incident", text="the instant", at=late)
    assert texts(session, owner, DAY, date(2026, 3, 2)) == ["the day", "the instant"]
    assert texts(session, owner, DAY, date(2026, 3, 2), "Asia/Tokyo") == ["the day"]
    assert texts(session, owner, date(2026, 3, 2), date(2026, 3, 3), "Asia/Tokyo") == ["the instant"]
    assert texts(session, owner, date(2026, 2, 1), DAY) == []


def test_only_its_author_or_who_manages_the_workspace_changes_it(
    session: Session, workspace: Workspace, owner: Principal
) -> None:
    ann, bob = person(session, workspace, "analyst"), person(session, workspace, "analyst", "Bob")
    made = add(session, ann)
    with pytest.raises(Forbidden):
        core.change_annotation(session, principal=bob, annotation_id=made.id, kind="note", text="x", day=DAY)
    with pytest.raises(Forbidden):
        core.delete_annotation(session, principal=bob, annotation_id=made.id)
    core.change_annotation(session, principal=ann, annotation_id=made.id, kind="note", text="mine", day=DAY)
    core.delete_annotation(session, principal=owner, annotation_id=made.id)
    assert texts(session, ann, DAY, date(2026, 3, 2)) == []
    core.restore_annotation(session, principal=ann, annotation_id=made.id)
    assert texts(session, ann, DAY, date(2026, 3, 2)) == ["mine"]
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions == ["annotation.add", "annotation.change", "annotation.delete", "annotation.restore"]


def test_a_member_gets_nothing_and_another_workspace_has_none(session: Session, workspace: Workspace) -> None:
    ann, member = person(session, workspace, "analyst"), person(session, workspace, "member")
    made = add(session, ann)
    for act in (lambda: add(session, member), lambda: texts(session, member, DAY, date(2026, 3, 2))):
        with pytest.raises(Forbidden):
            act()
    other = Workspace(slug="other", name="Other")
    session.add(other)
    session.flush()
    stranger = person(session, other, "owner")
    assert texts(session, stranger, DAY, date(2026, 3, 2)) == []
    with pytest.raises(NotFound):
        core.delete_annotation(session, principal=stranger, annotation_id=made.id)


@pytest.mark.parametrize(
    ("kind", "text", "day", "at"),
    [
        ("party", "x", DAY, None),
        ("note", " ", DAY, None),
        ("note", "x", None, None),
        ("note", "x", DAY, datetime(2026, 3, 1, tzinfo=UTC)),
        ("note", "x", None, datetime(2026, 3, 1)),
        ("note", "x", date(1969, 12, 31), None),
    ],
)
def test_what_can_not_be_is_refused(
    session: Session, owner: Principal, kind: str, text: str, day: date | None, at: datetime | None
) -> None:
    with pytest.raises(InvalidInput):
        core.add_annotation(session, principal=owner, kind=kind, text=text, day=day, at=at)


def test_what_was_deleted_long_ago_is_gone(session: Session, owner: Principal) -> None:
    old, new = add(session, owner, "old"), add(session, owner, "new")
    core.delete_annotation(session, principal=owner, annotation_id=old.id)
    long_ago = datetime.now(UTC) - KEEP_DELETED * 2
    session.execute(update(Annotation).where(Annotation.id == old.id).values(deleted_at=long_ago))
    core.delete_annotation(session, principal=owner, annotation_id=new.id)
    assert session.scalars(select(Annotation.text)).all() == ["new"]
