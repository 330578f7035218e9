"""How the ingestion dashboard looks: its components by name, and what a load puts into them."""

from panel_apps.charts import ORANGE, RED, TEAL, Series, TimeChart
from panel_apps.ingestion.answers import Answers
from panel_apps.ingestion.tables import FLOWS, JOBS, TABLES
from panel_apps.ingestion.words import documents_words, events_words, tiles
from panel_apps.parts import nothing, tiles_html
from panel_apps.scoped import Snapshot
from panel_apps.speech import say
from panel_apps.tables import to_html
from panel_apps.view import ScopedView

EVENTS = (Series("accepted", "Accepted", TEAL, filled=True), Series("refused", "Refused", RED, dash="dashed"))
DOCUMENTS = (
    Series("ready", "Ready", TEAL, filled=True),
    Series("waiting", "Not read yet", ORANGE, dash="dotdash"),
    Series("failed", "Failed", RED, dash="dashed"),
)


class IngestionView(ScopedView):
    """The components of the ingestion dashboard."""

    APP, TABLES = "ingestion", TABLES
    PANES = (
        "figures", "events_words", "events_table", "documents_words", "documents_table", "files", "refusals",
        "failures", "jobs", "flows",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(
            {"events": TimeChart(EVENTS, lead="accepted"), "documents": TimeChart(DOCUMENTS, lead="ready")}
        )

    def show(self, snapshot: Snapshot[Answers]) -> None:
        """Put the data of a load into the components."""
        self.say_what_is_shown(snapshot)
        answers = snapshot.answers
        self.put("figures", tiles_html(tiles(answers)))
        before = answers.before
        for name, days, earlier, keys, said in (
            ("events", answers.events, before.events if before else None, EVENTS, events_words(answers.events)),
            ("documents", answers.documents, before.documents if before else None, DOCUMENTS, documents_words(answers.documents)),
        ):  # fmt: skip
            self.draw_days(name, days, earlier, keys, said, snapshot)
            self.tabulate(f"{name}_table", name, snapshot, newest_last=True)
        self.tabulate_or_say(
            "files", answers.files, snapshot, say("No event file was imported in this range.")
        )
        self.tabulate_or_say(
            "refusals", answers.refusals, snapshot, say("No event was refused in this range.")
        )
        self.tabulate_or_say(
            "failures",
            answers.failures,
            snapshot,
            say("Every document of this range that was read could be read."),
        )
        self._work(answers)

    def _work(self, answers: Answers) -> None:
        for name, rows, columns, caption in (
            ("jobs", answers.jobs, JOBS, say("Jobs of the queue")),
            ("flows", answers.flows, FLOWS, say("Executions of flows")),
        ):
            if rows is None:
                self.put(
                    name,
                    nothing(
                        say(
                            "Jobs and flows of the whole installation are shown to whoever may see operations."
                        )
                    ),
                )
            elif rows.empty:
                self.put(name, nothing(say("None in this range.")))
            else:
                self.put(name, to_html(rows, columns, caption=caption))
