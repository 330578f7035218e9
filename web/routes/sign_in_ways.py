"""Signing in with a passkey, and with a workspace's identity provider."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.db.engine import transaction
from leitstand.errors import LeitstandError
from leitstand.identity import openid, passkeys, second_step, single_sign_on
from leitstand.identity.sessions import CodeNeeded, SignInFailed
from serving.session import Db, client_address, refuse_other_sites
from web.pages import go, safe_path
from web.routes.sign_in import form
from web.sign_in_cookies import browser_of, session_of, step_of, with_session, with_step, without_step

router = APIRouter(prefix="/sign-in", include_in_schema=False)
OURS_ONLY = [Depends(refuse_other_sites)]
Text = Annotated[str, Form()]
NO_STORE = {"Cache-Control": "no-store"}


@router.post("/passkey/options", dependencies=OURS_ONLY)
def passkey_options(request: Request, session: Db) -> Response:
    """What a passkey is asked to sign, for the script of the sign-in page."""
    begun = passkeys.begin_sign_in(session, previous_token=step_of(request))
    answer = Response(begun.options, media_type="application/json", headers=NO_STORE)
    return with_step(answer, begun.token)


@router.post("/passkey", dependencies=OURS_ONLY)
def sign_in_with_passkey(request: Request, session: Db, answer: Text = "", next: Text = "/") -> Response:
    """Sign in whoever's passkey signed. A refusal is an answer, so that the failure is counted."""
    try:
        signed_in = passkeys.sign_in(
            session,
            token=step_of(request),
            answer=answer,
            address=client_address(request),
            user_agent=browser_of(request),
            previous_token=session_of(request),
        )
    except LeitstandError as error:
        return without_step(form(request, session, back=next, error=error))
    return with_session(go(safe_path(next)), signed_in)


@router.get("/with/{provider_id}")
def to_provider(request: Request, provider_id: UUID, next: str = "/") -> Response:
    """Off to a workspace's identity provider. It is asked for its addresses outside of any transaction."""
    with transaction() as session:
        way = single_sign_on.prepare(session, provider_id=provider_id, back=safe_path(next))
    try:
        address = single_sign_on.address(way)
    except SignInFailed as error:
        return _refused(request, error, next)
    with transaction() as session:
        token = single_sign_on.begin(session, way, previous_token=step_of(request))
    return with_step(go(address), token)


@router.get("/callback")
def back_from_provider(
    request: Request, code: str = "", state: str = "", iss: str = "", error: str = ""
) -> Response:
    """Back from it: who it is is asked of the provider itself, outside of any transaction."""
    try:
        with transaction() as session:
            way = single_sign_on.claim(session, token=step_of(request), state=state)
        identity = single_sign_on.identify(way, code="" if error else code, issuer=iss)
        with transaction() as session:
            return _concluded(request, session, way, identity)
    except LeitstandError as refusal:
        return _refused(request, refusal, "/")


def _concluded(request: Request, session: Db, way: single_sign_on.Way, identity: openid.Identity) -> Response:
    try:
        signed_in = single_sign_on.conclude(
            session, way, identity, user_agent=browser_of(request), previous_token=session_of(request)
        )
    except CodeNeeded as needed:
        token = second_step.ask(
            session,
            needed,
            by=single_sign_on.BY,
            back=way.back,
            workspace_id=way.workspace_id,
            previous_step=step_of(request),
        )
        return with_step(go("/sign-in/code"), token)
    return with_session(go(safe_path(way.back)), signed_in)


def _refused(request: Request, error: LeitstandError, back: str) -> Response:
    with transaction() as session:
        return without_step(form(request, session, back=back, error=error))
