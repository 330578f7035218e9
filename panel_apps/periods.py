"""One period of runs and people, as several dashboards show it: key figures, and the series of their charts."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from leitstand.insights import activity, completion, traffic
from leitstand.insights.scope import DAY, Scope
from leitstand.insights.sources import Source
from panel_apps.key_figures import Figures, figures
from panel_apps.series import moved

if TYPE_CHECKING:
    import pandas as pd

RUNS = ["viewed", "started", "completed"]
PEOPLE = ["dau", "wau", "mau"]
RATE = ["started", "completed", "rate"]


@dataclass(frozen=True)
class Period:
    """The range of a dashboard.

    Args:
        figures: of all its days.
        traffic: `day`, `viewed`, `started`, `completed`, every day until today.
        active: `day`, `dau`, `wau`, `mau`.
        completion: `day`, `started`, `completed`, `rate`, `immature`.
    """

    figures: Figures
    traffic: "pd.DataFrame"
    active: "pd.DataFrame"
    completion: "pd.DataFrame"


@dataclass(frozen=True)
class Before:
    """The period before, its series at the days that they are compared with (see `panel_apps.series.moved`).

    Args:
        figures: of all its days, or of the same elapsed part.
        traffic: `day`, `before_day`, `before_viewed`, `before_started`, `before_completed`.
        active: the same of `dau`, `wau`, `mau`.
        completion: the same of `started`, `completed`, `rate`, of days with runs.
    """

    figures: Figures
    traffic: "pd.DataFrame"
    active: "pd.DataFrame"
    completion: "pd.DataFrame"


def period(source: Source, scope: Scope) -> Period:
    """Key figures and series of a scope."""
    active = activity.by_day(source, scope)
    daily = traffic.traffic(source, scope, dense=True)
    shown_until = max(active["day"], default=scope.end - DAY)
    return Period(
        figures=figures(source, scope),
        traffic=daily[daily["day"] <= shown_until],
        active=active,
        completion=completion.by_day(source, scope),
    )


def period_before(source: Source, scope: Scope, before: Scope | None, now: Period) -> Before | None:
    """The period that a scope is compared with, as long as the scope's own series is."""
    if before is None:
        return None
    shift, until = scope.start - before.start, max(now.traffic["day"], default=scope.end - DAY)
    daily = traffic.traffic(source, before, dense=True)
    return Before(
        figures=figures(source, before),
        traffic=moved(daily, RUNS, shift, until=until),
        active=moved(activity.by_day(source, before), PEOPLE, shift, until=until),
        completion=_completion(daily, shift, until),
    )


def _completion(daily: "pd.DataFrame", shift: timedelta, until: date) -> "pd.DataFrame":
    used = daily[daily["viewed"] > 0]
    rate = used["completed"] / used["started"].where(used["started"] > 0)
    return moved(used.assign(rate=rate), RATE, shift, until=until)
