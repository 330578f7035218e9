"""How much of each limit a workspace uses."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from leitstand.db.models import (
    ActorBucket,
    ConversationAttachment,
    Document,
    Item,
    Membership,
    ModelCall,
    Upload,
    Workspace,
)
from leitstand.limits.plans import KINDS


def used(session: Session, workspace_id: UUID, what: str) -> int:
    """What the workspace uses of one of `KINDS` now; what is counted by the month: that of its running month."""
    if what == "events_a_month":
        return _events(session, workspace_id)
    if what == "model_tokens_a_month":
        start = month_start(zone_of(session, workspace_id), datetime.now(UTC))
        return tokens_since(session, workspace_id, start)
    return int(session.scalar(_statement(workspace_id, what)) or 0)


def all_used(session: Session, workspace_id: UUID) -> dict[str, int]:
    """What the workspace uses of every kind."""
    return {what: used(session, workspace_id, what) for what in KINDS}


def tokens_since(session: Session, workspace_id: UUID, at: datetime) -> int:
    """The tokens of models that the workspace used since an instant: those of questions and of answers."""
    tokens = func.sum(ModelCall.prompt_tokens + ModelCall.completion_tokens)
    counted = select(func.coalesce(tokens, 0)).where(
        ModelCall.workspace_id == workspace_id, ModelCall.at >= at
    )
    return int(session.scalar(counted) or 0)


def month_start(zone: str, now: datetime) -> datetime:
    """The instant at which the month of `now` began in a zone."""
    local = now.astimezone(ZoneInfo(zone))
    return datetime(local.year, local.month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def zone_of(session: Session, workspace_id: UUID) -> str:
    """The zone in which the workspace counts."""
    zone = session.scalar(select(Workspace.reporting_zone).where(Workspace.id == workspace_id))
    return zone or "UTC"


def _statement(workspace_id: UUID, what: str) -> Select[tuple[int]]:
    if what == "members":
        lasting = or_(Membership.expires_at.is_(None), Membership.expires_at > func.now())
        return _count(Membership.workspace_id == workspace_id, Membership.role != "external", lasting)
    if what == "storage_bytes":
        return _stored_and_coming(workspace_id)
    there = [Item.workspace_id == workspace_id, Item.deleted_at.is_(None), Item.purged_at.is_(None)]
    if what == "published_companions":
        there += [Item.kind == "companion", Item.status == "published"]
    elif what == "spaces":
        there += [Item.kind == "space"]
    else:
        # What people say is no part of what they build.
        there += [Item.kind != "conversation"]
    return _count(*there)


def _stored_and_coming(workspace_id: UUID) -> Select[tuple[int]]:
    """Bytes of documents and of files in conversations, those in the trash too, and of files that are on their way."""
    documents = select(func.coalesce(func.sum(Document.bytes), 0)).where(
        Document.workspace_id == workspace_id
    )
    coming = select(func.coalesce(func.sum(Upload.bytes), 0)).where(
        Upload.workspace_id == workspace_id, Upload.status == "open", Upload.expires_at > func.now()
    )
    given = select(func.coalesce(func.sum(ConversationAttachment.bytes), 0)).where(
        ConversationAttachment.workspace_id == workspace_id
    )
    return select(documents.scalar_subquery() + coming.scalar_subquery() + given.scalar_subquery())


def _count(*conditions: ColumnElement[bool]) -> Select[tuple[int]]:
    return select(func.count()).where(*conditions)


def _events(session: Session, workspace_id: UUID) -> int:
    start = month_start(zone_of(session, workspace_id), datetime.now(UTC))
    counted = select(func.coalesce(func.sum(ActorBucket.events), 0)).where(
        ActorBucket.workspace_id == workspace_id, ActorBucket.bucket >= start
    )
    return int(session.scalar(counted) or 0)
