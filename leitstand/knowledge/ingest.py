"""Ingestion: a stored file becomes passages that can be found."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Engine, delete, func, select, text
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Chunk, Document
from leitstand.errors import LeitstandError
from leitstand.jobs.queue import enqueue
from leitstand.knowledge.documents import MAX_BYTES
from leitstand.knowledge.embeddings import EMBED
from leitstand.knowledge.language import language_of
from leitstand.knowledge.pairs import paired
from leitstand.knowledge.parsing.outline import Unreadable
from leitstand.knowledge.parsing.passages import Passage
from leitstand.knowledge.parsing.process import parse
from leitstand.knowledge.scanning import examine, not_fetched
from leitstand.knowledge.scope import forget_older_changes
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger
from leitstand.words import N_, words_of

ROWS_AT_ONCE = 1_000
SAMPLED_PASSAGES = 25
TOO_LARGE = N_("It is kept, but not read: a document that is read has at most 20 MB. Split it into several.")
INSERT_CHUNKS = text("""
    INSERT INTO chunk (document_id, ordinal, workspace_id, space_id, language, heading, content, words)
    VALUES (:document, :ordinal, :workspace, :space, :language, :heading, :content,
            to_tsvector(CAST(CAST(:language AS text) AS regconfig), :searched))
""")
log = get_logger("knowledge")


def ingest(engine: Engine, storage: ObjectStorage, *, document_id: UUID) -> str:
    """Read a document and index its passages; gives its status, empty when it was deleted meanwhile.

    Where there is a virus scanner it looks first; what it finds something in is not read. It ends `ready` or `failed` with a reason. May run again at any time: the passages are replaced as a whole, so
    that a search sees the old ones or the new.

    Raises:
        Unavailable: the object store does not answer; the document says so until the next attempt.
    """
    if stopped := examine(engine, storage, document_id=document_id):
        return stopped
    document = _set(engine, document_id, "parsing")
    if document is None:
        return ""
    if document.bytes > MAX_BYTES:
        _set(engine, document_id, "failed", TOO_LARGE)
        return "failed"
    bucket = storage.settings.bucket_media
    try:
        data = storage.get_bytes(bucket, document.object_key, sha256=document.sha256)
        passages = parse(document.media_type, document.title, data)
    except Unreadable as error:
        _set(engine, document_id, "failed", words_of(error))
        return "failed"
    except LeitstandError as error:
        _set(engine, document_id, "failed", not_fetched(error))
        raise
    _set(engine, document_id, "indexing")
    with transaction(engine) as session:
        status = _index(session, document_id, passages)
    with transaction(engine) as session:
        forget_older_changes(session)
    return status


def forget(storage: ObjectStorage, *, key: str) -> int:
    """Delete every version of a stored file for good; gives how many there were."""
    bucket = storage.settings.bucket_media
    versions = [info for info in storage.list_versions(bucket, key) if info.key == key]
    for info in versions:
        storage.delete(bucket, key, version=info.version)
    return len(versions)


def index_passages(session: Session, document: Document, passages: Sequence[Passage]) -> None:
    """Replace a document's passages and make it ready."""
    session.execute(delete(Chunk).where(Chunk.document_id == document.id))
    document.language = language_of(session, _sample(passages))
    rows = [
        {
            "ordinal": number,
            "heading": passage.heading,
            "content": passage.content,
            "searched": paired(f"{passage.heading} {passage.content}"),
        }
        for number, passage in enumerate(passages, start=1)
    ]
    fixed = {
        "document": document.id,
        "workspace": document.workspace_id,
        "space": document.space_id,
        "language": document.language,
    }
    for start in range(0, len(rows), ROWS_AT_ONCE):
        session.execute(INSERT_CHUNKS, [fixed | row for row in rows[start : start + ROWS_AT_ONCE]])
    document.passages = len(passages)
    document.characters = sum(len(passage.content) for passage in passages)
    document.status, document.reason, document.updated_at = "ready", "", func.now()
    session.flush()


def _sample(passages: Sequence[Passage]) -> str:
    """Text from the whole length of a document: its beginning may be a table of contents or a licence."""
    step = len(passages) // SAMPLED_PASSAGES + 1
    return "\n".join(passage.content for passage in passages[::step])


def _index(session: Session, document_id: UUID, passages: list[Passage]) -> str:
    document = _locked(session, document_id)
    if document is None:
        return ""
    index_passages(session, document, passages)
    if passages:
        enqueue(session, EMBED, document_id=document_id)
    log.info("document ready", document=str(document_id), passages=len(passages))
    return "ready"


def _set(engine: Engine, document_id: UUID, status: str, reason: str = "") -> Document | None:
    with transaction(engine) as session:
        document = _locked(session, document_id)
        if document is not None:
            document.status, document.reason, document.updated_at = status, reason, func.now()
            session.flush()
            session.refresh(document)
        return document


def _locked(session: Session, document_id: UUID) -> Document | None:
    there = (Document.id == document_id) & Document.deleted_at.is_(None)
    return session.scalar(select(Document).where(there).with_for_update())
