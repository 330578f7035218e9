"""Documents of a space: taken in, listed, renamed, ingested again, put into the trash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.items import get_item
from leitstand.catalogue.text import checked_title
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Chunk, Document, Item
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.jobs.queue import enqueue
from leitstand.knowledge.media import media_type_of
from leitstand.knowledge.spaces import KIND
from leitstand.limits.room import require_room
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

MAX_BYTES = 20_000_000
LARGEST_LIST = 1_000
INGEST = "knowledge.ingest"


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
        Forbidden: the space is not theirs to change.
        NotFound: there is no such space.
        InvalidInput: the title is not fit, or the file is empty or too large.
        LimitReached: the plan has no room for so many bytes.
        Unavailable: the object store does not answer.
    """
    require_edit(session, principal, get_item(session, principal=principal, item_id=space_id, kind=KIND))
    title, digest = checked_title(title), hashlib.sha256(data).hexdigest()
    if not 0 < len(data) <= MAX_BYTES:
        raise InvalidInput(
            msg("{title!r} is {size:.1f} MB large.", title=title, size=len(data) / 1e6)
            if data
            else msg("{title!r} is empty.", title=title),
            hint="A document has 1 byte to 20 MB.",
        )
    if known := same_content(session, principal.workspace_id, space_id, digest):
        return Added(known, duplicate=True)
    require_room(session, principal.workspace_id, "storage_bytes", len(data))
    new = New(new_id(), space_id, title, media_type_of(title, media_type), len(data), digest)
    added = enter(session, principal=principal, new=new)
    if not added.duplicate:
        document = added.document
        storage.put_bytes(storage.settings.bucket_media, document.object_key, data, document.media_type)
    return added


@dataclass(frozen=True)
class New:
    """What is known of a file that becomes a document."""

    id: UUID
    space_id: UUID
    title: str
    media_type: str
    bytes: int
    sha256: str


def enter(session: Session, *, principal: Principal, new: New) -> Added:
    """Make the row of a document whose room was asked for, and the job that reads it; where the space has its content
    already, that document."""
    row = {
        "id": new.id, "workspace_id": principal.workspace_id, "space_id": new.space_id, "title": new.title,
        "object_key": object_key(principal.workspace_id, new.id), "media_type": new.media_type, "bytes": new.bytes,
        "sha256": new.sha256, "status": first_status(), "added_by": principal.person_id,
    }  # fmt: skip
    statement = insert(Document).values(row)
    statement = statement.on_conflict_do_nothing(
        index_elements=["space_id", "sha256"], index_where=Document.deleted_at.is_(None)
    )
    if session.scalar(statement.returning(Document.id)) is None:
        known = same_content(session, principal.workspace_id, new.space_id, new.sha256)
        if known is None:
            raise Conflict("The space is being changed by somebody else.", hint="Try again.")
        return Added(known, duplicate=True)
    document = session.get_one(Document, new.id)
    enqueue(session, INGEST, document_id=new.id)
    record(session, principal, "add", document)
    return Added(document, duplicate=False)


def same_content(session: Session, workspace_id: UUID, space_id: UUID, digest: str) -> Document | None:
    """The document of a space that has this content, the trash left out."""
    query = select(Document).where(Document.workspace_id == workspace_id, Document.space_id == space_id)
    return session.scalar(query.where(Document.sha256 == digest, Document.deleted_at.is_(None)))


def first_status() -> str:
    """What a document that nobody has looked at waits for: the scanner where there is one, else the reader."""
    return "scanning" if get_settings().clamd_address else "uploaded"


def list_documents(session: Session, *, principal: Principal, space_id: UUID) -> Sequence[Document]:
    """The documents of a space by title, at most 1,000.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is no such space.
    """
    get_item(session, principal=principal, item_id=space_id, kind=KIND)
    query = select(Document).where(
        Document.workspace_id == principal.workspace_id,
        Document.space_id == space_id,
        Document.deleted_at.is_(None),
    )
    return session.scalars(query.order_by(Document.title, Document.id).limit(LARGEST_LIST)).all()


def get_document(
    session: Session,
    *,
    principal: Principal,
    document_id: UUID,
    space_id: UUID | None = None,
    trashed: bool = False,
) -> Document:
    """One document.

    Args:
        space_id: refuses one of another space.
        trashed: looks in the trash, and nowhere else.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none in a space that the principal may see.
    """
    require(principal, "item:read")
    there = Document.deleted_at.is_not(None) if trashed else Document.deleted_at.is_(None)
    query = select(Document).join(Item, Item.id == Document.space_id).where(visible(principal), there)
    query = query.where(Document.workspace_id == principal.workspace_id, Document.id == document_id)
    document = session.scalar(query)
    if document is None or space_id not in (None, document.space_id):
        raise NotFound("There is no such document.", hint="It may have been deleted.")
    return document


def rename_document(session: Session, *, principal: Principal, document_id: UUID, title: str) -> Document:
    """Give a document another title; it is read again, for its passages bear the title.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: there is no such document.
        InvalidInput: the title is not fit.
    """
    document, title = to_change(session, principal, document_id), checked_title(title)
    if title != document.title:
        before, document.title = {"title": document.title}, title
        if document.status != "infected":
            _read_anew(session, document)
        record(session, principal, "rename", document, before=before)
        session.flush()
    return document


def ingest_again(session: Session, *, principal: Principal, document_id: UUID) -> Document:
    """Have a document read again; until that is done its passages answer as before.

    One in which a virus was found is scanned again first.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: there is no such document.
        Conflict: it is infected, and there is no scanner that could say otherwise.
    """
    document = to_change(session, principal, document_id)
    if document.status == "infected" and not get_settings().clamd_address:
        raise Conflict("A virus was found in this document.", hint="Delete it.")
    _read_anew(session, document)
    record(session, principal, "ingest", document)
    return document


def delete_document(session: Session, *, principal: Principal, document_id: UUID) -> Document:
    """Put a document into its space's trash for 30 days: its passages go now, its file stays.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: there is no such document.
    """
    document = to_change(session, principal, document_id)
    document.deleted_at = document.updated_at = datetime.now(UTC)
    session.execute(delete(Chunk).where(Chunk.document_id == document.id))
    document.passages = document.characters = 0
    if document.status != "infected":
        document.status, document.reason = waiting_status(document), ""
    record(session, principal, "delete", document)
    session.flush()
    return document


def waiting_status(document: Document) -> str:
    """What a document waits for that is about to be read again."""
    return "uploaded" if document.scanned_at else first_status()


def to_change(
    session: Session, principal: Principal, document_id: UUID, *, trashed: bool = False
) -> Document:
    """A document that the principal may change, held until the transaction ends; raises as `delete_document`."""
    document = get_document(session, principal=principal, document_id=document_id, trashed=trashed)
    require_edit(session, principal, session.get_one(Item, document.space_id))
    session.refresh(document, with_for_update=True)
    if (document.deleted_at is None) == trashed:
        raise NotFound("There is no such document.", hint="It may have been deleted.")
    return document


def object_key(workspace_id: UUID, document_id: UUID) -> str:
    """Where a document's file lies in the media bucket."""
    return f"documents/{workspace_id}/{document_id}"


def record(
    session: Session,
    principal: Principal,
    verb: str,
    document: Document,
    *,
    before: dict[str, Any] | None = None,
    **more: str,
) -> None:
    """Note in the audit log what was done with a document."""
    after = {"title": document.title, "space": str(document.space_id), "sha256": document.sha256} | more
    target = f"document:{document.id}"
    audit.record(
        session, principal=principal, action=f"document.{verb}", target=target, before=before, after=after
    )


def _read_anew(session: Session, document: Document) -> None:
    document.status = waiting_status(document)
    document.reason, document.updated_at = "", datetime.now(UTC)
    enqueue(session, INGEST, document_id=document.id)
