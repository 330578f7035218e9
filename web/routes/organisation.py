"""The organisation: its name and the zone of its figures."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import BaseModel

from leitstand.db.models import Workspace
from leitstand.errors import Conflict, InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.identity.organisation import get_organisation, update_organisation
from leitstand.identity.workspaces import zone_names
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go, render

router = APIRouter(prefix="/settings/organisation", include_in_schema=False)


class OrganisationForm(BaseModel):
    """The form as a browser sends it; `seen_…` is what the editor saw."""

    name: str = ""
    zone: str = ""
    seen_name: str = ""
    seen_zone: str = ""


@router.get("")
def organisation_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Name and zone, to be changed."""
    workspace = get_organisation(session, principal=principal)
    return _form(request, principal, workspace, _filled(workspace))


@router.post("", dependencies=[Depends(require_csrf)])
def save_organisation(
    request: Request, session: Db, principal: CurrentPrincipal, form: Annotated[OrganisationForm, Form()]
) -> Response:
    """Change them; what can't be taken comes back in the form."""
    workspace = get_organisation(session, principal=principal)
    try:
        update_organisation(
            session,
            principal=principal,
            name=form.name,
            zone=form.zone,
            seen=(form.seen_name, form.seen_zone),
        )
    except (InvalidInput, Conflict) as error:
        return _form(request, principal, workspace, form, error)
    return go("/settings/organisation", "saved")


def _filled(workspace: Workspace) -> OrganisationForm:
    name, zone = workspace.name, workspace.reporting_zone
    return OrganisationForm(name=name, zone=zone, seen_name=name, seen_zone=zone)


def _form(
    request: Request,
    principal: Principal,
    workspace: Workspace,
    form: OrganisationForm,
    error: LeitstandError | None = None,
) -> Response:
    return render(
        request,
        principal,
        "organisation.html",
        area="organisation",
        workspace=workspace,
        form=form,
        zones=zone_names(),
        error=error,
    )
