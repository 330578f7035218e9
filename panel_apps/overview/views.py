"""How the overview looks: its components by name, and what a load puts into them."""

from html import escape
from typing import Any

from panel_apps.charts import BLUE, GREY, ORANGE, TEAL, VIOLET, Series, TimeChart
from panel_apps.overview import parts, words
from panel_apps.overview.parts import TABLES
from panel_apps.overview.store import NONE, PREVIOUS, Snapshot
from panel_apps.page import chart_pane, html_pane, styles
from panel_apps.series import labels, last_of, summed, unit_of
from panel_apps.tables import to_html

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
PANES = (
    "status", "figures", "traffic_words", "traffic_table", "active_words", "active_table", "completion_words",
    "completion_table", "steps", "companions", "popular", "retention",
)  # fmt: skip


class OverviewView:
    """The components of the overview; `show` fills them, `clear` empties them."""

    def __init__(self) -> None:
        sheets = styles()
        self.panes = {name: html_pane(sheets) for name in PANES}
        self.charts = {
            "traffic": TimeChart(TRAFFIC),
            "active": TimeChart(ACTIVE),
            "completion": TimeChart(COMPLETION, share=True),
        }

    @property
    def status(self) -> Any:
        """Where the page says what it shows."""
        return self.panes["status"]

    def components(self) -> dict[str, Any]:
        """Every component by the name under which the template embeds it."""
        return {**self.panes, **{name: chart_pane(chart.figure) for name, chart in self.charts.items()}}

    def clear(self) -> None:
        """Take every figure off the page."""
        for pane in self.panes.values():
            pane.object = ""
        for chart in self.charts.values():
            chart.clear()

    def show(self, snapshot: Snapshot) -> None:
        """Put the data of a load into the components."""
        choices = choices_of(snapshot)
        self._say_what_is_shown(snapshot, choices)
        self._set("figures", parts.tiles_html(words.tiles(snapshot.answers)))
        self._show_traffic(snapshot, choices)
        self._show_active(snapshot, choices)
        self._show_completion(snapshot, choices)
        answers = snapshot.answers
        self._set("steps", parts.funnel(answers.steps) + parts.csv_link("steps", choices))
        self._set(
            "companions", parts.companions_table(answers.top) + parts.csv_link("top-companions", choices)
        )
        self._set("popular", parts.popular_table(answers.popular) + parts.csv_link("popular", choices))
        grid = parts.retention_grid(answers.retention, start=snapshot.scope.start, end=snapshot.scope.end)
        self._set("retention", grid + parts.csv_link("retention", choices))

    def _say_what_is_shown(self, snapshot: Snapshot, choices: dict[str, str]) -> None:
        notices = "".join(
            f'<div class="callout warn" role="status"><p>{escape(notice)}</p></div>'
            for notice in snapshot.notices
        )
        self._set(
            "status",
            f'<p class="shown">{words.range_line(snapshot)}</p>{notices}{parts.empty_range(snapshot)}',
        )
        last = snapshot.range.end - parts.DAY
        self.status.tags = [choices | {"first": snapshot.range.start.isoformat(), "last": last.isoformat()}]

    def _show_traffic(self, snapshot: Snapshot, choices: dict[str, str]) -> None:
        unit = unit_of(snapshot.scope.days)
        rows = summed(snapshot.answers.traffic, RUNS, unit)
        said = words.traffic_words(rows, unit)
        self._draw("traffic", rows, labels(rows["at"], unit), said, snapshot)
        self._set("traffic_words", parts.legend(TRAFFIC, said))
        self._table("traffic", "traffic", snapshot.answers.traffic, "Runs by day", choices)

    def _show_active(self, snapshot: Snapshot, choices: dict[str, str]) -> None:
        daily = snapshot.answers.active
        rows = last_of(daily, unit_of(snapshot.scope.days))
        said = words.active_words(daily)
        self._draw("active", rows, labels(rows["at"], "day"), said, snapshot)
        self._set("active_words", parts.legend(tuple(reversed(ACTIVE)), said))
        self._table("active", "active-users", daily, "Active users by day", choices)

    def _show_completion(self, snapshot: Snapshot, choices: dict[str, str]) -> None:
        unit = unit_of(snapshot.scope.days)
        rows = summed(snapshot.answers.traffic, RUNS, unit)
        rows["of_started"] = rows["completed"] / rows["started"].where(rows["started"] > 0)
        rows["of_viewed"] = rows["completed"] / rows["viewed"].where(rows["viewed"] > 0)
        said = words.completion_words(snapshot)
        self._draw(
            "completion", rows, words.completion_labels(rows, labels(rows["at"], unit)), said, snapshot
        )
        self._set("completion_words", parts.legend(tuple(reversed(COMPLETION)), said))
        self._table(
            "completion", "completion", snapshot.answers.completion, "Completion by day of the start", choices
        )

    def _draw(self, name: str, rows: Any, times: list[str], said: str, snapshot: Snapshot) -> None:
        self.charts[name].show(rows, times, said, start=snapshot.scope.start, end=snapshot.scope.end)

    def _table(self, name: str, table: str, rows: Any, caption: str, choices: dict[str, str]) -> None:
        html = to_html(rows, TABLES[table], caption=caption, newest_last=True)
        self._set(f"{name}_table", html + parts.csv_link(table, choices))

    def _set(self, name: str, html: str) -> None:
        self.panes[name].object = html


def choices_of(snapshot: Snapshot) -> dict[str, str]:
    """The choices of a snapshot as the address has them."""
    scope = snapshot.scope
    return {
        "range": snapshot.range.word,
        "zone": scope.zone,
        "companion": str(scope.companion_id or "all"),
        "compare": PREVIOUS if snapshot.compare else NONE,
    }
