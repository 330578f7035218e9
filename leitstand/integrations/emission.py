"""Tell webhooks what happens: a delivery and its job, written in the transaction of the change (an outbox)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.db.models import AuditEntry, Webhook, WebhookDelivery
from leitstand.db.models.base import new_id
from leitstand.jobs.queue import enqueue_at

JOB = "integrations.deliver"
EVERYTHING = "*"


def heard(session: Session, entry: AuditEntry) -> None:
    """Emit what the audit log was just given; `identity.audit` calls this for each of its entries."""
    if entry.workspace_id is None:
        return
    data = {name: getattr(entry, name) for name in ("actor", "target", "before", "after")}
    emit(session, workspace_id=entry.workspace_id, event=entry.action, data=data)


def emit(session: Session, *, workspace_id: UUID, event: str, data: dict[str, Any]) -> None:
    """Have the workspace's webhooks that listen to an event told of it once the caller's transaction is committed.

    Costs one look into an index where there is no webhook. Never holds a secret: the log's entries have none.

    Args:
        event: `noun.verb`, as in the audit log.
        data: JSON values.
    """
    names = [event, f"{event.partition('.')[0]}.{EVERYTHING}", EVERYTHING]
    query = select(Webhook).where(
        Webhook.workspace_id == workspace_id, Webhook.active, Webhook.events.bool_op("&&")(names)
    )
    # The caller's objects may be half made: they are flushed when the caller says so.
    with session.no_autoflush:
        webhooks = list(session.scalars(query))
    if webhooks:
        message = new_message(event, data)
        for webhook in webhooks:
            put(session, webhook, message)


def new_message(event: str, data: dict[str, Any]) -> dict[str, Any]:
    """What is sent: an id of its own, what happened, when and to what."""
    return {
        "id": f"msg_{new_id().hex}",
        "type": event,
        "timestamp": datetime.now(UTC).isoformat(),
        "data": data,
    }


def put(session: Session, webhook: Webhook, message: dict[str, Any]) -> WebhookDelivery:
    """A new delivery of a message, and the job of its first attempt."""
    now = datetime.now(UTC)
    delivery = WebhookDelivery(
        id=new_id(), workspace_id=webhook.workspace_id, webhook_id=webhook.id, event_id=message["id"],
        event=message["type"], payload=message, status="pending", attempts=0, replays=0, next_at=now, created_at=now,
    )  # fmt: skip
    session.add(delivery)
    schedule(session, delivery, at=now)
    return delivery


def schedule(session: Session, delivery: WebhookDelivery, *, at: datetime) -> None:
    """Queue the next attempt. Its job says which it is, so that one that was overtaken by a replay does nothing."""
    delivery.next_at = at
    enqueue_at(
        session, JOB, at=at, delivery_id=delivery.id, attempt=delivery.attempts + 1, replay=delivery.replays
    )
