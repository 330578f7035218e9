"""Large files in pieces: begun, sent piece by piece from an offset, completed. As tus has it: HEAD tells the offset."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response, status

from api.document_models import AddedOut, BegunOut, DocumentOut, PartsIn, PartsOut, UploadIn, UploadOut
from leitstand.db.models import Upload
from leitstand.errors import InvalidInput
from leitstand.knowledge import chunks, uploads
from leitstand.knowledge.completion import complete_upload
from leitstand.settings import get_settings
from leitstand.storage.store import store_of
from serving.bodies import raw_body
from serving.idempotency import OnceRoute
from serving.problems import problem
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/spaces/{space_id}/uploads", tags=["documents"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
Offset = Annotated[int, Header(alias="Upload-Offset", ge=0, le=2**62, description="Where the piece begins.")]
PRESIGNED_SECONDS = 900


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def begin_upload(
    session: Db, principal: CurrentPrincipal, space_id: UUID, new: UploadIn, response: Response
) -> BegunOut:
    """Begin an upload, or go on with one of the same SHA-256. 200 where the space has this content already."""
    begun = uploads.begin_upload(
        session, principal=principal, space_id=space_id, title=new.title, size=new.bytes, media_type=new.media_type,
        sha256=new.sha256,
    )  # fmt: skip
    if begun.upload is None:
        response.status_code = status.HTTP_200_OK
        return BegunOut(upload=None, document=DocumentOut.model_validate(begun.document))
    return BegunOut(upload=_shown(begun.upload, response), document=None)


@router.head("/{upload_id}", include_in_schema=False)
@router.get("/{upload_id}")
def get_upload(
    session: Db, principal: CurrentPrincipal, space_id: UUID, upload_id: UUID, response: Response
) -> UploadOut:
    """How far an upload is: `received`, and the header Upload-Offset."""
    found = uploads.get_upload(session, principal=principal, space_id=space_id, upload_id=upload_id)
    return _shown(found, response)


@router.patch(
    "/{upload_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    # The body first: no connection to the database waits for a slow sender.
    dependencies=[Depends(raw_body), *CSRF],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
def send_upload_piece(
    session: Db,
    principal: CurrentPrincipal,
    space_id: UUID,
    upload_id: UUID,
    offset: Offset,
    data: Annotated[bytes, Depends(raw_body)],
    response: Response,
) -> None:
    """Send the next piece, of 5 to 16 MiB but for the last. Once it is answered it is never sent again.

    409 with `offset` where the file goes on elsewhere.
    """
    upload = uploads.receive_chunk(
        session, store_of(get_settings()), principal=principal, space_id=space_id, upload_id=upload_id, offset=offset,
        data=data,
    )  # fmt: skip
    _tell(upload, response)


@router.post("/{upload_id}/parts", dependencies=CSRF)
def sign_upload_parts(
    session: Db, principal: CurrentPrincipal, space_id: UUID, upload_id: UUID, asked: PartsIn
) -> PartsOut:
    """Addresses at the object store itself, a part each, where it is reached from outside.

    Part n begins at (n - 1) * `chunk_bytes`.
    """
    urls = uploads.presigned_parts(
        session, store_of(get_settings()), principal=principal, space_id=space_id, upload_id=upload_id,
        numbers=asked.numbers, seconds=PRESIGNED_SECONDS,
    )  # fmt: skip
    return PartsOut(urls=urls, seconds=PRESIGNED_SECONDS)


@router.post(
    "/{upload_id}/complete",
    status_code=status.HTTP_201_CREATED,
    dependencies=CSRF,
    response_model=AddedOut,
    name="complete_upload",
)
def complete(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    space_id: UUID,
    upload_id: UUID,
    response: Response,
) -> object:
    """Make a document of it. 200 where the space has this content already; 422 where it is not what was declared."""
    done = complete_upload(
        session, store_of(get_settings()), principal=principal, space_id=space_id, upload_id=upload_id
    )
    if done.document is None:
        # Not raised: that the upload is refused has to be kept.
        kind = InvalidInput
        reason = done.upload.reason or "Its document has been deleted."
        return problem(request, status=kind.status, kind=kind.kind, title=kind.title, detail=reason)
    response.headers["Location"] = f"/api/v1/spaces/{space_id}/documents/{done.document.id}"
    if done.duplicate:
        response.status_code = status.HTTP_200_OK
    return AddedOut(**DocumentOut.model_validate(done.document).model_dump(), duplicate=done.duplicate)


@router.delete("/{upload_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def give_up_upload(session: Db, principal: CurrentPrincipal, space_id: UUID, upload_id: UUID) -> None:
    """Give an upload up; what is there of it is removed."""
    uploads.give_up_upload(session, principal=principal, space_id=space_id, upload_id=upload_id)


def _shown(upload: Upload, response: Response) -> UploadOut:
    _tell(upload, response)
    names = (name for name in UploadOut.model_fields if name not in ("chunk_bytes", "presigned"))
    more = {"chunk_bytes": chunks.chunk_bytes(upload.bytes), "presigned": bool(get_settings().s3_public_url)}
    return UploadOut(**{name: getattr(upload, name) for name in names} | more)


def _tell(upload: Upload, response: Response) -> None:
    response.headers["Upload-Offset"] = str(upload.received)
    response.headers["Upload-Length"] = str(upload.bytes)
    response.headers["Cache-Control"] = "no-store"
