"""Active users: different human actors with an event in a window."""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Integer, cast, func, select

from leitstand.db.models import ActorBucket
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.frames import day_span
from leitstand.insights.scope import DAY, Scope, data_days, midnight
from leitstand.insights.sources import Source, frame, row

if TYPE_CHECKING:
    import pandas as pd

WINDOWS = {"dau": 1, "wau": 7, "mau": 30}
LONGEST = max(WINDOWS.values())


def active_users(source: Source, scope: Scope) -> int:
    """Different actors with an event in the range."""
    known = ActorBucket.actor_key != NO_ACTOR
    actors = select(ActorBucket.actor_key).where(*scope.buckets(), known).group_by(ActorBucket.actor_key)
    (counted,) = row(source, select(func.count()).select_from(actors.subquery()))
    return int(counted)


def by_day(source: Source, scope: Scope) -> "pd.DataFrame":
    """Daily, weekly and monthly active users of each local day.

    Each window ends with its day and reaches back before the range where it must. Days to come have no row, unless
    they have events.

    Returns:
        Columns `day`, `dau`, `wau` (7 days), `mau` (30 days); a row for every calendar day of the range.
    """
    import pandas as pd

    end = _end_of_series(source, scope)
    days = day_span(scope.start - LONGEST * DAY, end)
    gaps = _gaps(source, scope)
    series = {name: _rolling(gaps, days, window) for name, window in WINDOWS.items()}
    counted = pd.DataFrame(series, index=days).loc[lambda rows: rows.index >= scope.start]
    return counted.reset_index()


def _end_of_series(source: Source, scope: Scope) -> date:
    _, last = data_days(source, scope)
    today = datetime.now(ZoneInfo(scope.zone)).date()
    return min(scope.end, max(today, last or today) + DAY)


def _gaps(source: Source, scope: Scope) -> "pd.DataFrame":
    """For each day: how many actors were active on it and how long each stayed away afterwards (at most LONGEST).

    From it each window follows without joining days: an actor of a day counts on that day and the following ones,
    until the window is over or the actor comes back.
    """
    since = midnight(scope.start - (LONGEST - 1) * DAY, scope.zone)
    day = scope.local_day(ActorBucket.bucket).label("day")
    known = ActorBucket.actor_key != NO_ACTOR
    actor_days = (
        select(ActorBucket.actor_key, day)
        .where(*scope.buckets(since=since), known)
        .group_by(ActorBucket.actor_key, day)
        .subquery()
    )
    following = func.lead(actor_days.c.day).over(
        partition_by=actor_days.c.actor_key, order_by=actor_days.c.day
    )
    away = cast(func.least(func.coalesce(following - actor_days.c.day, LONGEST), LONGEST), Integer).label(
        "away"
    )
    spans = select(actor_days.c.day, away).subquery()
    return frame(
        source,
        select(spans.c.day, spans.c.away, func.count().label("actors")).group_by(spans.c.day, spans.c.away),
    )


def _rolling(gaps: "pd.DataFrame", days: "pd.Index[Any]", window: int) -> "pd.Series[int]":
    import pandas as pd

    comes = gaps.groupby("day")["actors"].sum()
    away = gaps["away"].clip(upper=window)
    # Added one by one: pandas can't add a single date to a single length.
    over = pd.Series(
        [day + timedelta(days=int(length)) for day, length in zip(gaps["day"], away, strict=True)],
        dtype=object,
    )
    goes = gaps.groupby(over)["actors"].sum()
    change = comes.reindex(days, fill_value=0) - goes.reindex(days, fill_value=0)
    return pd.Series(change.cumsum(), dtype="int64")
