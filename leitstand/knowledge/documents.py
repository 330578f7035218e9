"""Documents of a space: taken in, listed, ingested again, deleted everywhere."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.catalogue.items import get_item, visible
from leitstand.catalogue.text import checked_title
from leitstand.db.models import Document, Item
from leitstand.db.models.base import new_id
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.jobs.queue import enqueue
from leitstand.knowledge.media import media_type_of
from leitstand.knowledge.spaces import KIND
from leitstand.storage.objects import ObjectStorage

MAX_BYTES = 20_000_000
LARGEST_LIST = 1_000


@dataclass(frozen=True)
class Added:
    """A document of a space; `duplicate` when the space had this very content already and nothing was changed."""

    document: Document
    duplicate: bool


def add_document(
    session: Session,
    storage: ObjectStorage,
    *,
    principal: Principal,
    space_id: UUID,
    title: str,
    data: bytes,
    media_type: str = "",
) -> Added:
    """Take a file into a space: stored now, read by a job that runs once the caller has committed.

    What can't be read is kept all the same: its status becomes `failed` with the reason, and it can be ingested
    again when there is a reader for it.

    Args:
        title: the file's name or a title; its suffix tells the type where `media_type` says nothing.
        data: the content, at most 20 MB.
        media_type: as the uploader declared it.

    Raises:
        Forbidden: without `item:write`.
        NotFound: there is no such space.
        InvalidInput: the title is not fit, or the file is empty or too large.
        Unavailable: the object store does not answer.
    """
    require(principal, "item:write")
    get_item(session, principal=principal, item_id=space_id, kind=KIND)
    title, digest = checked_title(title), hashlib.sha256(data).hexdigest()
    if not 0 < len(data) <= MAX_BYTES:
        problem = "empty" if not data else f"{len(data) / 1e6:.1f} MB large"
        raise InvalidInput(f"{title!r} is {problem}.", hint="A document has 1 byte to 20 MB.")
    document_id = new_id()
    row = {
        "id": document_id,
        "workspace_id": principal.workspace_id,
        "space_id": space_id,
        "title": title,
        "object_key": object_key(principal.workspace_id, document_id),
        "media_type": media_type_of(title, media_type),
        "bytes": len(data),
        "sha256": digest,
    }
    statement = insert(Document).values(row).on_conflict_do_nothing(index_elements=["space_id", "sha256"])
    if session.scalar(statement.returning(Document.id)) is None:
        return Added(_same(session, space_id, digest), duplicate=True)
    document = session.get_one(Document, document_id)
    storage.put_bytes(storage.settings.bucket_media, document.object_key, data, document.media_type)
    enqueue(session, "knowledge.ingest", document_id=document_id)
    _record(session, principal, "add", document)
    return Added(document, duplicate=False)


def list_documents(session: Session, *, principal: Principal, space_id: UUID) -> Sequence[Document]:
    """The documents of a space by title, at most 1,000.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such space.
    """
    get_item(session, principal=principal, item_id=space_id, kind=KIND)
    query = select(Document).where(
        Document.workspace_id == principal.workspace_id, Document.space_id == space_id
    )
    return session.scalars(query.order_by(Document.title, Document.id).limit(LARGEST_LIST)).all()


def get_document(session: Session, *, principal: Principal, document_id: UUID) -> Document:
    """One document.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none in a space that the principal may see.
    """
    require(principal, "item:read")
    query = select(Document).join(Item, Item.id == Document.space_id)
    document = session.scalar(query.where(visible(principal), Document.id == document_id))
    if document is None:
        raise NotFound("There is no such document.", hint="It may have been deleted.")
    return document


def ingest_again(session: Session, *, principal: Principal, document_id: UUID) -> Document:
    """Have a document read again; until that is done its passages answer as before.

    Raises:
        Forbidden: without `item:write`.
        NotFound: there is no such document.
    """
    require(principal, "item:write")
    document = get_document(session, principal=principal, document_id=document_id)
    document.status, document.reason, document.updated_at = "uploaded", "", func.now()
    enqueue(session, "knowledge.ingest", document_id=document.id)
    _record(session, principal, "ingest", document)
    return document


def delete_document(session: Session, *, principal: Principal, document_id: UUID) -> None:
    """Delete a document: row and passages now, every version of its file by a job. Backups keep it for their time.

    Raises:
        Forbidden: without `item:write`.
        NotFound: there is no such document.
    """
    require(principal, "item:write")
    document = get_document(session, principal=principal, document_id=document_id)
    _record(session, principal, "delete", document)
    enqueue(session, "knowledge.forget", key=document.object_key)
    session.delete(document)
    session.flush()


def object_key(workspace_id: UUID, document_id: UUID) -> str:
    """Where a document's file lies in the media bucket."""
    return f"documents/{workspace_id}/{document_id}"


def _same(session: Session, space_id: UUID, digest: str) -> Document:
    return session.scalars(
        select(Document).where(Document.space_id == space_id, Document.sha256 == digest)
    ).one()


def _record(session: Session, principal: Principal, verb: str, document: Document) -> None:
    after = {"title": document.title, "space": str(document.space_id), "sha256": document.sha256}
    target = f"document:{document.id}"
    audit.record(session, principal=principal, action=f"document.{verb}", target=target, after=after)
