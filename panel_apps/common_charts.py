"""Charts that several dashboards have: traffic, active users and completion over time."""

from typing import TYPE_CHECKING, Any

from leitstand.insights.completion import Completion
from panel_apps import words
from panel_apps.charts import BLUE, GREY, ORANGE, TEAL, VIOLET, Series, TimeChart
from panel_apps.key_figures import tiles
from panel_apps.parts import tiles_html
from panel_apps.periods import RUNS, Before, Period
from panel_apps.scoped import Snapshot
from panel_apps.series import BEFORE, labels, last_of, summed, unit_of
from panel_apps.series import before as columns_before
from panel_apps.speech import number, percent, say
from panel_apps.view import ScopedView

if TYPE_CHECKING:
    import pandas as pd

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


def runs_and_people() -> dict[str, TimeChart]:
    """The charts of a dashboard that shows a period of runs and people."""
    return {
        "traffic": TimeChart(TRAFFIC, lead="started"),
        "active": TimeChart(ACTIVE, lead="dau"),
        "completion": TimeChart(COMPLETION, share=True, lead="of_started"),
    }


def show_runs_and_people(
    view: ScopedView, snapshot: Snapshot[Any], now: Period, before: Before | None
) -> None:
    """A period of runs and people in tiles, charts and tables, beside the one before."""
    view.put("figures", tiles_html(tiles(now.figures, before.figures if before else None)))
    show_traffic(view, snapshot, now.traffic, before.traffic if before else None)
    show_active(view, snapshot, now.active, before.active if before else None)
    show_completion(view, snapshot, now, before)


def show_traffic(
    view: ScopedView, snapshot: Snapshot[Any], daily: "pd.DataFrame", before: "pd.DataFrame | None"
) -> None:
    """Runs that were viewed, started and completed."""
    unit = unit_of(snapshot.scope.days)
    rows = summed(daily, RUNS, unit)
    earlier = None if before is None else summed(before, columns_before(RUNS), unit)
    said = words.traffic_words(rows, unit)
    view.draw("traffic", rows, unit, said, snapshot, keys=TRAFFIC, before=earlier)
    view.tabulate("traffic_table", "traffic", snapshot, newest_last=True)


def show_active(
    view: ScopedView, snapshot: Snapshot[Any], daily: "pd.DataFrame", before: "pd.DataFrame | None"
) -> None:
    """Daily, weekly and monthly active users."""
    unit = unit_of(snapshot.scope.days)
    rows, said = last_of(daily, unit), words.active_words(daily)
    earlier = None if before is None else before.rename(columns={"day": "at"})
    view.draw("active", rows, "day", said, snapshot, keys=tuple(reversed(ACTIVE)), before=earlier)
    view.tabulate("active_table", "active-users", snapshot, newest_last=True)


def show_completion(view: ScopedView, snapshot: Snapshot[Any], now: Period, before: Before | None) -> None:
    """Completed of started and of viewed runs."""
    unit = unit_of(snapshot.scope.days)
    rows = _shares(summed(now.traffic, RUNS, unit))
    earlier = None
    if before is not None:
        earlier = _shares(summed(before.traffic, columns_before(RUNS), unit), BEFORE)
    times = words.completion_labels(rows, labels(rows["at"], unit))
    keys = tuple(reversed(COMPLETION))
    said = completion_words(now.figures.runs)
    view.draw("completion", rows, unit, said, snapshot, keys=keys, before=earlier, times=times)
    view.tabulate("completion_table", "completion", snapshot, newest_last=True)


def _shares(rows: "pd.DataFrame", prefix: str = "") -> "pd.DataFrame":
    """Counts of runs with the shares of the chart beside them."""
    for whole in ("started", "viewed"):
        of = rows[f"{prefix}{whole}"]
        rows[f"{prefix}of_{whole}"] = rows[f"{prefix}completed"] / of.where(of > 0)
    return rows


def completion_words(runs: Completion) -> str:
    """The chart of completion in a sentence."""
    if runs.rate is None:
        return say("No run was started in this range.")
    said = say(
        "{completed} of {started} started runs were completed ({rate}), and of {viewed} viewed ones {share}.",
        completed=number(runs.completed), started=number(runs.started), rate=percent(runs.rate),
        viewed=number(runs.viewed), share=percent(runs.rate_of_viewed),
    )  # fmt: skip
    return f"{said} {say('Some of the newest may still be going.')}" if runs.immature else said
