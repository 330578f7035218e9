"""One's own place: workspaces, leaving, taking one's data along, deleting one's account; and being oneself again."""

from collections.abc import Iterator
from typing import IO, Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import StreamingResponse

from leitstand.catalogue import leaving, ownership, personal_export
from leitstand.errors import LeitstandError, NotFound
from leitstand.identity import acting, members, places
from leitstand.identity.access import Principal
from serving.session import CurrentPrincipal, Db, client_address, require_csrf
from web.form_values import one_id
from web.pages import go, render
from web.session_cookie import browser_of, with_session, without_session

router = APIRouter(include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
HOME = "/settings/membership"
CHUNK = 65_536


@router.get(HOME)
def membership_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Workspaces, and the ways to go."""
    return _page(request, session, principal)


@router.post(HOME + "/switch/{workspace_id}", dependencies=CSRF)
def switch(request: Request, session: Db, principal: CurrentPrincipal, workspace_id: UUID) -> Response:
    """Go to another workspace of one's own."""
    opened = places.switch(
        session, principal=principal, workspace_id=workspace_id, user_agent=browser_of(request)
    )
    return with_session(go("/"), opened.token)


@router.post(HOME + "/export", dependencies=CSRF)
def export(session: Db, principal: CurrentPrincipal) -> Response:
    """A ZIP of what one made and what is kept about one."""
    file = personal_export.export(session, principal=principal)
    headers = {
        "Content-Disposition": 'attachment; filename="leitstand-export.zip"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(_blocks(file), media_type="application/zip", headers=headers)


@router.post(HOME + "/leave", dependencies=CSRF)
def leave(request: Request, session: Db, principal: CurrentPrincipal, to: Text = "") -> Response:
    """Leave the workspace; where one has a place in another, one is there next."""
    try:
        with session.begin_nested():
            leaving.leave(session, principal=principal, to=one_id(to))
    except LeitstandError as error:
        return _page(request, session, principal, leave_error=error, heir=to)
    return without_session(go("/sign-in", "left"))


@router.post(HOME + "/delete", dependencies=CSRF)
def delete(
    request: Request, session: Db, principal: CurrentPrincipal, password: Text = "", to: Text = ""
) -> Response:
    """Delete the account. A refusal is an answer, so that a wrong password is counted."""
    try:
        leaving.delete_account(
            session,
            principal=principal,
            password=password,
            to=one_id(to),
            address=client_address(request),
        )
    except LeitstandError as error:
        return _page(request, session, principal, delete_error=error, heir=to)
    return without_session(go("/sign-in"))


@router.post("/stop-acting", dependencies=CSRF)
def stop_acting(session: Db, principal: CurrentPrincipal) -> Response:
    """Be oneself again: back in one's own session, or at the sign-in where it has ended."""
    token = acting.stop(session, principal=principal)
    if token is None:
        return without_session(go("/sign-in"))
    return with_session(go("/settings/members", "acting-ended"), token)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(CHUNK):
            yield block


def _page(
    request: Request,
    session: Db,
    principal: Principal,
    leave_error: LeitstandError | None = None,
    delete_error: LeitstandError | None = None,
    heir: str = "",
) -> Response:
    if principal.person_id is None:
        raise NotFound("There is no such person.")
    error = leave_error or delete_error
    heirs = members.colleagues(session, principal=principal) if principal.may("item:share") else []
    return render(
        request,
        principal,
        "membership.html",
        area="profile",
        code=error.status if error else 200,
        places=places.list_places(session, principal=principal),
        owned=ownership.owned(session, workspace_id=principal.workspace_id, person_id=principal.person_id),
        heirs=[one for one in heirs if one.id != principal.person_id],
        leave_error=leave_error,
        delete_error=delete_error,
        heir=heir,
    )
