"""Finding items of every kind by title: what the command palette asks."""

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from leitstand.catalogue.items import visible
from leitstand.catalogue.text import like_pattern, searchable
from leitstand.db.models import Item
from leitstand.identity.access import Principal, require


def find_items(session: Session, *, principal: Principal, q: str, limit: int = 8) -> list[Item]:
    """Items whose title contains `q`: those that begin with it first, then the last changed; none for an empty text."""
    require(principal, "item:read")
    q = searchable(q)
    if not q:
        return []
    pattern = like_pattern(q)
    begins = case((Item.title.ilike(pattern.removeprefix("%")), 0), else_=1)
    query = select(Item).where(visible(principal), Item.title.ilike(pattern))
    return list(session.scalars(query.order_by(begins, Item.updated_at.desc(), Item.id.desc()).limit(limit)))
