"""Each person's favorites."""

from uuid import UUID

from fastapi import APIRouter, Depends, status

from api.models import ItemPage, OrderIn, item_page
from leitstand.catalogue import favorites
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/favorites", tags=["favorites"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_favorites(session: Db, principal: CurrentPrincipal) -> ItemPage:
    """The person's favorites in their order."""
    return item_page(favorites.list_favorites(session, principal=principal))


@router.put("", dependencies=CSRF)
def reorder_favorites(session: Db, principal: CurrentPrincipal, order: OrderIn) -> ItemPage:
    """Put the favorites into another order."""
    favorites.reorder_favorites(session, principal=principal, item_ids=order.ids)
    return item_page(favorites.list_favorites(session, principal=principal))


@router.put("/{item_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def add_favorite(session: Db, principal: CurrentPrincipal, item_id: UUID) -> None:
    """Make an item a favorite."""
    favorites.add_favorite(session, principal=principal, item_id=item_id)


@router.delete("/{item_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def remove_favorite(session: Db, principal: CurrentPrincipal, item_id: UUID) -> None:
    """Make an item no favorite."""
    favorites.remove_favorite(session, principal=principal, item_id=item_id)
