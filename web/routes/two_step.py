"""One-time codes: set up with a QR code, confirmed, with recovery codes that are shown once, and turned off."""

import io
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import Conflict, Forbidden, InvalidInput, LeitstandError, NotFound, TooManyRequests
from leitstand.identity import one_time_codes
from leitstand.identity.access import Principal
from serving.session import CurrentPrincipal, Db, client_address, require_csrf
from web.pages import go, render
from web.profile_page import ADDRESS, profile_page

router = APIRouter(prefix=f"{ADDRESS}/two-step", include_in_schema=False)
CSRF = [Depends(require_csrf)]
Text = Annotated[str, Form()]
REFUSALS = (InvalidInput, TooManyRequests, Conflict, Forbidden, NotFound)
SECTION = f"{ADDRESS}#two-step"


@router.post("/begin", dependencies=CSRF)
def begin(request: Request, session: Db, principal: CurrentPrincipal, password: Text = "") -> Response:
    """Make a secret. A refusal is an answer, so that a wrong password is counted; so it is with every form here."""
    try:
        one_time_codes.set_up(
            session, principal=principal, password=password, address=client_address(request)
        )
    except REFUSALS as error:
        return profile_page(request, session, principal, code=error.status, code_error=error)
    return go(f"{ADDRESS}/two-step")


@router.get("")
def set_up_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The QR code, the secret to type and the form for the first code."""
    return _set_up(request, session, principal)


@router.get("/qr.svg")
def qr_code(session: Db, principal: CurrentPrincipal) -> Response:
    """The secret of the set-up that is under way as an image, for its owner."""
    import segno

    secret = one_time_codes.secret_to_confirm(session, principal=principal)
    image = io.BytesIO()
    address = one_time_codes.address_to_scan(secret, email=principal.email)
    segno.make(address, micro=False).save(image, kind="svg", scale=4, border=4, light="#fff", dark="#000")
    return Response(image.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


@router.post("/confirm", dependencies=CSRF)
def confirm(request: Request, session: Db, principal: CurrentPrincipal, code: Text = "") -> Response:
    """Turn it on; the answer shows the recovery codes, once."""
    try:
        codes = one_time_codes.confirm(session, principal=principal, code=code[:100])
    except InvalidInput as error:
        return _set_up(request, session, principal, error=error)
    return _codes(request, principal, codes)


@router.post("/recovery-codes", dependencies=CSRF)
def renew(request: Request, session: Db, principal: CurrentPrincipal, password: Text = "") -> Response:
    """New recovery codes; the answer shows them, once."""
    try:
        codes = one_time_codes.renew_recovery_codes(
            session, principal=principal, password=password, address=client_address(request)
        )
    except REFUSALS as error:
        return profile_page(request, session, principal, code=error.status, code_error=error)
    return _codes(request, principal, codes)


@router.post("/off", dependencies=CSRF)
def turn_off(request: Request, session: Db, principal: CurrentPrincipal, password: Text = "") -> Response:
    """Turn it off."""
    try:
        one_time_codes.turn_off(
            session, principal=principal, password=password, address=client_address(request)
        )
    except REFUSALS as error:
        return profile_page(request, session, principal, code=error.status, code_error=error)
    return go(SECTION, "code-off")


def _set_up(
    request: Request, session: Db, principal: Principal, *, error: LeitstandError | None = None
) -> Response:
    secret = one_time_codes.secret_to_confirm(session, principal=principal)
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    code = error.status if error else 200
    return render(request, principal, "two_step.html", area="profile", code=code, secret=grouped, error=error)


def _codes(request: Request, principal: Principal, codes: list[str]) -> Response:
    return render(request, principal, "recovery_codes.html", area="profile", codes=codes)
