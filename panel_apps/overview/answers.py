"""What the overview shows of one scope, each question asked once."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from leitstand.insights import companions, popularity, retention, steps
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import Scope
from panel_apps.periods import Before, Period, period, period_before

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Answers:
    """Everything that the overview shows of one scope.

    Args:
        now: the range.
        before: the period that it is compared with; None without.
        steps: `step`, `reached`, `dropped`, `drop_off`.
        top: `companion`, `runs`, `completed`, `active_users`.
        popular: `companion`, `score`.
        retention: `cohort`, `weeks_later`, `actors`.
        as_of: up to when the figures are complete.
    """

    now: Period
    before: Before | None
    steps: "pd.DataFrame"
    top: "pd.DataFrame"
    popular: "pd.DataFrame"
    retention: "pd.DataFrame"
    as_of: datetime


def ask(session: Session, scope: Scope, before: Scope | None) -> Answers:
    """Ask every question of the overview about a scope, and the same of the one before."""
    with open_facts(session, scope) as facts:
        now = period(facts, scope)
        return Answers(
            now=now,
            before=period_before(facts, scope, before, now),
            steps=steps.steps(facts, scope),
            top=companions.top(facts, scope),
            popular=popularity.popular(facts, scope),
            retention=retention.retention(facts, scope),
            as_of=facts.as_of,
        )
