"""How the audience dashboard looks: its components by name, and what a load puts into them."""

from typing import TYPE_CHECKING

from panel_apps.audience.answers import Answers
from panel_apps.audience.tables import TABLES
from panel_apps.audience.words import newcomers_words, tiles
from panel_apps.charts import ORANGE, TEAL, Series, TimeChart
from panel_apps.common_charts import ACTIVE, show_active
from panel_apps.parts import bar, bars, left_out, nothing, tiles_html, with_share
from panel_apps.retention_grid import retention_grid
from panel_apps.scoped import Snapshot
from panel_apps.speech import number, say
from panel_apps.view import ScopedView

if TYPE_CHECKING:
    import pandas as pd

NEWCOMERS = (Series("returning", "Returning", TEAL, filled=True), Series("new", "New", ORANGE, dash="dashed"))
MOST_COMPANIONS = 12


class AudienceView(ScopedView):
    """The components of the audience dashboard."""

    APP, TABLES = "audience", TABLES
    PANES = (
        "figures", "active_words", "active_table", "newcomers_words", "newcomers_table", "companions", "retention",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(
            {"active": TimeChart(ACTIVE, lead="dau"), "newcomers": TimeChart(NEWCOMERS, lead="new")}
        )

    def show(self, snapshot: Snapshot[Answers]) -> None:
        """Put the data of a load into the components."""
        self.say_what_is_shown(snapshot)
        answers, scope = snapshot.answers, snapshot.scope
        self.put("figures", tiles_html(tiles(answers)))
        show_active(self, snapshot, answers.active, answers.active_before)
        rows, unit = answers.newcomers, answers.unit
        said = newcomers_words(rows, answers.people, unit)
        keys = tuple(reversed(NEWCOMERS))
        before = answers.newcomers_before
        self.draw("newcomers", rows, unit, said, snapshot, keys=keys, before=before)
        self.tabulate("newcomers_table", "newcomers", snapshot, newest_last=True)
        self.put("companions", companions_table(answers.companions) + self.file("companions", snapshot))
        grid = retention_grid(answers.retention, start=scope.start, end=scope.end)
        self.put("retention", grid + self.file("retention", snapshot))


def companions_table(rows: "pd.DataFrame") -> str:
    """The companions by their active users, as bars."""
    if rows.empty:
        return nothing(say("Nobody used a companion in this range."))
    widest = max(1, int(rows["active"].max()))
    shown = rows.head(MOST_COMPANIONS)
    more = left_out(
        say("{shown} of {all} companions; the CSV has them all.", shown=len(shown), all=len(rows))
    )
    body = [
        bar(
            row["companion"],
            row["active"],
            widest,
            [
                number(row["active"]),
                with_share(row["new"], row["active"]),
                with_share(row["returning"], row["active"]),
            ],
        )
        for row in shown.to_dict("records")
    ]
    heads = (say("Companion"), say("Active users"), say("New to it"), say("Returning"))
    html = bars(heads, body, say("People by companion"))
    return html + (more if len(shown) < len(rows) else "")
