"""What the companion dashboard shows of one companion, each question asked once."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from leitstand.insights import steps, versions
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import Scope
from panel_apps.periods import Before, Period, period, period_before

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Answers:
    """Everything that the companion dashboard shows of one scope.

    Args:
        now: the range.
        before: the period that it is compared with; None without.
        steps: `step`, `reached`, `dropped`, `drop_off`.
        versions: `version`, `first_day`, `last_day`, `viewed`, `started`, `completed`, `rate`, `median`, `immature`.
        as_of: up to when the figures are complete.
    """

    now: Period
    before: Before | None
    steps: "pd.DataFrame"
    versions: "pd.DataFrame"
    as_of: datetime


def ask(session: Session, scope: Scope, before: Scope | None) -> Answers:
    """Ask every question about a companion, and those of the range that are compared."""
    with open_facts(session, scope) as facts:
        now = period(facts, scope)
        return Answers(
            now=now,
            before=period_before(facts, scope, before, now),
            steps=steps.steps(facts, scope),
            versions=versions.versions(facts, scope),
            as_of=facts.as_of,
        )
