"""FastAPI dependencies: one transaction a request, who is asking, and the CSRF check of writes."""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import Depends, Request
from sqlalchemy.orm import Session

from leitstand.db import row_security
from leitstand.db.engine import transaction
from leitstand.errors import Forbidden, NotSignedIn
from leitstand.identity import tokens
from leitstand.identity.access import Principal
from leitstand.identity.sessions import COOKIE, authenticate, check_csrf

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


async def open_transaction() -> AsyncIterator[Session]:
    """One transaction a request: committed before the answer is sent, rolled back when the request fails.

    Beginning it asks the database nothing, so that only its end needs a thread.
    """
    opened = transaction()
    session = opened.__enter__()
    try:
        yield session
    except (Exception, CancelledError) as error:
        await _in_thread(opened.__exit__, type(error), error, error.__traceback__)
        raise
    await _in_thread(opened.__exit__, None, None, None)


async def _in_thread(end: Callable[..., bool | None], *why: object) -> None:
    """End a transaction, also where the client has gone.

    Not in one of the threads for work: all of these may wait for the connection that this gives back.
    """
    with CancelScope(shield=True):
        await to_thread.run_sync(end, *why, limiter=CapacityLimiter(1))


# Scope "function" ends the dependency before the answer is sent: who reads "saved" can rely on it.
Db = Annotated[Session, Depends(open_transaction, scope="function")]


@contextmanager
def transaction_of(principal: Principal) -> Iterator[Session]:
    """A further transaction of a request, which sees the rows of the principal's workspace alone."""
    with transaction() as session:
        row_security.enter(session, workspace_id=principal.workspace_id, person_id=principal.person_id)
        yield session


@contextmanager
def paused(session: Session, principal: Principal) -> Iterator[None]:
    """Commit a request's transaction and let none be open meanwhile, for what waits for somebody else.

    Afterwards the session begins another one, as the same member. What the request did so far stays, whatever comes.
    """
    session.commit()
    try:
        yield
    finally:
        row_security.enter(session, workspace_id=principal.workspace_id, person_id=principal.person_id)


def optional_principal(request: Request, session: Db) -> Principal | None:
    """Who is asking, or None; also kept in `request.state.principal` for the error pages.

    From here on the request's transaction sees the rows of their workspace alone.

    Raises:
        InvalidToken: an API token came to a service that takes them, and it does not hold.
    """
    token = bearer_token(request)
    if token is None:
        principal = authenticate(session, request.cookies.get(COOKIE), enter=True)
    else:
        principal = tokens.authenticate(session, token)
        row_security.enter(session, workspace_id=principal.workspace_id, person_id=principal.person_id)
    request.state.principal = principal
    return principal


def bearer_token(request: Request) -> str | None:
    """The API token of a request; None where there is none, or where the service takes none."""
    if not getattr(request.app.state, "takes_tokens", False):
        return None
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


OptionalPrincipal = Annotated[Principal | None, Depends(optional_principal)]


async def current_principal(principal: OptionalPrincipal) -> Principal:
    """Who is asking.

    Raises:
        NotSignedIn: nobody that we know.
    """
    return _known(principal)


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


@contextmanager
def visit(request: Request) -> Iterator[tuple[Session, Principal]]:
    """What `Db` and `CurrentPrincipal` give, within the thread of the handler, for the pages that are opened most.

    As dependencies they go to a thread each, and to a third to commit; each way costs as much as a simple query.

    Raises:
        NotSignedIn: nobody that we know.
    """
    with transaction() as session:
        yield session, _known(optional_principal(request, session))


def visiting_principal(request: Request) -> Principal:
    """Who is asking, found out in a transaction that has ended: for what waits long for somebody else.

    Raises:
        NotSignedIn: nobody that we know.
    """
    with visit(request) as (_, principal):
        return principal


VisitingPrincipal = Annotated[Principal, Depends(visiting_principal)]


def _known(principal: Principal | None) -> Principal:
    if principal is None:
        raise NotSignedIn("You are not signed in, or your session has ended.", hint="Sign in and try again.")
    return principal


async def require_csrf(request: Request, principal: CurrentPrincipal) -> None:
    """Refuse a write that did not come from a page of this session (header or form field).

    No browser sends an API token on its own, so that a request with one needs no other proof.

    Raises:
        Forbidden: another site sent it, or its token is missing or wrong.
    """
    await _check_csrf(request, principal)


async def require_csrf_visiting(request: Request, principal: VisitingPrincipal) -> None:
    """As `require_csrf`, with no transaction open afterwards.

    Raises:
        Forbidden: as `require_csrf`.
    """
    await _check_csrf(request, principal)


async def _check_csrf(request: Request, principal: Principal) -> None:
    if request.method in SAFE_METHODS or principal.token_id is not None:
        return
    refuse_other_sites(request)
    token = request.headers.get(CSRF_HEADER)
    if token is None and _is_form(request):
        field = (await request.form()).get(CSRF_FIELD)
        token = field if isinstance(field, str) else None
    check_csrf(principal, token)


def refuse_other_sites(request: Request) -> None:
    """Refuse what a browser says that another site sent.

    Raises:
        Forbidden: Sec-Fetch-Site names another site.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden(
            "This request came from another site.", hint="Open Leitstand itself and repeat it there."
        )


def client_address(request: Request) -> str:
    """The network address of the client, as the proxy in front of us tells it."""
    return request.client.host if request.client else ""


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in {"application/x-www-form-urlencoded", "multipart/form-data"}
