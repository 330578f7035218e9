"""How a dashboard is put together: named components that a load fills and an ended session empties."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from panel_apps import parts, words
from panel_apps.charts import Earlier, Series, TimeChart, link
from panel_apps.happened import Happened, list_html, said_with
from panel_apps.page import chart_pane, html_pane, styles
from panel_apps.parts import Key
from panel_apps.scoped import Snapshot
from panel_apps.series import Unit, every_day, labels_before, summed, unit_of
from panel_apps.series import before as columns_before
from panel_apps.series import labels as labels_of
from panel_apps.speech import say, told
from panel_apps.tables import Table, to_html

if TYPE_CHECKING:
    import pandas as pd

STATUS, NOTES = "status", "notes"


class View:
    """The components of a dashboard by name.

    Args:
        charts: its charts by name; each has `figure` and `clear`.
    """

    APP: ClassVar[str] = ""
    PANES: ClassVar[tuple[str, ...]] = ()

    def __init__(self, charts: Mapping[str, Any]) -> None:
        sheets = styles()
        self.panes = {name: html_pane(sheets) for name in (STATUS, NOTES, *self.PANES)}
        self.charts = dict(charts)
        self._state: dict[str, str] = {}

    def show(self, snapshot: Any) -> None:
        """Put the data of a load into the components."""
        raise NotImplementedError

    def present(self, snapshot: Any) -> None:
        """Show a load, then tell the page's script what is shown: it takes the page out of its busy state.

        Components reach the page one by one, so the word for the script must be the last.
        """
        self.show(snapshot)
        self.status.tags = [self._state]

    def fill(self, store: Any) -> Any:
        """Load and show everything at once, for a file; the snapshot."""
        snapshot = store.load()
        self.present(snapshot)
        return snapshot

    @property
    def status(self) -> Any:
        """Where the page says what it shows."""
        return self.panes[STATUS]

    def components(self) -> dict[str, Any]:
        """Every component by the name under which the template embeds it."""
        return {**self.panes, **{name: chart_pane(chart.figure) for name, chart in self.charts.items()}}

    def clear(self) -> None:
        """Take everything off the page."""
        for pane in self.panes.values():
            pane.object = ""
        for chart in self.charts.values():
            chart.clear()

    def put(self, name: str, html: str) -> None:
        """Show other HTML in a pane."""
        self.panes[name].object = html

    def say(self, line: str, notices: Sequence[str], state: dict[str, str], more: str = "") -> None:
        """Say what is shown.

        Args:
            line: HTML.
            notices: what was corrected, as text.
            state: what the page's script puts into the choices, once everything is shown.
            more: HTML below.
        """
        corrected = "".join(
            f'<div class="callout warn" role="status"><p>{escape(told(notice))}</p></div>'
            for notice in notices
        )
        self.put(STATUS, f'<p class="shown">{line}</p>{corrected}{more}')
        self._state = state

    def annotate(self, notes: Sequence[Happened]) -> None:
        """Show what happened: a line in every chart, and a list."""
        for chart in self.charts.values():
            chart.mark([note.mark for note in notes])
        self.put(NOTES, list_html(notes))


class ScopedView(View):
    """A dashboard of figures: it says its scope, and has a table and a file beside each chart.

    Args:
        charts: its charts over time, which show the same days together.
    """

    TABLES: ClassVar[Mapping[str, Table[Any]]] = {}

    def __init__(self, charts: Mapping[str, TimeChart]) -> None:
        super().__init__(charts)
        link([chart.figure for chart in charts.values()])

    def say_what_is_shown(self, snapshot: Snapshot[Any]) -> None:
        """The line on top: days, zone, comparison, freshness; what was corrected; what to do where there is nothing."""
        last = snapshot.range.end - parts.DAY
        state = snapshot.choices | {"first": snapshot.range.start.isoformat(), "last": last.isoformat()}
        self.say(words.range_line(snapshot), snapshot.notices, state, words.empty_range(snapshot))
        self.annotate(snapshot.notes)

    def draw(
        self,
        name: str,
        rows: Any,
        unit: Unit,
        said: str,
        snapshot: Snapshot[Any],
        *,
        keys: Sequence[Series],
        before: Any = None,
        times: Sequence[str] | None = None,
    ) -> None:
        """Rows in a chart, with its legend and its words.

        Args:
            rows: `at` and the columns of the chart's series.
            unit: what each row stands for.
            keys: the series in the order of the legend.
            before: `at` and the `before_…` columns of the period before; None without a comparison.
            times: what the rows are called; None: by their day, week or month.
        """
        scope, chart = snapshot.scope, self.charts[name]
        labels = said_with(times or labels_of(rows["at"], unit), list(rows["at"]), snapshot.notes, scope.end)
        earlier, described = None, said
        lines = [Key(one.title, one.colour, one.dash) for one in keys]
        if before is not None and snapshot.before is not None:
            shift = scope.start - snapshot.before.start
            earlier = Earlier(before, labels_before(rows["at"], unit, shift, scope.start, scope.end))
            title = f"{told(chart.lead.title)}, {words.days(snapshot.before.start, snapshot.before.end)}"
            lines.append(Key(title, chart.lead.colour, "quiet"))
            described = f"{said} {say('The thin line: {title}.', title=title)}"
        chart.show(rows, labels, described, start=scope.start, end=scope.end, before=earlier)
        self.put(f"{name}_words", parts.legend(lines, said))

    def draw_days(
        self,
        name: str,
        days: "pd.DataFrame",
        before: "pd.DataFrame | None",
        keys: Sequence[Series],
        said: str,
        snapshot: Snapshot[Any],
    ) -> None:
        """Counts by day in a chart, with zeros where a day has none, added up where the range is long.

        Args:
            days: `day` and the columns of the chart's series.
            before: as `panel_apps.series.moved` gives it; None without a comparison.
        """
        scope, unit = snapshot.scope, unit_of(snapshot.scope.days)
        columns = [key.column for key in keys]
        rows = summed(every_day(days, scope.start, scope.end), columns, unit)
        earlier = None if before is None else summed(before, columns_before(columns), unit)
        self.draw(name, rows, unit, said, snapshot, keys=keys, before=earlier)

    def tabulate_or_say(self, name: str, rows: "pd.DataFrame", snapshot: Snapshot[Any], none: str) -> None:
        """The table of that name in the pane of that name, or why there are no rows."""
        if rows.empty:
            self.put(name, parts.nothing(none))
        else:
            self.tabulate(name, name, snapshot)

    def tabulate(self, name: str, table: str, snapshot: Snapshot[Any], *, newest_last: bool = False) -> None:
        """A table as a whole, with the link to its file."""
        shown = self.TABLES[table]
        rows, columns = shown.of(snapshot.answers)
        whole = to_html(rows, columns, caption=told(shown.caption), newest_last=newest_last)
        html = parts.nothing(say("There is nothing in this range.")) if rows.empty else whole
        self.put(name, html + self.file(table, snapshot))

    def file(self, table: str, snapshot: Snapshot[Any]) -> str:
        """The link to a table's CSV with the choices that are shown."""
        return parts.csv_link(self.APP, table, self.TABLES[table].caption, snapshot.choices)
