"""How the companion dashboard looks: its components by name, and what a load puts into them."""

from typing import TYPE_CHECKING

from panel_apps.common_charts import runs_and_people, show_runs_and_people
from panel_apps.companion.answers import Answers
from panel_apps.companion.tables import TABLES
from panel_apps.parts import funnel
from panel_apps.scoped import Snapshot
from panel_apps.view import ScopedView
from serving.shell.formats import number, percent

if TYPE_CHECKING:
    import pandas as pd


class CompanionView(ScopedView):
    """The components of the companion dashboard."""

    APP, TABLES = "companion", TABLES
    PANES = (
        "figures", "traffic_words", "traffic_table", "completion_words", "completion_table", "active_words",
        "active_table", "steps", "versions",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(runs_and_people())

    def show(self, snapshot: Snapshot[Answers]) -> None:
        """Put the data of a load into the components."""
        self.say_what_is_shown(snapshot)
        answers = snapshot.answers
        show_runs_and_people(self, snapshot, answers.now, answers.before)
        self.put("steps", funnel(answers.steps) + self.file("steps", snapshot))
        self.tabulate("versions", "versions", snapshot)
        words = f'<p class="words">{versions_words(answers.versions)}</p>'
        self.put("versions", words + str(self.panes["versions"].object))


def versions_words(rows: "pd.DataFrame") -> str:
    """The versions in a sentence: the newest that is known, against the one before it."""
    known = rows[rows["version"].notna()]
    if known.empty:
        return "The events of this companion name no version of its flow."
    newest = known.iloc[0]
    said = _rate(newest)
    if len(known) == 1:
        return f"Version {newest['version']}: {said}."
    return f"Version {newest['version']}: {said}; version {known.iloc[1]['version']}: {_rate(known.iloc[1])}."


def _rate(row: "pd.Series") -> str:
    if not row["started"]:
        return "no run was started"
    going = ", some may still be going" if row["immature"] else ""
    return f"{number(row['completed'])} of {number(row['started'])} started runs completed ({percent(row['rate'])}){going}"
