"""How the companion dashboard looks: its components by name, and what a load puts into them."""

from html import escape
from typing import TYPE_CHECKING

from panel_apps.common_charts import runs_and_people, show_runs_and_people
from panel_apps.companion.answers import Answers
from panel_apps.companion.tables import TABLES
from panel_apps.parts import funnel
from panel_apps.scoped import Snapshot
from panel_apps.speech import number, percent, say
from panel_apps.view import ScopedView

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
        words = f'<p class="words">{escape(versions_words(answers.versions), quote=False)}</p>'
        self.put("versions", words + str(self.panes["versions"].object))


def versions_words(rows: "pd.DataFrame") -> str:
    """The versions in a sentence: the newest that is known, against the one before it."""
    known = rows[rows["version"].notna()]
    if known.empty:
        return say("The events of this companion name no version of its flow.")
    newest = known.iloc[0]
    if len(known) == 1:
        return say("Version {number}: {rate}.", number=newest["version"], rate=_rate(newest))
    other = known.iloc[1]
    return say(
        "Version {number}: {rate}; version {other}: {other_rate}.",
        number=newest["version"], rate=_rate(newest), other=other["version"], other_rate=_rate(other),
    )  # fmt: skip


def _rate(row: "pd.Series") -> str:
    if not row["started"]:
        return say("no run was started")
    counts = {"completed": number(row["completed"]), "started": number(row["started"])}
    rate = percent(row["rate"])
    if row["immature"]:
        return say(
            "{completed} of {started} started runs completed ({rate}), some may still be going",
            **counts,
            rate=rate,
        )
    return say("{completed} of {started} started runs completed ({rate})", **counts, rate=rate)
