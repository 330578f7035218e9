"""Companions: which were used most."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Select, distinct, func, select

from leitstand.db.models import ActorBucket, Item, RunFact
from leitstand.db.models.events import NO_ACTOR
from leitstand.insights.frames import by_code_point, companion_name
from leitstand.insights.scope import Scope
from leitstand.insights.sources import Source, frame, rows

if TYPE_CHECKING:
    import pandas as pd

TOP = 10


def top(source: Source, scope: Scope, *, limit: int = TOP) -> "pd.DataFrame":
    """The companions with the most runs that began in the range.

    Returns:
        Columns `companion_id`, `companion`, `runs`, `completed`, `active_users` (different actors with an event on it
        in the range); by runs, then by name.
    """
    runs = _runs(scope).subquery()
    name = companion_name()
    first = (
        select(runs.c.companion_id, name.label("companion"), runs.c.runs, runs.c.completed)
        .join(Item, Item.id == runs.c.companion_id)
        .where(Item.workspace_id == scope.workspace_id, *scope.named())
        .order_by(runs.c.runs.desc(), by_code_point(name))
        .limit(limit)
    )
    best = frame(source, first)
    actors = dict(map(tuple, rows(source, _actors(scope, list(best["companion_id"]))).values))
    return best.assign(active_users=[actors.get(companion, 0) for companion in best["companion_id"]])


def _runs(scope: Scope) -> Select[Any]:
    completed = func.count(RunFact.completed_at).filter(RunFact.started_at.is_not(None))
    return (
        select(RunFact.companion_id, func.count().label("runs"), completed.label("completed"))
        .where(*scope.runs())
        .group_by(RunFact.companion_id)
    )


def _actors(scope: Scope, companions: list[UUID]) -> Select[tuple[UUID, int]]:
    chosen = [*scope.buckets(), ActorBucket.companion_id.in_(companions), ActorBucket.actor_key != NO_ACTOR]
    counted = func.count(distinct(ActorBucket.actor_key))
    return select(ActorBucket.companion_id, counted).where(*chosen).group_by(ActorBucket.companion_id)
