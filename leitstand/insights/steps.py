"""Steps: how many runs reached each step of a funnel, and where they went no further."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Select, Text, any_, distinct, func, literal, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TableValuedAlias

from leitstand.db.models import Companion, RunFact
from leitstand.errors import InvalidInput
from leitstand.insights.frames import by_code_point, frame
from leitstand.insights.scope import EARLIEST, LATEST, Scope

if TYPE_CHECKING:
    import pandas as pd

MOST_STEPS = 50
SHOWN = 8


def steps(session: Session, scope: Scope, names: Sequence[str] | None = None) -> "pd.DataFrame":
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
        _check(session, scope, names)
    funnel = list(dict.fromkeys(names or shared_funnel(session, scope) or common_steps(session, scope)))
    reached = frame(session, _reached(scope, funnel)).set_index("position")
    dropped = frame(session, _dropped(scope, funnel)).set_index("position")
    counted = reached.join(dropped).reindex(range(1, len(funnel) + 1)).fillna(0).astype("int64")
    counted.insert(0, "step", funnel)
    counted["drop_off"] = counted["dropped"] / counted["reached"].where(counted["reached"] > 0)
    return counted.reset_index(drop=True)


def shared_funnel(session: Session, scope: Scope) -> list[str]:
    """The funnel that every companion with runs in the scope has; empty where they differ or have none."""
    with_runs = select(distinct(RunFact.companion_id)).where(*scope.runs())
    statement = select(distinct(Companion.funnel)).where(Companion.item_id.in_(with_runs)).limit(2)
    funnels = session.execute(statement).scalars().all()
    return list(funnels[0]) if len(funnels) == 1 else []


def common_steps(session: Session, scope: Scope, *, limit: int = MOST_STEPS) -> list[str]:
    """The steps of the scope's runs by how many reached them, then by name."""
    taken = _taken()
    statement = (
        select(taken.c.step)
        .select_from(RunFact)
        .join(taken, true())
        .where(*scope.runs())
        .group_by(taken.c.step)
        .order_by(func.count().desc(), by_code_point(taken.c.step))
        .limit(limit)
    )
    return list(session.execute(statement).scalars())


def _taken() -> TableValuedAlias:
    """The steps of one run as rows (lateral)."""
    return func.unnest(RunFact.steps).table_valued("step", name="taken").render_derived()


def _reached(scope: Scope, funnel: list[str]) -> Select[Any]:
    chosen, taken = literal(funnel, ARRAY(Text)), _taken()
    position = func.array_position(chosen, taken.c.step).label("position")
    return (
        select(position, func.count().label("reached"))
        .select_from(RunFact)
        .join(taken, true())
        .where(*scope.runs(), taken.c.step == func.any(chosen))
        .group_by(position)
    )


def _dropped(scope: Scope, funnel: list[str]) -> Select[Any]:
    chosen, taken = literal(funnel, ARRAY(Text)), _taken()
    furthest = (
        select(func.max(func.array_position(chosen, taken.c.step))).select_from(taken).correlate(RunFact)
    )
    runs = select(furthest.scalar_subquery().label("position")).where(*scope.runs()).subquery()
    position = runs.c.position
    return select(position, func.count().label("dropped")).where(position.is_not(None)).group_by(position)


def _check(session: Session, scope: Scope, names: Sequence[str]) -> None:
    for name in names:
        reached = (
            select(1)
            .where(RunFact.workspace_id == scope.workspace_id, literal(name) == any_(RunFact.steps))
            .limit(1)
        )
        if session.execute(reached).first() is None:
            known = common_steps(
                session, replace(scope, companion_id=None, start=EARLIEST, end=LATEST), limit=SHOWN
            )
            hint = (
                "There is for example: " + ", ".join(known) + "."
                if known
                else "No run has taken any step yet."
            )
            raise InvalidInput(f"No run of this workspace ever reached a step {name!r}.", hint=hint)
