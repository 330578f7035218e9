"""Integrations: what is connected, with its state and last check; and a test of the mail."""

from fastapi import APIRouter, Depends, Request, Response

from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.integrations import mail
from leitstand.integrations.overview import overview
from serving.session import CurrentPrincipal, Db, require_csrf
from web.pages import go, render

ADDRESS = "/settings/integrations"
router = APIRouter(prefix=ADDRESS, include_in_schema=False)


@router.get("")
def integrations_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Every integration and how it is."""
    return _page(request, session, principal)


@router.post("/mail/test", dependencies=[Depends(require_csrf)])
def test_mail(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """Send a message to whoever asks; the page says what was wrong."""
    try:
        problem = mail.send_test(session, principal=principal)
    except InvalidInput as error:
        return _page(request, session, principal, error)
    return go(ADDRESS, "" if problem else "mail-sent")


def _page(
    request: Request, session: Db, principal: Principal, error: LeitstandError | None = None
) -> Response:
    states = {one.slug: one for one in overview(session, principal=principal)}
    return render(
        request,
        principal,
        "integrations.html",
        area="integrations",
        states=states,
        error=error,
    )
