"""Traffic: runs that were viewed and started, and events, per bucket of local time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, func, select

from leitstand.db.models import ActorBucket, RunFact
from leitstand.insights.frames import day_span
from leitstand.insights.local_time import LocalHour, local_start
from leitstand.insights.scope import Instant, Scope
from leitstand.insights.sources import Source, frame, row

if TYPE_CHECKING:
    import pandas as pd

Bucket = Literal["hour", "day", "week", "month"]


@dataclass(frozen=True)
class Totals:
    """Runs that began in the range: loaded, of these with an answer, of these that reached an end step."""

    viewed: int
    started: int
    completed: int


def _viewed() -> ColumnElement[int]:
    return func.count()


def _started() -> ColumnElement[int]:
    return func.count(RunFact.started_at)


def _completed() -> ColumnElement[int]:
    return func.count(RunFact.completed_at).filter(RunFact.started_at.is_not(None))


def totals(source: Source, scope: Scope) -> Totals:
    """Runs of the range: `viewed`, `started`, `completed` (whenever they did)."""
    return Totals(*row(source, select(_viewed(), _started(), _completed()).where(*scope.runs())))


def traffic(source: Source, scope: Scope, *, bucket: Bucket = "day", dense: bool = False) -> "pd.DataFrame":
    """Runs by the local day (hour, week from Monday, month) on which they began.

    Args:
        dense: also a row of zeros for each day without runs (days only).

    Returns:
        Columns `day` (`hour`, `week`, `month`), `viewed`, `started`, `completed` (of those runs, whenever), ascending.
    """
    at = _start_of(scope, RunFact.first_at, bucket).label(bucket)
    statement = (
        select(at, _viewed().label("viewed"), _started().label("started"), _completed().label("completed"))
        .where(*scope.runs())
        .group_by(at)
        .order_by(at)
    )
    found = frame(source, statement)
    if dense and bucket == "day":
        days = found.set_index("day").reindex(day_span(scope.start, scope.end), fill_value=0)
        return days.reset_index()
    return found


def events(source: Source, scope: Scope) -> int:
    """How many events occurred in the range."""
    (counted,) = row(source, select(func.coalesce(func.sum(ActorBucket.events), 0)).where(*scope.buckets()))
    return int(counted)


def events_by(source: Source, scope: Scope, *, bucket: Bucket = "day") -> "pd.DataFrame":
    """Events by when they occurred.

    Returns:
        Columns `day` (`hour`, `week`, `month`), `events`, ascending, without empty buckets. An hour is an instant,
        so that the hour which the clocks repeat is two.
    """
    at = _start_of(scope, ActorBucket.bucket, bucket).label(bucket)
    counted = func.sum(ActorBucket.events).label("events")
    return frame(source, select(at, counted).where(*scope.buckets()).group_by(at).order_by(at))


def _start_of(scope: Scope, instant: Instant, bucket: Bucket) -> ColumnElement[Any]:
    if bucket == "hour":
        return LocalHour(scope.zone, instant)
    if bucket == "day":
        return scope.local_day(instant)
    return local_start(scope.zone, instant, bucket)
