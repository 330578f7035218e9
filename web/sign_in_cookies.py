"""The cookies of signing in: of the session, and of what this browser has begun on the way there."""

from fastapi import Request, Response

from leitstand.errors import LeitstandError
from leitstand.identity import sessions, steps
from leitstand.identity.sessions import SignedIn
from leitstand.settings import get_settings


def with_session(response: Response, signed_in: SignedIn) -> Response:
    """An answer that signs this browser in; what it had begun is done."""
    secure = get_settings().cookie_secure
    response.set_cookie(
        sessions.COOKIE, signed_in.token, httponly=True, samesite="lax", secure=secure, path="/"
    )
    return without_step(response)


def with_step(response: Response, token: str) -> Response:
    """An answer that binds a step to this browser."""
    response.set_cookie(
        steps.COOKIE,
        token,
        max_age=int(steps.LIFETIME.total_seconds()),
        httponly=True,
        # Strict would not come back from another site's sign-on.
        samesite="lax",
        secure=get_settings().cookie_secure,
        path="/",
    )
    return response


def without_step(response: Response) -> Response:
    """An answer after which this browser has begun nothing."""
    secure = get_settings().cookie_secure
    response.delete_cookie(steps.COOKIE, path="/", httponly=True, samesite="lax", secure=secure)
    return response


def step_of(request: Request) -> str | None:
    """The token of what this browser has begun."""
    return request.cookies.get(steps.COOKIE)


def session_of(request: Request) -> str | None:
    """The token of the session that this browser had, which ends when it signs in again."""
    return request.cookies.get(sessions.COOKIE)


def browser_of(request: Request) -> str:
    """What the browser calls itself."""
    return request.headers.get("user-agent", "")


def with_wait(response: Response, error: LeitstandError) -> Response:
    """A refusal that says when to come again, where it knows."""
    if "retry_after" in error.details:
        response.headers["Retry-After"] = str(error.details["retry_after"])
    return response
