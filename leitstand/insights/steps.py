"""Steps: how many runs reached each step of a funnel, and where they went no further."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Select, Text, any_, distinct, func, literal, select, true
from sqlalchemy.sql.selectable import Subquery, TableValuedAlias

from leitstand.db.models import Companion, Item, RunFact
from leitstand.errors import InvalidInput
from leitstand.insights.frames import by_code_point
from leitstand.insights.scope import EARLIEST, LATEST, Scope
from leitstand.insights.sources import Source, column, frame, rows

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
    if names:
        _check(source, scope, names)
    return reached(source, scope, names or shared_funnel(source, scope) or common_steps(source, scope))


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
    return (
        select(RunFact.steps, func.count().label("runs"))
        .where(*scope.runs())
        .group_by(RunFact.steps)
        .subquery()
    )


def _each(sets: Subquery) -> TableValuedAlias:
    """The steps of a set as rows (lateral)."""
    return func.unnest(sets.c.steps).table_valued("name", name="step").render_derived()


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
    for name in names:
        any_run = (
            select(1)
            .where(RunFact.workspace_id == scope.workspace_id, literal(name) == any_(RunFact.steps))
            .limit(1)
        )
        if not rows(source, any_run).values:
            known = common_steps(
                source, replace(scope, companion_id=None, start=EARLIEST, end=LATEST), limit=SHOWN
            )
            hint = (
                "There is for example: " + ", ".join(known) + "."
                if known
                else "No run has taken any step yet."
            )
            raise InvalidInput(f"No run of this workspace ever reached a step {name!r}.", hint=hint)
