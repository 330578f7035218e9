"""Completion: how many of the runs that began reached an end step, and how long they took."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, func, literal, select

from leitstand.db.models import RunFact
from leitstand.insights import traffic
from leitstand.insights.frames import same_seconds
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Source, frame, row

if TYPE_CHECKING:
    import pandas as pd

# A run without an event for so long is taken to be over.
STILL_GOING = timedelta(hours=24)


@dataclass(frozen=True)
class Completion:
    """Completion of the runs that began in the range.

    Args:
        rate: completed ÷ started; None where none started.
        rate_of_viewed: completed ÷ viewed; None where none was viewed.
        median: seconds from first to last event of the completed runs (linear interpolation), None without any.
        p95: their 95th percentile.
        immature: some of the runs may still be going.
    """

    viewed: int
    started: int
    completed: int
    rate: float | None
    rate_of_viewed: float | None
    median: float | None
    p95: float | None
    immature: bool


def completion(source: Source, scope: Scope) -> Completion:
    """Completion, duration and maturity of the runs that began in the range."""
    runs = traffic.totals(source, scope)
    seconds = func.extract("epoch", RunFact.last_at - RunFact.first_at)
    percentiles = [
        func.percentile_cont(literal(share, literal_execute=True)).within_group(seconds)
        for share in (0.5, 0.95)
    ]
    median, p95 = row(source, select(*percentiles).where(*scope.runs(), completed_run()))
    (immature,) = row(source, select(select(1).where(*scope.runs(), still_going()).exists()))
    return Completion(
        viewed=runs.viewed,
        started=runs.started,
        completed=runs.completed,
        rate=_share(runs.completed, runs.started),
        rate_of_viewed=_share(runs.completed, runs.viewed),
        median=same_seconds(median),
        p95=same_seconds(p95),
        immature=bool(immature),
    )


def by_day(source: Source, scope: Scope) -> "pd.DataFrame":
    """Completion of each local day's runs.

    Returns:
        Columns `day`, `started`, `completed`, `rate` (NaN without a started run), `immature`; days with runs only.
    """
    day = scope.local_day(RunFact.first_at).label("day")
    started = func.count(RunFact.started_at)
    completed = func.count().filter(completed_run())
    columns = [
        started.label("started"),
        completed.label("completed"),
        func.bool_or(still_going()).label("immature"),
    ]
    found = frame(source, select(day, *columns).where(*scope.runs()).group_by(day).order_by(day))
    found.insert(3, "rate", found["completed"] / found["started"].where(found["started"] > 0))
    return found


def completions_by_day(source: Source, scope: Scope) -> "pd.DataFrame":
    """Runs by the local day on which they were completed, whenever they began.

    Returns:
        Columns `day`, `completions`; days with completions only.
    """
    day = scope.local_day(RunFact.completed_at).label("day")
    within = [completed_run(), RunFact.completed_at >= scope.start_at, RunFact.completed_at < scope.end_at]
    counted = func.count().label("completions")
    return frame(source, select(day, counted).where(*scope.of(RunFact), *within).group_by(day).order_by(day))


def completed_run() -> ColumnElement[bool]:
    """The condition on `RunFact`: a run that reached an end step after an answer."""
    return RunFact.completed_at.is_not(None) & RunFact.started_at.is_not(None)


def still_going() -> ColumnElement[bool]:
    """The condition on `RunFact`: a run that has not ended and may go on."""
    return RunFact.completed_at.is_(None) & (RunFact.last_at > func.now() - STILL_GOING)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
