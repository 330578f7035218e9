"""What the audience dashboard shows of one scope, each question asked once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from leitstand.insights import activity, newcomers, retention, sessions
from leitstand.insights.newcomers import Newcomers
from leitstand.insights.scope import Scope
from panel_apps.series import Unit, unit_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class People:
    """The key figures of one range."""

    active_users: int
    newcomers: Newcomers
    sessions: int


@dataclass(frozen=True)
class Answers:
    """Everything that the audience dashboard shows of one scope.

    Args:
        people: of the range.
        before: of the period that it is compared with; None without.
        active: `day`, `dau`, `wau`, `mau`.
        unit: by what newcomers are counted: day, week or month.
        newcomers: `at`, `new`, `returning`, one row a unit.
        companions: `companion`, `active`, `new`, `returning`.
        retention: `cohort`, `weeks_later`, `actors`.
        as_of: up to when the figures are complete.
    """

    people: People
    before: People | None
    active: "pd.DataFrame"
    unit: Unit
    newcomers: "pd.DataFrame"
    companions: "pd.DataFrame"
    retention: "pd.DataFrame"
    as_of: datetime


def ask(session: Session, scope: Scope, before: Scope | None) -> Answers:
    """Ask every question about a scope, and the key figures of the one before."""
    as_of = datetime.now(UTC)
    unit = unit_of(scope.days)
    return Answers(
        people=people(session, scope),
        before=people(session, before) if before else None,
        active=activity.by_day(session, scope),
        unit=unit,
        newcomers=newcomers.by_period(session, scope, period=unit),
        companions=newcomers.by_companion(session, scope),
        retention=retention.retention(session, scope),
        as_of=as_of,
    )


def people(session: Session, scope: Scope) -> People:
    """The key figures of a scope."""
    return People(
        activity.active_users(session, scope),
        newcomers.newcomers(session, scope),
        sessions.sessions(session, scope),
    )
