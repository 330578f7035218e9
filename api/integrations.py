"""Integrations: their states, webhooks with their deliveries, and model endpoints."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status

from api.integration_models import (
    DeliveryOut,
    DeliveryPage,
    EndpointIn,
    EndpointOut,
    ReplayedOut,
    StateOut,
    WebhookIn,
    WebhookMade,
    WebhookOut,
)
from leitstand.catalogue import cursors
from leitstand.integrations import deliveries, model_endpoints, webhooks
from leitstand.integrations.overview import overview
from serving.idempotency import OnceRoute, shown_once
from serving.session import CurrentPrincipal, Db, require_csrf

router = APIRouter(prefix="/integrations", tags=["integrations"], route_class=OnceRoute)
CSRF = [Depends(require_csrf)]
HOOKS, MODELS = "/webhooks", "/model-endpoints"


@router.get("")
def list_integrations(session: Db, principal: CurrentPrincipal) -> list[StateOut]:
    """Every kind of integration with its state and last check."""
    return [StateOut.model_validate(one) for one in overview(session, principal=principal)]


@router.get(HOOKS)
def list_webhooks(session: Db, principal: CurrentPrincipal) -> list[WebhookOut]:
    """The workspace's webhooks, oldest first."""
    found = webhooks.list_webhooks(session, principal=principal)
    return [WebhookOut.model_validate(one) for one in found]


@router.post(HOOKS, status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_webhook(
    request: Request, response: Response, session: Db, principal: CurrentPrincipal, new: WebhookIn
) -> WebhookMade:
    """Make a webhook; the answer shows its secret, once."""
    made = webhooks.create(session, principal=principal, draft=webhooks.Draft(**new.model_dump()))
    session.refresh(made.webhook)
    return _made(request, response, made)


@router.get(f"{HOOKS}/{{webhook_id}}")
def get_webhook(session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> WebhookOut:
    """One webhook."""
    return WebhookOut.model_validate(webhooks.get(session, principal=principal, webhook_id=webhook_id))


@router.put(f"{HOOKS}/{{webhook_id}}", dependencies=CSRF)
def change_webhook(
    session: Db, principal: CurrentPrincipal, webhook_id: UUID, change: WebhookIn
) -> WebhookOut:
    """Change a webhook, turn it off or on."""
    draft = webhooks.Draft(**change.model_dump())
    return WebhookOut.model_validate(
        webhooks.update(session, principal=principal, webhook_id=webhook_id, draft=draft)
    )


@router.delete(f"{HOOKS}/{{webhook_id}}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def remove_webhook(session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> None:
    """Take a webhook away, with the log of its deliveries."""
    webhooks.remove(session, principal=principal, webhook_id=webhook_id)


@router.post(f"{HOOKS}/{{webhook_id}}/rotate", dependencies=CSRF)
def rotate_webhook(
    request: Request, response: Response, session: Db, principal: CurrentPrincipal, webhook_id: UUID
) -> WebhookMade:
    """Make a new secret, which the answer shows, once; the one before signs beside it for 24 hours."""
    return _made(request, response, webhooks.rotate(session, principal=principal, webhook_id=webhook_id))


@router.post(f"{HOOKS}/{{webhook_id}}/test", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF)
def test_webhook(session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> DeliveryOut:
    """Queue an event `webhook.test`."""
    return DeliveryOut.model_validate(
        deliveries.send_test(session, principal=principal, webhook_id=webhook_id)
    )


@router.get(f"{HOOKS}/{{webhook_id}}/deliveries")
def list_deliveries(
    session: Db,
    principal: CurrentPrincipal,
    webhook_id: UUID,
    status: str = "",
    event: str = "",
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = deliveries.PAGE,
) -> DeliveryPage:
    """What was sent, newest first, a page at a time."""
    found = deliveries.list_deliveries(
        session,
        principal=principal,
        webhook_id=webhook_id,
        status=status,
        event=event,
        limit=limit + 1,
        before=cursors.decode(cursor) if cursor else None,
    )
    more = found[limit - 1] if len(found) > limit else None
    return DeliveryPage(
        items=[DeliveryOut.model_validate(one) for one in found[:limit]],
        next=cursors.encode(more.created_at, more.id) if more else None,
    )


@router.get(f"{HOOKS}/{{webhook_id}}/deliveries/{{delivery_id}}")
def get_delivery(
    session: Db, principal: CurrentPrincipal, webhook_id: UUID, delivery_id: UUID
) -> DeliveryOut:
    """One delivery: what was sent and answered."""
    given: dict[str, Any] = {"webhook_id": webhook_id, "delivery_id": delivery_id}
    return DeliveryOut.model_validate(deliveries.get_delivery(session, principal=principal, **given))


@router.post(
    f"{HOOKS}/{{webhook_id}}/deliveries/replay", status_code=status.HTTP_202_ACCEPTED, dependencies=CSRF
)
def replay_failed(session: Db, principal: CurrentPrincipal, webhook_id: UUID) -> ReplayedOut:
    """Send everything that failed once more."""
    count = deliveries.replay_failed(session, principal=principal, webhook_id=webhook_id)
    return ReplayedOut(replayed=count)


@router.post(
    f"{HOOKS}/{{webhook_id}}/deliveries/{{delivery_id}}/replay",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=CSRF,
)
def replay_delivery(
    session: Db, principal: CurrentPrincipal, webhook_id: UUID, delivery_id: UUID
) -> DeliveryOut:
    """Send one delivery once more."""
    given: dict[str, Any] = {"webhook_id": webhook_id, "delivery_id": delivery_id}
    return DeliveryOut.model_validate(deliveries.replay(session, principal=principal, **given))


@router.get(MODELS)
def list_endpoints(session: Db, principal: CurrentPrincipal) -> list[EndpointOut]:
    """The workspace's model endpoints, without their keys."""
    found = model_endpoints.list_endpoints(session, principal=principal)
    return [EndpointOut.model_validate(one) for one in found]


@router.post(MODELS, status_code=status.HTTP_201_CREATED, dependencies=CSRF)
def create_endpoint(session: Db, principal: CurrentPrincipal, new: EndpointIn) -> EndpointOut:
    """Add a model endpoint."""
    endpoint = model_endpoints.create(session, principal=principal, draft=new.draft)
    session.refresh(endpoint)
    return EndpointOut.model_validate(endpoint)


@router.get(f"{MODELS}/{{endpoint_id}}")
def get_endpoint(session: Db, principal: CurrentPrincipal, endpoint_id: UUID) -> EndpointOut:
    """One model endpoint, without its key."""
    return EndpointOut.model_validate(
        model_endpoints.get(session, principal=principal, endpoint_id=endpoint_id)
    )


@router.put(f"{MODELS}/{{endpoint_id}}", dependencies=CSRF)
def change_endpoint(
    session: Db, principal: CurrentPrincipal, endpoint_id: UUID, change: EndpointIn
) -> EndpointOut:
    """Change a model endpoint; an empty key leaves the one that is there."""
    return EndpointOut.model_validate(
        model_endpoints.update_endpoint(
            session, principal=principal, endpoint_id=endpoint_id, draft=change.draft
        )
    )


@router.delete(f"{MODELS}/{{endpoint_id}}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CSRF)
def remove_endpoint(session: Db, principal: CurrentPrincipal, endpoint_id: UUID) -> None:
    """Take a model endpoint away, with its key."""
    model_endpoints.remove(session, principal=principal, endpoint_id=endpoint_id)


@router.post(f"{MODELS}/{{endpoint_id}}/test", dependencies=CSRF)
def test_endpoint(session: Db, principal: CurrentPrincipal, endpoint_id: UUID) -> EndpointOut:
    """Ask it for its models; `check_problem` says what is wrong."""
    model_endpoints.test(session, principal=principal, endpoint_id=endpoint_id)
    return get_endpoint(session, principal, endpoint_id)


def _made(request: Request, response: Response, made: webhooks.Made) -> WebhookMade:
    shown_once(request, "secret")
    response.headers["Cache-Control"] = "no-store"
    return WebhookMade(**WebhookOut.model_validate(made.webhook).model_dump(), secret=made.secret)
