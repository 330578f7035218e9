"""The workspace's identity provider: entered, tested and removed by those who manage the workspace."""

from datetime import datetime

from fastapi import APIRouter, Depends, status
from pydantic import Field

from api.models import Answer, Request
from leitstand.db.models import IdentityProvider
from leitstand.errors import NotFound
from leitstand.identity import identity_providers
from leitstand.identity.identity_providers import Draft
from serving.idempotency import OnceRoute
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/integrations/sign-on", tags=["integrations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


class SignOnIn(Request):
    """An empty `secret` leaves the one that is there."""

    name: str
    issuer: str
    client: str
    secret: str = Field("", repr=False)
    domains: list[str] = Field([], max_length=100)
    default_role: str = "member"
    admits_unknown: bool = False


class SignOnOut(Answer):
    """The identity provider without the secret of our client there."""

    name: str
    issuer: str
    client: str
    domains: list[str]
    default_role: str
    admits_unknown: bool
    redirect: str = Field("", description="Where the provider must send browsers back to.")
    checked_at: datetime | None
    check_problem: str


@router.get("")
def get_sign_on(session: Db, principal: CurrentPrincipal) -> SignOnOut:
    """How people sign in with the account of their organisation."""
    return _out(identity_providers.get(session, principal=principal))


@router.put("", dependencies=CSRF)
def save_sign_on(session: Db, principal: CurrentPrincipal, change: SignOnIn) -> SignOnOut:
    """Make or change it; a person does, no token."""
    draft = Draft(**change.model_dump())
    return _out(identity_providers.save(session, principal=principal, draft=draft))


@router.delete("", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def remove_sign_on(session: Db, principal: CurrentPrincipal) -> None:
    """Take it away; who signed in with it keeps account and work."""
    identity_providers.remove(session, principal=principal)


@router.post("/test", dependencies=CSRF)
def test_sign_on(session: Db, principal: CurrentPrincipal) -> SignOnOut:
    """Ask the provider for its addresses and keys; `check_problem` says what is wrong."""
    identity_providers.test(session, principal=principal)
    return get_sign_on(session, principal)


def _out(provider: IdentityProvider | None) -> SignOnOut:
    if provider is None:
        raise NotFound("No single sign-on is set up.")
    shown = SignOnOut.model_validate(provider)
    return shown.model_copy(update={"redirect": identity_providers.redirect_address()})
