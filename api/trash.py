"""The trash."""

from uuid import UUID

from fastapi import APIRouter, Depends, status

from api.models import ItemOut, TrashedOut
from leitstand.catalogue import trash
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/trash", tags=["trash"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_trash(session: Db, principal: CurrentPrincipal) -> list[TrashedOut]:
    """What may be restored, the last deleted first."""
    return [TrashedOut.model_validate(item) for item in trash.list_trash(session, principal=principal)]


@router.post("/{item_id}/restore", dependencies=CSRF)
def restore_item(session: Db, principal: CurrentPrincipal, item_id: UUID) -> ItemOut:
    """Take an item out of the trash, as it was."""
    return ItemOut.model_validate(trash.restore_item(session, principal=principal, item_id=item_id))


@router.delete("/{item_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def purge_item(session: Db, principal: CurrentPrincipal, item_id: UUID) -> None:
    """Delete an item for good."""
    trash.purge_item(session, principal=principal, item_id=item_id)
