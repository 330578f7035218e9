"""The file of a document, for whoever may have it."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.db.models import Document
from leitstand.identity.access import Principal
from leitstand.knowledge.documents import get_document
from leitstand.knowledge.scanning import require_clean
from leitstand.storage.objects import CHUNK, ObjectStorage


def get_file(
    session: Session, storage: ObjectStorage, *, principal: Principal, space_id: UUID, document_id: UUID
) -> Document:
    """The document whose file may be handed out.

    Raises:
        Forbidden: without `item:read`.
        NotFound: there is none.
        Conflict: a virus was found in it, or it has not been scanned yet.
    """
    document = get_document(session, principal=principal, document_id=document_id, space_id=space_id)
    require_clean(storage.settings, document)
    return document


def pieces(storage: ObjectStorage, document: Document, first: int, last: int) -> Iterator[bytes]:
    """The bytes `first` to `last` (included) of its file; the whole file is compared with its SHA-256 at its end.

    The store is asked before the first piece is taken.

    Raises:
        NotFound, Unavailable: the object store has not got it, or does not answer.
    """
    bucket = storage.settings.bucket_media
    if (first, last) != (0, document.bytes - 1):
        return storage.open_range(bucket, document.object_key, first, last)
    stream = storage.open_stream(bucket, document.object_key, sha256=document.sha256)
    return iter(lambda: stream.read(CHUNK) or b"", b"")
