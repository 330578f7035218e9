"""Documents before they are read or served: looked at by the virus scanner, kept waiting while it is away."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Chunk, Document
from leitstand.errors import Conflict, LeitstandError, Unavailable
from leitstand.identity.access import system_principal
from leitstand.jobs.queue import enqueue, enqueue_at
from leitstand.knowledge.documents import INGEST, record
from leitstand.knowledge.scanner import TooLargeToScan, scan
from leitstand.settings import Settings
from leitstand.storage.objects import CHUNK, ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, Message, joined, msg, said

AGAIN_AFTER = timedelta(minutes=2)
MAIL = "knowledge.infected-mail"
log = get_logger("knowledge")


def examine(engine: Engine, storage: ObjectStorage, *, document_id: UUID) -> str:
    """Have a document scanned that never was; empty where it may be read, else the status in which it stops.

    `scanning`: the scanner or the store is away, and another job tries again. `infected`: it is quarantined. `failed`:
    it is too large for the scanner. None of these is ever read or served.
    """
    address = storage.settings.clamd_address
    document = _begin(engine, document_id, scanned=bool(address))
    if document is None:
        return ""
    if not address:
        return "infected" if document.status == "infected" else ""
    if document.scanned_at is not None:
        return ""
    try:
        bucket = storage.settings.bucket_media
        with storage.open_stream(bucket, document.object_key, sha256=document.sha256) as stream:
            found = scan(address, iter(lambda: stream.read(CHUNK) or b"", b""))
    except TooLargeToScan as error:
        return _end(engine, document_id, "failed", error.said)
    except Unavailable as error:
        return _end(engine, document_id, "scanning", joined(error.message, N_("It is tried again.")))
    except LeitstandError as error:
        _end(engine, document_id, "failed", not_fetched(error))
        raise
    return _end(engine, document_id, "infected", found) if found else _clean(engine, document_id)


def not_fetched(error: LeitstandError) -> Message:
    """That the store did not give a document's file, and why."""
    return msg("Its file could not be fetched: {why}", why=said(error.message))


def require_clean(settings: Settings, document: Document) -> None:
    """Refuse to hand out a file that the scanner has not let pass.

    Raises:
        Conflict: it is infected, or has not been scanned where there is a scanner.
    """
    if document.status == "infected":
        raise Conflict(
            "A virus was found in this document, so that nobody gets its file.",
            hint="Delete it, and upload a clean copy.",
        )
    if settings.clamd_address and document.scanned_at is None:
        raise Conflict("This document has not been scanned for viruses yet.", hint="Try again in a minute.")


def _begin(engine: Engine, document_id: UUID, *, scanned: bool) -> Document | None:
    with transaction(engine) as session:
        document = _locked(session, document_id)
        if document is not None and scanned and document.scanned_at is None:
            document.status, document.updated_at = "scanning", datetime.now(UTC)
        return document


def _clean(engine: Engine, document_id: UUID) -> str:
    with transaction(engine) as session:
        document = _locked(session, document_id)
        if document is not None:
            document.scanned_at = document.updated_at = datetime.now(UTC)
            document.reason = ""
    return ""


def _end(engine: Engine, document_id: UUID, status: str, reason: str) -> str:
    with transaction(engine) as session:
        document = _locked(session, document_id)
        if document is None:
            return status
        document.status, document.reason, document.updated_at = status, reason, datetime.now(UTC)
        if status == "scanning":
            enqueue_at(session, INGEST, at=datetime.now(UTC) + AGAIN_AFTER, document_id=document_id)
        elif status == "infected":
            _quarantine(session, document)
    log.warning("document stopped", document=str(document_id), status=status, reason=reason)
    return status


def _quarantine(session: Session, document: Document) -> None:
    """Let nothing of it be found, note it, and tell whoever uploaded it."""
    session.execute(delete(Chunk).where(Chunk.document_id == document.id))
    document.passages = document.characters = 0
    scanner = system_principal(document.workspace_id, "virus scanner")
    record(session, scanner, "infected", document, found=document.reason)
    if document.added_by is not None:
        enqueue(session, MAIL, document_id=document.id)


def _locked(session: Session, document_id: UUID) -> Document | None:
    there = (Document.id == document_id) & Document.deleted_at.is_(None)
    return session.scalar(select(Document).where(there).with_for_update())
