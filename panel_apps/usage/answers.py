"""What the usage dashboard shows of one scope, each question asked once."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from leitstand.insights import activity, usage
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import DAY, Scope
from leitstand.insights.usage import Forecast, Stored
from leitstand.limits.counting import used
from leitstand.limits.plans import Limits
from leitstand.limits.room import plan_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Answers:
    """Everything that the usage dashboard shows of one scope.

    Args:
        month: first day of the running month.
        last: its last day.
        events, runs: of the running month, with what it will come to.
        active_users: different people of the running month.
        stored: documents of the whole workspace.
        tokens: of models in the month of the plan's limit, the whole workspace's.
        limits: what the workspace's plan has room for.
        currency: of that plan.
        months: `month`, `events`, `runs`, `active_users`, `tokens`, `cost_millionths` of the range; the last two are the
            whole workspace's.
        as_of: up to when the figures are complete.
    """

    month: date
    last: date
    events: Forecast
    runs: Forecast
    active_users: int
    stored: Stored
    tokens: int
    limits: Limits
    currency: str
    months: "pd.DataFrame"
    as_of: datetime


def ask(session: Session, scope: Scope) -> Answers:
    """Ask every question about a scope and about the running month."""
    today = datetime.now(ZoneInfo(scope.zone)).date()
    first = today.replace(day=1)
    after = (first + 31 * DAY).replace(day=1)
    plan = plan_of(session, scope.workspace_id)
    tokens = usage.tokens_by_month(session, scope)
    with open_facts(session, scope) as facts:
        events, runs = usage.forecasts(facts, scope, today)
        return Answers(
            month=first,
            last=after - DAY,
            events=events,
            runs=runs,
            active_users=activity.active_users(facts, replace(scope, start=first, end=after)),
            stored=usage.stored(session, scope),
            tokens=used(session, scope.workspace_id, "model_tokens_a_month"),
            limits=plan.limits,
            currency=plan.currency,
            months=usage.by_month(facts, scope).merge(tokens, on="month"),
            as_of=facts.as_of,
        )
