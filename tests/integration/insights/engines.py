"""Every question of `leitstand.insights`, and the engines that answer them."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from leitstand.insights import (
    activity,
    companions,
    completion,
    newcomers,
    popularity,
    retention,
    sessions,
    steps,
    traffic,
    usage,
    versions,
)
from leitstand.insights.columnar.facts import columnar_facts
from leitstand.insights.copy.snapshots import snapshot
from leitstand.insights.copy.state import read_state
from leitstand.insights.distributed.facts import distributed_facts
from leitstand.insights.scope import Scope, data_days
from leitstand.insights.sources import Facts, Source
from leitstand.settings import Settings

QUESTIONS: dict[str, Callable[[Source, Scope], Any]] = {
    "data days": data_days,
    "traffic": traffic.traffic,
    "totals": traffic.totals,
    "traffic by hour": lambda facts, scope: traffic.traffic(facts, scope, bucket="hour"),
    "traffic by week": lambda facts, scope: traffic.traffic(facts, scope, bucket="week"),
    "traffic by month": lambda facts, scope: traffic.traffic(facts, scope, bucket="month"),
    "events": traffic.events,
    "events by day": traffic.events_by,
    "events by hour": lambda facts, scope: traffic.events_by(facts, scope, bucket="hour"),
    "active users": activity.active_users,
    "active users by day": activity.by_day,
    "completion": completion.completion,
    "completion by day": completion.by_day,
    "completions by day": completion.completions_by_day,
    "steps": steps.steps,
    "common steps": steps.common_steps,
    "shared funnel": steps.shared_funnel,
    "companions": companions.top,
    "popular": popularity.popular,
    "newcomers": newcomers.newcomers,
    "newcomers by day": newcomers.by_period,
    "newcomers by week": lambda facts, scope: newcomers.by_period(facts, scope, period="week"),
    "newcomers by companion": newcomers.by_companion,
    "versions": versions.versions,
    "usage by month": usage.by_month,
    "forecasts": lambda facts, scope: usage.forecasts(facts, scope, scope.end),
    "retention": retention.retention,
    "sessions": sessions.sessions,
    "sessions by day": sessions.by_day,
}


def answers(source: Source, scope: Scope, asked: Collection[str] = QUESTIONS) -> dict[str, Any]:
    """The exact answers to questions (all of them), as values that can be compared."""
    return {name: _plain(QUESTIONS[name](source, scope)) for name in asked}


def _plain(answer: Any) -> Any:
    import pandas as pd

    if isinstance(answer, pd.DataFrame):
        return list(answer.columns), [[_value(value) for value in row] for row in answer.to_numpy().tolist()]
    return answer


def _value(value: Any) -> Any:
    import pandas as pd

    return None if pd.isna(value) else value


@contextmanager
def columnar(settings: Settings, workspace_id: UUID) -> Iterator[Facts]:
    """The copy with what changed since, and nothing behind it: what it can't answer fails."""
    with snapshot(settings, timeout_ms=30_000) as view:
        state = read_state(view, workspace_id)
        assert state is not None, "there is no copy"
        with columnar_facts(settings, view, state) as facts:
            yield facts


@contextmanager
def distributed(settings: Settings, workspace_id: UUID) -> Iterator[Facts]:
    """The same from the cluster of the settings."""
    with snapshot(settings, timeout_ms=30_000) as view:
        state = read_state(view, workspace_id)
        assert state is not None, "there is no copy"
        with distributed_facts(settings, view, state) as facts:
            yield facts


def differing(
    session: Session,
    settings: Settings,
    scope: Scope,
    asked: Collection[str] = QUESTIONS,
    *,
    engine: Callable[[Settings, UUID], AbstractContextManager[Facts]] = columnar,
) -> dict[str, tuple[Any, Any]]:
    """The questions that PostgreSQL and another engine answer differently, with both answers."""
    with engine(settings, scope.workspace_id) as facts:
        copied = answers(facts, scope, asked)
    known = answers(session, scope, asked)
    return {name: (known[name], copied[name]) for name in known if known[name] != copied[name]}
