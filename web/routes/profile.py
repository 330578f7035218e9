"""One's own name, language, zone, theme and mails, one's password, and one's sessions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import Forbidden, InvalidInput, TooManyRequests
from leitstand.identity import people, sessions
from serving.session import CurrentPrincipal, Db, client_address, require_csrf
from web.pages import go
from web.profile_page import ADDRESS, profile_page

router = APIRouter(prefix=ADDRESS, include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]


@router.get("")
def show(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The forms and the sessions."""
    return profile_page(request, session, principal)


@router.post("", dependencies=CSRF)
def save_profile(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    name: Text = "",
    theme: Text = "system",
    language: Annotated[str | None, Form()] = None,
    zone: Annotated[str | None, Form()] = None,
) -> Response:
    """Change name, theme, language and zone."""
    try:
        people.update_profile(
            session, principal=principal, name=name, theme=theme, language=language, zone=zone
        )
    except InvalidInput as error:
        typed = {
            "name": name, "own_language": language or "", "own_zone": zone or "", "own_theme": theme,
        }  # fmt: skip
        return profile_page(request, session, principal, code=error.status, profile_error=error, **typed)
    return go(ADDRESS, "profile-saved")


@router.post("/notifications", dependencies=CSRF)
def save_notifications(
    session: Db, principal: CurrentPrincipal, sign_in_mails: Annotated[bool, Form()] = False
) -> Response:
    """Change which mails one gets."""
    people.update_profile(session, principal=principal, sign_in_mails=sign_in_mails)
    return go(f"{ADDRESS}#notifications", "profile-saved")


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
    except (InvalidInput, TooManyRequests, Forbidden) as error:
        return profile_page(request, session, principal, code=error.status, password_error=error)
    return go(ADDRESS, "password-changed")


@router.post("/sessions/{session_id}/end", dependencies=CSRF)
def end_session(session: Db, principal: CurrentPrincipal, session_id: UUID) -> Response:
    """End one of one's sessions."""
    sessions.end_session(session, principal=principal, session_id=session_id)
    return go(f"{ADDRESS}#sessions", "session-ended")


@router.post("/sessions/end-others", dependencies=CSRF)
def end_other_sessions(session: Db, principal: CurrentPrincipal) -> Response:
    """End every session but this one."""
    sessions.end_other_sessions(session, principal=principal)
    return go(f"{ADDRESS}#sessions", "sessions-ended")
