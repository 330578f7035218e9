"""Jobs of this area."""

from uuid import UUID

from leitstand.jobs.registry import job

MAIL_ATTEMPTS = 8


@job("reports.make", attempts=2, lock="reports", first_wait=30)
def make_report(*, report_id: str) -> None:
    """Make a report that somebody asked for; one that fails is a failed job."""
    from leitstand.db.engine import get_engine
    from leitstand.errors import IntegrityFailed
    from leitstand.reports.making import make
    from leitstand.settings import get_settings

    made = make(get_engine(), get_settings(), UUID(report_id))
    if made.error:
        raise IntegrityFailed(
            "The report failed.", hint="Its notebook, archived with it, shows at which cell."
        )


@job("reports.mail", attempts=MAIL_ATTEMPTS, lock="mail-{report_id}-{person_id}", first_wait=30)
def mail_report(*, report_id: str, person_id: str) -> None:
    """Send a report to a person, once."""
    from leitstand.db.engine import get_engine
    from leitstand.reports.mail.sending import send
    from leitstand.settings import get_settings

    send(
        get_engine(), get_settings(), report_id=UUID(report_id), person_id=UUID(person_id), most=MAIL_ATTEMPTS
    )
