"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import LeitstandError
from leitstand.identity import sessions
from leitstand.identity.sessions import COOKIE, SignedIn
from leitstand.settings import get_settings
from serving.session import (
    CurrentPrincipal,
    Db,
    OptionalPrincipal,
    client_address,
    refuse_other_sites,
    require_csrf,
)
from web.pages import go, render, safe_path

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request, principal: OptionalPrincipal, next: str = "/") -> Response:
    """The form; whoever is signed in already goes on."""
    if principal is not None:
        return go(safe_path(next))
    return render(request, None, "sign_in.html", area="", next=safe_path(next), email="", error=None)


@router.post("/sign-in", dependencies=[Depends(refuse_other_sites)])
def sign_in(
    request: Request,
    session: Db,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in and go on to where the person wanted to go. A refusal is an answer, so that the failure is counted."""
    back = safe_path(next)
    try:
        signed_in = sessions.sign_in(
            session,
            email=email,
            password=password,
            address=client_address(request),
            user_agent=request.headers.get("user-agent", ""),
            previous_token=request.cookies.get(COOKIE),
        )
    except LeitstandError as error:
        page = render(
            request, None, "sign_in.html", area="", code=error.status, next=back, email=email, error=error
        )
        if "retry_after" in error.details:
            page.headers["Retry-After"] = str(error.details["retry_after"])
        return page
    return _with_cookie(go(back), signed_in)


@router.post("/sign-out", dependencies=[Depends(require_csrf)])
def sign_out(session: Db, principal: CurrentPrincipal) -> Response:
    """End this session and show the sign-in page."""
    sessions.sign_out(session, principal=principal)
    response = go("/sign-in")
    response.delete_cookie(
        COOKIE, path="/", httponly=True, samesite="lax", secure=get_settings().cookie_secure
    )
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _with_cookie(response: Response, signed_in: SignedIn) -> Response:
    secure = get_settings().cookie_secure
    response.set_cookie(COOKIE, signed_in.token, httponly=True, samesite="lax", secure=secure, path="/")
    return response
