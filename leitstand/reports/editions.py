"""The reports that there are: asked for, listed, read. One a workspace, name, period and zone, whoever asks for it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leitstand.db.models import Report
from leitstand.db.models.base import new_id
from leitstand.errors import Conflict, InvalidInput, NotFound
from leitstand.identity import audit
from leitstand.identity.access import Principal, require
from leitstand.identity.workspaces import checked_zone
from leitstand.insights.scope import midnight
from leitstand.jobs.queue import enqueue
from leitstand.reports.kinds import Kind, find, readable
from leitstand.reports.periods import Period, containing, last_full
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.words import msg

WAITING, RUNNING, COMPLETE, FAILED = "waiting", "running", "complete", "failed"
MAKE = "reports.make"
MOST_LISTED = 500
# One person can't fill the queue.
MOST_UNDER_WAY = 10
# What waits or runs for longer was given up by whoever made it.
UNDER_WAY = timedelta(minutes=15)
HTML, PDF, NOTEBOOK = "html", "pdf", "ipynb"


def list_reports(
    session: Session, *, principal: Principal, name: str | None = None, limit: int = 50
) -> list[Report]:
    """The workspace's reports that the principal may read, the newest period first.

    Raises:
        NotFound: there is no report of that name.
        Forbidden: the principal may not read it.
    """
    kinds = [find(name)] if name else readable(principal)
    for kind in kinds:
        require(principal, kind.permission)
    statement = (
        select(Report)
        .where(
            Report.workspace_id == principal.workspace_id,
            Report.name.in_([kind.name for kind in kinds]),
        )
        .order_by(Report.period_start.desc(), Report.name, Report.zone)
        .limit(min(limit, MOST_LISTED))
    )
    return list(session.scalars(statement))


def get_report(session: Session, *, principal: Principal, report_id: UUID) -> Report:
    """One report.

    Raises:
        NotFound: there is none, or the principal may not know of it.
    """
    report = session.get(Report, report_id)
    if (
        report is None
        or report.workspace_id != principal.workspace_id
        or not principal.may(kind_of(report).permission)
    ):
        raise NotFound("There is no such report.", hint="The page Reports lists them.")
    return report


def kind_of(report: Report) -> Kind:
    """What kind of report it is.

    Raises:
        NotFound: of one that there is no more.
    """
    return find(report.name)


def period_of(report: Report) -> Period:
    """The period that it is about."""
    return Period(kind_of(report).cadence, report.period_start, report.period_end)


def covers_whole_period(report: Report) -> bool:
    """Whether its figures are of a time after the period's end."""
    return report.as_of is not None and report.as_of >= midnight(report.period_end, report.zone)


def request_report(
    session: Session, *, principal: Principal, name: str, day: date | None = None, zone: str = ""
) -> Report:
    """Have a report made by the queue worker, again where there is one already.

    Args:
        day: any day of the period; None: the newest full one.
        zone: IANA zone of its days; empty: the workspace's.

    Raises:
        NotFound: there is no such report.
        Forbidden: the principal may not read it.
        InvalidInput: no such zone, or a day without a period or to come.
        Conflict: it is being made, or too many are.
    """
    report = prepare(session, principal=principal, name=name, day=day, zone=zone)
    job = enqueue(session, MAKE, report_id=report.id)
    audit.record(
        session,
        principal=principal,
        action="report.start",
        target=f"report:{report.id}",
        after={"name": name, "from": report.period_start.isoformat(), "zone": report.zone, "job": job},
    )
    return report


def prepare(
    session: Session, *, principal: Principal, name: str, day: date | None = None, zone: str = ""
) -> Report:
    """The report as one that is waited for, without putting it into the queue; see `request_report`."""
    kind = find(name)
    require(principal, kind.permission)
    zone = checked_zone(zone or principal.zone)
    now = datetime.now(UTC)
    period = containing(kind.cadence, day) if day else last_full(kind.cadence, zone, now)
    if period.start > now.astimezone(ZoneInfo(zone)).date():
        raise InvalidInput("This period has not begun yet.", hint="Choose a day that is not to come.")
    report = ensure(session, kind, principal.workspace_id, period, zone)
    session.refresh(report, with_for_update=True)
    _check_free(session, report, now)
    report.status, report.requested_by, report.attempts = WAITING, principal.actor, 0
    report.requested_at, report.progress, report.error = now, "", ""
    session.flush()
    return report


def ensure(session: Session, kind: Kind, workspace_id: UUID, period: Period, zone: str) -> Report:
    """The row of a report, made where there is none; two who make it at once get the same."""
    values = {
        "id": new_id(),
        "workspace_id": workspace_id,
        "name": kind.name,
        "period_start": period.start,
        "period_end": period.end,
        "zone": zone,
    }
    session.execute(insert(Report).values(values).on_conflict_do_nothing(constraint="uq_report_edition"))
    edition = (
        Report.workspace_id == workspace_id,
        Report.name == kind.name,
        Report.period_start == period.start,
        Report.zone == zone,
    )
    return session.scalars(select(Report).where(*edition)).one()


def under_way(report: Report, now: datetime | None = None) -> bool:
    """Whether it waits for the queue worker or is being made."""
    since = (now or datetime.now(UTC)) - UNDER_WAY
    began = report.requested_at if report.status == WAITING else report.started_at
    return report.status in {WAITING, RUNNING} and began is not None and began > since


def _check_free(session: Session, report: Report, now: datetime) -> None:
    if under_way(report, now):
        raise Conflict("This report is being made already.", hint="Wait until it has ended.")
    since = now - UNDER_WAY
    busy = or_(
        (Report.status == WAITING) & (Report.requested_at > since),
        (Report.status == RUNNING) & (Report.started_at > since),
    )
    counted = select(func.count()).where(Report.workspace_id == report.workspace_id, busy)
    if session.execute(counted).scalar_one() >= MOST_UNDER_WAY:
        raise Conflict(
            msg("{most_under_way} reports wait already.", most_under_way=MOST_UNDER_WAY),
            hint="Wait until some have ended.",
        )


def content(settings: Settings, report: Report, form: str) -> bytes:
    """The archived report as "html", "pdf" or "ipynb", its SHA-256 checked.

    Raises:
        NotFound: it has none of that form (yet).
        IntegrityFailed: what is stored is not what was archived.
    """
    address, digest = {
        HTML: (report.html, report.html_sha256),
        PDF: (report.pdf, report.pdf_sha256),
        NOTEBOOK: (report.notebook, report.notebook_sha256),
    }[form]
    place = urlsplit(address)
    if not address or place.netloc != settings.bucket_evidence:
        raise NotFound(
            msg("This report has no {form} yet.", form=form), hint=report.without_pdf if form == PDF else ""
        )
    return ObjectStorage(settings).get_bytes(place.netloc, place.path.lstrip("/"), sha256=digest)


def file_name(report: Report, form: str) -> str:
    """What a download of it is called."""
    return f"{report.name}-{report.period_start}.{form}"


def public(report: Report) -> dict[str, Any]:
    """A report as the `--json` documents and the API show it."""
    kind, period = kind_of(report), period_of(report)
    return {
        "id": str(report.id),
        "name": report.name,
        "title": kind.title,
        "period": {"label": period.label, "from": period.start.isoformat(), "to": period.end.isoformat()},
        "zone": report.zone,
        "audience": kind.audience,
        "status": report.status,
        "progress": report.progress,
        "as_of": report.as_of.isoformat() if report.as_of else None,
        "finished_at": report.finished_at.isoformat() if report.finished_at else None,
        "forms": [form for form, address in ((HTML, report.html), (PDF, report.pdf)) if address],
        "without_pdf": report.without_pdf,
        "html_sha256": report.html_sha256,
        "pdf_sha256": report.pdf_sha256,
        "notebook_sha256": report.notebook_sha256,
        "summary": report.summary,
        "error": report.error,
    }
