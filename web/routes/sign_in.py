"""Signing in with a password, with a one-time code as the second step, and signing out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from sqlalchemy.orm import Session

from leitstand.errors import LeitstandError
from leitstand.identity import identity_providers, passkeys, second_step, sessions, steps
from leitstand.identity.sessions import COOKIE, CodeNeeded
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
from web.sign_in_cookies import (
    browser_of,
    session_of,
    step_of,
    with_session,
    with_step,
    with_wait,
    without_step,
)

router = APIRouter(include_in_schema=False)
OURS_ONLY = [Depends(refuse_other_sites)]
Text = Annotated[str, Form()]


@router.get("/sign-in")
def sign_in_page(request: Request, session: Db, principal: OptionalPrincipal, next: str = "/") -> Response:
    """The form; whoever is signed in already goes on."""
    if principal is not None:
        return go(safe_path(next))
    return form(request, session, back=next)


@router.post("/sign-in", dependencies=OURS_ONLY)
def sign_in(
    request: Request, session: Db, email: Text = "", password: Text = "", next: Text = "/"
) -> Response:
    """Sign in and go on to where the person wanted to go. A refusal is an answer, so that the failure is counted."""
    back = safe_path(next)
    try:
        signed_in = sessions.sign_in(
            session,
            email=email,
            password=password,
            address=client_address(request),
            user_agent=browser_of(request),
            previous_token=session_of(request),
        )
    except CodeNeeded as needed:
        token = second_step.ask(session, needed, by="password", back=back, previous_step=step_of(request))
        return with_step(go("/sign-in/code"), token)
    except LeitstandError as error:
        return form(request, session, back=back, email=email, error=error)
    return with_session(go(back), signed_in)


@router.get("/sign-in/code")
def code_page(request: Request, session: Db) -> Response:
    """The form of the second step; whoever has not passed the first goes there."""
    try:
        steps.find(session, steps.CODE, step_of(request))
    except steps.StepExpired:
        return without_step(go("/sign-in"))
    return render(request, None, "sign_in_code.html", area="", error=None)


@router.post("/sign-in/code", dependencies=OURS_ONLY)
def enter_code(request: Request, session: Db, code: Text = "") -> Response:
    """Check the code and sign in. A refusal is an answer, so that the failure is counted."""
    try:
        signed_in, back = second_step.finish(
            session,
            token=step_of(request),
            code=code[:100],
            address=client_address(request),
            user_agent=browser_of(request),
            previous_token=session_of(request),
        )
    except steps.StepExpired as error:
        return without_step(form(request, session, error=error))
    except LeitstandError as error:
        page = render(request, None, "sign_in_code.html", area="", code=error.status, error=error)
        return with_wait(page, error)
    return with_session(go(safe_path(back)), signed_in)


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


def form(
    request: Request,
    session: Session,
    *,
    back: str = "/",
    email: str = "",
    error: LeitstandError | None = None,
) -> Response:
    """The sign-in page with every way in that there is, and what went wrong."""
    page = render(
        request,
        None,
        "sign_in.html",
        area="",
        next=safe_path(back),
        email=email,
        error=error,
        providers=identity_providers.offered(session),
        passkeys=not passkeys.unavailable(),
    )
    return with_wait(page, error) if error else page
