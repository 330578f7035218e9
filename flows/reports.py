"""Make the reports that are due, and mail them to who subscribed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import flow, task

from flows.execution import once, say, worth_retrying
from leitstand.db.engine import get_engine, transaction
from leitstand.errors import IntegrityFailed
from leitstand.settings import get_settings


@task(name="find-due-reports", retries=2, retry_delay_seconds=[10, 60], retry_condition_fn=worth_retrying)
def find_due(name: str) -> list[UUID]:
    """The reports of that name that have to be made now."""
    from leitstand.reports.schedule import due

    with transaction(get_engine()) as session:
        found = due(session, name=name, now=datetime.now(UTC))
    say(f"{len(found)} of {name} due")
    return found


@task(name="make-report", retries=1, retry_delay_seconds=60, retry_condition_fn=worth_retrying)
def make_one(report_id: UUID) -> dict[str, str]:
    """Make one report; one whose notebook fails is a result. The schedule tries it again in an hour."""
    from leitstand.reports.making import make

    made = make(get_engine(), get_settings(), report_id)
    say(f"Report {report_id}: {made.status} {made.error or made.html} {made.without_pdf}".rstrip())
    return {"id": str(report_id), "status": made.status, "error": made.error}


@task(name="post-reports", retries=2, retry_delay_seconds=[10, 60], retry_condition_fn=worth_retrying)
def post_made(name: str) -> int:
    """Put a mail into the queue for each subscriber who has not had the newest report yet."""
    from leitstand.mail.settings import mail_off
    from leitstand.reports.schedule import post

    with transaction(get_engine()) as session:
        posted = post(session, get_settings(), name=name, now=datetime.now(UTC))
    say(mail_off(get_settings()) or f"{posted} mails of {name} put into the queue")
    return posted


@flow(name="report")
def report(name: str = "weekly-insights") -> Any:
    """Make what is due and mail what is made; one that fails holds up no other, and fails the run at its end."""

    def work() -> dict[str, Any]:
        states = [make_one(report_id, return_state=True) for report_id in find_due(name)]
        posted = post_made(name)
        results = [state.result(raise_on_failure=False) for state in states]
        failed = [one for one in results if isinstance(one, BaseException) or one["error"]]
        if failed:
            raise IntegrityFailed(
                f"{len(failed)} of {len(results)} reports failed.", hint="The page Reports says why."
            )
        return {"made": results, "posted": posted}

    return once(f"report-{name}", work)
