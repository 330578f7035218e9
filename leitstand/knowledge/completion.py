"""The end of an upload: its parts joined, its content compared with what was declared, a document made of it."""

import hashlib
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.db.models import Document, Upload
from leitstand.errors import Conflict, NotFound
from leitstand.identity.access import Principal
from leitstand.jobs.queue import enqueue
from leitstand.knowledge import chunks
from leitstand.knowledge.documents import New, enter
from leitstand.knowledge.uploads import held_upload, opened
from leitstand.limits.room import require_room
from leitstand.settings import get_settings
from leitstand.storage.objects import CHUNK, ObjectStorage
from leitstand.storage.parts import Part
from leitstand.words import msg


@dataclass(frozen=True)
class Completed:
    """What became of an upload: a document (`duplicate` where the space had its content already), or, where it was
    refused, none; `upload.reason` says why."""

    upload: Upload
    document: Document | None
    duplicate: bool = False


def complete_upload(
    session: Session, storage: ObjectStorage, *, principal: Principal, space_id: UUID, upload_id: UUID
) -> Completed:
    """Make a document of an upload that is whole. Asked again, it answers the same.

    The file is read once from the store, so that a large one takes its time. A file that is not what was declared is
    refused and deleted: that is no exception, because it has to be kept.

    Raises:
        NotFound, Forbidden: as `get_upload`.
        Conflict: bytes are missing, or another request works on this upload.
        LimitReached: the plan has no room for it any more; it can be completed when it has.
        Unavailable: the object store does not answer.
    """
    upload = held_upload(session, principal=principal, space_id=space_id, upload_id=upload_id, ended=True)
    if upload.status != "open":
        document = session.get(Document, upload.document_id) if upload.document_id else None
        return Completed(upload, document, document is not None and document.id != upload.id)
    _join(storage, upload)
    digest, size = _content(storage, upload.object_key)
    if upload.sha256 not in ("", digest) or size != upload.bytes:
        return _refused(session, upload, digest, size)
    # It gives the room back that it took, before the document asks for it.
    upload.status, upload.updated_at = "complete", datetime.now(UTC)
    session.flush()
    require_room(session, principal.workspace_id, "storage_bytes", size)
    new = New(upload.id, space_id, upload.title, upload.media_type, size, digest)
    added = enter(session, principal=principal, new=new)
    if added.duplicate:
        enqueue(session, "knowledge.forget", key=upload.object_key)
    upload.document_id, upload.sha256, upload.received = added.document.id, digest, size
    session.flush()
    return Completed(upload, added.document, added.duplicate)


def _join(storage: ObjectStorage, upload: Upload) -> None:
    """Make one object of the parts: those that came through us, else those that the store was given."""
    found = [Part(**part) for part in upload.parts]
    if not found and upload.store_id and get_settings().s3_public_url:
        found = _given(storage, upload)
    if not chunks.whole(upload.bytes, [part.bytes for part in found]):
        there = sum(part.bytes for part in found)
        raise Conflict(
            msg("{there:,} of {bytes:,} bytes are there.", there=there, bytes=upload.bytes),
            hint="Send the rest, then complete it.",
            details={"offset": upload.received},
        )
    opened(storage, upload).join(found)


def _given(storage: ObjectStorage, upload: Upload) -> list[Part]:
    """The parts that were put at presigned addresses; none where a try before this one joined them."""
    try:
        return opened(storage, upload).list()
    except NotFound:
        head = storage.head(storage.settings.bucket_media, upload.object_key)
        return [Part(1, head.etag, head.bytes)]


def _content(storage: ObjectStorage, key: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with closing(storage.open_stream(storage.settings.bucket_media, key)) as stream:
        while piece := stream.read(CHUNK):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def _refused(session: Session, upload: Upload, digest: str, size: int) -> Completed:
    upload.status, upload.updated_at = "refused", datetime.now(UTC)
    upload.reason = (
        msg("The file that arrived is not the one that was declared: its SHA-256 is {digest}.", digest=digest)
        if size == upload.bytes
        else msg("The file that arrived is not the one that was declared: it has {size:,} bytes.", size=size)
    )
    enqueue(session, "knowledge.forget", key=upload.object_key)
    session.flush()
    return Completed(upload, None)
