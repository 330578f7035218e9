"""Controls: the live preview of one that is being written."""

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from leitstand.catalogue import items
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import fragment, wants_fragment
from web.routes.items.editing import form_page, preview_of, typed
from web.routes.items.kind import CurrentKind, WholeForm, text_of

router = APIRouter(prefix="/controls")


@router.post("/preview", dependencies=[Depends(require_csrf)])
def preview(
    request: Request, session: Db, principal: CurrentPrincipal, kind: CurrentKind, form: WholeForm
) -> Response:
    """The control that the form describes, drawn; without htmx in the form itself. Nothing is saved."""
    values = typed(kind, form)
    if wants_fragment(request):
        return fragment(principal, "items/control.html", preview=preview_of(values))
    editing, item = text_of(form, "editing"), None
    if editing:
        item = items.get_item(session, principal=principal, item_id=_id(editing), kind=kind.name)
    return form_page(request, session, principal, kind, item, values)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
