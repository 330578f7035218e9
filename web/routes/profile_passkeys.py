"""One's own passkeys, on the profile page."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import JSONResponse

from leitstand.errors import Conflict, Forbidden, InvalidInput, TooManyRequests
from leitstand.identity import passkeys, steps
from serving.session import CurrentPrincipal, Db, client_address, require_csrf
from web.pages import go
from web.profile_page import ADDRESS, profile_page
from web.sign_in_cookies import step_of, with_step, without_step

router = APIRouter(prefix=f"{ADDRESS}/passkeys", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
NO_STORE = {"Cache-Control": "no-store"}


@router.post("/options", dependencies=CSRF)
def options(request: Request, session: Db, principal: CurrentPrincipal, password: Text = "") -> Response:
    """What a new passkey is made from, for the page's script. A refusal is an answer, so that it is counted."""
    try:
        begun = passkeys.begin_registration(
            session,
            principal=principal,
            password=password,
            address=client_address(request),
            previous_token=step_of(request),
        )
    except (InvalidInput, TooManyRequests, Conflict, Forbidden) as error:
        said = {"detail": error.message, "hint": error.hint}
        return JSONResponse(said, status_code=error.status, headers=NO_STORE)
    answer = Response(begun.options, media_type="application/json", headers=NO_STORE)
    return with_step(answer, begun.token)


@router.post("", dependencies=CSRF)
def add(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    answer: Text = "",
    passkey_name: Text = "",
) -> Response:
    """Keep what the browser's authenticator made."""
    try:
        passkeys.register(
            session, principal=principal, token=step_of(request), answer=answer, name=passkey_name
        )
    except (InvalidInput, Conflict, steps.StepExpired) as error:
        typed = {"passkey_error": error, "passkey_name": passkey_name}
        return profile_page(request, session, principal, code=InvalidInput.status, **typed)
    return without_step(go(f"{ADDRESS}#passkeys", "passkey-added"))


@router.post("/{passkey_id}/remove", dependencies=CSRF)
def remove(session: Db, principal: CurrentPrincipal, passkey_id: UUID) -> Response:
    """Remove one of one's passkeys."""
    passkeys.remove(session, principal=principal, passkey_id=passkey_id)
    return go(f"{ADDRESS}#passkeys", "passkey-removed")
