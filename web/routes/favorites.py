"""Favorites: the page, and the star that every item has."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue import favorites
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import fragment, go, render, safe_path, wants_fragment

router = APIRouter(prefix="/favorites", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Back = Annotated[str, Form()]


@router.get("")
def favorites_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The person's favorites in their order."""
    items = favorites.list_favorites(session, principal=principal)
    return render(request, principal, "favorites.html", area="favorites", items=items)


@router.post("/{item_id}/add", dependencies=CSRF)
def add(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, back: Back = "/favorites"
) -> Response:
    """Add an item; htmx gets the star in its new state."""
    item = favorites.add_favorite(session, principal=principal, item_id=item_id)
    if wants_fragment(request):
        return fragment(principal, "parts/star.html", item=item, starred=True, back=safe_path(back))
    return go(safe_path(back), "favorite-added")


@router.post("/{item_id}/remove", dependencies=CSRF)
def remove(
    request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID, back: Back = "/favorites"
) -> Response:
    """Remove an item; htmx gets the star in its new state."""
    favorites.remove_favorite(session, principal=principal, item_id=item_id)
    if wants_fragment(request):
        return fragment(
            principal, "parts/star.html", item={"id": item_id}, starred=False, back=safe_path(back)
        )
    return go(safe_path(back), "favorite-removed", item_id)


@router.post("/{item_id}/move", dependencies=CSRF)
def move(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    by: Annotated[int, Form(ge=-500, le=500)] = 0,
) -> Response:
    """Move a favorite up or down; htmx gets the list in its new order."""
    favorites.move_favorite(session, principal=principal, item_id=item_id, by=by)
    if wants_fragment(request):
        items = favorites.list_favorites(session, principal=principal)
        return fragment(principal, "parts/favorite_list.html", items=items)
    return go("/favorites")
