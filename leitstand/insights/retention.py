"""Retention: who of a week's newcomers was active in the weeks after."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Integer, Select, cast, func, select

from leitstand.db.models import ActorBucket
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.local_time import local_start
from leitstand.insights.scope import EARLIEST, Scope, midnight
from leitstand.insights.sources import Source, frame

if TYPE_CHECKING:
    import pandas as pd

WEEK = timedelta(days=7)


def retention(source: Source, scope: Scope) -> "pd.DataFrame":
    """Of the actors first seen in a local week (from Monday), how many were active so many weeks later.

    An actor is first seen at their first event ever in the workspace (or companion); the range chooses the actors
    first seen in it.

    Returns:
        Columns `cohort` (the Monday), `weeks_later` (0 is the cohort's own week), `actors` (None where the week has
        not ended yet); weeks in which nobody was active have no row.
    """
    import pandas as pd

    found = frame(source, _cells(scope))
    monday = _this_monday(scope.zone)
    ended = [
        cohort + later * WEEK < monday
        for cohort, later in zip(found["cohort"], found["weeks_later"], strict=True)
    ]
    return found.assign(actors=found["actors"].astype("Int64").where(pd.Series(ended, dtype=bool)))


def _cells(scope: Scope) -> Select[Any]:
    """The actor-weeks of the range's newcomers, counted by cohort."""
    week = local_start(scope.zone, ActorBucket.bucket, "week").label("week")
    ever = scope.buckets(since=midnight(EARLIEST, scope.zone))
    known = ActorBucket.actor_key != NO_ACTOR
    first = func.min(ActorBucket.bucket).label("first")
    actor_weeks = (
        select(ActorBucket.actor_key, week, first)
        .where(*ever, known)
        .group_by(ActorBucket.actor_key, week)
        .subquery()
    )
    earliest = func.min(actor_weeks.c.first).over(partition_by=actor_weeks.c.actor_key).label("earliest")
    cohort = func.min(actor_weeks.c.week).over(partition_by=actor_weeks.c.actor_key).label("cohort")
    placed = select(cohort, earliest, actor_weeks.c.week).subquery()
    later = cast((placed.c.week - placed.c.cohort) / 7, Integer).label("weeks_later")
    return (
        select(placed.c.cohort, later, func.count().label("actors"))
        .where(placed.c.earliest >= scope.start_at)
        .group_by(placed.c.cohort, later)
        .order_by(placed.c.cohort, later)
    )


def _this_monday(zone: str) -> Any:
    today = datetime.now(ZoneInfo(zone)).date()
    return today - timedelta(days=today.weekday())
