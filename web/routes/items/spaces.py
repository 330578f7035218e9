"""Documents of a space: uploaded, read again, deleted."""

from functools import reduce
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import UploadFile

from leitstand.catalogue import items
from leitstand.errors import InvalidInput, LeitstandError, TooLarge
from leitstand.identity.access import Principal
from leitstand.knowledge import document_trash, documents
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import N_, Message, msg
from leitstand.words.lines import one_line
from serving.downloads import document_file
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import REFUSALS
from web.pages import go
from web.routes.items.kind import CurrentKind, WholeForm
from web.routes.items.pages import show

router = APIRouter(prefix="/spaces", dependencies=[Depends(require_csrf)])
trash_router = APIRouter(prefix="/documents", dependencies=[Depends(require_csrf)], include_in_schema=False)
MOST_FILES = 20


@router.post("/{item_id}/documents")
def upload(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    kind: CurrentKind,
    item_id: UUID,
    form: WholeForm,
) -> Response:
    """Take in files; each is read by the worker afterwards, and the page says what became of it."""
    files = [file for file in form.getlist("files") if isinstance(file, UploadFile) and file.filename]
    items.get_item(session, principal=principal, item_id=item_id, kind=kind.name)
    if not 0 < len(files) <= MOST_FILES:
        none = N_("No file is chosen.")
        many = msg("At most {most_files} files at once.", most_files=MOST_FILES)
        error = InvalidInput(many if files else none)
        return show(request, session, principal, kind, item_id, error=error)
    storage, known = ObjectStorage(get_settings()), 0
    refused: list[tuple[str, LeitstandError]] = []
    for file in files:
        try:
            added = documents.add_document(
                session,
                storage,
                principal=principal,
                space_id=item_id,
                title=file.filename or "",
                data=file.file.read(documents.MAX_BYTES + 1),
                media_type=file.content_type or "",
            )
            known += added.duplicate
        except (*REFUSALS, TooLarge) as error:
            # Nothing of it is there yet; the files beside it have nothing to do with it.
            refused.append((one_line(file.filename or "", 80), error))
    if refused:
        alone = refused[0][1] if len(files) == 1 else _of_all(refused, whole=len(refused) == len(files))
        return show(request, session, principal, kind, item_id, error=alone)
    return go(f"/spaces/{item_id}", "documents-known" if known else "documents-added")


def _of_all(refused: list[tuple[str, LeitstandError]], *, whole: bool) -> InvalidInput:
    """What was wrong with each of several files; `whole`: none of them was taken."""
    told = [msg("{name}: {problem}", name=name, problem=_message(error.message)) for name, error in refused]
    every = reduce(lambda before, one: msg("{before} {one}", before=before, one=one), told)
    return InvalidInput(every, hint=refused[0][1].hint if whole else N_("The other files were added."))


def _message(text: str) -> Message:
    """A text as one that is translated where it stands in another."""
    return text if isinstance(text, Message) else Message(text)


@router.get("/{item_id}/documents/{document_id}/file")
def download(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, document_id: UUID
) -> Response:
    """The file of a document, to be saved."""
    return document_file(request, session, principal, space_id=item_id, document_id=document_id)


@router.post("/{item_id}/documents/{document_id}/ingest")
def ingest(session: Db, principal: CurrentPrincipal, item_id: UUID, document_id: UUID) -> Response:
    """Have a document read again."""
    _document(session, principal, item_id, document_id)
    documents.ingest_again(session, principal=principal, document_id=document_id)
    return go(f"/spaces/{item_id}", "document-again")


@router.post("/{item_id}/documents/{document_id}/delete")
def delete(session: Db, principal: CurrentPrincipal, item_id: UUID, document_id: UUID) -> Response:
    """Put a document into the trash of its space."""
    _document(session, principal, item_id, document_id)
    documents.delete_document(session, principal=principal, document_id=document_id)
    return go(f"/spaces/{item_id}", "document-deleted", document_id)


@trash_router.post("/{document_id}/restore")
def restore(session: Db, principal: CurrentPrincipal, document_id: UUID) -> Response:
    """Take a document out of the trash."""
    document = document_trash.restore_document(session, principal=principal, document_id=document_id)
    return go(f"/spaces/{document.space_id}", "document-restored")


@trash_router.post("/{document_id}/purge")
def purge(session: Db, principal: CurrentPrincipal, document_id: UUID) -> Response:
    """Delete a document for good."""
    document = document_trash.purge_document(session, principal=principal, document_id=document_id)
    return go(f"/spaces/{document.space_id}", "document-purged")


def _document(session: Db, principal: Principal, item_id: UUID, document_id: UUID) -> None:
    documents.get_document(session, principal=principal, document_id=document_id, space_id=item_id)
