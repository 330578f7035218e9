"""Jobs of this area."""

from uuid import UUID

from leitstand.jobs.registry import job


@job("integrations.deliver", lock="webhook-delivery-{delivery_id}")
def deliver(*, delivery_id: str, attempt: int, replay: int) -> None:
    """Make one attempt to deliver an event to a webhook; it queues the next one itself."""
    from leitstand.db.engine import get_engine
    from leitstand.integrations import delivering

    delivering.deliver(get_engine(), delivery_id=UUID(delivery_id), attempt=attempt, replay=replay)
