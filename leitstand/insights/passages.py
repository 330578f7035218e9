"""Passages: the ways that runs took from step to step, and how long they stayed on each."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Float, Integer, Subquery, cast, func, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import LateralFromClause

from leitstand.companions.flow import Flow, parse_flow
from leitstand.db.models import Companion, CompanionVersion, Item, RunFact
from leitstand.insights.frames import by_code_point
from leitstand.insights.scope import Scope
from leitstand.insights.sources import frame

if TYPE_CHECKING:
    import pandas as pd

MOST_STEPS, MOST_WAYS = 60, 400


@dataclass(frozen=True)
class Published:
    """The flow that is open to visitors, and its version's number."""

    number: int
    flow: Flow


def published_flow(session: Session, scope: Scope) -> Published | None:
    """The published flow of the scope's companion; None where there is none, or no companion was chosen."""
    statement = (
        select(CompanionVersion.number, CompanionVersion.flow)
        .join(Companion, Companion.item_id == CompanionVersion.companion_id)
        .join(Item, Item.id == Companion.item_id)
        .where(
            Item.workspace_id == scope.workspace_id,
            Item.id == scope.companion_id,
            Item.deleted_at.is_(None),
            CompanionVersion.number == Companion.published_version,
        )
    )
    row = session.execute(statement).one_or_none()
    return Published(row.number, parse_flow(row.flow)) if row else None


def end_steps(session: Session, scope: Scope) -> list[str]:
    """The steps that complete a run of the scope's companion; none where no companion was chosen."""
    statement = (
        select(Companion.end_steps)
        .join(Item, Item.id == Companion.item_id)
        .where(Item.workspace_id == scope.workspace_id, Item.id == scope.companion_id)
    )
    return list(session.scalar(statement) or [])


def times(session: Session, scope: Scope) -> "pd.DataFrame":
    """How long runs that began in the range stayed on each step: from first reaching it to first reaching the next.

    Returns:
        Columns `step`, `place` (the mean position at which runs took it, from 1), `went_on` (runs that took a step
        afterwards), `median` and `p95` (seconds of these; NaN without any); by place, then by name, at most 60.
        Runs whose instants are not known yet are left out.
    """
    ways = _ways(scope)
    seconds = func.extract("epoch", ways.c.next_at - ways.c.at)
    went_on = ways.c.next_step.is_not(None)
    median, p95 = (
        cast(func.percentile_cont(share).within_group(seconds).filter(went_on), Float)
        for share in (0.5, 0.95)
    )
    place = cast(func.avg(ways.c.place), Float).label("place")
    statement = (
        select(
            ways.c.step,
            place,
            func.count().filter(went_on).label("went_on"),
            median.label("median"),
            p95.label("p95"),
        )
        .group_by(ways.c.step)
        .order_by(place, by_code_point(ways.c.step))
        .limit(MOST_STEPS)
    )
    return frame(session, statement).astype({"median": "float64", "p95": "float64"})


def ways(session: Session, scope: Scope) -> "pd.DataFrame":
    """How many runs that began in the range went from one step to another next, by when they first reached each.

    Returns:
        Columns `step`, `next_step`, `runs`; the most taken first, then by names, at most 400.
    """
    found = _ways(scope)
    runs = func.count().label("runs")
    statement = (
        select(found.c.step, found.c.next_step, runs)
        .where(found.c.next_step.is_not(None))
        .group_by(found.c.step, found.c.next_step)
        .order_by(runs.desc(), by_code_point(found.c.step), by_code_point(found.c.next_step))
        .limit(MOST_WAYS)
    )
    return frame(session, statement)


def runs_at(session: Session, scope: Scope, step: str, *, limit: int, offset: int = 0) -> "pd.DataFrame":
    """Runs of the range that reached a step, the last begun first.

    Returns:
        Columns `run` (its key), `companion_id`, `version`, `began`, `reached` and `next_at` (instants; NaT where not
        known or none), `next_step`, `completed` (whether it reached an end), `events`.
    """
    of_run = func.array_position(RunFact.steps, step)
    at = RunFact.step_at[of_run]
    later = _following(at)
    statement = (
        select(
            RunFact.run_key.label("run"),
            RunFact.companion_id,
            RunFact.flow_version.label("version"),
            RunFact.first_at.label("began"),
            at.label("reached"),
            later.c.next_at,
            later.c.next_step,
            RunFact.completed_at.is_not(None).label("completed"),
            RunFact.events,
        )
        .select_from(RunFact)
        .outerjoin(later, true())
        .where(*scope.runs(), of_run.is_not(None))
        .order_by(RunFact.first_at.desc(), RunFact.log_id, RunFact.run_key)
        .limit(limit)
        .offset(offset)
    )
    return frame(session, statement)


def count_at(session: Session, scope: Scope, step: str) -> int:
    """How many runs of the range reached a step."""
    reached = func.array_position(RunFact.steps, step).is_not(None)
    return int(session.scalar(select(func.count()).where(*scope.runs(), reached)) or 0)


def _ways(scope: Scope) -> Subquery:
    """Each step of each run with its place, its instant, and the step after it."""
    step = (
        func.unnest(RunFact.steps, RunFact.step_at)
        .table_valued("name", "at", name="step", joins_implicitly=True)
        .render_derived()
    )
    order: dict[str, Any] = {
        "partition_by": (RunFact.log_id, RunFact.run_key),
        "order_by": (step.c.at, step.c.name),
    }
    return (
        select(
            step.c.name.label("step"),
            step.c.at,
            cast(func.row_number().over(**order), Integer).label("place"),
            func.lead(step.c.name).over(**order).label("next_step"),
            func.lead(step.c.at).over(**order).label("next_at"),
        )
        .select_from(RunFact)
        .join(step, true())
        .where(*scope.runs(), step.c.at.is_not(None), step.c.name.is_not(None))
        .subquery()
    )


def _following(at: ColumnElement[Any]) -> LateralFromClause:
    """The first step that a run took after an instant (lateral)."""
    step = (
        func.unnest(RunFact.steps, RunFact.step_at)
        .table_valued("name", "at", name="after", joins_implicitly=True)
        .render_derived()
    )
    return (
        select(step.c.name.label("next_step"), step.c.at.label("next_at"))
        .where(step.c.at > at)
        .order_by(step.c.at, step.c.name)
        .limit(1)
        .correlate(RunFact)
        .lateral("following")
    )
