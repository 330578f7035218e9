"""What the usage dashboard shows of one scope, each question asked once."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from leitstand.insights import activity, usage
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import DAY, Scope
from leitstand.insights.usage import Forecast, Stored

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Answers:
    """Everything that the usage dashboard shows of one scope.

    Args:
        month: first day of the running month.
        last: its last day.
        events, runs: of the running month, with what it will come to.
        active_users: different people of the running month.
        stored: documents of the whole workspace.
        months: `month`, `events`, `runs`, `active_users` of the range.
        as_of: up to when the figures are complete.
    """

    month: date
    last: date
    events: Forecast
    runs: Forecast
    active_users: int
    stored: Stored
    months: "pd.DataFrame"
    as_of: datetime


def ask(session: Session, scope: Scope) -> Answers:
    """Ask every question about a scope and about the running month."""
    today = datetime.now(ZoneInfo(scope.zone)).date()
    first = today.replace(day=1)
    after = (first + 31 * DAY).replace(day=1)
    with open_facts(session, scope) as facts:
        events, runs = usage.forecasts(facts, scope, today)
        return Answers(
            month=first,
            last=after - DAY,
            events=events,
            runs=runs,
            active_users=activity.active_users(facts, replace(scope, start=first, end=after)),
            stored=usage.stored(session, scope),
            months=usage.by_month(facts, scope),
            as_of=facts.as_of,
        )
