"""What the companion dashboard shows of one companion, each question asked once."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from leitstand.insights import activity, completion, steps, traffic, versions
from leitstand.insights.opening import open_facts
from leitstand.insights.scope import DAY, Scope
from panel_apps.key_figures import Figures, figures

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Answers:
    """Everything that the companion dashboard shows of one scope.

    Args:
        figures: of the range.
        before: of the period that it is compared with; None without.
        traffic: `day`, `viewed`, `started`, `completed`, every day until today.
        active: `day`, `dau`, `wau`, `mau`.
        completion: `day`, `started`, `completed`, `rate`, `immature`.
        steps: `step`, `reached`, `dropped`, `drop_off`.
        versions: `version`, `first_day`, `last_day`, `viewed`, `started`, `completed`, `rate`, `median`, `immature`.
        as_of: up to when the figures are complete.
    """

    figures: Figures
    before: Figures | None
    traffic: "pd.DataFrame"
    active: "pd.DataFrame"
    completion: "pd.DataFrame"
    steps: "pd.DataFrame"
    versions: "pd.DataFrame"
    as_of: datetime


def ask(session: Session, scope: Scope, before: Scope | None) -> Answers:
    """Ask every question about a companion, and the key figures of the range before."""
    with open_facts(session, scope) as facts:
        active = activity.by_day(facts, scope)
        daily = traffic.traffic(facts, scope, dense=True)
        shown_until = max(active["day"], default=scope.end - DAY)
        return Answers(
            figures=figures(facts, scope),
            before=figures(facts, before) if before else None,
            traffic=daily[daily["day"] <= shown_until],
            active=active,
            completion=completion.by_day(facts, scope),
            steps=steps.steps(facts, scope),
            versions=versions.versions(facts, scope),
            as_of=facts.as_of,
        )
