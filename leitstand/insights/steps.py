"""Steps: how many runs reached each step of a funnel, and where they went no further."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Select, Text, distinct, func, literal, select, true
from sqlalchemy.sql.selectable import Subquery, TableValuedAlias

from leitstand.db.models import Companion, Item, RunFact
from leitstand.errors import InvalidInput
from leitstand.insights.frames import by_code_point
from leitstand.insights.precomputed import StepSet, StepsOfSet
from leitstand.insights.scope import EARLIEST, LATEST, Scope
from leitstand.insights.sources import Source, column, frame
from leitstand.words import N_, msg

if TYPE_CHECKING:
    import pandas as pd

MOST_STEPS = 50
SHOWN = 8


def steps(source: Source, scope: Scope, names: Sequence[str] | None = None) -> "pd.DataFrame":
    """Drop-off at each step: runs that reached it and no later one ÷ runs that reached it.

    Args:
        names: the funnel, in order; None: the one that the companions share, else their steps by how many runs
            reached them (at most 50).

    Returns:
        Columns `step`, `reached`, `dropped`, `drop_off` (NaN where none reached it), in the funnel's order. A run
        counts once a step, whatever the order in which it took them.

    Raises:
        InvalidInput: a named step that no run of the workspace ever reached.
    """
    if not names:
        return reached(source, scope, shared_funnel(source, scope) or common_steps(source, scope))
    found = reached(source, scope, names)
    _check(source, scope, found.loc[found["reached"] == 0, "step"].tolist())
    return found


def reached(source: Source, scope: Scope, names: Sequence[str]) -> "pd.DataFrame":
    """The same for these steps in this order, also where no run ever reached one of them."""
    funnel = list(dict.fromkeys(names))
    found = frame(source, _placed(scope, funnel)).set_index("position")
    counted = found.reindex(range(1, len(funnel) + 1)).fillna(0).astype("int64")
    counted.insert(0, "step", funnel)
    counted["drop_off"] = counted["dropped"] / counted["reached"].where(counted["reached"] > 0)
    return counted.reset_index(drop=True)


def shared_funnel(source: Source, scope: Scope) -> list[str]:
    """The funnel that every companion with runs in the scope has; empty where they differ or have none."""
    of_companion = (
        select(1).where(*scope.runs(), RunFact.companion_id == Companion.item_id).correlate(Companion)
    )
    statement = (
        select(distinct(Companion.funnel))
        .join(Item, Item.id == Companion.item_id)
        .where(Item.workspace_id == scope.workspace_id, of_companion.exists())
        .limit(2)
    )
    funnels = column(source, statement)
    return list(funnels[0]) if len(funnels) == 1 else []


def common_steps(source: Source, scope: Scope, *, limit: int = MOST_STEPS) -> list[str]:
    """The steps of the scope's runs by how many reached them, then by name."""
    sets = _step_sets(scope)
    step = _each(sets)
    statement = (
        select(step.c.name)
        .select_from(sets)
        .join(step, true())
        .group_by(step.c.name)
        .order_by(func.sum(sets.c.runs).desc(), by_code_point(step.c.name))
        .limit(limit)
    )
    return column(source, statement)


def _step_sets(scope: Scope) -> Subquery:
    """The different sets of steps that runs took, and how many runs took each: far fewer than runs."""
    taken = StepSet(RunFact.steps)
    return (
        select(taken.label("steps"), func.count().label("runs"))
        .where(*scope.runs())
        .group_by(taken)
        .subquery()
    )


def _each(sets: Subquery) -> TableValuedAlias:
    """The steps of a set as rows (lateral)."""
    return func.unnest(StepsOfSet(sets.c.steps)).table_valued("name", name="step").render_derived()


def _placed(scope: Scope, funnel: list[str]) -> Select[Any]:
    """For each position in the funnel, how many runs reached it, and for how many it was the last."""
    sets, chosen = _step_sets(scope), literal(funnel, ARRAY(Text))
    step = _each(sets)
    position = func.array_position(chosen, step.c.name).label("position")
    last = func.max(position).over(partition_by=sets.c.steps).label("last")
    placed = select(position, last, sets.c.runs).select_from(sets).join(step, true()).subquery()
    runs = func.sum(placed.c.runs)
    dropped = runs.filter(placed.c.position == placed.c.last)
    columns = placed.c.position, runs.label("reached"), dropped.label("dropped")
    return select(*columns).where(placed.c.position.is_not(None)).group_by(placed.c.position)


def _check(source: Source, scope: Scope, names: Sequence[str]) -> None:
    """Make sure that runs of the workspace reached these steps at some time."""
    ever = replace(scope, companion_id=None, among=None, start=EARLIEST, end=LATEST, until=None)
    taken = _taken(source, ever, names)
    unknown = [name for name in names if name not in taken]
    if not unknown:
        return
    known = common_steps(source, ever, limit=SHOWN)
    there = (
        msg("There is for example: {names}.", names=", ".join(known))
        if known
        else N_("No run has taken any step yet.")
    )
    raise InvalidInput(
        msg("No run of this workspace ever reached a step {step!r}.", step=unknown[0]), hint=there
    )


def _taken(source: Source, scope: Scope, names: Sequence[str]) -> set[str]:
    """Those of the steps that any run of the scope reached."""
    if not names:
        return set()
    sets = _step_sets(scope)
    step = _each(sets)
    found = select(distinct(step.c.name)).select_from(sets).join(step, true()).where(step.c.name.in_(names))
    return set(column(source, found))
