"""Sharing an item: who may open it, until when, and who sees it without that."""

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status

from api.models import ItemOut
from api.people_models import GrantIn, GrantMade, GrantOut, VisibilityIn
from leitstand.catalogue import grants, publicity
from leitstand.identity.access import Principal
from serving.idempotency import OnceRoute, shown_once
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/items/{item_id}", tags=["sharing"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("/grants")
def list_grants(session: Db, principal: CurrentPrincipal, item_id: UUID) -> list[GrantOut]:
    """With whom an item is shared; for its owner, and owners and admins of the workspace."""
    return _shown(session, principal, item_id)


@router.post("/grants", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def share_item(
    request: Request,
    response: Response,
    session: Db,
    principal: CurrentPrincipal,
    item_id: UUID,
    new: GrantIn,
) -> GrantMade:
    """Share an item with a person, a group, or somebody who is not here yet."""
    shown_once(request, "link")
    response.headers["Cache-Control"] = "no-store"
    sent = grants.share(session, principal=principal, item_id=item_id, **new.model_dump())
    return GrantMade(grants=_shown(session, principal, item_id), link=(sent.link or None) if sent else None)


@router.delete("/grants/{grant_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def revoke_item_grant(session: Db, principal: CurrentPrincipal, item_id: UUID, grant_id: UUID) -> None:
    """Share an item with somebody no more."""
    grants.revoke(session, principal=principal, item_id=item_id, grant_id=grant_id)


@router.put("/visibility", dependencies=CSRF)
def set_visibility(session: Db, principal: CurrentPrincipal, item_id: UUID, wanted: VisibilityIn) -> ItemOut:
    """Choose who sees an item without a grant: private, shared, workspace, official or internal."""
    item = publicity.set_visibility(
        session, principal=principal, item_id=item_id, visibility=wanted.visibility
    )
    return ItemOut.model_validate(item)


def _shown(session: Db, principal: Principal, item_id: UUID) -> list[GrantOut]:
    found = grants.list_grants(session, principal=principal, item_id=item_id)
    return [GrantOut.model_validate(one) for one in found]
