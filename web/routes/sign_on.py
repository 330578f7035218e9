"""The workspace's identity provider: entered, tested and removed by those who manage the workspace."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import BaseModel

from leitstand.errors import Forbidden, InvalidInput, LeitstandError
from leitstand.identity import identity_providers
from leitstand.identity.access import Principal
from leitstand.identity.identity_providers import Draft
from serving.session import CurrentPrincipal, Db, require_csrf
from web import integration_pages
from web.integration_pages import page
from web.pages import go

ADDRESS = f"{integration_pages.ADDRESS}/sign-on"
router = APIRouter(prefix=ADDRESS, include_in_schema=False)
CSRF = [Depends(require_csrf)]


class Entered(BaseModel):
    """The form."""

    name: str = ""
    issuer: str = ""
    client: str = ""
    secret: str = ""
    domains: str = ""
    default_role: str = "member"
    admits_unknown: bool = False

    @property
    def draft(self) -> Draft:
        """What is entered, as the core takes it."""
        return Draft(
            self.name, self.issuer, self.client, self.secret, self.domains.replace(",", " ").split(),
            self.default_role, self.admits_unknown,
        )  # fmt: skip


@router.get("")
def show(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The form, and how the last test went."""
    return _page(request, session, principal)


@router.post("", dependencies=CSRF)
def save(
    request: Request, session: Db, principal: CurrentPrincipal, entered: Annotated[Entered, Form()]
) -> Response:
    """Keep it; a secret that is left empty stays as it is."""
    try:
        identity_providers.save(session, principal=principal, draft=entered.draft)
    except (InvalidInput, Forbidden) as error:
        if not principal.may("workspace:manage"):
            raise
        return _page(request, session, principal, draft=entered.draft, error=error)
    return go(ADDRESS, "saved")


@router.post("/test", dependencies=CSRF)
def test(session: Db, principal: CurrentPrincipal) -> Response:
    """Ask the provider for its addresses and keys; the page says what was wrong."""
    problem = identity_providers.test(session, principal=principal)
    return go(ADDRESS, "" if problem else "sign-on-works")


@router.post("/remove", dependencies=CSRF)
def remove(session: Db, principal: CurrentPrincipal) -> Response:
    """Take it away."""
    identity_providers.remove(session, principal=principal)
    return go(ADDRESS, "sign-on-removed")


def _page(
    request: Request,
    session: Db,
    principal: Principal,
    *,
    draft: Draft | None = None,
    error: LeitstandError | None = None,
) -> Response:
    provider = identity_providers.get(session, principal=principal)
    kept = draft or (
        Draft(
            provider.name, provider.issuer, provider.client, "", provider.domains, provider.default_role,
            provider.admits_unknown,
        )
        if provider
        else Draft("", "", "")
    )  # fmt: skip
    return page(
        request,
        principal,
        "sign_on.html",
        provider=provider,
        draft=kept,
        error=error,
        roles=identity_providers.roles_to_give(principal),
        redirect=identity_providers.redirect_address(),
    )
