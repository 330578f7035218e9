"""What was sent through a webhook: listed, opened, sent once more."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, select, tuple_
from sqlalchemy.orm import Session

from leitstand.db.models import WebhookDelivery
from leitstand.db.models.integrations import STATUSES
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal
from leitstand.integrations import emission, webhooks
from leitstand.words import msg

PAGE = 50
# A replay of something older would tell its receiver of what nobody remembers.
KEEP = timedelta(days=90)
MOST_REPLAYED = 1_000
TEST = "webhook.test"
ON_ITS_WAY = ("pending", "failed")


def list_deliveries(
    session: Session,
    *,
    principal: Principal,
    webhook_id: UUID,
    status: str = "",
    event: str = "",
    limit: int = PAGE,
    before: tuple[datetime, UUID] | None = None,
) -> list[WebhookDelivery]:
    """The newest deliveries of a webhook, behind the keyset `before` (created_at, id) where given.

    Args:
        status: one of `STATUSES`; empty: any.
        event: the name of an event; empty: any.

    Raises:
        InvalidInput: there is no such status.
        NotFound: there is no such webhook here.
        Forbidden: without `workspace:manage`.
    """
    query = _of(session, principal, webhook_id)
    if status and status not in STATUSES:
        raise InvalidInput(
            msg("There is no status {status!r}.", status=status[:50]),
            hint=msg("It is one of: {statuses}.", statuses=", ".join(STATUSES)),
        )
    if status:
        query = query.where(WebhookDelivery.status == status)
    if event := "".join(letter for letter in event.strip()[:100] if letter.isprintable()):
        query = query.where(WebhookDelivery.event == event)
    if before is not None:
        query = query.where(tuple_(WebhookDelivery.created_at, WebhookDelivery.id) < before)
    newest = query.order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id.desc())
    return list(session.scalars(newest.limit(limit)))


def forget_old(session: Session) -> int:
    """Delete the deliveries of all workspaces that were begun 90 days ago and are no longer on their way; how many."""
    over = WebhookDelivery.status.not_in(ON_ITS_WAY)
    gone = delete(WebhookDelivery).where(over, WebhookDelivery.created_at < datetime.now(UTC) - KEEP)
    return len(session.execute(gone.returning(WebhookDelivery.id)).all())


def get_delivery(
    session: Session, *, principal: Principal, webhook_id: UUID, delivery_id: UUID, lock: bool = False
) -> WebhookDelivery:
    """One delivery of a webhook.

    Raises:
        NotFound: there is no such webhook or delivery here.
        Forbidden: without `workspace:manage`.
    """
    query = _of(session, principal, webhook_id).where(WebhookDelivery.id == delivery_id)
    delivery = session.scalar(query.with_for_update() if lock else query)
    if delivery is None:
        raise NotFound("There is no such delivery.")
    return delivery


def replay(session: Session, *, principal: Principal, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """Send one delivery once more, with all its attempts; its event keeps its id.

    Raises:
        Conflict: it has not been tried yet, or the webhook is off.
        NotFound, Forbidden: as `get_delivery`.
    """
    _check_on(session, principal, webhook_id)
    delivery = get_delivery(
        session, principal=principal, webhook_id=webhook_id, delivery_id=delivery_id, lock=True
    )
    if delivery.status == "pending":
        raise Conflict("This delivery is on its way already.")
    _again(session, delivery)
    _record(session, principal, "webhook.replay", webhook_id, {"delivery": str(delivery_id)})
    return delivery


def replay_failed(session: Session, *, principal: Principal, webhook_id: UUID) -> int:
    """Send every delivery that was given up or waits for another attempt once more, oldest first; how many.

    Takes 1,000 at a time.

    Raises:
        Conflict: the webhook is off.
        NotFound, Forbidden: as `get_delivery`.
    """
    _check_on(session, principal, webhook_id)
    query = _of(session, principal, webhook_id).where(WebhookDelivery.status.in_(("failed", "given-up")))
    query = query.order_by(WebhookDelivery.created_at, WebhookDelivery.id).limit(MOST_REPLAYED)
    found = list(session.scalars(query.with_for_update()))
    for delivery in found:
        _again(session, delivery)
    if found:
        _record(session, principal, "webhook.replay", webhook_id, {"deliveries": len(found)})
    return len(found)


def send_test(session: Session, *, principal: Principal, webhook_id: UUID) -> WebhookDelivery:
    """Queue an event `webhook.test` for one webhook, whatever it listens to.

    Raises:
        Conflict: the webhook is off.
        NotFound, Forbidden: as `get_delivery`.
    """
    _check_on(session, principal, webhook_id)
    webhook = webhooks.get(session, principal=principal, webhook_id=webhook_id)
    data: dict[str, Any] = {
        "actor": principal.actor, "target": f"webhook:{webhook.id}", "before": None, "after": None,
    }  # fmt: skip
    delivery = emission.put(session, webhook, emission.new_message(TEST, data))
    session.flush()
    return delivery


def _again(session: Session, delivery: WebhookDelivery) -> None:
    delivery.status, delivery.attempts, delivery.delivered_at = "pending", 0, None
    delivery.replays += 1
    emission.schedule(session, delivery, at=datetime.now(UTC))


def _check_on(session: Session, principal: Principal, webhook_id: UUID) -> None:
    if not webhooks.get(session, principal=principal, webhook_id=webhook_id).active:
        raise Conflict("The webhook is off.", hint="Turn it on first.")


def _of(session: Session, principal: Principal, webhook_id: UUID) -> Select[tuple[WebhookDelivery]]:
    webhooks.get(session, principal=principal, webhook_id=webhook_id)
    return select(WebhookDelivery).where(
        WebhookDelivery.workspace_id == principal.workspace_id, WebhookDelivery.webhook_id == webhook_id
    )


def _record(
    session: Session, principal: Principal, action: str, webhook_id: UUID, after: dict[str, object]
) -> None:
    session.flush()
    audit.record(session, principal=principal, action=action, target=f"webhook:{webhook_id}", after=after)
