"""The cookie of a session."""

from fastapi import Request, Response

from leitstand.identity.sessions import COOKIE
from leitstand.settings import get_settings


def with_session(response: Response, token: str) -> Response:
    """The answer with the session's cookie; what the browser kept of another person's pages is not shown."""
    secure = get_settings().cookie_secure
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=secure, path="/")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def without_session(response: Response) -> Response:
    """The answer that takes the session's cookie away."""
    secure = get_settings().cookie_secure
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=secure)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def browser_of(request: Request) -> str:
    """How the client names itself."""
    return request.headers.get("user-agent", "")
