"""Large files on their way into a space: begun, received in pieces, completed or given up.

What was acknowledged is in the store and in the row, so that it is never sent again, whatever was killed meanwhile.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from leitstand.catalogue.editing import require_edit
from leitstand.catalogue.items import get_item
from leitstand.catalogue.text import checked_title
from leitstand.db.models import Document, Upload
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity.access import Principal
from leitstand.jobs.queue import enqueue
from leitstand.knowledge import chunks
from leitstand.knowledge.documents import object_key, same_content
from leitstand.knowledge.media import media_type_of
from leitstand.knowledge.spaces import KIND
from leitstand.limits.room import require_room
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage
from leitstand.storage.parts import Parts
from leitstand.words import msg

# Since the last piece; and in all, so that the store knows what it may drop.
IDLE, LONGEST = timedelta(hours=24), timedelta(days=7)
MOST_OPEN = 200
DIGEST = re.compile(r"[0-9a-f]{64}")
MEGABYTE = 1_000_000
ABANDON = "knowledge.abandon"


@dataclass(frozen=True)
class Begun:
    """An upload to go on with, or the document that the space has of this content already."""

    upload: Upload | None
    document: Document | None


def begin_upload(
    session: Session,
    *,
    principal: Principal,
    space_id: UUID,
    title: str,
    size: int,
    media_type: str = "",
    sha256: str = "",
) -> Begun:
    """Begin to take a file into a space; where the same person began it before and told its SHA-256, go on with that.

    The plan's room for it is taken until it is complete, given up or expired.

    Args:
        title: the file's name or a title.
        size: its bytes.
        sha256: hexadecimal, of the whole file; it is compared in the end. Empty: not known.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: there is no such space.
        InvalidInput: title, size or hash are not fit.
        LimitReached: the plan has no room for so many bytes.
        Conflict: too many uploads of the workspace are open.
    """
    require_edit(session, principal, get_item(session, principal=principal, item_id=space_id, kind=KIND))
    title, sha256 = checked_title(title), sha256.strip().lower()
    _check(title, size, sha256)
    if sha256:
        if known := same_content(session, principal.workspace_id, space_id, sha256):
            return Begun(None, known)
        earlier = _open(principal, space_id).where(Upload.sha256 == sha256, Upload.bytes == size)
        if found := session.scalar(earlier.order_by(Upload.received.desc()).limit(1)):
            return Begun(found, None)
    require_room(session, principal.workspace_id, "storage_bytes", size)
    _require_few(session, principal.workspace_id)
    upload_id, now = new_id(), datetime.now(UTC)
    upload = Upload(
        id=upload_id, workspace_id=principal.workspace_id, space_id=space_id, person_id=principal.person_id,
        title=title, media_type=media_type_of(title, media_type), bytes=size, sha256=sha256, received=0, parts=[],
        object_key=object_key(principal.workspace_id, upload_id), store_id="", status="open", reason="",
        created_at=now, updated_at=now, expires_at=now + IDLE,
    )  # fmt: skip
    session.add(upload)
    session.flush()
    return Begun(upload, None)


def get_upload(session: Session, *, principal: Principal, space_id: UUID, upload_id: UUID) -> Upload:
    """An upload that the principal began.

    Raises:
        Forbidden: the space is not theirs to change.
        NotFound: there is none in this space, or it has expired.
    """
    require_edit(session, principal, get_item(session, principal=principal, item_id=space_id, kind=KIND))
    upload = session.scalar(_own(principal, space_id).where(Upload.id == upload_id))
    if upload is None or (upload.status == "open" and upload.expires_at <= datetime.now(UTC)):
        raise NotFound("There is no such upload.", hint="It may have expired. Begin it anew.")
    return upload


def receive_chunk(
    session: Session,
    storage: ObjectStorage,
    *,
    principal: Principal,
    space_id: UUID,
    upload_id: UUID,
    offset: int,
    data: bytes,
) -> Upload:
    """Take the next piece; once the caller has committed it is never sent again.

    Args:
        offset: where the piece begins: what was received so far.
        data: 5 to 16 MiB, the last piece less.

    Raises:
        NotFound, Forbidden: as `get_upload`.
        Conflict: another piece is being received, or the file goes on elsewhere (`details["offset"]`).
        InvalidInput: the piece is not of a fitting size.
        Unavailable: the object store does not answer.
    """
    upload = held_upload(session, principal=principal, space_id=space_id, upload_id=upload_id)
    chunks.check_chunk(size=upload.bytes, received=upload.received, offset=offset, length=len(data))
    parts = opened(storage, upload)
    part = parts.put(len(upload.parts) + 1, data)
    upload.parts = [*upload.parts, {"number": part.number, "etag": part.etag, "bytes": part.bytes}]
    upload.received += len(data)
    _touch(upload)
    session.flush()
    return upload


def presigned_parts(
    session: Session,
    storage: ObjectStorage,
    *,
    principal: Principal,
    space_id: UUID,
    upload_id: UUID,
    numbers: Sequence[int],
    seconds: int = 900,
) -> dict[int, str]:
    """Addresses at the store itself to which these parts can be put, each of its exact size, for so many seconds.

    Raises:
        NotFound, Forbidden: as `get_upload`.
        Conflict: the store is not reached from outside, or pieces came through us already.
        InvalidInput: the file has no such part.
        Unavailable: the object store does not answer.
    """
    upload = held_upload(session, principal=principal, space_id=space_id, upload_id=upload_id)
    public_url = get_settings().s3_public_url
    if not public_url:
        raise Conflict(
            "The object store is not reached from outside.",
            hint="Send the file in pieces to Leitstand (PATCH).",
        )
    if upload.received:
        raise Conflict(
            "Pieces of this upload came through Leitstand.", hint="Go on like this, or begin anew."
        )
    sizes = {number: chunks.part_bytes(upload.bytes, number) for number in numbers}
    parts = opened(storage, upload)
    _touch(upload)
    session.flush()
    address = parts.address
    return {n: address(n, size, seconds=seconds, public_url=public_url) for n, size in sizes.items()}


def give_up_upload(session: Session, *, principal: Principal, space_id: UUID, upload_id: UUID) -> None:
    """Give an upload up: its row now, its parts in the store by a job.

    Raises:
        NotFound, Forbidden, Conflict: as `receive_chunk`.
    """
    upload = held_upload(session, principal=principal, space_id=space_id, upload_id=upload_id)
    drop(session, upload)


def held_upload(
    session: Session, *, principal: Principal, space_id: UUID, upload_id: UUID, ended: bool = False
) -> Upload:
    """An upload that nobody else works on until the transaction ends.

    Args:
        ended: gives one that has ended as well.

    Raises:
        NotFound, Forbidden: as `get_upload`.
        Conflict: somebody does, or it has ended.
    """
    get_upload(session, principal=principal, space_id=space_id, upload_id=upload_id)
    query = _own(principal, space_id).where(Upload.id == upload_id).execution_options(populate_existing=True)
    # Not waited for: each request that waited would keep a connection to the database.
    upload = session.scalar(query.with_for_update(skip_locked=True))
    if upload is None:
        raise Conflict(
            "Another piece of this upload is being received.", hint="Ask for the offset in a moment."
        )
    if upload.status != "open" and not ended:
        raise Conflict(msg("This upload is {status}.", status=upload.status), hint="Begin a new one.")
    return upload


def opened(storage: ObjectStorage, upload: Upload) -> Parts:
    """The upload's parts in the store, begun there if they are not."""
    bucket = storage.settings.bucket_media
    if not upload.store_id:
        upload.store_id = Parts(storage, bucket, upload.object_key).begin(upload.media_type)
    return Parts(storage, bucket, upload.object_key, upload.store_id)


def drop(session: Session, upload: Upload) -> None:
    """Delete an upload's row now, and what the store has of it by a job."""
    if upload.status == "open" and upload.store_id:
        enqueue(session, ABANDON, key=upload.object_key, store_id=upload.store_id)
    session.delete(upload)
    session.flush()


def _check(title: str, size: int, sha256: str) -> None:
    most = get_settings().upload_most_mb
    if not 0 < size <= most * MEGABYTE:
        raise InvalidInput(
            msg("{title!r} is {size:.1f} MB large.", title=title, size=size / MEGABYTE)
            if size > 0
            else msg("{title!r} is empty.", title=title),
            hint=msg("A file has 1 byte to {most:,} MB.", most=most),
        )
    if sha256 and not DIGEST.fullmatch(sha256):
        raise InvalidInput("This is no SHA-256.", hint="It has 64 hexadecimal digits.")


def _require_few(session: Session, workspace_id: UUID) -> None:
    query = select(func.count()).where(Upload.workspace_id == workspace_id, Upload.status == "open")
    if (session.scalar(query) or 0) >= MOST_OPEN:
        raise Conflict(
            msg("{most_open} uploads of this workspace are open.", most_open=MOST_OPEN),
            hint="Complete some, or give them up.",
        )


def _own(principal: Principal, space_id: UUID) -> Select[tuple[Upload]]:
    query = select(Upload).where(Upload.workspace_id == principal.workspace_id, Upload.space_id == space_id)
    return query.where(Upload.person_id.is_not_distinct_from(principal.person_id))


def _open(principal: Principal, space_id: UUID) -> Select[tuple[Upload]]:
    return _own(principal, space_id).where(Upload.status == "open", Upload.expires_at > func.now())


def _touch(upload: Upload) -> None:
    now = datetime.now(UTC)
    upload.updated_at, upload.expires_at = now, min(now + IDLE, upload.created_at + LONGEST)
