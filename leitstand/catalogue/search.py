"""Finding items of every kind by title: what the command palette asks."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from leitstand.catalogue.items import visible
from leitstand.catalogue.text import contains, like_pattern, searchable
from leitstand.db.models import Item
from leitstand.identity.access import Principal, require


def find_items(session: Session, *, principal: Principal, q: str, limit: int = 8) -> list[Item]:
    """Items whose title contains `q`: those that begin with it first, then the last changed; none for an empty text."""
    require(principal, "item:read")
    q = searchable(q)
    if not q:
        return []
    begins = Item.title.ilike(like_pattern(q).removeprefix("%"))
    first = _newest(session, principal, begins, limit)
    if len(first) == limit:
        return list(first)
    return [*first, *_newest(session, principal, contains(Item.title, q) & ~begins, limit - len(first))]


def _newest(session: Session, principal: Principal, which: ColumnElement[bool], limit: int) -> Sequence[Item]:
    query = select(Item).where(visible(principal), which)
    return session.scalars(query.order_by(Item.updated_at.desc(), Item.id.desc()).limit(limit)).all()
