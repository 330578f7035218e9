"""What the usage dashboard shows of one scope, each question asked once."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from leitstand.insights import activity, usage
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
    as_of = datetime.now(UTC)
    today = as_of.astimezone(ZoneInfo(scope.zone)).date()
    first = today.replace(day=1)
    after = (first + 31 * DAY).replace(day=1)
    events, runs = usage.forecasts(session, scope, today)
    return Answers(
        month=first,
        last=after - DAY,
        events=events,
        runs=runs,
        active_users=activity.active_users(session, replace(scope, start=first, end=after)),
        stored=usage.stored(session, scope),
        months=usage.by_month(session, scope),
        as_of=as_of,
    )
