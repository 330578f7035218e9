"""Charts that several dashboards have: traffic, active users and completion over time."""

from typing import TYPE_CHECKING, Any

from leitstand.insights.completion import Completion
from panel_apps import words
from panel_apps.charts import BLUE, GREY, ORANGE, TEAL, VIOLET, Series
from panel_apps.scoped import Snapshot
from panel_apps.series import labels, last_of, summed, unit_of
from panel_apps.view import ScopedView
from serving.shell.formats import number, percent

if TYPE_CHECKING:
    import pandas as pd

RUNS = ["viewed", "started", "completed"]
TRAFFIC = (
    Series("viewed", "Viewed", GREY, filled=True),
    Series("started", "Started", TEAL),
    Series("completed", "Completed", ORANGE, dash="dashed"),
)
ACTIVE = (
    Series("mau", "30 days (MAU)", VIOLET, dash="dashed"),
    Series("wau", "7 days (WAU)", BLUE, dash="dotdash"),
    Series("dau", "That day (DAU)", TEAL, filled=True),
)
COMPLETION = (
    Series("of_viewed", "Of viewed", GREY, dash="dashed"),
    Series("of_started", "Of started", TEAL),
)


def show_traffic(view: ScopedView, snapshot: Snapshot[Any], daily: "pd.DataFrame") -> None:
    """Runs that were viewed, started and completed."""
    unit = unit_of(snapshot.scope.days)
    rows = summed(daily, RUNS, unit)
    said = words.traffic_words(rows, unit)
    view.draw("traffic", rows, labels(rows["at"], unit), said, snapshot, keys=TRAFFIC)
    view.tabulate("traffic_table", "traffic", snapshot, newest_last=True)


def show_active(view: ScopedView, snapshot: Snapshot[Any], daily: "pd.DataFrame") -> None:
    """Daily, weekly and monthly active users."""
    rows = last_of(daily, unit_of(snapshot.scope.days))
    said = words.active_words(daily)
    view.draw("active", rows, labels(rows["at"], "day"), said, snapshot, keys=tuple(reversed(ACTIVE)))
    view.tabulate("active_table", "active-users", snapshot, newest_last=True)


def show_completion(
    view: ScopedView, snapshot: Snapshot[Any], daily: "pd.DataFrame", runs: Completion
) -> None:
    """Completed of started and of viewed runs."""
    unit = unit_of(snapshot.scope.days)
    rows = summed(daily, RUNS, unit)
    rows["of_started"] = rows["completed"] / rows["started"].where(rows["started"] > 0)
    rows["of_viewed"] = rows["completed"] / rows["viewed"].where(rows["viewed"] > 0)
    times = words.completion_labels(rows, labels(rows["at"], unit))
    keys = tuple(reversed(COMPLETION))
    view.draw("completion", rows, times, completion_words(runs), snapshot, keys=keys)
    view.tabulate("completion_table", "completion", snapshot, newest_last=True)


def completion_words(runs: Completion) -> str:
    """The chart of completion in a sentence."""
    if runs.rate is None:
        return "No run was started in this range."
    going = " Some of the newest may still be going." if runs.immature else ""
    return (
        f"{number(runs.completed)} of {number(runs.started)} started runs were completed ({percent(runs.rate)}), "
        f"and of {number(runs.viewed)} viewed ones {percent(runs.rate_of_viewed)}.{going}"
    )
