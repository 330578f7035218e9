"""Annotations: releases, incidents and notes on the time line of a workspace's dashboards."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from leitstand.catalogue.text import checked_title
from leitstand.db.models import Annotation
from leitstand.db.models.insights import ANNOTATION_KINDS
from leitstand.errors import Forbidden, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.insights.scope import EARLIEST, LATEST, midnight
from leitstand.insights.undoing import is_there, note, take_away
from leitstand.words import msg

MOST = 500


def list_annotations(
    session: Session, *, principal: Principal, start: date, end: date, zone: str
) -> Sequence[Annotation]:
    """What happened from the local day `start` to, but not including, `end`; oldest first, at most the newest 500.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    on_day = (Annotation.day >= start) & (Annotation.day < end)
    at_instant = (Annotation.at >= midnight(start, zone)) & (Annotation.at < midnight(end, zone))
    mine = Annotation.workspace_id == principal.workspace_id
    found = session.scalars(
        select(Annotation)
        .where(mine, is_there(Annotation), or_(on_day, at_instant))
        .order_by(Annotation.created_at.desc())
        .limit(MOST)
    ).all()
    return sorted(found, key=lambda one: (begins(one, zone), one.created_at, one.id))


def begins(annotation: Annotation, zone: str) -> datetime:
    """The instant at which an annotation stands: its own, or the beginning of its local day."""
    if annotation.at is not None:
        return annotation.at
    if annotation.day is None:
        raise ValueError("an annotation has a day or an instant")
    return midnight(annotation.day, zone)


def add_annotation(
    session: Session,
    *,
    principal: Principal,
    kind: str,
    text: str,
    day: date | None = None,
    at: datetime | None = None,
) -> Annotation:
    """Note what happened on a local day or at an instant (exactly one of them).

    Raises:
        Forbidden: without `insights:write`.
        InvalidInput: an unknown kind, no text, or not exactly one time within bounds.
    """
    require(principal, "insights:write")
    made = Annotation(
        workspace_id=principal.workspace_id, author_id=principal.person_id, author=principal.name
    )
    _fill(made, kind=kind, text=text, day=day, at=at)
    session.add(made)
    session.flush()
    note(session, principal, "add", made, after=_told(made))
    return made


def change_annotation(
    session: Session,
    *,
    principal: Principal,
    annotation_id: UUID,
    kind: str,
    text: str,
    day: date | None = None,
    at: datetime | None = None,
) -> Annotation:
    """Give an annotation another kind, text and time.

    Raises:
        Forbidden: it is another's, and the principal may not manage the workspace; or without `insights:write`.
        NotFound: there is none.
        InvalidInput: as in `add_annotation`.
    """
    found = _own(session, principal, annotation_id)
    before = _told(found)
    _fill(found, kind=kind, text=text, day=day, at=at)
    found.updated_at = datetime.now(UTC)
    session.flush()
    was, now = audit.changed(before, _told(found))
    if now:
        note(session, principal, "change", found, before=was, after=now)
    return found


def delete_annotation(session: Session, *, principal: Principal, annotation_id: UUID) -> None:
    """Take an annotation away; for 30 days it can be restored.

    Raises:
        Forbidden, NotFound: as in `change_annotation`.
    """
    found = _own(session, principal, annotation_id)
    take_away(session, found)
    note(session, principal, "delete", found, before=_told(found))


def restore_annotation(session: Session, *, principal: Principal, annotation_id: UUID) -> Annotation:
    """Bring a deleted annotation back as it was.

    Raises:
        Forbidden, NotFound: as in `change_annotation`.
    """
    found = _own(session, principal, annotation_id, deleted=True)
    found.deleted_at = None
    session.flush()
    note(session, principal, "restore", found, after=_told(found))
    return found


def _own(session: Session, principal: Principal, annotation_id: UUID, *, deleted: bool = False) -> Annotation:
    require(principal, "insights:write")
    mine = (Annotation.workspace_id == principal.workspace_id) & (Annotation.id == annotation_id)
    found = session.scalars(
        select(Annotation).where(mine, is_there(Annotation, deleted=deleted)).with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such annotation.")
    if not may_change(principal, found):
        raise Forbidden(
            "This annotation is somebody else's.",
            hint="Ask its author, or somebody who manages the workspace.",
        )
    return found


def may_change(principal: Principal, annotation: Annotation) -> bool:
    """Whether the principal may change or delete it: their own, or any for who manages the workspace."""
    own = principal.person_id is not None and annotation.author_id == principal.person_id
    return principal.may("insights:write") and (own or principal.may("workspace:manage"))


def _fill(annotation: Annotation, *, kind: str, text: str, day: date | None, at: datetime | None) -> None:
    if kind not in ANNOTATION_KINDS:
        raise InvalidInput(
            msg("There is no kind {kind!r}.", kind=kind[:40]),
            hint=msg("One of {annotation_kinds}.", annotation_kinds=", ".join(ANNOTATION_KINDS)),
        )
    if (day is None) == (at is None):
        raise InvalidInput("An annotation has either a day or an instant.", hint="Send `day` or `at`.")
    if at is not None and at.tzinfo is None:
        raise InvalidInput("The instant has no offset.", hint="End it with Z, or an offset such as +02:00.")
    when = at.date() if at else day
    if when is None or not EARLIEST <= when < LATEST:
        raise InvalidInput(
            msg("An annotation lies between {earliest} and {latest}.", earliest=EARLIEST, latest=LATEST)
        )
    annotation.kind, annotation.text, annotation.day, annotation.at = kind, checked_title(text), day, at


def _told(annotation: Annotation) -> dict[str, Any]:
    when = annotation.at or annotation.day
    return {"kind": annotation.kind, "text": annotation.text, "when": when.isoformat() if when else None}
