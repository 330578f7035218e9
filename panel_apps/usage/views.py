"""How the usage dashboard looks: its components by name, and what a load puts into them."""

from panel_apps.charts import BLUE, ORANGE, RED, TEAL, Series, TimeChart
from panel_apps.parts import tiles_html
from panel_apps.scoped import Snapshot
from panel_apps.series import labels
from panel_apps.usage.answers import Answers
from panel_apps.usage.tables import TABLES
from panel_apps.usage.words import events_words, people_words, runs_words, tiles, tokens_words
from panel_apps.view import ScopedView

EVENTS = (Series("events", "Events", TEAL, filled=True),)
RUNS = (Series("runs", "Runs", ORANGE, filled=True),)
TOKENS = (Series("tokens", "Tokens of models", RED, filled=True),)
PEOPLE = (Series("active_users", "Active users of the month", BLUE, filled=True),)


class UsageView(ScopedView):
    """The components of the usage dashboard."""

    APP, TABLES = "usage", TABLES
    PANES = ("figures", "events_words", "runs_words", "people_words", "tokens_words", "months")

    def __init__(self) -> None:
        charts = {"events": EVENTS, "runs": RUNS, "people": PEOPLE, "tokens": TOKENS}
        super().__init__({name: TimeChart(series) for name, series in charts.items()})

    def show(self, snapshot: Snapshot[Answers]) -> None:
        """Put the data of a load into the components."""
        self.say_what_is_shown(snapshot)
        answers = snapshot.answers
        self.put("figures", tiles_html(tiles(answers)))
        rows = answers.months.rename(columns={"month": "at"})
        # The first month may begin before the range; its point stands at the range's first day.
        rows["at"] = [max(at, snapshot.scope.start) for at in rows["at"]]
        times = labels(answers.months["month"], "month")
        said = {"events": events_words(answers.months), "runs": runs_words(answers.months)}
        self.draw("events", rows, "month", said["events"], snapshot, keys=EVENTS, times=times)
        self.draw("runs", rows, "month", said["runs"], snapshot, keys=RUNS, times=times)
        self.draw("people", rows, "month", people_words(answers.months), snapshot, keys=PEOPLE, times=times)
        self.draw("tokens", rows, "month", tokens_words(answers), snapshot, keys=TOKENS, times=times)
        self.tabulate("months", "months", snapshot, newest_last=True)
