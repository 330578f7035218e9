"""How the overview looks: its components by name, and what a load puts into them."""

from panel_apps import words
from panel_apps.charts import BLUE, GREY, ORANGE, TEAL, VIOLET, Series, TimeChart
from panel_apps.overview import parts
from panel_apps.overview.answers import Answers
from panel_apps.overview.tables import TABLES
from panel_apps.overview.words import completion_words, tiles
from panel_apps.parts import tiles_html
from panel_apps.retention_grid import retention_grid
from panel_apps.scoped import Snapshot
from panel_apps.series import labels, last_of, summed, unit_of
from panel_apps.view import ScopedView

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


class OverviewView(ScopedView):
    """The components of the overview."""

    APP, TABLES = "overview", TABLES
    PANES = (
        "figures", "traffic_words", "traffic_table", "active_words", "active_table", "completion_words",
        "completion_table", "steps", "companions", "popular", "retention",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(
            {
                "traffic": TimeChart(TRAFFIC),
                "active": TimeChart(ACTIVE),
                "completion": TimeChart(COMPLETION, share=True),
            }
        )

    def show(self, snapshot: Snapshot[Answers]) -> None:
        """Put the data of a load into the components."""
        self.say_what_is_shown(snapshot)
        answers, scope = snapshot.answers, snapshot.scope
        self.put("figures", tiles_html(tiles(answers)))
        self._show_traffic(snapshot)
        self._show_active(snapshot)
        self._show_completion(snapshot)
        self.put("steps", parts.funnel(answers.steps) + self.file("steps", snapshot))
        self.put("companions", parts.companions_table(answers.top) + self.file("top-companions", snapshot))
        self.put("popular", parts.popular_table(answers.popular) + self.file("popular", snapshot))
        grid = retention_grid(answers.retention, start=scope.start, end=scope.end)
        self.put("retention", grid + self.file("retention", snapshot))

    def _show_traffic(self, snapshot: Snapshot[Answers]) -> None:
        unit = unit_of(snapshot.scope.days)
        rows = summed(snapshot.answers.traffic, RUNS, unit)
        said = words.traffic_words(rows, unit)
        self.draw("traffic", rows, labels(rows["at"], unit), said, snapshot, keys=TRAFFIC)
        self.tabulate("traffic_table", "traffic", snapshot, newest_last=True)

    def _show_active(self, snapshot: Snapshot[Answers]) -> None:
        daily = snapshot.answers.active
        rows = last_of(daily, unit_of(snapshot.scope.days))
        said = words.active_words(daily)
        self.draw("active", rows, labels(rows["at"], "day"), said, snapshot, keys=tuple(reversed(ACTIVE)))
        self.tabulate("active_table", "active-users", snapshot, newest_last=True)

    def _show_completion(self, snapshot: Snapshot[Answers]) -> None:
        unit = unit_of(snapshot.scope.days)
        rows = summed(snapshot.answers.traffic, RUNS, unit)
        rows["of_started"] = rows["completed"] / rows["started"].where(rows["started"] > 0)
        rows["of_viewed"] = rows["completed"] / rows["viewed"].where(rows["viewed"] > 0)
        said = completion_words(snapshot.answers.figures.runs)
        times = words.completion_labels(rows, labels(rows["at"], unit))
        self.draw("completion", rows, times, said, snapshot, keys=tuple(reversed(COMPLETION)))
        self.tabulate("completion_table", "completion", snapshot, newest_last=True)
