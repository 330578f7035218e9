"""Tags: which companions a filter by tag means."""

from uuid import UUID

from sqlalchemy import any_, func, literal, select
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import visible
from leitstand.db.models import Item
from leitstand.identity.access import Principal

MOST = 200


def tags_in_use(session: Session, *, principal: Principal) -> list[str]:
    """The tags of the companions that the principal may see, in order of name (at most 200)."""
    each = (
        select(func.unnest(Item.tags).label("tag"))
        .where(visible(principal), Item.kind == "companion")
        .subquery()
    )
    return list(session.scalars(select(each.c.tag).distinct().order_by(each.c.tag).limit(MOST)))


def tagged(session: Session, *, principal: Principal, tag: str) -> tuple[UUID, ...]:
    """Ids of the companions with that tag that the principal may see, ascending."""
    named = select(Item.id).where(
        visible(principal), Item.kind == "companion", literal(tag) == any_(Item.tags)
    )
    return tuple(session.scalars(named.order_by(Item.id)))
