"""One's own name, theme, password and sessions."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import InvalidInput, TooManyRequests
from leitstand.identity import people, sessions
from leitstand.identity.access import Principal
from serving.session import CurrentPrincipal, Db, client_address, require_csrf
from web.pages import go, render

router = APIRouter(prefix="/settings/profile", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]


@router.get("")
def profile_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The forms and the sessions."""
    return _page(request, session, principal)


@router.post("", dependencies=CSRF)
def save_profile(
    request: Request, session: Db, principal: CurrentPrincipal, name: Text = "", theme: Text = "system"
) -> Response:
    """Change name and theme."""
    try:
        people.update_profile(session, principal=principal, name=name, theme=theme)
    except InvalidInput as error:
        return _page(request, session, principal, code=error.status, name=name, profile_error=error)
    return go("/settings/profile", "profile-saved")


@router.post("/password", dependencies=CSRF)
def change_password(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    current: Text = "",
    new: Text = "",
    again: Text = "",
) -> Response:
    """Change the password. A refusal is an answer, so that a wrong current password is counted."""
    try:
        if new != again:
            raise InvalidInput("The two new passwords differ.", hint="Type the new password twice.")
        address = client_address(request)
        people.change_password(session, principal=principal, current=current, new=new, address=address)
    except (InvalidInput, TooManyRequests) as error:
        return _page(request, session, principal, code=error.status, password_error=error)
    return go("/settings/profile", "password-changed")


@router.post("/sessions/{session_id}/end", dependencies=CSRF)
def end_session(session: Db, principal: CurrentPrincipal, session_id: UUID) -> Response:
    """End one of one's sessions."""
    sessions.end_session(session, principal=principal, session_id=session_id)
    return go("/settings/profile#sessions", "session-ended")


@router.post("/sessions/end-others", dependencies=CSRF)
def end_other_sessions(session: Db, principal: CurrentPrincipal) -> Response:
    """End every session but this one."""
    sessions.end_other_sessions(session, principal=principal)
    return go("/settings/profile#sessions", "sessions-ended")


def _page(request: Request, session: Db, principal: Principal, *, code: int = 200, **more: Any) -> Response:
    shown = {"name": principal.name, "profile_error": None, "password_error": None} | more
    mine = sessions.list_sessions(session, principal=principal)
    return render(
        request,
        principal,
        "profile.html",
        area="profile",
        code=code,
        sessions=mine,
        themes=people.THEMES,
        **shown,
    )
