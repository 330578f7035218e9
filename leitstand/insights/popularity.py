"""Popularity: decayed use of companions."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Double,
    Select,
    String,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.selectable import Subquery

from leitstand.db.models import Item, RunFact
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.frames import by_code_point, companion_name
from leitstand.insights.scope import DAY, Instant, Scope
from leitstand.insights.sources import Source, frame

if TYPE_CHECKING:
    import pandas as pd

HALF_LIFE_DAYS = 14
OPENED, RUN, COMPLETED = 1, 2, 3
OFFICIAL_BONUS = 1.15
# Older use weighs less than a float can tell from nothing.
FORGOTTEN_DAYS = 1000 * HALF_LIFE_DAYS
TOP = 10


def popular(source: Source, scope: Scope, *, limit: int = TOP) -> "pd.DataFrame":
    """Companions by decayed use in the range, as of its last day (today, where it ends later).

    The score is the sum over (actor, local day, kind of use) of weight · 2^(-age/14 days): opened 1, run 2,
    completed run 3; an official companion's counts 1.15 times. The actor of a run is that of its first event; a
    run without one, or by the companion's owner, does not count.

    Returns:
        Columns `companion_id`, `companion`, `score`; by score, then by name.
    """
    counted = _counted(scope)
    age = literal(as_of(scope), Date) - counted.c.day
    decay = case((age < FORGOTTEN_DAYS, _halved(age)), else_=0.0)
    bonus = case((Item.visibility == "official", OFFICIAL_BONUS), else_=1.0)
    # In one order, so that equal facts give a score that is equal to the last bit.
    worth = aggregate_order_by(cast(counted.c.weight, BigInteger) * decay * bonus, counted.c.day)
    score, name = func.sum(worth).label("score"), companion_name()
    statement = (
        select(Item.id.label("companion_id"), name.label("companion"), cast(score, Double).label("score"))
        .join(counted, counted.c.companion_id == Item.id)
        .where(Item.workspace_id == scope.workspace_id, *scope.named())
        .group_by(Item.id, Item.external_key, Item.title)
        .order_by(score.desc(), by_code_point(name))
        .limit(limit)
    )
    return frame(source, statement)


def _halved(age: ColumnElement[Any]) -> ColumnElement[float]:
    """2^(-age/14), the same to the last bit on every engine and machine.

    Powers of two are exact everywhere, other powers are the C library's, Java's: of the fourteen parts of a half-life each is
    written out.
    """
    part = func.mod(func.mod(age, HALF_LIFE_DAYS) + HALF_LIFE_DAYS, HALF_LIFE_DAYS)
    parts = {days: 2.0 ** (-days / HALF_LIFE_DAYS) for days in range(HALF_LIFE_DAYS)}
    whole = cast(age - part, Double) / HALF_LIFE_DAYS
    return case(parts, value=part, else_=1.0) * func.power(cast(2, Double), -whole)


def as_of(scope: Scope) -> date:
    """The local day from which ages count: the range's last, at most today."""
    today = datetime.now(ZoneInfo(scope.zone)).date()
    return max(scope.start, min(scope.end - DAY, today))


def _counted(scope: Scope) -> Subquery:
    """What the uses of a companion on each local day weigh together, its owner's left out.

    What is raised to a power is few rows then.
    """
    uses = union_all(_begun(scope), _completed(scope)).subquery()
    of_others = uses.c.actor_key != func.coalesce(cast(Item.owner_id, String), NO_ACTOR)
    return (
        select(uses.c.companion_id, uses.c.day, func.sum(uses.c.weight).label("weight"))
        .join(Item, Item.id == uses.c.companion_id)
        .where(Item.workspace_id == scope.workspace_id, of_others)
        .group_by(uses.c.companion_id, uses.c.day)
        .subquery()
    )


def _begun(scope: Scope) -> Select[Any]:
    opened = case((func.bool_or(RunFact.opened_at.is_not(None)), OPENED), else_=0)
    run = case((func.bool_or(RunFact.started_at.is_not(None)), RUN), else_=0)
    return _uses(scope, RunFact.first_at, opened + run)


def _completed(scope: Scope) -> Select[Any]:
    return _uses(scope, RunFact.completed_at, literal(COMPLETED)).where(RunFact.started_at.is_not(None))


def _uses(scope: Scope, at: Instant, weight: ColumnElement[int]) -> Select[Any]:
    """What each actor's use of a companion on a local day weighs."""
    day = scope.local_day(at).label("day")
    within = [at >= scope.start_at, at < scope.end_at, RunFact.actor_key != NO_ACTOR]
    return (
        select(RunFact.companion_id, RunFact.actor_key, day, weight.label("weight"))
        .where(*scope.of(RunFact), *within)
        .group_by(RunFact.companion_id, RunFact.actor_key, day)
    )
