"""The trash: what was deleted, for 30 days; restored whole, or deleted for good."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item
from leitstand.db.models import Companion, CompanionVersion, Favorite, Item, Recent
from leitstand.errors import NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require

KEEP = timedelta(days=30)
MOST = 200
PURGED_TITLE = "Deleted {kind}"


def trash_item(session: Session, *, principal: Principal, item_id: UUID) -> Item:
    """Put an item into the trash; whoever published it no longer reaches it.

    Raises:
        Forbidden: without `item:write`, or without `item:publish` where it is published.
        NotFound: there is no such item.
    """
    require(principal, "item:write")
    item = get_item(session, principal=principal, item_id=item_id, for_update=True)
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
    """
    require(principal, "item:write")
    item = _get(session, principal, item_id)
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
    _empty(session, item)
    audit.record(session, principal=principal, action=f"{item.kind}.purge", target=_target(item))


def purge_expired(session: Session, *, principal: Principal) -> int:
    """Delete for good what has been in the workspace's trash for longer than 30 days; how many items."""
    require(principal, "item:write")
    old = (Item.workspace_id == principal.workspace_id) & (Item.deleted_at < datetime.now(UTC) - KEEP)
    items = list(
        session.scalars(select(Item).where(old, Item.purged_at.is_(None)).with_for_update(skip_locked=True))
    )
    for item in items:
        _empty(session, item)
        audit.record(session, principal=principal, action=f"{item.kind}.purge", target=_target(item))
    return len(items)


def _trashed(principal: Principal) -> Select[tuple[Item]]:
    mine = Item.visibility != "private"
    if principal.person_id is not None:
        mine = or_(mine, Item.owner_id == principal.person_id)
    recent = Item.deleted_at > datetime.now(UTC) - KEEP
    return select(Item).where(
        Item.workspace_id == principal.workspace_id, recent, Item.purged_at.is_(None), mine
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
    session.execute(update(CompanionVersion).where(CompanionVersion.companion_id == item.id).values(flow={}))
    session.execute(delete(Favorite).where(Favorite.item_id == item.id))
    session.execute(delete(Recent).where(Recent.item_id == item.id))
    session.flush()


def _target(item: Item) -> str:
    return f"{item.kind}:{item.id}"
