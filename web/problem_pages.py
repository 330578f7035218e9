"""Errors as pages: in the shell, with the navigation of whoever is signed in; not signed in: to the sign-in."""

from urllib.parse import quote, urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import SQLAlchemyError

from leitstand.db.engine import transaction
from leitstand.errors import LeitstandError
from leitstand.identity.access import Principal
from leitstand.identity.sessions import COOKIE, authenticate
from leitstand.words import N_
from serving.problems import Problem
from web.pages import SEE_OTHER, render, safe_path

NOT_SIGNED_IN = 401
NOT_FOUND = 404
INVALID = 422
TITLES = {
    404: N_("Nothing is here"),
    405: N_("That does not work here"),
    413: N_("That is too large"),
}
DETAILS = {
    404: N_("There is no page at this address."),
    405: N_("This address does not take such a request."),
}


def problem_page(request: Request, problem: Problem) -> Response | None:
    """The page of a problem; None where a program asks, which gets the problem document."""
    if problem.status == NOT_SIGNED_IN and problem.kind == "not-signed-in":
        return _to_sign_in(request)
    if not wants_page(request):
        return None
    status, title, detail = problem.status, TITLES.get(problem.status, problem.title), problem.detail
    if _concerns_path(problem):
        status, title = NOT_FOUND, TITLES[NOT_FOUND]
    if problem.kind == "http" or _concerns_path(problem):
        detail = DETAILS.get(status, f"{problem.detail}.")
    principal = _principal(request)
    page = render(
        request,
        principal,
        "problem.html",
        area="",
        code=status,
        status=status,
        title=title,
        detail=detail,
        hint=problem.hint,
        request_id=problem.request_id,
    )
    page.headers.update(problem.headers)
    return page


def wants_page(request: Request) -> bool:
    """Whether a browser asks for a page."""
    return "text/html" in request.headers.get("accept", "") and "hx-request" not in request.headers


def _to_sign_in(request: Request) -> Response | None:
    """To the sign-in page and back; htmx is told in its own way to leave the page."""
    if request.headers.get("hx-request") == "true":
        current = urlsplit(request.headers.get("hx-current-url", ""))
        back = safe_path(current.path + (f"?{current.query}" if current.query else ""))
        return Response(status_code=NOT_SIGNED_IN, headers={"HX-Redirect": sign_in_address(back)})
    if not wants_page(request):
        return None
    back = (
        request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method == "GET"
        else "/"
    )
    return RedirectResponse(sign_in_address(back), status_code=SEE_OTHER)


def sign_in_address(back: str) -> str:
    """The sign-in page that leads back to `back`."""
    return "/sign-in" if back in {"", "/"} else f"/sign-in?next={quote(back, safe='/')}"


def _concerns_path(problem: Problem) -> bool:
    errors = problem.members.get("errors")
    if problem.status != INVALID or not isinstance(errors, list):
        return False
    return any(
        isinstance(error, dict) and str(error.get("pointer", "")).startswith("/path/") for error in errors
    )


def _principal(request: Request) -> Principal | None:
    """Who asks, for the navigation around an error; nobody where even that can't be found out."""
    if hasattr(request.state, "principal"):
        principal: Principal | None = request.state.principal
        return principal
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    try:
        with transaction() as session:
            return authenticate(session, token)
    except (SQLAlchemyError, LeitstandError):
        return None
