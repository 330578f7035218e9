"""Documents of a space: listed, sent whole, handed out, changed, deleted; those in the trash."""

from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status
from starlette.datastructures import FormData, UploadFile

from api.document_models import AddedOut, DocumentChange, DocumentOut, DocumentsBulkIn, DocumentsOut
from api.items.models import BulkOut
from api.items.tags import IfMatch
from leitstand.db.models import Document
from leitstand.errors import ChangedMeanwhile, InvalidInput
from leitstand.identity.access import Principal
from leitstand.knowledge import document_trash, documents
from leitstand.knowledge.document_list import LARGEST_PAGE, PAGE, SORTS, page_of_documents
from leitstand.settings import get_settings
from leitstand.storage.store import store_of
from serving.downloads import document_file
from serving.idempotency import OnceRoute
from serving.session import CSRF_FIELD, CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/spaces/{space_id}/documents", tags=["documents"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "application/octet-stream": BINARY,
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}, CSRF_FIELD: {"type": "string"}},
            "required": ["file"],
            "additionalProperties": False,
        }
    },
}


async def sent_file(request: Request) -> FormData | bytes:
    """The form with a file, or the body that is the file."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await request.form(max_files=1, max_fields=5)
    return await request.body()


Sent = Annotated[Any, Depends(sent_file)]


@router.get("")
def list_documents(
    session: Db,
    principal: CurrentPrincipal,
    space_id: UUID,
    q: Annotated[str, Query(description="Text that the title contains.", max_length=500)] = "",
    status: Annotated[str, Query(description="A document's status.")] = "",
    sort: Annotated[str, Query(description=f"One of: {', '.join(SORTS)}.")] = "created",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
) -> DocumentsOut:
    """Those that match, a page at a time."""
    found = page_of_documents(
        session,
        principal=principal,
        space_id=space_id,
        q=q,
        status=status,
        sort=sort,
        cursor=cursor,
        limit=limit,
    )
    return _page(found.documents, found.cursor)


@router.get("/trash")
def list_deleted_documents(session: Db, principal: CurrentPrincipal, space_id: UUID) -> DocumentsOut:
    """What was deleted in the last 30 days, the last first, at most 200."""
    return _page(document_trash.list_deleted(session, principal=principal, space_id=space_id), None)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    # The body first: no connection to the database waits for a slow sender.
    dependencies=[Depends(sent_file), *CSRF],
    openapi_extra={"requestBody": {"required": True, "content": BODY}},
)
def add_document(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    space_id: UUID,
    sent: Sent,
    response: Response,
    title: Annotated[
        str, Query(description="Needed where the body is the file itself.", max_length=500)
    ] = "",
) -> AddedOut:
    """Take in a file of at most 16 MiB, as the body or as the field `file` of a form; larger ones are uploads.

    200 where the space has this content already.
    """
    data, name, media_type = _file(request, sent)
    added = documents.add_document(
        session, store_of(get_settings()), principal=principal, space_id=space_id, title=title or name, data=data,
        media_type=media_type,
    )  # fmt: skip
    response.headers["Location"] = f"/api/v1/spaces/{space_id}/documents/{added.document.id}"
    if added.duplicate:
        response.status_code = status.HTTP_200_OK
    shown = _shown(added.document, response).model_dump()
    return AddedOut(**shown, duplicate=added.duplicate)


@router.post("/bulk", dependencies=CSRF)
def act_on_documents(
    session: Db, principal: CurrentPrincipal, space_id: UUID, asked: DocumentsBulkIn
) -> BulkOut:
    """Delete, restore, read again or delete for good what is chosen."""
    changed = document_trash.apply(
        session, principal=principal, space_id=space_id, document_ids=asked.ids, action=asked.action
    )
    return BulkOut(changed=changed)


@router.get("/{document_id}")
def get_document(
    session: Db, principal: CurrentPrincipal, space_id: UUID, document_id: UUID, response: Response
) -> DocumentOut:
    """One document; its ETag goes into the If-Match of a change."""
    return _shown(_found(session, principal, space_id, document_id), response)


@router.patch("/{document_id}", dependencies=CSRF)
def rename_document(
    session: Db,
    principal: CurrentPrincipal,
    space_id: UUID,
    document_id: UUID,
    change: DocumentChange,
    response: Response,
    if_match: IfMatch = None,
) -> DocumentOut:
    """Give it another title; it is read again."""
    _match(_found(session, principal, space_id, document_id), if_match)
    document = documents.rename_document(
        session, principal=principal, document_id=document_id, title=change.title
    )
    return _shown(document, response)


@router.delete("/{document_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def delete_document(
    session: Db, principal: CurrentPrincipal, space_id: UUID, document_id: UUID, if_match: IfMatch = None
) -> None:
    """Put it into the trash for 30 days."""
    _match(_found(session, principal, space_id, document_id), if_match)
    documents.delete_document(session, principal=principal, document_id=document_id)


@router.post("/{document_id}/ingest", dependencies=CSRF)
def ingest_document(
    session: Db, principal: CurrentPrincipal, space_id: UUID, document_id: UUID, response: Response
) -> DocumentOut:
    """Have it read again."""
    _found(session, principal, space_id, document_id)
    return _shown(documents.ingest_again(session, principal=principal, document_id=document_id), response)


@router.post("/{document_id}/restore", dependencies=CSRF)
def restore_document(
    session: Db, principal: CurrentPrincipal, space_id: UUID, document_id: UUID, response: Response
) -> DocumentOut:
    """Take it out of the trash."""
    _found(session, principal, space_id, document_id, trashed=True)
    document = document_trash.restore_document(session, principal=principal, document_id=document_id)
    return _shown(document, response)


@router.head("/{document_id}/file", include_in_schema=False)
@router.get(
    "/{document_id}/file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": BINARY}}, 206: {"description": "The range."}},
)
def download_document(
    request: Request, session: Db, principal: CurrentPrincipal, space_id: UUID, document_id: UUID
) -> Response:
    """Its file as an attachment; a Range header is honoured."""
    return document_file(request, session, principal, space_id=space_id, document_id=document_id)


def _file(request: Request, sent: FormData | bytes) -> tuple[bytes, str, str]:
    if isinstance(sent, bytes):
        return sent, "", request.headers.get("content-type", "")
    file = sent.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidInput("There is no file in this form.", hint="Send it in the field: file.")
    if set(sent) - {"file", CSRF_FIELD}:
        raise InvalidInput("This form has a field that nobody knows.", hint="Send the file alone.")
    return file.file.read(), file.filename or "", file.content_type or ""


def _found(
    session: Db, principal: Principal, space_id: UUID, document_id: UUID, *, trashed: bool = False
) -> Document:
    return documents.get_document(
        session, principal=principal, document_id=document_id, space_id=space_id, trashed=trashed
    )


def _page(found: Any, cursor: str | None) -> DocumentsOut:
    return DocumentsOut(items=[DocumentOut.model_validate(one) for one in found], next=cursor)


def _tag(document: Document) -> str:
    """Of what a person can change; that a worker reads it meanwhile is no change."""
    return f'"{sha256(f"{document.title} {document.sha256}".encode()).hexdigest()[:32]}"'


def _match(document: Document, wanted: str | None) -> None:
    if wanted is None or wanted.strip() == "*":
        return
    if _tag(document) not in [tag.strip().removeprefix("W/") for tag in wanted.split(",")]:
        raise ChangedMeanwhile("Somebody changed this meanwhile.", hint="Read it again.")


def _shown(document: Document, response: Response) -> DocumentOut:
    response.headers["ETag"] = _tag(document)
    return DocumentOut.model_validate(document)
