"""What the audience dashboard shows of one scope, each question asked once."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from leitstand.insights import activity, newcomers, retention, sessions
from leitstand.insights.newcomers import Newcomers
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Source
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
    unit = unit_of(scope.days)
    with open_facts(session, scope) as facts:
        return Answers(
            people=people(facts, scope),
            before=people(facts, before) if before else None,
            active=activity.by_day(facts, scope),
            unit=unit,
            newcomers=newcomers.by_period(facts, scope, period=unit),
            companions=newcomers.by_companion(facts, scope),
            retention=retention.retention(facts, scope),
            as_of=facts.as_of,
        )


def people(source: Source, scope: Scope) -> People:
    """The key figures of a scope."""
    return People(
        activity.active_users(source, scope),
        newcomers.newcomers(source, scope),
        sessions.sessions(source, scope),
    )
