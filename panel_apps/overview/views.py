"""How the overview looks: its components by name, and what a load puts into them."""

from panel_apps.common_charts import runs_and_people, show_runs_and_people
from panel_apps.overview import parts
from panel_apps.overview.answers import Answers
from panel_apps.overview.tables import TABLES
from panel_apps.parts import funnel
from panel_apps.retention_grid import retention_grid
from panel_apps.scoped import Snapshot
from panel_apps.view import ScopedView


class OverviewView(ScopedView):
    """The components of the overview."""

    APP, TABLES = "overview", TABLES
    PANES = (
        "figures", "traffic_words", "traffic_table", "active_words", "active_table", "completion_words",
        "completion_table", "steps", "companions", "popular", "retention",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(runs_and_people())

    def show(self, snapshot: Snapshot[Answers]) -> None:
        """Put the data of a load into the components."""
        self.say_what_is_shown(snapshot)
        answers, scope = snapshot.answers, snapshot.scope
        show_runs_and_people(self, snapshot, answers.now, answers.before)
        self.put("steps", funnel(answers.steps) + self.file("steps", snapshot))
        self.put("companions", parts.companions_table(answers.top) + self.file("top-companions", snapshot))
        self.put("popular", parts.popular_table(answers.popular) + self.file("popular", snapshot))
        grid = retention_grid(answers.retention, start=scope.start, end=scope.end)
        self.put("retention", grid + self.file("retention", snapshot))
