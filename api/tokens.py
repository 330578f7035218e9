"""One's own API tokens; only a person who is signed in makes, sees and revokes them."""

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status

from api.models import TokenIn, TokenMade, TokenOut
from leitstand.identity import tokens
from serving.idempotency import OnceRoute, shown_once
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/tokens", tags=["tokens"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]


@router.get("")
def list_tokens(session: Db, principal: CurrentPrincipal) -> list[TokenOut]:
    """The person's tokens that are not revoked, newest first."""
    return [TokenOut.model_validate(token) for token in tokens.list_tokens(session, principal=principal)]


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_token(
    request: Request, response: Response, session: Db, principal: CurrentPrincipal, new: TokenIn
) -> TokenMade:
    """Make a token with some of the permissions that the person has; the answer shows it, once."""
    shown_once(request, "token")
    response.headers["Cache-Control"] = "no-store"
    made = tokens.create(
        session, principal=principal, name=new.name, permissions=new.permissions, days=new.days
    )
    return TokenMade(**TokenOut.model_validate(made.token).model_dump(), token=made.secret)


@router.delete("/{token_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def revoke_token(session: Db, principal: CurrentPrincipal, token_id: UUID) -> None:
    """Revoke a token: from now on it is refused."""
    tokens.revoke(session, principal=principal, token_id=token_id)
