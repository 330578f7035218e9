"""The search of everything that a person may open."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from leitstand.catalogue.search import find_items
from leitstand.identity.finding import find_people
from leitstand.knowledge.finding import find_documents
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db

router = APIRouter(prefix="/search", tags=["search"], route_class=OnceRoute)
MOST = 20


class FoundOut(BaseModel):
    """Something that was found: `kind` is an item's kind, `document` or `person`; `within` the space of a document."""

    kind: str
    id: UUID
    title: str
    within: UUID | None = None


@router.get("")
def search(
    session: Db,
    principal: CurrentPrincipal,
    q: Annotated[str, Query(description="How a title begins, a part of it, or something like it.")],
    limit: Annotated[int, Query(ge=1, le=MOST)] = 8,
) -> list[FoundOut]:
    """Items, then documents and people (for whoever manages them), of each the likeliest first."""
    items = find_items(session, principal=principal, q=q, limit=limit)
    documents = find_documents(session, principal=principal, q=q, limit=limit)
    people = find_people(session, principal=principal, q=q, limit=limit)
    return [
        *(FoundOut(kind=one.kind, id=one.id, title=one.title) for one in items),
        *(FoundOut(kind="document", id=one.id, title=one.title, within=one.space_id) for one in documents),
        *(FoundOut(kind="person", id=one.id, title=one.name) for one in people),
    ]
