"""One delivery of a webhook: what was sent and answered; and sending it once more."""

from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from leitstand.errors import Conflict
from leitstand.integrations import deliveries, delivering, webhooks
from serving.session import CurrentPrincipal, Db, require_csrf
from web.integration_pages import page
from web.pages import go
from web.webhook_page import ADDRESS, WORDS, webhook_page

router = APIRouter(prefix=f"{ADDRESS}/{{webhook_id}}/deliveries", include_in_schema=False)
CSRF = [Depends(require_csrf)]


@router.post("/replay", dependencies=CSRF)
def replay_failed(request: Request, session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> Response:
    """Send everything that failed once more."""
    try:
        deliveries.replay_failed(session, principal=principal, webhook_id=webhook_id)
    except Conflict as error:
        webhook = webhooks.get(session, principal=principal, webhook_id=webhook_id)
        return webhook_page(request, session, principal, webhook, error=error)
    return go(f"{ADDRESS}/{webhook_id}", "delivery-queued")


@router.get("/{delivery_id}")
def show(
    request: Request, session: Db, principal: CurrentPrincipal, webhook_id: UUID, delivery_id: UUID
) -> Response:
    """Request and answer."""
    webhook = webhooks.get(session, principal=principal, webhook_id=webhook_id)
    delivery = deliveries.get_delivery(
        session, principal=principal, webhook_id=webhook_id, delivery_id=delivery_id
    )
    body = delivering.body_of(delivery.payload).decode()
    return page(
        request,
        principal,
        "webhook_delivery.html",
        webhook=webhook,
        delivery=delivery,
        body=body,
        words=WORDS,
    )


@router.post("/{delivery_id}/replay", dependencies=CSRF)
def replay(
    request: Request, session: Db, principal: CurrentPrincipal, webhook_id: UUID, delivery_id: UUID
) -> Response:
    """Send this one once more."""
    try:
        deliveries.replay(session, principal=principal, webhook_id=webhook_id, delivery_id=delivery_id)
    except Conflict as error:
        webhook = webhooks.get(session, principal=principal, webhook_id=webhook_id)
        return webhook_page(request, session, principal, webhook, error=error)
    return go(f"{ADDRESS}/{webhook_id}/deliveries/{delivery_id}", "delivery-queued")
