"""Usage: what a workspace used month by month, what it stores, and what the running month will probably come to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, cast, distinct, func, select
from sqlalchemy.orm import Session

from leitstand.db.models import ActorBucket, Document, ModelCall, RunFact
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.frames import day_span, whole
from leitstand.insights.local_time import local_start
from leitstand.insights.scope import DAY, Scope
from leitstand.insights.sources import Source, frame, rows

if TYPE_CHECKING:
    import pandas as pd

# A forecast looks back over so many whole weeks.
WEEKS, WEEK = 4, 7


@dataclass(frozen=True)
class Stored:
    """What a workspace keeps now: its documents and their bytes."""

    documents: int
    bytes: int


@dataclass(frozen=True)
class Forecast:
    """What a month will come to.

    Args:
        so_far: counted until today.
        expected: so far, and the mean day of the last four weeks for each day that is left.
        low, high: the same with the weakest and the strongest of these weeks.
    """

    so_far: int
    expected: int
    low: int
    high: int


def by_month(source: Source, scope: Scope) -> "pd.DataFrame":
    """Events, runs and active users of each local month of the range.

    Returns:
        Columns `month` (its first day, which may lie before the range), `events` (by when they occurred), `runs` (by
        when they began), `active_users` (different people of that month; they don't add up over months); a row for
        every month.
    """
    at = _month(scope, ActorBucket.bucket).label("month")
    people = func.count(distinct(func.nullif(ActorBucket.actor_key, NO_ACTOR)))
    events = cast(func.sum(ActorBucket.events), BigInteger)
    used = frame(
        source,
        select(at, events.label("events"), people.label("active_users")).where(*scope.buckets()).group_by(at),
    )
    began = _month(scope, RunFact.first_at).label("month")
    runs = frame(source, select(began, func.count().label("runs")).where(*scope.runs()).group_by(began))
    whole = used.set_index("month").join(runs.set_index("month"), how="outer")
    filled = whole.reindex(months(scope.start, scope.end)).fillna(0).astype("int64")
    return filled.rename_axis("month").reset_index()[["month", "events", "runs", "active_users"]]


def months(start: date, end: date) -> list[date]:
    """The first days of the months that [start, end) touches."""
    return sorted({day.replace(day=1) for day in day_span(start, end)})


def tokens_by_month(session: Session, scope: Scope) -> "pd.DataFrame":
    """Tokens of models and what they cost, of the whole workspace whatever the companion, by local month of the range.

    Returns:
        Columns `month` (its first day, which may lie before the range), `tokens`, `cost_millionths` (of the currency of
        the workspace's plan); a row for every month.
    """
    at = _month(scope, ModelCall.at).label("month")
    tokens = whole(func.sum(ModelCall.prompt_tokens + ModelCall.completion_tokens)).label("tokens")
    cost = whole(func.sum(ModelCall.cost)).label("cost_millionths")
    asked = scope.within(ModelCall.workspace_id, ModelCall.at)
    found = frame(session, select(at, tokens, cost).where(*asked).group_by(at)).set_index("month")
    filled = found.reindex(months(scope.start, scope.end)).fillna(0).astype("int64")
    return filled.rename_axis("month").reset_index()


def stored(session: Session, scope: Scope) -> Stored:
    """What the workspace stores now, whatever the range and the companion."""
    statement = select(func.count(), func.coalesce(func.sum(Document.bytes), 0))
    count, size = session.execute(statement.where(Document.workspace_id == scope.workspace_id)).one()
    return Stored(int(count), int(size))


def forecasts(source: Source, scope: Scope, today: date) -> tuple[Forecast, Forecast]:
    """What events and runs of the local month of `today` will come to; see `forecast`."""
    first = today.replace(day=1)
    after = (first + 31 * DAY).replace(day=1)
    begin = today - WEEKS * WEEK * DAY
    looked_at = replace(scope, start=min(first, begin), end=after, until=None)
    found = []
    for day, counted, conditions in (
        (looked_at.local_day(ActorBucket.bucket), func.sum(ActorBucket.events), looked_at.buckets()),
        (looked_at.local_day(RunFact.first_at), func.count(), looked_at.runs()),
    ):
        found_days = rows(source, select(day, counted).where(*conditions).group_by(day)).values
        daily = {at: int(number) for at, number in found_days}
        past = [daily.get(begin + at * DAY, 0) for at in range(WEEKS * WEEK)]
        so_far = sum(number for at, number in daily.items() if first <= at < after)
        # Today counts as begun: what it brings is in the figure so far, what it lacks is not foretold.
        found.append(forecast(so_far, past, left=(after - today).days - 1))
    return found[0], found[1]


def forecast(so_far: int, past: Sequence[int], *, left: int) -> Forecast:
    """A month's end, foretold by the last four weeks.

    Args:
        so_far: counted this month.
        past: counts of the last 28 whole days, oldest first.
        left: how many days follow today.
    """
    weeks = [sum(past[at : at + WEEK]) / WEEK for at in range(0, WEEKS * WEEK, WEEK)]
    mean = sum(past) / len(past)
    return Forecast(so_far, *(round(so_far + left * rate) for rate in (mean, min(weeks), max(weeks))))


def _month(scope: Scope, column: Any) -> ColumnElement[date]:
    return local_start(scope.zone, column, "month")
