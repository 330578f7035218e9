"""What only companions have: their figures, and versions of the flow opened to visitors."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue import companions, items
from leitstand.companions import versions
from serving.session import CurrentPrincipal, Db, require_csrf
from web.facts import facts
from web.pages import fragment, go, render, wants_fragment

router = APIRouter(prefix="/companions", include_in_schema=False)
CSRF = [Depends(require_csrf)]


@router.get("/{item_id}/facts")
def companion_facts(request: Request, session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Its figures: they come after the page, because they may count many runs."""
    item = items.get_item(session, principal=principal, item_id=item_id, kind=companions.KIND)
    found = facts(session, principal, item_id)
    if wants_fragment(request):
        return fragment(principal, "parts/facts.html", facts=found)
    return render(
        request,
        principal,
        "piece.html",
        area="companions",
        piece="parts/facts.html",
        heading=item.title,
        facts=found,
    )


@router.post("/{item_id}/publish", dependencies=CSRF)
def publish(
    session: Db, principal: CurrentPrincipal, item_id: UUID, version: Annotated[int | None, Form()] = None
) -> Response:
    """Open a version to visitors."""
    versions.publish(session, principal=principal, companion_id=item_id, number=version)
    return go(f"/companions/{item_id}", "published")


@router.post("/{item_id}/roll-back", dependencies=CSRF)
def roll_back(session: Db, principal: CurrentPrincipal, item_id: UUID) -> Response:
    """Open the version before the published one."""
    versions.roll_back(session, principal=principal, companion_id=item_id)
    return go(f"/companions/{item_id}", "rolled-back")
