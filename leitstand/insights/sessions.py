"""Sessions: an actor's events on one companion without a pause of more than 30 minutes."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, or_, select

from leitstand.db.models import ActorBucket
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.scope import QUARTER, Scope
from leitstand.insights.sources import Source, frame, row

if TYPE_CHECKING:
    import pandas as pd

PAUSE = timedelta(minutes=30)


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
    """The quarters that begin a session.

    A quarter of an hour holds no pause of 30 minutes, so pauses lie between one quarter's last event and the
    next one's first; looking back by the pause and a quarter tells whether the range's first quarters go on.
    """
    since = scope.start_at - PAUSE - QUARTER
    earlier = func.lag(ActorBucket.last_at).over(
        partition_by=(ActorBucket.companion_id, ActorBucket.actor_key), order_by=ActorBucket.bucket
    )
    known = ActorBucket.actor_key != NO_ACTOR
    quarters = select(ActorBucket.bucket, ActorBucket.first_at, earlier.label("earlier")).where(
        *scope.buckets(since=since), known
    )
    seen = quarters.subquery()
    begins = or_(seen.c.earlier.is_(None), seen.c.first_at - seen.c.earlier > PAUSE)
    return select(seen.c.first_at).where(begins, seen.c.bucket >= scope.start_at)
