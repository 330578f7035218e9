"""The organisation: its name and the zone of its figures."""

from fastapi import APIRouter, Depends

from api.models import OrganisationIn, OrganisationOut
from leitstand.db.models import Workspace
from leitstand.identity.organisation import get_organisation, update_organisation
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/organisation", tags=["organisation"], route_class=OnceRoute)


@router.get("", name="get_organisation")
def organisation(session: Db, principal: CurrentPrincipal) -> OrganisationOut:
    """The workspace's name and reporting zone."""
    return _shown(get_organisation(session, principal=principal))


@router.patch("", dependencies=[Depends(require_csrf)])
def change_organisation(session: Db, principal: CurrentPrincipal, change: OrganisationIn) -> OrganisationOut:
    """Change what is given and leave the rest."""
    return _shown(update_organisation(session, principal=principal, name=change.name, zone=change.zone))


def _shown(workspace: Workspace) -> OrganisationOut:
    return OrganisationOut(
        id=workspace.id,
        slug=workspace.slug,
        name=workspace.name,
        zone=workspace.reporting_zone,
        created_at=workspace.created_at,
    )
