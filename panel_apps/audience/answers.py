"""What the audience dashboard shows of one scope, each question asked once."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from leitstand.insights import activity, newcomers, retention, sessions
from leitstand.insights.newcomers import Newcomers
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import DAY, Scope
from leitstand.insights.sources import Source
from panel_apps.periods import PEOPLE
from panel_apps.series import Unit, every_day, moved, starts, unit_of

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
        active_before, newcomers_before: of the period before, at the days (units) that they are compared with
            (`panel_apps.series.moved`): `before_dau`, `before_wau`, `before_mau`; `before_new`, which alone adds up.
        companions: `companion`, `active`, `new`, `returning`.
        retention: `cohort`, `weeks_later`, `actors`.
        as_of: up to when the figures are complete.
    """

    people: People
    before: People | None
    active: "pd.DataFrame"
    unit: Unit
    newcomers: "pd.DataFrame"
    active_before: "pd.DataFrame | None"
    newcomers_before: "pd.DataFrame | None"
    companions: "pd.DataFrame"
    retention: "pd.DataFrame"
    as_of: datetime


def ask(session: Session, scope: Scope, before: Scope | None) -> Answers:
    """Ask every question about a scope, and the key figures of the one before."""
    unit = unit_of(scope.days)
    with open_facts(session, scope) as facts:
        active = activity.by_day(facts, scope)
        until = max(active["day"], default=scope.end - DAY)
        return Answers(
            people=people(facts, scope),
            before=people(facts, before) if before else None,
            active=active,
            unit=unit,
            active_before=_active_before(facts, scope, before, until) if before else None,
            newcomers_before=_newcomers_before(facts, scope, before, until) if before else None,
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


def _active_before(source: Source, scope: Scope, before: Scope, until: date) -> "pd.DataFrame":
    return moved(activity.by_day(source, before), PEOPLE, scope.start - before.start, until=until)


def _newcomers_before(source: Source, scope: Scope, before: Scope, until: date) -> "pd.DataFrame":
    """By the units of the range, which the days before begin as many days after their own beginning."""
    found = newcomers.by_period(source, before).rename(columns={"at": "day"})
    daily = every_day(found, before.start, before.end)
    days = moved(daily, ["new"], scope.start - before.start, until=until)
    firsts = days.groupby(starts(days["day"], unit_of(scope.days)), sort=True)
    summed = firsts.agg({"before_day": "first", "before_new": "sum"})
    return summed.rename_axis("at").reset_index()
