"""Accepting an invitation."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.catalogue.grants import take_up
from leitstand.errors import LeitstandError
from leitstand.identity import joining
from leitstand.identity.access import Principal
from leitstand.identity.joining import Offer
from serving.session import (
    CurrentPrincipal,
    Db,
    OptionalPrincipal,
    client_address,
    refuse_other_sites,
    require_csrf,
)
from web.pages import go, render
from web.session_cookie import browser_of, with_session

router = APIRouter(prefix="/join", include_in_schema=False)
Text = Annotated[str, Form()]


@router.get("/{token}")
def join_page(request: Request, session: Db, principal: OptionalPrincipal, token: str) -> Response:
    """What is offered, and both ways to take it. One answer for every link that opens nothing."""
    return _page(request, session, principal, token)


@router.post("/{token}", dependencies=[Depends(refuse_other_sites)])
def join(
    request: Request,
    session: Db,
    principal: OptionalPrincipal,
    token: str,
    name: Text = "",
    password: Text = "",
) -> Response:
    """Make an account and come in."""
    try:
        offer = joining.find_offer(session, token=token, address=client_address(request))
    except LeitstandError as error:
        return _gone(request, principal, error)
    try:
        with session.begin_nested():
            opened = joining.join_as_new(
                session,
                offer=offer,
                name=name,
                password=password,
                user_agent=browser_of(request),
                fulfil=take_up,
            )
    except LeitstandError as error:
        return _shown(request, principal, token, offer, error, name)
    return with_session(go("/", "joined"), opened.token)


@router.post("/{token}/accept", dependencies=[Depends(require_csrf)])
def accept(request: Request, session: Db, principal: CurrentPrincipal, token: str) -> Response:
    """Come in with the account that is signed in."""
    try:
        offer = joining.find_offer(session, token=token, address=client_address(request))
    except LeitstandError as error:
        return _gone(request, principal, error)
    try:
        with session.begin_nested():
            opened = joining.join_as(
                session, offer=offer, principal=principal, user_agent=browser_of(request), fulfil=take_up
            )
    except LeitstandError as error:
        return _shown(request, principal, token, offer, error)
    return with_session(go("/", "joined"), opened.token)


def _page(request: Request, session: Db, principal: Principal | None, token: str) -> Response:
    try:
        offer = joining.find_offer(session, token=token, address=client_address(request))
    except LeitstandError as error:
        return _gone(request, principal, error)
    return _shown(request, principal, token, offer)


def _gone(request: Request, principal: Principal | None, error: LeitstandError) -> Response:
    """The answer is given, not raised, so that the failure is counted."""
    page = render(request, principal, "join_gone.html", area="", code=error.status, error=error)
    if "retry_after" in error.details:
        page.headers["Retry-After"] = str(error.details["retry_after"])
    return page


def _shown(
    request: Request,
    principal: Principal | None,
    token: str,
    offer: Offer,
    error: LeitstandError | None = None,
    name: str = "",
) -> Response:
    names: dict[str, Any] = {"offer": offer, "error": error, "name": name, "token": token}
    page = render(request, principal, "join.html", area="", code=error.status if error else 200, **names)
    # The address is a secret: no page that is opened from here is told it.
    page.headers["Referrer-Policy"] = "no-referrer"
    return page
