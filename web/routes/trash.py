"""The trash."""

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from leitstand.catalogue import trash
from leitstand.catalogue.areas import address_of
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go, render

router = APIRouter(prefix="/trash", include_in_schema=False)
CSRF = [Depends(require_csrf)]


@router.get("")
def trash_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """What may be restored."""
    items = trash.list_trash(session, principal=principal)
    return render(request, principal, "trash.html", area="trash", items=items, keep_days=trash.KEEP.days)


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
