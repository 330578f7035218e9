"""One's own account: its sessions and passkeys, a copy of one's data, and its end. A token reaches none of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import IO
from uuid import UUID

from fastapi import APIRouter, Depends, Response, status
from fastapi import Request as HttpRequest
from fastapi.responses import StreamingResponse
from pydantic import Field

from api.models import Answer, Request
from leitstand.catalogue import leaving, personal_export
from leitstand.errors import LeitstandError
from leitstand.identity import passkeys, sessions
from leitstand.identity.access import Principal, require_person
from serving.idempotency import OnceRoute
from serving.problems import answer_of
from serving.session import CurrentPrincipal, Db, client_address, require_csrf


def in_person(principal: CurrentPrincipal) -> Principal:
    """Whoever asks, and no token of theirs."""
    require_person(principal)
    return principal


router = APIRouter(prefix="/me", tags=["me"], route_class=OnceRoute, dependencies=[Depends(in_person)])
CSRF = [Depends(require_csrf)]
CHUNK = 65_536


class SessionOut(Answer):
    """A browser that is signed in."""

    id: UUID
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool = Field(False, description="Whether this request came with it.")


class EndedOut(Answer):
    """How many sessions ended."""

    ended: int


class PasskeyOut(Answer):
    """A passkey; it is made in a browser, and so not here."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


class AccountEnd(Request):
    """`password` is the e-mail where the person has no password; `to`: who owns one's items from now on."""

    password: str = Field(repr=False)
    to: UUID | None = None


@router.get("/sessions")
def list_sessions(session: Db, principal: CurrentPrincipal) -> list[SessionOut]:
    """One's sessions that still hold, the last used first."""
    found = [SessionOut.model_validate(one) for one in sessions.list_sessions(session, principal=principal)]
    return [one.model_copy(update={"current": one.id == principal.session_id}) for one in found]


@router.delete("/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def end_session(session: Db, principal: CurrentPrincipal, session_id: UUID) -> None:
    """End one of one's sessions."""
    sessions.end_session(session, principal=principal, session_id=session_id)


@router.post("/sessions/end-others", dependencies=CSRF)
def end_other_sessions(session: Db, principal: CurrentPrincipal) -> EndedOut:
    """End every session but this one."""
    return EndedOut(ended=sessions.end_other_sessions(session, principal=principal))


@router.get("/passkeys")
def list_passkeys(session: Db, principal: CurrentPrincipal) -> list[PasskeyOut]:
    """One's passkeys, oldest first."""
    return [PasskeyOut.model_validate(one) for one in passkeys.list_passkeys(session, principal=principal)]


@router.delete("/passkeys/{passkey_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def remove_passkey(session: Db, principal: CurrentPrincipal, passkey_id: UUID) -> None:
    """Remove a passkey: nobody signs in with it any more."""
    passkeys.remove(session, principal=principal, passkey_id=passkey_id)


@router.get("/export", response_class=StreamingResponse)
def export(session: Db, principal: CurrentPrincipal) -> Response:
    """A ZIP of what one made and what is kept about one."""
    file = personal_export.export(session, principal=principal)
    headers = {
        "Content-Disposition": 'attachment; filename="leitstand-export.zip"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(_blocks(file), media_type="application/zip", headers=headers)


@router.post("/delete", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def delete_account(
    request: HttpRequest, session: Db, principal: CurrentPrincipal, end: AccountEnd
) -> Response:
    """Delete the account everywhere. A refusal is an answer, so that a wrong password is counted."""
    address = client_address(request)
    try:
        leaving.delete_account(
            session, principal=principal, password=end.password, to=end.to, address=address
        )
    except LeitstandError as error:
        return answer_of(request, error)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(CHUNK):
            yield block
