"""Send a report to a person, once: the row of the message is locked until the server has answered for it.

A message may come twice only where this process is killed between the server's answer and our commit; both then carry
the same Message-ID.
"""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leitstand.db.engine import transaction
from leitstand.db.models import Report, ReportMail, ReportSubscription
from leitstand.errors import InvalidInput, NotFound, Unavailable
from leitstand.identity.access import Principal
from leitstand.identity.standing import principal_of
from leitstand.jobs.failures import PERMANENT, reason_of
from leitstand.mail.settings import mail_off
from leitstand.mail.smtp import deliver
from leitstand.reports.editions import HTML, PDF, content, kind_of
from leitstand.reports.mail.message import Attachment, build
from leitstand.settings import Settings
from leitstand.telemetry.logs import get_logger

SENT, FAILED, WITHHELD = "sent", "failed", "withheld"
GONE = "This person belongs to the workspace no more, or is disabled."
NOT_ALLOWED = "This person's role does not permit this report any more."
ENDED = "The subscription has ended."

log = get_logger("mail")


def send(engine: Engine, settings: Settings, *, report_id: UUID, person_id: UUID, most: int) -> str:
    """Send it, unless it was sent; gives the message's status.

    Args:
        most: attempts after which it counts as failed.

    Raises:
        NotFound: there is no such message.
        MailRefused: the server refuses it for good; kept with the message.
        Unavailable: later may go better; kept with the message.
    """
    try:
        with transaction(engine) as session:
            mail = _locked(session, report_id, person_id)
            if mail.status in {SENT, WITHHELD}:
                return mail.status
            mail.status, mail.error = _sent(session, settings, mail)
            mail.attempts, mail.changed_at = mail.attempts + 1, datetime.now(UTC)
            status = mail.status
    except Exception as error:
        _failed(engine, report_id, person_id, error, most)
        raise
    log.info("mail", report=str(report_id), person=str(person_id), status=status)
    return status


def _locked(session: Session, report_id: UUID, person_id: UUID) -> ReportMail:
    key = report_id, person_id
    if session.get(ReportMail, key) is None:
        raise NotFound("There is no such message.")
    mail = session.get(ReportMail, key, with_for_update={"skip_locked": True}, populate_existing=True)
    if mail is None:
        raise Unavailable("Another process is sending this message.")
    return mail


def _sent(session: Session, settings: Settings, mail: ReportMail) -> tuple[str, str]:
    """Hand it over, if the person may still have it; gives the status and why it is so."""
    report = session.get_one(Report, mail.report_id)
    person, why = _recipient(session, report, mail.person_id)
    if person is None:
        return WITHHELD, why
    off = mail_off(settings)
    if off:
        raise InvalidInput(off)
    form = PDF if report.pdf else HTML
    attachment = Attachment(form, content(settings, report, form))
    deliver(settings, build(settings, report, person, attachment, identity=mail.message_id))
    return SENT, ""


def _recipient(session: Session, report: Report, person_id: UUID) -> tuple[Principal | None, str]:
    """Whom it goes to: asked again now, because it may have waited since it was put into the queue."""
    person = principal_of(session, workspace_id=report.workspace_id, person_id=person_id)
    if person is None:
        return None, GONE
    if not person.may(kind_of(report).permission):
        return None, NOT_ALLOWED
    if session.get(ReportSubscription, (report.workspace_id, person_id, report.name)) is None:
        return None, ENDED
    return person, ""


def _failed(engine: Engine, report_id: UUID, person_id: UUID, error: Exception, most: int) -> None:
    with transaction(engine) as session:
        mail = session.get(ReportMail, (report_id, person_id), with_for_update={"skip_locked": True})
        if mail is None or mail.status in {SENT, WITHHELD}:
            return
        mail.attempts, mail.changed_at, mail.error = mail.attempts + 1, datetime.now(UTC), reason_of(error)
        if isinstance(error, PERMANENT) or mail.attempts >= most:
            mail.status = FAILED
