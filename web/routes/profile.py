"""One's own name, theme, password, sessions and API tokens."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import Conflict, Forbidden, InvalidInput, TooManyRequests
from leitstand.identity import people, sessions, tokens
from leitstand.identity.access import PERMISSIONS, Principal
from serving.session import CurrentPrincipal, Db, client_address, require_csrf
from web.pages import go, render

router = APIRouter(prefix="/settings/profile", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
Several = Annotated[list[str], Form()]
# Days after which a token may be chosen to expire; 0: never.
LIFETIMES = (30, 90, 365, 0)


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


@router.post("/tokens", dependencies=CSRF)
def create_token(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    token_name: Text = "",
    permission: Several = [],  # noqa: B006 - FastAPI copies it
    days: Annotated[int, Form()] = 90,
) -> Response:
    """Make an API token; the answer shows it, once, and is kept nowhere."""
    try:
        made = tokens.create(
            session, principal=principal, name=token_name, permissions=permission, days=days or None
        )
    except (InvalidInput, Forbidden, Conflict) as error:
        chosen = {"token_name": token_name, "chosen": permission, "days": days}
        return _page(request, session, principal, code=error.status, token_error=error, **chosen)
    session.refresh(made.token)
    return _page(request, session, principal, made=made)


@router.post("/tokens/{token_id}/revoke", dependencies=CSRF)
def revoke_token(session: Db, principal: CurrentPrincipal, token_id: UUID) -> Response:
    """Revoke one of one's tokens."""
    tokens.revoke(session, principal=principal, token_id=token_id)
    return go("/settings/profile#tokens", "token-revoked")


def _page(request: Request, session: Db, principal: Principal, *, code: int = 200, **more: Any) -> Response:
    shown = {
        "name": principal.name, "profile_error": None, "password_error": None, "token_error": None, "made": None,
        "token_name": "", "chosen": [], "days": 90,
    } | more  # fmt: skip
    mine = sessions.list_sessions(session, principal=principal)
    return render(
        request,
        principal,
        "profile.html",
        area="profile",
        code=code,
        sessions=mine,
        themes=people.THEMES,
        tokens=tokens.list_tokens(session, principal=principal),
        grantable={name: text for name, text in PERMISSIONS.items() if principal.may(name)},
        lifetimes=LIFETIMES,
        now=datetime.now(UTC),
        **shown,
    )
