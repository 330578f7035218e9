"""Every question that a report asks of `leitstand.insights` is asked here and nowhere else."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.identity.access import system_principal
from leitstand.insights import report, retention
from leitstand.insights.scope import data_days, resolve
from leitstand.reports.periods import Period

COHORT_WEEKS = 8
TOP = 10
# The companions of the period before are looked up among so many.
TOP_BEFORE = 1000

Document = dict[str, Any]


def of_period(session: Session, workspace_id: UUID, period: Period, zone: str) -> Document:
    """The figures of a period beside those of the period before, and the cohorts of the last weeks.

    Returns:
        `now` and `before` as `leitstand.insights.report.build` gives them (`before` to the same elapsed part where
        the period still runs), `cohorts` (rows of `leitstand.insights.retention`), `last_day` (the last local day
        with an event, ISO text, None without any), `running`.
    """
    now = datetime.now(UTC)
    # A report goes to many, so that it names what all of them may see.
    everybody = system_principal(workspace_id, "report")
    scope = resolve(
        session, workspace_id=workspace_id, start=period.start, end=period.end, zone=zone, reader=everybody
    )
    weeks = replace(scope, start=_cohorts_from(period.end))
    _, last = data_days(session, scope)
    return {
        "now": report.build(session, scope, top=TOP),
        "before": report.build(session, scope.previous(now=now), top=TOP_BEFORE),
        "cohorts": report.records(retention.retention(session, weeks)),
        "last_day": last.isoformat() if last else None,
        "running": not period.over(zone, now),
    }


def _cohorts_from(end: date) -> date:
    """The Monday of the first of the cohorts that are shown."""
    last = end - timedelta(days=1)
    return last - timedelta(days=last.weekday()) - timedelta(weeks=COHORT_WEEKS - 1)
