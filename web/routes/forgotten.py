"""A forgotten password: asking for a link by mail, and setting a new one with it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from leitstand.errors import InvalidInput, LeitstandError, NotFound, TooManyRequests
from leitstand.identity import password_resets
from leitstand.mail.settings import mail_off
from leitstand.settings import get_settings
from serving.session import Db, client_address, refuse_other_sites
from web.pages import go, render
from web.sign_in_cookies import with_wait

router = APIRouter(include_in_schema=False)
OURS_ONLY = [Depends(refuse_other_sites)]
Text = Annotated[str, Form()]


@router.get("/forgot-password")
def forgot_page(request: Request) -> Response:
    """The form, or how somebody else can help where no mail is sent."""
    return _forgot(request)


@router.post("/forgot-password", dependencies=OURS_ONLY)
def ask_for_link(request: Request, session: Db, email: Text = "") -> Response:
    """Have a link sent. The answer is the same whether somebody has the e-mail or not."""
    if mail_off(get_settings()):
        return _forgot(request)
    try:
        password_resets.request(session, email=email[:300], address=client_address(request))
    except TooManyRequests as error:
        return with_wait(_forgot(request, email=email, error=error), error)
    return _forgot(request, email=email, sent=True)


@router.get("/reset-password/{token}")
def reset_page(request: Request, session: Db, token: str) -> Response:
    """The form. Opening a link changes nothing: mail filters open links too."""
    try:
        password_resets.find(session, token)
    except NotFound as error:
        return _reset(request, "", error=error)
    return _reset(request, token)


@router.post("/reset-password/{token}", dependencies=OURS_ONLY)
def reset(request: Request, session: Db, token: str, new: Text = "", again: Text = "") -> Response:
    """Set the new password; the link itself is the permission."""
    try:
        if new != again:
            raise InvalidInput("The two new passwords differ.", hint="Type the new password twice.")
        password_resets.use(session, token=token, new=new)
    except InvalidInput as error:
        return _reset(request, token, error=error)
    except NotFound as error:
        return _reset(request, "", error=error)
    return go("/sign-in", "password-set")


def _forgot(
    request: Request, *, email: str = "", sent: bool = False, error: LeitstandError | None = None
) -> Response:
    return render(
        request,
        None,
        "forgot_password.html",
        area="",
        mail=not mail_off(get_settings()),
        email=email,
        sent=sent,
        error=error,
    )


def _reset(request: Request, token: str, *, error: LeitstandError | None = None) -> Response:
    code = error.status if error else 200
    page = render(request, None, "reset_password.html", area="", code=code, token=token, error=error)
    # The address holds what sets the password: it goes into no other request.
    page.headers["Referrer-Policy"] = "no-referrer"
    return page
