"""The trash."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from leitstand.catalogue import bulk, trash
from leitstand.catalogue.areas import address_of
from leitstand.catalogue.items import get_item
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.knowledge import document_trash
from serving.session import CurrentPrincipal, Db, require_csrf
from web.form_values import unmarked
from web.pages import go, render
from web.routes.items.kind import WholeForm, text_of, texts_of
from web.routes.items.listing import chosen

router = APIRouter(prefix="/trash", include_in_schema=False)
CSRF = [Depends(require_csrf)]
ACTIONS = {"restore": "restored", "purge": "purged"}


@router.get("")
def trash_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """What may be restored."""
    return _page(request, session, principal)


@router.post("/bulk", dependencies=CSRF)
def act_on_many(request: Request, session: Db, principal: CurrentPrincipal, form: WholeForm) -> Response:
    """Restore what is chosen, or delete it for good."""
    action = text_of(form, "action")
    try:
        if action not in ACTIONS:
            raise InvalidInput("There is no such action.")
        bulk.apply(session, principal=principal, item_ids=chosen(texts_of(form, "id")), action=action)
    except LeitstandError as error:
        return _page(request, session, principal, error, ticked=texts_of(form, "id"))
    return go("/trash", ACTIONS[action])


@router.post("/undo/{marks}", dependencies=CSRF)
def undo(request: Request, session: Db, principal: CurrentPrincipal, marks: str) -> Response:
    """Take everything back that one action moved to the trash; all of it or nothing."""
    try:
        ids = unmarked(marks)
        bulk.apply(session, principal=principal, item_ids=ids, action="restore")
    except LeitstandError as error:
        return _page(request, session, principal, error)
    first = get_item(session, principal=principal, item_id=ids[0])
    return go(address_of(first.kind, first.id).rpartition("/")[0], "restored")


@router.post("/{item_id}/restore", dependencies=CSRF)
def restore(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Take it out of the trash and open it."""
    item = trash.restore_item(session, principal=principal, item_id=item_id)
    return go(address_of(item.kind, item.id), "restored")


@router.post("/{item_id}/purge", dependencies=CSRF)
def purge(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Delete it for good."""
    trash.purge_item(session, principal=principal, item_id=item_id)
    return go("/trash", "purged")


def _page(
    request: Request,
    session: Db,
    principal: Principal,
    error: LeitstandError | None = None,
    *,
    ticked: Sequence[str] = (),
) -> Response:
    items = trash.list_trash(session, principal=principal)
    code = error.status if error else 200
    return render(
        request,
        principal,
        "trash.html",
        area="trash",
        code=code,
        items=items,
        documents=document_trash.list_all_deleted(session, principal=principal),
        keep_days=trash.KEEP.days,
        error=error,
        ticked=ticked,
    )
