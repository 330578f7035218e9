"""What is due: which reports have to be made now, and to whom those that were made go.

Asked every hour, because a week ends at another instant in every zone; what was missed is made up for.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import Report, ReportMail, Workspace
from leitstand.identity.standing import everyone
from leitstand.jobs.queue import enqueue
from leitstand.mail.settings import mail_off
from leitstand.reports.editions import COMPLETE, FAILED, covers_whole_period, ensure, under_way
from leitstand.reports.kinds import Kind, find
from leitstand.reports.mail.message import message_id
from leitstand.reports.periods import last_due
from leitstand.reports.subscriptions import subscribed
from leitstand.settings import Settings

MAIL = "reports.mail"
# Then it is a person's turn: the page shows why it failed, and starts it again.
MOST_ATTEMPTS = 3


def due(session: Session, *, name: str, now: datetime) -> list[UUID]:
    """The reports of that name that have to be made now: of each workspace's zone and of each subscriber's, once a zone.

    A workspace in which nobody may read the report has none, and so has a period that ended before it was made.

    Raises:
        NotFound: there is no such report.
    """
    kind, found = find(name), []
    for workspace in session.scalars(select(Workspace).order_by(Workspace.slug)).all():
        if not any(person.may(kind.permission) for person in everyone(session, workspace_id=workspace.id)):
            continue
        for zone in _zones(session, kind, workspace):
            period = last_due(kind.cadence, zone, now)
            if period.due_at(zone) <= workspace.created_at:
                continue
            report = ensure(session, kind, workspace.id, period, zone)
            # One that somebody has asked for is looked at again in an hour.
            if not _done(report) and not under_way(report, now):
                found.append(report.id)
    return found


def _zones(session: Session, kind: Kind, workspace: Workspace) -> list[str]:
    subscribers = subscribed(session, workspace_id=workspace.id, name=kind.name)
    return sorted({workspace.reporting_zone, *(subscription.zone for subscription, _ in subscribers)})


def _done(report: Report) -> bool:
    """One that was made before its period had ended is made again."""
    given_up = report.status == FAILED and report.attempts >= MOST_ATTEMPTS
    return given_up or (report.status == COMPLETE and covers_whole_period(report))


def post(session: Session, settings: Settings, *, name: str, now: datetime) -> int:
    """Put a mail into the queue for each subscriber who has not had the newest report of their zone; gives how many.

    Who subscribes after a report was due gets the next one. Nothing is done where no mail server is set.

    Raises:
        NotFound: there is no such report.
    """
    kind = find(name)
    if mail_off(settings):
        return 0
    posted = 0
    for workspace in session.scalars(select(Workspace).order_by(Workspace.slug)).all():
        for subscription, person in subscribed(session, workspace_id=workspace.id, name=kind.name):
            period = last_due(kind.cadence, subscription.zone, now)
            if subscription.created_at >= period.due_at(subscription.zone) or person.person_id is None:
                continue
            report = _made(session, kind, workspace.id, period.start, subscription.zone)
            if report is not None:
                posted += _put(session, settings, report, person.person_id)
    return posted


def _made(session: Session, kind: Kind, workspace_id: UUID, start: object, zone: str) -> Report | None:
    report = session.scalar(
        select(Report).where(
            Report.workspace_id == workspace_id,
            Report.name == kind.name,
            Report.period_start == start,
            Report.zone == zone,
            Report.status == COMPLETE,
        )
    )
    return report if report is not None and covers_whole_period(report) else None


def _put(session: Session, settings: Settings, report: Report, person_id: UUID) -> int:
    """One message a report and person, whoever asks for it again."""
    values = {
        "report_id": report.id,
        "person_id": person_id,
        "message_id": message_id(settings, report, person_id),
    }
    fresh = insert(ReportMail).values(values).on_conflict_do_nothing().returning(ReportMail.report_id)
    if session.execute(fresh).first() is None:
        return 0
    enqueue(session, MAIL, report_id=report.id, person_id=person_id)
    return 1
