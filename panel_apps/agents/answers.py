"""What the agents dashboard shows of one range, each question asked once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from leitstand.identity.access import Principal
from leitstand.insights import agents
from leitstand.insights.agents import Used
from leitstand.insights.scope import Scope
from leitstand.limits.room import plan_of
from panel_apps.series import every_day, moved

if TYPE_CHECKING:
    import pandas as pd

THREADS = ["succeeded", "failed", "cancelled", "open"]
MODELS = ["questions", "failed", "tokens", "cost_millionths"]


@dataclass(frozen=True)
class Totals:
    """The key figures of one range: threads by what became of them, and what models used."""

    threads: int
    succeeded: int
    failed: int
    open: int
    used: Used


@dataclass(frozen=True)
class Before:
    """The period before: key figures, and its days with those of the range that they are compared with.

    Args:
        threads: `day`, `before_day`, `before_succeeded`, `before_failed`, `before_cancelled`, `before_open`.
        models: `day`, `before_day`, `before_questions`, `before_failed`, `before_tokens`, `before_cost_millionths`.
    """

    totals: Totals
    threads: "pd.DataFrame"
    models: "pd.DataFrame"


@dataclass(frozen=True)
class Answers:
    """Everything that the agents dashboard shows of one scope; every cost is in millionths of `currency`.

    Args:
        totals: of the range.
        before: of the period that it is compared with, with its days; None without.
        threads: `day`, `succeeded`, `failed`, `cancelled`, `open`.
        agents: `agent`, `threads`, `succeeded`, `failed`, `tokens`, `cost_millionths`, `median`, `p95`.
        failures: `reason`, `threads`, `last`.
        models: `day`, `questions`, `failed`, `tokens`, `cost_millionths`.
        purposes: `purpose`, `endpoint`, `model`, `questions`, `failed`, `tokens`, `cost_millionths`, `median`, `p95`.
        currency: of the workspace's plan.
        as_of: when all this was read.
    """

    totals: Totals
    before: Before | None
    threads: "pd.DataFrame"
    agents: "pd.DataFrame"
    failures: "pd.DataFrame"
    models: "pd.DataFrame"
    purposes: "pd.DataFrame"
    currency: str
    as_of: datetime


def ask(session: Session, principal: Principal, scope: Scope, before: Scope | None) -> Answers:
    """Ask every question about a scope, and the key figures and days of the one before."""
    as_of = datetime.now(UTC)
    threads = agents.threads_by_day(session, scope, principal=principal)
    return Answers(
        totals=_totals(session, principal, scope, threads),
        before=_before(session, principal, scope, before) if before else None,
        threads=threads,
        agents=agents.by_agent(session, scope, principal=principal),
        failures=agents.failures(session, scope, principal=principal),
        models=agents.models_by_day(session, scope, principal=principal),
        purposes=agents.by_model(session, scope, principal=principal),
        currency=plan_of(session, scope.workspace_id).currency,
        as_of=as_of,
    )


def _totals(session: Session, principal: Principal, scope: Scope, threads: "pd.DataFrame") -> Totals:
    sums = {name: int(threads[name].sum()) for name in THREADS}
    return Totals(
        threads=sum(sums.values()),
        succeeded=sums["succeeded"],
        failed=sums["failed"],
        open=sums["open"],
        used=agents.used(session, scope, principal=principal),
    )


def _before(session: Session, principal: Principal, scope: Scope, before: Scope) -> Before:
    threads = agents.threads_by_day(session, before, principal=principal)
    models = agents.models_by_day(session, before, principal=principal)
    shift, until = scope.start - before.start, datetime.now(ZoneInfo(scope.zone)).date()
    return Before(
        _totals(session, principal, before, threads),
        moved(every_day(threads, before.start, before.end), THREADS, shift, until=until),
        moved(every_day(models, before.start, before.end), MODELS, shift, until=until),
    )
