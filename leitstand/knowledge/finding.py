"""Documents by title, for the search of everything."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.matching import Signals, score
from leitstand.catalogue.text import contains, searchable
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Document, Item
from leitstand.identity.access import Principal, require

CANDIDATES = 40


@dataclass(frozen=True)
class FoundDocument:
    """A document, and the space that it is in."""

    id: UUID
    title: str
    space_id: UUID
    space: str
    updated_at: datetime


def find_documents(session: Session, *, principal: Principal, q: str, limit: int = 4) -> list[FoundDocument]:
    """The documents whose title contains `q`, of spaces that the principal may see; the likeliest first.

    Raises:
        Forbidden: without `item:read`.
    """
    require(principal, "item:read")
    q = searchable(q)
    if not q:
        return []
    query = (
        select(Document.id, Document.title, Item.id, Item.title, Document.updated_at)
        .join(Item, Item.id == Document.space_id)
        .where(
            Document.workspace_id == principal.workspace_id,
            Document.deleted_at.is_(None),
            visible(principal),
            contains(Document.title, q),
        )
        .order_by(Document.updated_at.desc(), Document.id)
        .limit(CANDIDATES)
    )
    found = [FoundDocument(*row) for row in session.execute(query)]
    return sorted(found, key=lambda one: -score(one.title, q, Signals(0.0, one.updated_at)))[:limit]
