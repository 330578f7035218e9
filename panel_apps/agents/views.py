"""How the agents dashboard looks: its components by name, and what a load puts into them."""

from panel_apps.agents.answers import Answers
from panel_apps.agents.tables import TABLES
from panel_apps.agents.words import threads_words, tiles, tokens_words
from panel_apps.charts import BLUE, RED, TEAL, Series, TimeChart
from panel_apps.parts import tiles_html
from panel_apps.scoped import Snapshot
from panel_apps.speech import say
from panel_apps.view import ScopedView

THREADS = (
    Series("succeeded", "Succeeded", TEAL, filled=True),
    Series("failed", "Failed", RED, dash="dashed"),
)
TOKENS = (Series("tokens", "Tokens", BLUE, filled=True),)


class AgentsView(ScopedView):
    """The components of the agents dashboard."""

    APP, TABLES = "agents", TABLES
    PANES = (
        "figures", "threads_words", "threads_table", "tokens_words", "tokens_table", "agents", "failures", "purposes",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(
            {"threads": TimeChart(THREADS, lead="succeeded"), "tokens": TimeChart(TOKENS, lead="tokens")}
        )

    def show(self, snapshot: Snapshot[Answers]) -> None:
        """Put the data of a load into the components."""
        self.say_what_is_shown(snapshot)
        answers, before = snapshot.answers, snapshot.answers.before
        self.put("figures", tiles_html(tiles(answers)))
        for chart, table, days, earlier, keys, said in (
            ("threads", "threads", answers.threads, before.threads if before else None, THREADS, threads_words(answers.threads)),
            ("tokens", "models", answers.models, before.models if before else None, TOKENS, tokens_words(answers)),
        ):  # fmt: skip
            self.draw_days(chart, days, earlier, keys, said, snapshot)
            self.tabulate(f"{chart}_table", table, snapshot, newest_last=True)
        self.tabulate_or_say("agents", answers.agents, snapshot, say("No agent was asked in this range."))
        self.tabulate_or_say("failures", answers.failures, snapshot, say("No thread of an agent that you may open failed in this range."))  # fmt: skip
        self.tabulate_or_say("purposes", answers.purposes, snapshot, say("No model was asked in this range."))
