"""Keep the ledger ready: months ahead, no answer kept for over a day, and statistics that plans can rest on."""

from datetime import UTC, datetime
from typing import Any

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import get_engine, transaction


@task(name="make-months", retries=3, retry_delay_seconds=[10, 60, 300], retry_condition_fn=worth_retrying)
def make_months() -> list[str]:
    """Make this month's partition and those of the two that follow."""
    from leitstand.events.partitions import make_ahead

    made = make_ahead(get_engine(), datetime.now(UTC))
    say(f"made: {', '.join(made)}" if made else "every month is there")
    return made


@task(name="forget-answers", retries=3, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def forget_answers() -> int:
    """Delete the answers that were kept under idempotency keys for a day."""
    from leitstand.identity.idempotency import purge

    with transaction(get_engine()) as session:
        forgotten = purge(session)
    say(f"{forgotten} answers forgotten")
    return forgotten


@task(name="renew-statistics", retries=3, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def renew() -> list[str]:
    """Analyse events and facts where the planner knows too little of them."""
    from leitstand.events.rebuilding import renew_statistics

    done = renew_statistics(get_engine())
    say(f"analysed: {', '.join(done)}" if done else "statistics are fresh")
    return done


@flow(name="keep-events")
def keep_events() -> Any:
    """Make months ahead, forget what has been kept long enough, and keep the planner's statistics fresh."""
    return once(
        "keep-events",
        lambda: {"made": make_months(), "forgotten": forget_answers(), "analysed": renew()},
    )
