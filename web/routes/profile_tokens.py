"""One's own API tokens, on the profile page."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import Conflict, Forbidden, InvalidInput
from leitstand.identity import tokens
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go
from web.profile_page import ADDRESS, profile_page

router = APIRouter(prefix=f"{ADDRESS}/tokens", include_in_schema=False)
CSRF = [Depends(require_csrf)]


@router.post("", dependencies=CSRF)
def create_token(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    token_name: Annotated[str, Form()] = "",
    permission: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
    days: Annotated[int, Form()] = 90,
) -> Response:
    """Make an API token; the answer shows it, once, and is kept nowhere."""
    try:
        made = tokens.create(
            session, principal=principal, name=token_name, permissions=permission, days=days or None
        )
    except (InvalidInput, Forbidden, Conflict) as error:
        chosen = {"token_name": token_name, "chosen": permission, "days": days}
        return profile_page(request, session, principal, code=error.status, token_error=error, **chosen)
    session.refresh(made.token)
    return profile_page(request, session, principal, made=made)


@router.post("/{token_id}/revoke", dependencies=CSRF)
def revoke_token(session: Db, principal: CurrentPrincipal, token_id: UUID) -> Response:
    """Revoke one of one's tokens."""
    tokens.revoke(session, principal=principal, token_id=token_id)
    return go(f"{ADDRESS}#tokens", "token-revoked")
