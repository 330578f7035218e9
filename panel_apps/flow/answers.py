"""What the flow dashboard shows of one companion, each question asked once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from leitstand.insights import completion, passages, steps
from leitstand.insights.completion import Completion
from leitstand.insights.scope import Scope
from panel_apps.flow.graph import Graph, graph

if TYPE_CHECKING:
    import pandas as pd

PAGE = 25


@dataclass(frozen=True)
class Runs:
    """One page of the runs that reached a step.

    Args:
        step: its name; empty where none was chosen.
        page: from 1.
        total: how many runs reached it.
        rows: `run`, `version`, `began`, `reached`, `next_at`, `next_step`, `completed`, `events`.
    """

    step: str
    page: int
    total: int
    rows: "pd.DataFrame | None"

    @property
    def pages(self) -> int:
        """How many pages there are; at least one."""
        return max(1, -(-self.total // PAGE))


@dataclass(frozen=True)
class Answers:
    """Everything that the flow dashboard shows of one scope.

    Args:
        version: number of the published flow whose order is shown; None where there is none.
        graph: steps and ways with their figures.
        steps: `step`, `reached`, `dropped`, `drop_off`, `went_on`, `median`, `p95`, in the flow's order.
        ways: `step`, `next_step`, `runs`.
        runs: those of the chosen step.
        totals: of the range.
        before: of the period that it is compared with; None without.
        as_of: up to when the figures are complete.
    """

    version: int | None
    graph: Graph
    steps: "pd.DataFrame"
    ways: "pd.DataFrame"
    runs: Runs
    totals: Completion
    before: Completion | None
    as_of: datetime


def ask(session: Session, scope: Scope, before: Scope | None, *, step: str, page: int) -> Answers:
    """Ask every question about a companion, and about the runs of one of its steps."""
    as_of = datetime.now(UTC)
    published = passages.published_flow(session, scope)
    flow = published.flow if published else None
    times, ways = passages.times(session, scope), passages.ways(session, scope)
    reached = _steps(session, scope, list(flow.funnel) if flow else [], list(times["step"]))
    timed = times.set_index("step")[["went_on", "median", "p95"]]
    whole = reached.join(timed.reindex(reached["step"]).reset_index(drop=True))
    found = graph(flow, reached, times, ways, ends=passages.end_steps(session, scope))
    known = step in {node.name for node in found.nodes}
    return Answers(
        version=published.number if published else None,
        graph=found,
        steps=whole,
        ways=ways,
        runs=_runs(session, scope, step if known else "", page),
        totals=completion.completion(session, scope),
        before=completion.completion(session, before) if before else None,
        as_of=as_of,
    )


def _steps(session: Session, scope: Scope, funnel: list[str], taken: list[str]) -> "pd.DataFrame":
    """Drop-off along the flow; steps that only runs know come after it.

    Args:
        funnel: the published flow's steps; none: drop-off is along all steps, in the order in which runs took them.
        taken: steps in that order, as far as it is known.
    """
    place = {name: at for at, name in enumerate(taken)}
    others = [name for name in steps.common_steps(session, scope) if name not in funnel]
    others.sort(key=lambda name: place.get(name, len(place)))
    return steps.reached(session, scope, [*funnel, *others])


def _runs(session: Session, scope: Scope, step: str, page: int) -> Runs:
    if not step:
        return Runs("", 1, 0, None)
    total = passages.count_at(session, scope, step)
    within = min(max(1, page), max(1, -(-total // PAGE)))
    rows = passages.runs_at(session, scope, step, limit=PAGE, offset=(within - 1) * PAGE)
    return Runs(step, within, total, rows)
