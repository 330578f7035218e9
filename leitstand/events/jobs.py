"""The jobs of events: filling in what a newer version keeps of older runs."""

from leitstand.jobs.registry import job


@job("events.fill_facts", attempts=10, lock="fill-facts", first_wait=30)
def fill_facts() -> None:
    """Fill in the facts that were merged before a newer version; enqueued by its migration."""
    from leitstand.db.engine import get_engine
    from leitstand.events.fact_filling import fill

    fill(get_engine())
