"""What people add beside the figures (annotations, saved views) is taken away so that it can come back, and noted."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete
from sqlalchemy.orm import Session

from leitstand.db.models import Annotation, SavedView
from leitstand.identity import audit
from leitstand.identity.access import Principal

KEEP_DELETED = timedelta(days=30)
# What the audit log calls each.
NAMES = {Annotation: "annotation", SavedView: "view"}
Kept = Annotation | SavedView


def is_there(kind: type[Kept], *, deleted: bool = False) -> ColumnElement[bool]:
    """The condition on rows that are there, or (`deleted`) that were taken away."""
    return kind.deleted_at.is_not(None) if deleted else kind.deleted_at.is_(None)


def take_away(session: Session, row: Kept) -> None:
    """Take a row away; those of its workspace that were taken away more than 30 days ago go for good."""
    kind = type(row)
    row.deleted_at = datetime.now(UTC)
    old = kind.deleted_at < datetime.now(UTC) - KEEP_DELETED
    session.execute(delete(kind).where(kind.workspace_id == row.workspace_id, old))
    session.flush()


def note(session: Session, principal: Principal, verb: str, row: Kept, **change: Any) -> None:
    """Write into the audit log who did what to a row; `before` and `after` are what changed."""
    name = NAMES[type(row)]
    audit.record(session, principal=principal, action=f"{name}.{verb}", target=f"{name}:{row.id}", **change)
