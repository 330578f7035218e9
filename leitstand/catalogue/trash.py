"""The trash: what was deleted, for 30 days; restored whole, or deleted for good."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, Select, and_, delete, select, update
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.items import get_item
from leitstand.catalogue.visibility import reachable
from leitstand.db.engine import transaction
from leitstand.db.models import (
    Companion,
    CompanionVersion,
    Conversation,
    ConversationAttachment,
    ConversationMessage,
    Document,
    Favorite,
    FlowRun,
    Item,
    ItemGrant,
    ItemReference,
    ItemVersion,
    Recent,
    Thread,
)
from leitstand.errors import NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require, system_principal
from leitstand.jobs.queue import enqueue
from leitstand.limits.room import require_room

BY = "trash"
KEEP = timedelta(days=30)
# Items that are emptied in one transaction: a trash of thousands holds no lock for long.
AT_ONCE = 500
MOST = 200
PURGED_TITLE = "Deleted {kind}"


def trash_item(session: Session, *, principal: Principal, item_id: UUID, kind: str | None = None) -> Item:
    """Put an item into the trash; whoever published it no longer reaches it.

    Raises:
        Forbidden: without `item:write`, the principal may not change it, or without `item:publish` where it is published.
        NotFound: there is no such item.
    """
    require(principal, "item:write")
    item = get_item(session, principal=principal, item_id=item_id, kind=kind, for_update=True)
    require_edit(session, principal, item)
    if item.status == "published":
        require(principal, "item:publish")
    item.deleted_at = datetime.now(UTC)
    session.flush()
    audit.record(session, principal=principal, action=f"{item.kind}.trash", target=_target(item))
    return item


def list_trash(session: Session, *, principal: Principal) -> Sequence[Item]:
    """What the principal may restore, the last deleted first."""
    require(principal, "item:write")
    return list(session.scalars(_trashed(principal).order_by(Item.deleted_at.desc(), Item.id).limit(MOST)))


def restore_item(session: Session, *, principal: Principal, item_id: UUID) -> Item:
    """Take an item out of the trash, as it was.

    Raises:
        Forbidden: without `item:write`.
        NotFound: it is not in the trash.
        LimitReached: the plan has no room for it any more.
    """
    require(principal, "item:write")
    item = _get(session, principal, item_id)
    require_edit(session, principal, item)
    if item.kind != "conversation":
        require_room(session, principal.workspace_id, "items")
    if item.kind == "companion" and item.status == "published":
        require_room(session, principal.workspace_id, "published_companions")
    if item.kind == "space":
        require_room(session, principal.workspace_id, "spaces")
    item.deleted_at = None
    session.flush()
    audit.record(session, principal=principal, action=f"{item.kind}.restore", target=_target(item))
    return item


def purge_item(session: Session, *, principal: Principal, item_id: UUID) -> None:
    """Delete an item in the trash for good: its text, flow and link go, its usage stays in the ledger.

    Raises:
        Forbidden: without `item:write`.
        NotFound: it is not in the trash.
    """
    require(principal, "item:write")
    item = _get(session, principal, item_id)
    require_edit(session, principal, item)
    _empty(session, item)
    audit.record(session, principal=principal, action=f"{item.kind}.purge", target=_target(item))


def purge_expired(session: Session, *, principal: Principal) -> int:
    """Delete for good what has been in the workspace's trash for longer than 30 days; how many items, at most 500."""
    require(principal, "item:write")
    old = select(Item).where(Item.workspace_id == principal.workspace_id, _expired())
    items = list(
        session.scalars(old.order_by(Item.deleted_at).limit(AT_ONCE).with_for_update(skip_locked=True))
    )
    for item in items:
        _empty(session, item)
        audit.record(session, principal=principal, action=f"{item.kind}.purge", target=_target(item))
    return len(items)


def purge_expired_everywhere(engine: Engine) -> int:
    """As `purge_expired`, of all there is in every workspace, some hundreds in a transaction; how many items."""
    with transaction(engine) as session:
        workspaces = session.scalars(select(Item.workspace_id).where(_expired()).distinct()).all()
    purged = 0
    for workspace_id in workspaces:
        principal = system_principal(workspace_id, BY)
        done = AT_ONCE
        while done == AT_ONCE:
            with transaction(engine) as session:
                done = purge_expired(session, principal=principal)
            purged += done
    return purged


def _expired() -> ColumnElement[bool]:
    return and_(Item.deleted_at < datetime.now(UTC) - KEEP, Item.purged_at.is_(None))


def purge_conversations(session: Session, *, workspace_id: UUID, person_id: UUID) -> int:
    """Delete for good what somebody who goes said in a workspace; how many conversations. The caller writes the audit row."""
    theirs = (Item.workspace_id == workspace_id) & (Item.owner_id == person_id)
    said = theirs & (Item.kind == "conversation") & Item.purged_at.is_(None)
    items = list(session.scalars(select(Item).where(said).with_for_update()))
    for item in items:
        item.deleted_at = item.deleted_at or datetime.now(UTC)
        _empty(session, item)
    return len(items)


def _trashed(principal: Principal) -> Select[tuple[Item]]:
    recent = Item.deleted_at > datetime.now(UTC) - KEEP
    return select(Item).where(
        Item.workspace_id == principal.workspace_id, recent, Item.purged_at.is_(None), reachable(principal)
    )


def _get(session: Session, principal: Principal, item_id: UUID) -> Item:
    item: Item | None = session.scalar(_trashed(principal).where(Item.id == item_id).with_for_update())
    if item is None:
        raise NotFound(
            "There is no such thing in the trash.", hint="It may have been restored or deleted for good."
        )
    return item


def _empty(session: Session, item: Item) -> None:
    """Remove what people wrote. The row stays: events and facts refer to it, and deleting never rewrites figures."""
    item.title, item.description, item.tags = PURGED_TITLE.format(kind=item.kind), "", []
    item.status, item.purged_at = "archived", datetime.now(UTC)
    session.execute(
        update(Companion).where(Companion.item_id == item.id).values(slug=None, published_version=None)
    )
    item.icon, item.version = "", 0
    for kept, column in ((ItemVersion, ItemVersion.item_id), (ItemReference, ItemReference.from_id)):
        session.execute(delete(kept).where(column == item.id))
    session.execute(delete(ItemGrant).where(ItemGrant.item_id == item.id))
    _forget_documents(session, item)
    _forget_conversation(session, item)
    session.execute(update(CompanionVersion).where(CompanionVersion.companion_id == item.id).values(flow={}))
    session.execute(delete(Favorite).where(Favorite.item_id == item.id))
    session.execute(delete(Recent).where(Recent.item_id == item.id))
    session.flush()


def _forget_documents(session: Session, item: Item) -> None:
    """Remove the documents of a space: rows and passages now, every version of their files by jobs."""
    gone = delete(Document).where(Document.workspace_id == item.workspace_id, Document.space_id == item.id)
    for key in session.scalars(gone.returning(Document.object_key)).all():
        enqueue(session, "knowledge.forget", key=key)


def _forget_conversation(session: Session, item: Item) -> None:
    """Remove what was said, the files that came with it, and what was answered in the run and threads behind it; events
    and what models cost stay counted. Threads first, as a worker that ends one has its row before the message's.
    """
    here = (ConversationMessage.workspace_id == item.workspace_id) & (
        ConversationMessage.conversation_id == item.id
    )
    behind = select(ConversationMessage.thread_id).where(here, ConversationMessage.thread_id.is_not(None))
    session.execute(delete(Thread).where(Thread.workspace_id == item.workspace_id, Thread.id.in_(behind)))
    files = select(ConversationAttachment.object_key).where(
        ConversationAttachment.workspace_id == item.workspace_id,
        ConversationAttachment.conversation_id == item.id,
    )
    for key in session.scalars(files).all():
        enqueue(session, "knowledge.forget", key=key)
    gone = delete(Conversation).where(
        Conversation.workspace_id == item.workspace_id, Conversation.item_id == item.id
    )
    runs = session.scalars(gone.returning(Conversation.run_id)).all()
    session.execute(
        delete(FlowRun).where(FlowRun.workspace_id == item.workspace_id, FlowRun.id.in_(filter(None, runs)))
    )


def _target(item: Item) -> str:
    return f"{item.kind}:{item.id}"
