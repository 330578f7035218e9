"""Keep house each night: months ahead, nothing kept for longer than is promised, and statistics plans can rest on."""

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


@task(name="empty-trash", retries=3, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def empty_trash() -> int:
    """Delete for good what has been in the trash of any workspace for 30 days."""
    from leitstand.catalogue.trash import purge_expired_everywhere

    purged = purge_expired_everywhere(get_engine())
    say(f"{purged} items deleted for good")
    return purged


@task(name="forget-what-ended", retries=3, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def forget_ended() -> dict[str, int]:
    """Delete sessions that ended 30 days ago, and deliveries to webhooks of 90 days ago."""
    from leitstand.identity import sessions
    from leitstand.integrations import deliveries

    with transaction(get_engine()) as session:
        gone = {"sessions": sessions.forget_ended(session), "deliveries": deliveries.forget_old(session)}
    say(f"{gone['sessions']} ended sessions and {gone['deliveries']} old deliveries forgotten")
    return gone


@task(name="issue-invoices", retries=3, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def invoice() -> list[str]:
    """Make the running month's invoices that are missing, of workspaces that pay by hand."""
    from leitstand.billing.invoices import issue_invoices

    with transaction(get_engine()) as session:
        made = [row.number for row in issue_invoices(session, now=datetime.now(UTC))]
    say(f"invoices made: {', '.join(made)}" if made else "every invoice is there")
    return made


@task(name="remove-abandoned-uploads", retries=3, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def tidy_documents() -> dict[str, int]:
    """Remove uploads that nobody came back for, and documents that were in the trash for 30 days."""
    from leitstand.knowledge.document_trash import purge_expired_documents
    from leitstand.knowledge.upload_care import remove_abandoned
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    with transaction(get_engine()) as session:
        purged = purge_expired_documents(session)
    removed = remove_abandoned(get_engine(), ObjectStorage(get_settings()))
    say(f"{removed} abandoned uploads removed, {purged} documents deleted for good")
    return {"uploads": removed, "documents": purged}


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
        lambda: {
            "made": make_months(),
            "forgotten": forget_answers(),
            "purged": empty_trash(),
            "ended": forget_ended(),
            "analysed": renew(),
            "invoices": invoice(),
            "tidied": tidy_documents(),
        },
    )
