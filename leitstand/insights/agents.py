"""Agents and models: threads by what became of them, and what questions to models used and cost.

Threads count by the local day on which they began, questions by when they were asked. Cost is in whole millionths of the
currency of the workspace's plan, so that sums are exact.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Float, Select, cast, func, select
from sqlalchemy.orm import Session

from leitstand.catalogue.visibility import visible
from leitstand.db.ids import lowest_uuid7
from leitstand.db.models import Item, ModelCall, Thread
from leitstand.db.models.agents import OPEN_STATUSES
from leitstand.identity.access import Principal, require
from leitstand.insights.frames import by_code_point, whole
from leitstand.insights.scope import Scope
from leitstand.insights.sources import frame, row

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 100
A_SECOND = 1_000.0
# An id tells about when its row was made; the exact instant is looked at besides.
MARGIN = timedelta(days=1)


@dataclass(frozen=True)
class Used:
    """What questions to models used.

    Args:
        questions: asked, those that failed among them.
        failed: of these, without an answer.
        tokens: of questions and answers together.
        cost: millionths of the currency.
        median, p95: seconds until the answer was complete, of those that had one; None without any.
    """

    questions: int
    failed: int
    tokens: int
    cost: int
    median: float | None
    p95: float | None


def threads_by_day(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """Threads by the local day on which they began and by what became of them.

    Returns:
        Columns `day`, `succeeded`, `failed`, `cancelled`, `open` (not ended yet); days with threads only.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    day = scope.local_day(Thread.created_at).label("day")
    columns = [
        *(_outcome(status).label(status) for status in ("succeeded", "failed", "cancelled")),
        _outcome(*OPEN_STATUSES).label("open"),
    ]
    return frame(session, select(day, *columns).where(*_threads(scope)).group_by(day).order_by(day))


def by_agent(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """The agents that were asked in the range, the most asked first (at most 100).

    Returns:
        Columns `agent` (empty: agents that are gone or that the principal may not open, all in one row), `threads`,
        `succeeded`, `failed`, `tokens`, `cost_millionths`, `median` and `p95` (seconds of work of those that succeeded;
        None without any).

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    seen = select(Item.id, Item.title).where(visible(principal), Item.kind == "agent").subquery()
    median, p95 = _percentiles(Thread.worked_ms / A_SECOND, Thread.status == "succeeded")
    statement = (
        select(
            func.coalesce(func.max(seen.c.title), "").label("agent"),
            func.count().label("threads"),
            _outcome("succeeded").label("succeeded"),
            _outcome("failed").label("failed"),
            whole(func.sum(Thread.prompt_tokens + Thread.completion_tokens)).label("tokens"),
            whole(func.sum(Thread.cost)).label("cost_millionths"),
            median,
            p95,
        )
        .select_from(Thread)
        .outerjoin(seen, seen.c.id == Thread.agent_id)
        .where(*_threads(scope))
        .group_by(seen.c.id)
        .order_by(func.count().desc(), by_code_point(func.max(seen.c.title)), seen.c.id)
        .limit(MOST_ROWS)
    )
    return frame(session, statement)


def failures(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """Threads of the range that failed, by reason, the most frequent first (at most 100 reasons).

    Only of agents that the principal may open: a reason may name their tools.

    Returns:
        Columns `reason`, `threads`, `last` (when the newest ended).

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    statement = (
        select(
            Thread.error.label("reason"),
            func.count().label("threads"),
            func.max(func.coalesce(Thread.finished_at, Thread.created_at)).label("last"),
        )
        .join(Item, Item.id == Thread.agent_id)
        .where(visible(principal), Thread.status == "failed", *_threads(scope))
        .group_by(Thread.error)
        .order_by(func.count().desc(), by_code_point(Thread.error))
        .limit(MOST_ROWS)
    )
    return frame(session, statement, texts=["reason"])


def models_by_day(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """Questions to models by the local day on which they were asked.

    Returns:
        Columns `day`, `questions`, `failed`, `tokens`, `cost_millionths`; days with questions only.

    Raises:
        Forbidden: without `insights:read`.
    """
    day = scope.local_day(ModelCall.at).label("day")
    return frame(session, _asked(scope, principal, day, *_sums()).group_by(day).order_by(day))


def by_model(session: Session, scope: Scope, *, principal: Principal) -> "pd.DataFrame":
    """Questions to models by what they were asked for, and by model, the most tokens first (at most 100 rows).

    Returns:
        Columns `purpose` (one of `leitstand.db.models.agents.PURPOSES`), `endpoint`, `model`, `questions`, `failed`,
        `tokens`, `cost_millionths`, `median` and `p95` (seconds until the answer; None without any).

    Raises:
        Forbidden: without `insights:read`.
    """
    of = (ModelCall.purpose, ModelCall.endpoint, ModelCall.model)
    tokens = func.sum(ModelCall.prompt_tokens + ModelCall.completion_tokens)
    statement = (
        _asked(scope, principal, *of, *_sums(), *_answer_times())
        .group_by(*of)
        .order_by(tokens.desc(), *(by_code_point(one) for one in of))
        .limit(MOST_ROWS)
    )
    return frame(session, statement)


def used(session: Session, scope: Scope, *, principal: Principal) -> Used:
    """What the questions to models of the range used together.

    Raises:
        Forbidden: without `insights:read`.
    """
    return Used(*row(session, _asked(scope, principal, *_sums(), *_answer_times())))


def days_with_any(session: Session, scope: Scope, *, principal: Principal) -> tuple[date | None, date | None]:
    """The first and last local day on which a thread began or a model was asked.

    Raises:
        Forbidden: without `insights:read`.
    """
    require(principal, "insights:read")
    found: list[date] = []
    for table, at, order in ((Thread, Thread.created_at, Thread.id), (ModelCall, ModelCall.at, ModelCall.at)):
        for end in (order.asc(), order.desc()):
            mine = select(scope.local_day(at)).where(table.workspace_id == scope.workspace_id)
            day = session.scalar(mine.order_by(end).limit(1))
            found += [] if day is None else [day]
    return min(found, default=None), max(found, default=None)


def _threads(scope: Scope) -> list[ColumnElement[bool]]:
    """The threads that began in the range; the bounds of ids let the index find them."""
    return [
        *scope.within(Thread.workspace_id, Thread.created_at),
        Thread.id >= lowest_uuid7(scope.start_at - MARGIN),
        Thread.id < lowest_uuid7(scope.end_at + MARGIN),
    ]


def _outcome(*statuses: str) -> ColumnElement[int]:
    return func.count().filter(Thread.status.in_(statuses))


def _asked(scope: Scope, principal: Principal, *columns: Any) -> Select[Any]:
    require(principal, "insights:read")
    return select(*columns).where(*scope.within(ModelCall.workspace_id, ModelCall.at))


def _sums() -> list[ColumnElement[Any]]:
    return [
        func.count().label("questions"),
        func.count().filter(~ModelCall.succeeded).label("failed"),
        whole(func.sum(ModelCall.prompt_tokens + ModelCall.completion_tokens)).label("tokens"),
        whole(func.sum(ModelCall.cost)).label("cost_millionths"),
    ]


def _answer_times() -> list[ColumnElement[Any]]:
    return _percentiles(ModelCall.milliseconds / A_SECOND, ModelCall.succeeded)


def _percentiles(seconds: Any, of: ColumnElement[bool] | Any) -> list[ColumnElement[Any]]:
    """Median and 95th percentile of the rows for which `of` holds."""
    return [
        func.percentile_cont(share).within_group(cast(seconds, Float)).filter(of).label(name)
        for name, share in (("median", 0.5), ("p95", 0.95))
    ]
