"""The trash of a space's documents: taken out again and read anew, deleted for good, emptied after 30 days."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import may_edit, require_edit
from leitstand.catalogue.items import get_item
from leitstand.catalogue.trash import KEEP
from leitstand.catalogue.visibility import visible
from leitstand.db.models import Document, Item
from leitstand.errors import Conflict, InvalidInput, LeitstandError
from leitstand.identity.access import Principal, require, system_principal
from leitstand.jobs.queue import enqueue
from leitstand.knowledge.documents import (
    INGEST,
    delete_document,
    get_document,
    ingest_again,
    record,
    same_content,
    to_change,
    waiting_status,
)
from leitstand.knowledge.spaces import KIND
from leitstand.words import msg

MOST = 200
AT_ONCE = 500


def list_deleted(session: Session, *, principal: Principal, space_id: UUID) -> Sequence[Document]:
    """What is in the trash of a space, the last deleted first; at most 200.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: there is no such space.
    """
    require_edit(session, principal, get_item(session, principal=principal, item_id=space_id, kind=KIND))
    query = select(Document).where(
        Document.workspace_id == principal.workspace_id,
        Document.space_id == space_id,
        Document.deleted_at > datetime.now(UTC) - KEEP,
    )
    return session.scalars(query.order_by(Document.deleted_at.desc(), Document.id).limit(MOST)).all()


def list_all_deleted(session: Session, *, principal: Principal) -> list[tuple[Document, Item]]:
    """What is in the trash of every space that the principal may change, with its space, the last deleted first.

    The newest 200 are looked at. Where the space itself is in the trash, it is restored first.

    Raises:
        Forbidden: without `item:read`.
    """
    require(principal, "item:read")
    query = select(Document, Item).join(Item, Item.id == Document.space_id)
    query = query.where(
        visible(principal),
        Document.workspace_id == principal.workspace_id,
        Document.deleted_at > datetime.now(UTC) - KEEP,
    )
    rows = session.execute(query.order_by(Document.deleted_at.desc(), Document.id).limit(MOST)).all()
    spaces = {space.id: space for _, space in rows}
    theirs = {space_id for space_id, space in spaces.items() if may_edit(session, principal, space)}
    return [(document, space) for document, space in rows if space.id in theirs]


def restore_document(session: Session, *, principal: Principal, document_id: UUID) -> Document:
    """Take a document out of the trash; it is read anew.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: it is not in the trash.
        Conflict: the space has its content again.
    """
    document = to_change(session, principal, document_id, trashed=True)
    if same_content(session, document.workspace_id, document.space_id, document.sha256):
        raise Conflict("The space has a document of this content again.", hint="Nothing is lost.")
    document.deleted_at, document.updated_at = None, datetime.now(UTC)
    if document.status != "infected":
        document.status = waiting_status(document)
        enqueue(session, INGEST, document_id=document.id)
    record(session, principal, "restore", document)
    session.flush()
    return document


def purge_document(session: Session, *, principal: Principal, document_id: UUID) -> Document:
    """Delete a document in the trash for good: its row now, every version of its file by a job. Backups keep it for
    their time.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: it is not in the trash.
    """
    document = to_change(session, principal, document_id, trashed=True)
    _purge(session, principal, document)
    return document


def purge_expired_documents(session: Session) -> int:
    """Delete for good what has been in the trash of any space for longer than 30 days; how many."""
    query = select(Document).where(Document.deleted_at < datetime.now(UTC) - KEEP).limit(AT_ONCE)
    found = session.scalars(query.with_for_update(skip_locked=True)).all()
    for document in found:
        _purge(session, system_principal(document.workspace_id), document)
    return len(found)


def apply(
    session: Session, *, principal: Principal, space_id: UUID, document_ids: Sequence[UUID], action: str
) -> int:
    """Do an action on documents of a space; how many. Where one is refused nothing is changed.

    Args:
        document_ids: 1 to 200.
        action: one of `ACTIONS`.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: there is no such space.
        InvalidInput: there is no such action, or too few or too many documents.
        Conflict: it can't be done on all; `details["items"]` says on which not, and why.
    """
    require_edit(session, principal, get_item(session, principal=principal, item_id=space_id, kind=KIND))
    chosen = sorted(set(document_ids))
    if action not in ACTIONS:
        raise InvalidInput(
            msg("There is no action {action!r}.", action=action[:40]),
            hint=msg("It is one of: {actions}.", actions=", ".join(ACTIONS)),
        )
    if not 0 < len(chosen) <= MOST:
        raise InvalidInput(
            "Nothing is chosen."
            if not chosen
            else msg("At most {most} documents can be chosen at once.", most=MOST)
        )
    work, trashed = ACTIONS[action]
    refused = []
    with session.begin_nested() as savepoint:
        for document_id in chosen:
            try:
                get_document(
                    session, principal=principal, document_id=document_id, space_id=space_id, trashed=trashed
                )
                work(session, principal=principal, document_id=document_id)
            except LeitstandError as error:
                refused.append({"id": str(document_id), "reason": error.message, "hint": error.hint})
        if refused:
            savepoint.rollback()
    if refused:
        raise Conflict(
            msg("It can't be done with {refused} of {chosen}.", refused=len(refused), chosen=len(chosen)),
            hint="Nothing was changed.",
            details={"items": refused},
        )
    return len(chosen)


def _purge(session: Session, principal: Principal, document: Document) -> None:
    record(session, principal, "purge", document)
    enqueue(session, "knowledge.forget", key=document.object_key)
    session.delete(document)
    session.flush()


ACTIONS: dict[str, tuple[Callable[..., Document], bool]] = {
    "delete": (delete_document, False),
    "ingest": (ingest_again, False),
    "restore": (restore_document, True),
    "purge": (purge_document, True),
}
