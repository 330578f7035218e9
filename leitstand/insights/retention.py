"""Retention: who of a week's newcomers was active in the weeks after."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Integer, Select, cast, func, select

from leitstand.db.models import ActorBucket
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.local_time import local_start
from leitstand.insights.scope import Scope
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
    """The actor-weeks of the range's newcomers, counted by cohort.

    Of what lies before the range only who was there is needed: a newcomer's weeks all lie in the range.
    """
    week = local_start(scope.zone, ActorBucket.bucket, "week").label("week")
    known = ActorBucket.actor_key != NO_ACTOR
    actor_weeks = (
        select(ActorBucket.actor_key, week)
        .where(*scope.buckets(), known)
        .group_by(ActorBucket.actor_key, week)
        .cte("actor_weeks")
    )
    before = (
        select(ActorBucket.actor_key)
        .where(*scope.of(ActorBucket), ActorBucket.bucket < scope.start_at)
        .group_by(ActorBucket.actor_key)
        .subquery()
    )
    was_there = select(1).where(before.c.actor_key == actor_weeks.c.actor_key).exists()
    newcomers = (
        select(actor_weeks.c.actor_key, func.min(actor_weeks.c.week).label("cohort"))
        .where(~was_there)
        .group_by(actor_weeks.c.actor_key)
        .subquery()
    )
    cohort = newcomers.c.cohort
    later = cast((actor_weeks.c.week - cohort) / 7, Integer).label("weeks_later")
    return (
        select(cohort, later, func.count().label("actors"))
        .join(newcomers, newcomers.c.actor_key == actor_weeks.c.actor_key)
        .group_by(cohort, later)
        .order_by(cohort, later)
    )


def _this_monday(zone: str) -> Any:
    today = datetime.now(ZoneInfo(zone)).date()
    return today - timedelta(days=today.weekday())
