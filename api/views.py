"""Saved views: the choices of a dashboard under a name."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from api.models import ViewChange, ViewIn, ViewOut
from leitstand.db.models import SavedView
from leitstand.identity.access import Principal
from leitstand.insights import saved_views
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/insights/views", tags=["insights"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_views(
    session: Db, principal: CurrentPrincipal, app: Annotated[str, Query(max_length=40)] = ""
) -> list[ViewOut]:
    """One's own views and the shared ones, by name."""
    return [_shown(principal, one) for one in saved_views.list_views(session, principal=principal, app=app)]


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def save_view(session: Db, principal: CurrentPrincipal, new: ViewIn) -> ViewOut:
    """Keep the choices of a dashboard under a name."""
    return _shown(principal, saved_views.save_view(session, principal=principal, **new.model_dump()))


@router.patch("/{view_id}", dependencies=CSRF)
def change_view(session: Db, principal: CurrentPrincipal, view_id: UUID, change: ViewChange) -> ViewOut:
    """Rename, share, give other choices, or begin with it; what is left out stays as it is."""
    found = saved_views.change_view(session, principal=principal, view_id=view_id, **change.model_dump())
    return _shown(principal, found)


@router.delete("/{view_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def delete_view(session: Db, principal: CurrentPrincipal, view_id: UUID) -> None:
    """Take a view away."""
    saved_views.delete_view(session, principal=principal, view_id=view_id)


@router.post("/{view_id}/restore", dependencies=CSRF)
def restore_view(session: Db, principal: CurrentPrincipal, view_id: UUID) -> ViewOut:
    """Bring a deleted view back."""
    return _shown(principal, saved_views.restore_view(session, principal=principal, view_id=view_id))


def _shown(principal: Principal, view: SavedView) -> ViewOut:
    shown = ViewOut.model_validate(view)
    mine = saved_views.may_change(principal, view)
    return shown.model_copy(update={"mine": mine, "first_for_me": view.first_for_owner and mine})
