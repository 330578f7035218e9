"""A large file from this machine into a space, piece by piece."""

from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine

from leitstand.db.engine import transaction
from leitstand.db.models import Document
from leitstand.errors import IntegrityFailed
from leitstand.identity.access import system_principal
from leitstand.identity.workspaces import find_workspace
from leitstand.knowledge import uploads
from leitstand.knowledge.chunks import chunk_bytes
from leitstand.knowledge.completion import complete_upload
from leitstand.storage.multipart import file_sha256
from leitstand.storage.objects import ObjectStorage


def send_file(
    engine: Engine, storage: ObjectStorage, file: Path, *, workspace: str, space_id: UUID
) -> tuple[Document, bool]:
    """Upload a file, each piece in a transaction of its own; gives the document, and whether the space had it already.

    Raises:
        InvalidInput, LimitReached, Conflict, Unavailable: as `uploads` and `completion`.
        IntegrityFailed: the file changed while it was sent.
    """
    size = file.stat().st_size
    with transaction(engine) as session:
        principal = system_principal(find_workspace(session, workspace).id, "command line")
        begun = uploads.begin_upload(
            session,
            principal=principal,
            space_id=space_id,
            title=file.name,
            size=size,
            sha256=file_sha256(file),
        )
    if begun.document is not None:
        return begun.document, True
    assert begun.upload is not None  # noqa: S101 - it is one or the other
    upload_id, offset = begun.upload.id, begun.upload.received
    with file.open("rb") as stream:
        stream.seek(offset)
        while offset < size and (piece := stream.read(chunk_bytes(size))):
            with transaction(engine) as session:
                offset = uploads.receive_chunk(
                    session, storage, principal=principal, space_id=space_id, upload_id=upload_id, offset=offset,
                    data=piece,
                ).received  # fmt: skip
    with transaction(engine) as session:
        done = complete_upload(session, storage, principal=principal, space_id=space_id, upload_id=upload_id)
    if done.document is None:
        raise IntegrityFailed(done.upload.reason, hint="Upload it again when nothing writes to it.")
    return done.document, done.duplicate
