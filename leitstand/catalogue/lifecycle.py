"""What becomes of items of every kind: published, withdrawn, put aside, duplicated; and where they are used."""

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions
from leitstand.catalogue.contents import FLOW_KIND, create, opened, stored
from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.items import get_item, set_status
from leitstand.catalogue.text import TITLE_LENGTH
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Item, ItemReference
from leitstand.identity.access import Principal, require

COPY = "Copy of {title}"
MOST_USES = 50
# Visitors are let in or shut out besides.
OF_COMPANIONS: dict[str, Callable[..., Item]] = {
    "publish": companions.publish,
    "withdraw": companions.withdraw,
    "archive": companions.archive,
}


def publish(session: Session, *, principal: Principal, item_id: UUID, kind: str | None = None) -> Item:
    """Say that an item is ready for those who may see it; of a companion, open its newest flow to visitors.

    Raises:
        Forbidden: without `item:publish`, or the principal may not change it.
        NotFound: there is no such item.
        Conflict: it is a companion without a flow.
    """
    return _become(session, principal, item_id, kind, status="published", action="publish")


def withdraw(session: Session, *, principal: Principal, item_id: UUID, kind: str | None = None) -> Item:
    """Make an item a draft again, also out of the archive.

    Raises:
        Forbidden: without `item:publish`, or the principal may not change it.
        NotFound: there is no such item.
    """
    return _become(session, principal, item_id, kind, status="draft", action="withdraw")


def archive(session: Session, *, principal: Principal, item_id: UUID, kind: str | None = None) -> Item:
    """Put an item aside.

    Raises:
        Forbidden: without `item:publish`, or the principal may not change it.
        NotFound: there is no such item.
    """
    return _become(session, principal, item_id, kind, status="archived", action="archive")


def duplicate(session: Session, *, principal: Principal, item_id: UUID, kind: str | None = None) -> Item:
    """Make a copy: a private draft of the principal's own, with what they may see of the newest content.

    Raises:
        Forbidden: without `item:write`.
        NotFound: there is no such item.
    """
    require(principal, "item:write")
    item = get_item(session, principal=principal, item_id=item_id, kind=kind)
    return create(
        session,
        principal=principal,
        kind=item.kind,
        title=COPY.format(title=item.title)[:TITLE_LENGTH],
        description=item.description,
        tags=item.tags,
        icon=item.icon,
        visibility="private",
        content=opened(session, principal, item, stored(session, item)).content,
    )


def used_by(session: Session, *, principal: Principal, item_id: UUID, known: bool = False) -> Sequence[Item]:
    """The items whose newest version uses this one and that the principal may see, by title; at most 50.

    Args:
        known: the caller has read the item for this principal already.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such item.
    """
    if not known:
        get_item(session, principal=principal, item_id=item_id)
    query = select(Item).join(ItemReference, ItemReference.from_id == Item.id)
    query = query.where(visible(principal), ItemReference.to_id == item_id)
    return session.scalars(query.order_by(Item.title, Item.id).limit(MOST_USES)).all()


def _become(
    session: Session, principal: Principal, item_id: UUID, kind: str | None, *, status: str, action: str
) -> Item:
    require(principal, "item:publish")
    item = get_item(session, principal=principal, item_id=item_id, kind=kind, for_update=True)
    require_edit(session, principal, item)
    if item.kind == FLOW_KIND:
        return OF_COMPANIONS[action](session, principal=principal, item_id=item_id)
    set_status(session, principal=principal, item=item, status=status, action=action)
    return item
