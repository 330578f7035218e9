"""Items out into a file and in from one."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import FormData, UploadFile

from leitstand.catalogue.exports import FORMATS, export
from leitstand.catalogue.import_files import LARGEST
from leitstand.catalogue.kinds import Kind
from leitstand.catalogue.listing import Filters
from leitstand.companions.importing import import_items
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity.access import Principal, require
from serving.session import CurrentPrincipal, Db, require_csrf, transaction_of
from web.pages import go, render
from web.routes.items.kind import CurrentKind, WholeForm, text_of
from web.routes.items.listing import Asked

router = APIRouter()


@router.get("/export")
def export_file(
    principal: CurrentPrincipal, kind: CurrentKind, filters: Asked, form: str = "csv"
) -> StreamingResponse:
    """What the list shows as a file, sent while it is read."""
    require(principal, "item:read")
    if form not in FORMATS:
        raise InvalidInput("There is no such form.", hint="It is csv or json.")
    headers = {
        "Content-Disposition": f'attachment; filename="{kind.slug}.{form}"',
        "Cache-Control": "no-store",
    }
    pieces = _pieces(principal, filters.of(kind.name), form)
    return StreamingResponse(pieces, media_type=FORMATS[form], headers=headers)


@router.get("/import")
def import_page(request: Request, principal: CurrentPrincipal, kind: CurrentKind) -> Response:
    """Where a file is chosen."""
    require(principal, "item:write")
    return _page(request, principal, kind)


@router.post("/import", dependencies=[Depends(require_csrf)])
def import_file(
    request: Request, session: Db, principal: CurrentPrincipal, kind: CurrentKind, form: WholeForm
) -> Response:
    """Say what a file would do, or take it in; what is wrong with it comes back with its lines."""
    preview = text_of(form, "do") != "import"
    text, shape = "", "csv"
    try:
        data, shape = _content(form)
        text = data.decode("utf-8-sig", errors="replace")
        planned = import_items(
            session, principal=principal, data=data, form=shape, kind=kind.name, dry_run=preview
        )
    except LeitstandError as error:
        return _page(request, principal, kind, error=error)
    if preview:
        return _page(request, principal, kind, planned=planned, text=text, shape=shape)
    return go(kind.route, "imported")


def _content(form: FormData) -> tuple[bytes, str]:
    """The file that was sent, or what the preview sent back of it; and its form."""
    file = form.get("file")
    if isinstance(file, UploadFile) and file.filename:
        shape = "json" if file.filename.lower().endswith(".json") else "csv"
        return file.file.read(LARGEST + 1), shape
    text = text_of(form, "text")
    if not text:
        raise InvalidInput("No file is chosen.", hint="Choose a file that ends in .json or .csv.")
    return text.encode(errors="replace"), "json" if text_of(form, "shape") == "json" else "csv"


def _page(request: Request, principal: Principal, kind: Kind, **more: Any) -> Response:
    names = {"kind": kind, "error": None, "planned": None, "text": "", "shape": ""} | more
    code = names["error"].status if names["error"] else 200
    return render(request, principal, "items/import.html", area=kind.slug, code=code, **names)


def _pieces(principal: Principal, filters: Filters, form: str) -> Iterator[str]:
    """A transaction of its own: that of the request has ended when its answer is sent."""
    with transaction_of(principal) as session:
        yield from export(session, principal=principal, filters=filters, form=form)
