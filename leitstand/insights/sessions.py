"""Sessions: an actor's events on one companion without a pause of more than 30 minutes."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select

from leitstand.db.models import ActorBucket
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.precomputed import LOOK_BACK, begins_session
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Source, frame, row

if TYPE_CHECKING:
    import pandas as pd


def sessions(source: Source, scope: Scope) -> int:
    """Sessions that began in the range. Events without an actor belong to none."""
    starts = _starts(scope).subquery()
    (counted,) = row(source, select(func.count()).select_from(starts))
    return int(counted)


def by_day(source: Source, scope: Scope) -> "pd.DataFrame":
    """Sessions by the local day on which they began.

    Returns:
        Columns `day`, `sessions`; days with sessions only.
    """
    starts = _starts(scope).subquery()
    day = scope.local_day(starts.c.first_at).label("day")
    return frame(source, select(day, func.count().label("sessions")).group_by(day).order_by(day))


def _starts(scope: Scope) -> Select[Any]:
    """The quarters that begin a session; looking back tells whether the range's first quarters go on with one."""
    quarters = select(ActorBucket.bucket, ActorBucket.first_at, begins_session().label("begins")).where(
        *scope.buckets(since=scope.start_at - LOOK_BACK), ActorBucket.actor_key != NO_ACTOR
    )
    seen = quarters.subquery()
    return select(seen.c.first_at).where(seen.c.begins, seen.c.bucket >= scope.start_at)
