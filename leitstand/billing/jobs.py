"""Jobs of this area."""

from uuid import UUID

from leitstand.jobs.registry import job


@job("billing.ask-again", lock="plan-change-{change_id}")
def ask_again(*, change_id: str, attempt: int) -> None:
    """Ask the provider once more for a change of plan that has no answer yet; it queues the next attempt itself."""
    from leitstand.billing import asking
    from leitstand.db.engine import get_engine

    asking.ask_again(get_engine(), change_id=UUID(change_id), attempt=attempt)
