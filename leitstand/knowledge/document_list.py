"""Lists of a space's documents: filtered, in one of several orders, a page at a time by keyset."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, literal, select, tuple_
from sqlalchemy.orm import Session

from leitstand.catalogue import cursors
from leitstand.catalogue.items import get_item
from leitstand.catalogue.text import contains, searchable
from leitstand.db.models import Document
from leitstand.db.models.knowledge import STATUSES
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal
from leitstand.knowledge.spaces import KIND
from leitstand.words import msg

PAGE, LARGEST_PAGE = 50, 200
SORTS = ("created", "title")


@dataclass(frozen=True)
class DocumentPage:
    """One page; `cursor` leads to the next, None at the end."""

    documents: Sequence[Document]
    cursor: str | None


def page_of_documents(
    session: Session,
    *,
    principal: Principal,
    space_id: UUID,
    q: str = "",
    status: str = "",
    sort: str = "created",
    cursor: str | None = None,
    limit: int = PAGE,
) -> DocumentPage:
    """A page of the documents of a space.

    Args:
        q: text that the title contains.
        status: one of `STATUSES`; empty: all.
        sort: `created` has the newest first, `title` goes by the alphabet.
        limit: 1 to 200.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such space.
        InvalidInput: a filter has a value that there is not, or the cursor is not ours.
    """
    get_item(session, principal=principal, item_id=space_id, kind=KIND)
    query = select(Document).where(
        Document.workspace_id == principal.workspace_id,
        Document.space_id == space_id,
        Document.deleted_at.is_(None),
    )
    if status:
        query = query.where(Document.status == _one_of(status, STATUSES, "status"))
    if q := searchable(q):
        query = query.where(contains(Document.title, q))
    limit = max(1, min(limit, LARGEST_PAGE))
    rows = session.scalars(_ordered(query, _one_of(sort, SORTS, "order"), cursor).limit(limit + 1)).all()
    if len(rows) <= limit:
        return DocumentPage(rows, None)
    last = rows[limit - 1]
    behind = (
        cursors.encode_text(last.title, last.id)
        if sort == "title"
        else cursors.encode(last.created_at, last.id)
    )
    return DocumentPage(rows[:limit], behind)


def _ordered(query: Select[tuple[Document]], sort: str, cursor: str | None) -> Select[tuple[Document]]:
    if sort == "title":
        if cursor:
            title, document_id = cursors.decode_text(cursor)
            behind = tuple_(func.lower(title), literal(document_id))
            query = query.where(tuple_(func.lower(Document.title), Document.id) > behind)
        return query.order_by(func.lower(Document.title), Document.id)
    if cursor:
        query = query.where(tuple_(Document.created_at, Document.id) < cursors.decode(cursor))
    return query.order_by(Document.created_at.desc(), Document.id.desc())


def _one_of(value: str, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        raise InvalidInput(
            msg("There is no {what} {value!r}.", what=what, value=value[:40]),
            hint=msg("It is one of: {allowed}.", allowed=", ".join(allowed)),
        )
    return value
