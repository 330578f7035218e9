"""Webhooks: listed, made, changed, tested, rotated and removed."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import BaseModel

from leitstand.db.models import Webhook
from leitstand.errors import Conflict, InvalidInput, LeitstandError
from leitstand.identity.access import Principal
from leitstand.integrations import deliveries, webhooks
from leitstand.integrations.webhooks import Draft
from serving.session import CurrentPrincipal, Db, require_csrf
from web.integration_pages import page
from web.pages import go
from web.webhook_page import ADDRESS, Chosen, webhook_page

router = APIRouter(prefix=ADDRESS, include_in_schema=False)
CSRF = [Depends(require_csrf)]


class Entered(BaseModel):
    """The form; `others` holds names that are not offered, separated by spaces."""

    url: str = ""
    description: str = ""
    events: list[str] = []
    others: str = ""
    active: bool = False

    @property
    def draft(self) -> Draft:
        """What is entered, as the core takes it."""
        events = [*self.events, *self.others.replace(",", " ").split()]
        return Draft(self.url, events, self.description, self.active)


@router.get("")
def list_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The workspace's webhooks."""
    found = webhooks.list_webhooks(session, principal=principal)
    return page(request, principal, "webhooks.html", webhooks=found)


@router.get("/new")
def new_page(request: Request, session: Db, principal: CurrentPrincipal) -> Response:
    """The form of a new one."""
    webhooks.list_webhooks(session, principal=principal)
    return _form(request, principal, Draft("", ["companion.*"]))


@router.post("/new", dependencies=CSRF)
def create(
    request: Request, session: Db, principal: CurrentPrincipal, entered: Annotated[Entered, Form()]
) -> Response:
    """Make it; its page shows the secret, once."""
    try:
        made = webhooks.create(session, principal=principal, draft=entered.draft)
    except (InvalidInput, Conflict) as error:
        return _form(request, principal, entered.draft, error=error)
    return webhook_page(request, session, principal, made.webhook, secret=made.secret)


@router.get("/{webhook_id}")
def show(
    request: Request, session: Db, principal: CurrentPrincipal, webhook_id: UUID, chosen: Chosen
) -> Response:
    """One webhook and the log of its deliveries."""
    webhook = webhooks.get(session, principal=principal, webhook_id=webhook_id)
    return webhook_page(request, session, principal, webhook, chosen=chosen)


@router.get("/{webhook_id}/edit")
def edit_page(request: Request, session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> Response:
    """The form of one that is there."""
    webhook = webhooks.get(session, principal=principal, webhook_id=webhook_id)
    draft = Draft(webhook.url, webhook.events, webhook.description, webhook.active)
    return _form(request, principal, draft, webhook=webhook)


@router.post("/{webhook_id}/edit", dependencies=CSRF)
def save(
    request: Request,
    session: Db,
    principal: CurrentPrincipal,
    webhook_id: UUID,
    entered: Annotated[Entered, Form()],
) -> Response:
    """Change it."""
    webhook = webhooks.get(session, principal=principal, webhook_id=webhook_id)
    try:
        webhooks.update(session, principal=principal, webhook_id=webhook_id, draft=entered.draft)
    except InvalidInput as error:
        return _form(request, principal, entered.draft, webhook=webhook, error=error)
    return go(f"{ADDRESS}/{webhook_id}", "saved")


@router.post("/{webhook_id}/rotate", dependencies=CSRF)
def rotate(request: Request, session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> Response:
    """Give it a new secret, which the answer shows, once."""
    made = webhooks.rotate(session, principal=principal, webhook_id=webhook_id)
    return webhook_page(request, session, principal, made.webhook, secret=made.secret)


@router.post("/{webhook_id}/test", dependencies=CSRF)
def test(request: Request, session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> Response:
    """Send it a test event."""
    try:
        deliveries.send_test(session, principal=principal, webhook_id=webhook_id)
    except Conflict as error:
        webhook = webhooks.get(session, principal=principal, webhook_id=webhook_id)
        return webhook_page(request, session, principal, webhook, error=error)
    return go(f"{ADDRESS}/{webhook_id}", "delivery-queued")


@router.post("/{webhook_id}/remove", dependencies=CSRF)
def remove(session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> Response:
    """Take it away."""
    webhooks.remove(session, principal=principal, webhook_id=webhook_id)
    return go(ADDRESS, "webhook-removed")


def _form(
    request: Request,
    principal: Principal,
    draft: Draft,
    *,
    webhook: Webhook | None = None,
    error: LeitstandError | None = None,
) -> Response:
    given: dict[str, Any] = {
        "draft": draft,
        "offered": webhooks.OFFERED,
        "others": " ".join(one for one in draft.events if one not in webhooks.OFFERED),
        "webhook": webhook,
        "error": error,
    }
    code = error.status if error else 200
    return page(request, principal, "webhook_form.html", code=code, **given)
