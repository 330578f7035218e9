"""Model endpoints: listed, added, changed, tested and removed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from leitstand.db.models import ModelEndpoint
from leitstand.errors import Conflict, InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.integrations import model_endpoints
from leitstand.integrations.model_endpoints import Draft
from leitstand.integrations.prices import price_text
from leitstand.limits.room import plan_of
from serving.session import CurrentPrincipal, Db, require_csrf
from web import integration_pages
from web.integration_pages import page
from web.pages import go

ADDRESS = f"{integration_pages.ADDRESS}/models"
router = APIRouter(prefix=ADDRESS, include_in_schema=False)
CSRF = [Depends(require_csrf)]


class Entered(BaseModel):
    """The form; `models` has a name a line."""

    name: str = ""
    base_url: str = ""
    key: str = ""
    models: str = ""
    is_default: bool = False
    active: bool = False
    prompt_price: str = ""
    completion_price: str = ""
    embeds: str = ""

    @property
    def draft(self) -> Draft:
        """What is entered, as the core takes it."""
        return Draft(**(self.model_dump() | {"models": self.models.splitlines()}))


@router.get("")
def list_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The workspace's endpoints, each with how its last test went."""
    found = model_endpoints.list_endpoints(session, principal=principal)
    return page(request, principal, "model_endpoints.html", endpoints=found)


@router.get("/new")
def new_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The form of a new one."""
    found = model_endpoints.list_endpoints(session, principal=principal)
    return _form(request, session, principal, Draft("", "", is_default=not found))


@router.post("/new", dependencies=CSRF)
def create(
    request: Request, session: Db, principal: CurrentPrincipal, entered: Annotated[Entered, Form()]
) -> Response:
    """Add it."""
    try:
        model_endpoints.create(session, principal=principal, draft=entered.draft)
    except (InvalidInput, Conflict) as error:
        return _form(request, session, principal, entered.draft, error=error)
    return go(ADDRESS, "created")


@router.get("/{endpoint_id}")
def edit_page(request: Request, session: Db, principal: CurrentPrincipal, endpoint_id: UUID) -> Response:
    """The form of one that is there; its key is never shown."""
    found = model_endpoints.get(session, principal=principal, endpoint_id=endpoint_id)
    draft = Draft(
        found.name, found.base_url, "", found.models, found.is_default, found.active,
        price_text(found.prompt_price), price_text(found.completion_price), found.embeds,
    )  # fmt: skip
    return _form(request, session, principal, draft, endpoint=found)


@router.post("/{endpoint_id}", dependencies=CSRF)
def save(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    endpoint_id: UUID,
    entered: Annotated[Entered, Form()],
) -> Response:
    """Change it; a key that is left empty stays as it is."""
    found = model_endpoints.get(session, principal=principal, endpoint_id=endpoint_id)
    draft = entered.draft
    try:
        model_endpoints.update_endpoint(session, principal=principal, endpoint_id=endpoint_id, draft=draft)
    except (InvalidInput, Conflict) as error:
        return _form(request, session, principal, draft, endpoint=found, error=error)
    return go(ADDRESS, "saved")


@router.post("/{endpoint_id}/test", dependencies=CSRF)
def test(session: Db, principal: CurrentPrincipal, endpoint_id: UUID) -> Response:
    """Ask it for its models; the page says what was wrong."""
    problem = model_endpoints.test(session, principal=principal, endpoint_id=endpoint_id)
    return go(ADDRESS, "" if problem else "endpoint-works")


@router.post("/{endpoint_id}/remove", dependencies=CSRF)
def remove(session: Db, principal: CurrentPrincipal, endpoint_id: UUID) -> Response:
    """Take it away, with its key."""
    model_endpoints.remove(session, principal=principal, endpoint_id=endpoint_id)
    return go(ADDRESS, "endpoint-removed")


def _form(
    request: Request,
    session: Session,
    principal: Principal,
    draft: Draft,
    *,
    endpoint: ModelEndpoint | None = None,
    error: LeitstandError | None = None,
) -> Response:
    return page(
        request,
        principal,
        "model_endpoint.html",
        draft=draft,
        currency=plan_of(session, principal.workspace_id).currency,
        endpoint=endpoint,
        error=error,
    )
