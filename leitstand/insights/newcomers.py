"""New and returning: whose first event ever lies in the range, and who was there before."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, func, select

from leitstand.db.models import ActorBucket, Item
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.frames import by_code_point, companion_name
from leitstand.insights.local_time import local_start
from leitstand.insights.scope import EARLIEST, Scope, midnight
from leitstand.insights.sources import Source, frame, row

if TYPE_CHECKING:
    import pandas as pd

Period = Literal["day", "week", "month"]
TOP = 50


@dataclass(frozen=True)
class Newcomers:
    """Of the actors active in the range: those first seen in it, and those seen before."""

    new: int
    returning: int


def newcomers(source: Source, scope: Scope) -> Newcomers:
    """New and returning actors of the range; together they are its active users.

    An actor is first seen at their first event ever in the workspace (or on the companion).
    """
    first = (
        select(func.min(ActorBucket.bucket).label("first"), func.max(ActorBucket.bucket).label("last"))
        .where(*_ever(scope))
        .group_by(ActorBucket.actor_key)
        .subquery()
    )
    new = func.count().filter(first.c.first >= scope.start_at)
    came, active = row(source, select(new, func.count()).where(first.c.last >= scope.start_at))
    return Newcomers(int(came), int(active - came))


def by_period(source: Source, scope: Scope, *, period: Period = "day") -> "pd.DataFrame":
    """New and returning actors of each local day, week (from Monday) or month.

    In each period an actor counts once: as new in that of their first event ever, else as returning. So the new of
    all periods are the range's new; the returning of several periods don't add up.

    Returns:
        Columns `at` (the period's first day, which may lie before the range), `new`, `returning`; periods with
        activity only.
    """
    at = _period(scope, ActorBucket.bucket, period).label("at")
    active = (
        select(
            ActorBucket.actor_key,
            at,
            func.min(ActorBucket.bucket).label("came"),
            func.max(ActorBucket.bucket).label("left"),
        )
        .where(*_ever(scope))
        .group_by(ActorBucket.actor_key, at)
        .subquery()
    )
    first = func.min(active.c.came).over(partition_by=active.c.actor_key).label("first")
    seen = select(active.c.at, active.c.came, active.c.left, first).subquery()
    new = func.count().filter((seen.c.first == seen.c.came) & (seen.c.first >= scope.start_at))
    statement = (
        select(seen.c.at, new.label("new"), (func.count() - new).label("returning"))
        .where(seen.c.left >= scope.start_at)
        .group_by(seen.c.at)
        .order_by(seen.c.at)
    )
    return frame(source, statement)


def by_companion(source: Source, scope: Scope, *, limit: int = TOP) -> "pd.DataFrame":
    """The companions with the most active users, and how many of these used each for the first time in the range.

    Returns:
        Columns `companion_id`, `companion`, `active`, `new`, `returning`; by active users, then by name.
    """
    people = (
        select(
            ActorBucket.companion_id,
            func.min(ActorBucket.bucket).label("first"),
            func.max(ActorBucket.bucket).label("last"),
        )
        .where(*_ever(scope))
        .group_by(ActorBucket.companion_id, ActorBucket.actor_key)
        .subquery()
    )
    new = func.count().filter(people.c.first >= scope.start_at)
    name = companion_name()
    statement = (
        select(
            people.c.companion_id,
            name.label("companion"),
            func.count().label("active"),
            new.label("new"),
            (func.count() - new).label("returning"),
        )
        .join(Item, Item.id == people.c.companion_id)
        .where(people.c.last >= scope.start_at, Item.workspace_id == scope.workspace_id, *scope.named())
        .group_by(people.c.companion_id, Item.external_key, Item.title)
        .order_by(func.count().desc(), by_code_point(name))
        .limit(limit)
    )
    return frame(source, statement)


def _ever(scope: Scope) -> list[ColumnElement[bool]]:
    """What known actors did from the beginning to the range's end."""
    return [*scope.buckets(since=midnight(EARLIEST, scope.zone)), ActorBucket.actor_key != NO_ACTOR]


def _period(scope: Scope, column: Any, period: Period) -> ColumnElement[Any]:
    return scope.local_day(column) if period == "day" else local_start(scope.zone, column, period)
