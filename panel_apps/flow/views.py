"""How the flow dashboard looks: its components by name, and what a load puts into them."""

from html import escape

from panel_apps.flow import parts
from panel_apps.flow.answers import Answers
from panel_apps.flow.tables import TABLES
from panel_apps.flow.words import order_words, tiles
from panel_apps.parts import tiles_html
from panel_apps.scoped import Snapshot
from panel_apps.view import ScopedView


class FlowView(ScopedView):
    """The components of the flow dashboard."""

    APP, TABLES = "flow", TABLES
    PANES = ("figures", "diagram", "steps", "runs")

    def __init__(self) -> None:
        super().__init__({})

    def show(self, snapshot: Snapshot[Answers]) -> None:
        """Put the data of a load into the components."""
        self.say_what_is_shown(snapshot)
        answers = snapshot.answers
        self.put("figures", tiles_html(tiles(answers)))
        words = f'<p class="words">{escape(order_words(answers))}</p>'
        self.put("diagram", words + parts.diagram(answers, snapshot.companion) + self.file("ways", snapshot))
        self.tabulate("steps", "steps", snapshot)
        self.put("runs", parts.runs_table(answers.runs, snapshot.scope.zone))
