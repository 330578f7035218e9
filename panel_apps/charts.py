"""Charts over time: Bokeh figures that are made once and then only given new rows.

HoloViews was measured beside it: six overlays took 400 ms to make and 160 ms to update, figures 130 ms and 6 ms.
Lines have colours that stand out from a light and from a dark page (a contrast of at least 3 to both); text, axes
and grid take theirs from the page's style sheet through Bokeh's CSS variables, so that another theme needs no word
with the server.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from bokeh.models import (
    BasicTicker,
    BoxSelectTool,
    ColumnDataSource,
    CrosshairTool,
    CustomJS,
    CustomJSTickFormatter,
    DatetimeTickFormatter,
    HoverTool,
    Line,
    NoOverlap,
    Range1d,
    Scatter,
    VArea,
    VSpan,
)
from bokeh.models.annotations import BoxAnnotation, Label, Span
from bokeh.plotting import figure

from panel_apps.assets import FOLDER
from panel_apps.series import BEFORE
from panel_apps.speech import duration, language, quick_number, quick_percent, say, told
from serving.shell.formats import EMPTY

if TYPE_CHECKING:
    import pandas as pd

GREY, TEAL, ORANGE, BLUE, VIOLET, RED = "#7a8896", "#12908a", "#c9701c", "#3b82c4", "#8b6fc4", "#d2504b"
HEIGHT = 240
# From so many seconds on an axis is one of minutes.
LONG_SECONDS = 600
# More points than this are a line without marks.
MARKED_UP_TO = 45
HALF_DAY = timedelta(hours=12)
MOST_MARKS = 6
# Of the axis, left free at either side.
MARGIN = 0.015
# The browser says figures as its language does: 1.5K, in German 1500.
COUNT = "return tick.toLocaleString(spoken, { notation: 'compact', maximumFractionDigits: 1 })"
SHARE = "return tick.toLocaleString(spoken, { style: 'percent' })"
# Columns of text for tooltips begin so.
SAID = "said_"
# How releases, incidents and notes are drawn: colour and dash.
MARKS = {"release": (BLUE, "solid"), "incident": (RED, "dashed"), "note": (GREY, "dotted")}
# Tells the page's script which days were chosen with the pointer, for it to offer them as a range.
CHOSEN_DAYS = """
const { x0, x1 } = cb_obj.geometry;
for (const band of bands) { band.left = x0; band.right = x1; band.visible = true; }
if (cb_obj.final) document.dispatchEvent(new CustomEvent("leitstand:days", { detail: { x0, x1, bands } }));
"""
WITH_UNIT = "return `${tick.toLocaleString(spoken)} ${unit}`"
# Axes of time: a day, a month, and the year below the last one. Bokeh knows the names of months in English only.
DAYS_AND_MONTHS = {"en": ("%d %b", "%b %Y"), "de": ("%-d.%-m.", "%-m/%Y")}
# Nobody selects or mutes anything.
PLAIN = {"nonselection_glyph": None, "muted_glyph": None}


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Args:
        column: its column in the rows.
        title: what people read.
        colour: one of this module's.
        filled: whether the space below is filled.
        dash: Bokeh's dash pattern, so that not only colour tells lines apart.
    """

    column: str
    title: str
    colour: str
    filled: bool = False
    dash: str = "solid"


class Chart:
    """What every chart over time has: a figure, and lines where something happened."""

    def __init__(self, figure: Any) -> None:
        self.figure = figure
        self.marks = ColumnDataSource(_marked([]))
        line = VSpan(x="at", line_color="colour", line_dash="dash", line_width=1.8)
        self.figure.add_glyph(self.marks, line, **PLAIN)

    def mark(self, marks: "Sequence[Mark]") -> None:
        """Draw what happened at the time, each kind in its own look."""
        self.marks.data = _marked(marks)


@dataclass(frozen=True)
class Mark:
    """Something that happened: a naive local time, and its kind (one of `MARKS`)."""

    at: datetime
    kind: str


@dataclass(frozen=True)
class Earlier:
    """The period before, for a chart.

    Args:
        rows: `at` (of the chart's rows) and `before_…` columns of its series, those that can be compared.
        labels: which days each of the chart's rows is compared with.
    """

    rows: "pd.DataFrame"
    labels: Sequence[str]


class TimeChart(Chart):
    """Series over time: `figure` for the page, `show` for new rows.

    Args:
        series: what is drawn, from back to front.
        share: whether values are shares (0 to 1) and not counts.
        lead: the column whose period before is drawn, thin and dashed; tooltips have it of every series.
    """

    def __init__(self, series: Sequence[Series], *, share: bool = False, lead: str = "") -> None:
        self.series = tuple(series)
        self.lead = next((one for one in self.series if one.column == lead), self.series[-1])
        self._form = quick_percent if share else quick_number
        self.source = ColumnDataSource({name: [] for name in self._columns()})
        super().__init__(_time_figure(share))
        self._marks: list[Any] = []
        self._quiet = self._draw_before()
        for one in self.series:
            self._draw(one)
        anchor = [drawn for drawn in self.figure.renderers if drawn.name == self.series[0].column]
        self._hover = HoverTool(
            mode="vline", renderers=anchor, tooltips=self._tooltip(compared=False), attachment="horizontal"
        )
        self.figure.add_tools(self._hover)

    def show(
        self,
        rows: "pd.DataFrame",
        labels: Sequence[str],
        description: str,
        *,
        start: date,
        end: date,
        before: Earlier | None = None,
    ) -> None:
        """Draw other rows.

        Args:
            rows: columns `at` (dates or naive local times, ascending) and every series'; NaN leaves a gap.
            labels: what each row's time is called in the tooltip.
            description: the chart in a sentence, for those who can't see it.
            start: the first day of the axis.
            end: the day after its last one.
            before: the period before; None without a comparison.
        """
        import pandas as pd

        data: dict[str, Any] = {"at": pd.to_datetime(rows["at"]).to_numpy(dtype="datetime64[ms]")}
        data["label"], data["label_before"] = (
            list(labels),
            list(before.labels) if before else [""] * len(rows),
        )
        earlier = (
            before.rows.set_index("at").reindex(list(rows["at"]))
            if before
            else pd.DataFrame(index=rows.index)
        )
        for one in self.series:
            self._put(data, one.column, rows)
            self._put(data, f"{BEFORE}{one.column}", earlier)
        for mark in self._marks:
            mark.visible = len(rows) <= MARKED_UP_TO
        self.source.data = data
        if self._quiet.visible != (before is not None):
            self._quiet.visible = before is not None
            self._hover.tooltips = self._tooltip(compared=before is not None)
        margin = (end - start) * MARGIN
        # Between few days it would mark hours, of which nothing is drawn; those of a single day have no label.
        self.figure.xaxis.ticker.desired_num_ticks = min(MOST_MARKS, max(2, (end - start).days))
        # A half day on either side of a range of one day.
        self.figure.x_range.update(
            start=_instant(start) - max(margin, HALF_DAY),
            end=_instant(end) - 2 * HALF_DAY + max(margin, HALF_DAY),
        )
        describe(self.figure, description)

    def clear(self) -> None:
        """Take everything out of the chart."""
        self.source.data = {name: [] for name in self._columns()}
        self.mark([])
        describe(self.figure, "")

    def _put(self, data: dict[str, Any], column: str, rows: "pd.DataFrame") -> None:
        """A column to draw, and how its values are said; nothing where the rows don't have it."""
        import pandas as pd

        found = rows[column] if column in rows else pd.Series([math.nan] * len(rows), dtype="Float64")
        values = data[column] = found.astype("Float64").to_numpy(dtype="float64", na_value=math.nan)
        data[f"{SAID}{column}"] = [
            EMPTY if math.isnan(value) else self._form(value) for value in values.tolist()
        ]

    def _columns(self) -> list[str]:
        drawn = [name for one in self.series for name in (one.column, f"{BEFORE}{one.column}")]
        return ["at", "label", "label_before", *drawn, *(f"{SAID}{name}" for name in drawn)]

    def _draw_before(self) -> Any:
        """The line of the period before, behind all others."""
        line = Line(
            x="at",
            y=f"{BEFORE}{self.lead.column}",
            line_color=self.lead.colour,
            line_width=1.5,
            line_alpha=0.8,
            line_dash=[4, 3],
        )
        return self.figure.add_glyph(self.source, line, visible=False, **PLAIN)

    def _draw(self, one: Series) -> None:
        """Glyphs one by one: a figure's own methods make four more of each, for selections that nobody makes."""
        if one.filled:
            below = VArea(x="at", y1=0, y2=one.column, fill_color=one.colour, fill_alpha=0.16)
            self.figure.add_glyph(self.source, below, **PLAIN)
        line = Line(
            x="at", y=one.column, line_color=one.colour, line_width=2.2, line_dash=one.dash, line_join="round"
        )
        self.figure.add_glyph(self.source, line, name=one.column, **PLAIN)
        mark = Scatter(x="at", y=one.column, fill_color=one.colour, line_color=one.colour, size=5)
        self._marks.append(self.figure.add_glyph(self.source, mark, **PLAIN))

    def _tooltip(self, *, compared: bool) -> str:
        """One tooltip for all the series at the day under the pointer, with the figures of the period before."""
        rows = [
            tooltip_row(
                told(one.title),
                f"@{{{SAID}{one.column}}}",
                one.colour,
                f"@{{{SAID}{BEFORE}{one.column}}}" if compared else "",
            )
            for one in reversed(self.series)
        ]
        return tooltip("@label", rows, say("compared with {days}", days="@label_before") if compared else "")


class TargetChart(Chart):
    """Measured durations over time beside the longest that is promised: `figure` for the page, `show` for rows.

    Args:
        series: what is measured; its column names the renderer.
        target: the promise in seconds.
    """

    def __init__(self, series: Series, target: float) -> None:
        # An axis of minutes where the promise is one of many.
        self.unit, name = (60.0, "min") if target >= LONG_SECONDS else (1.0, "s")
        self.target = target / self.unit
        self.source, self.failed = (ColumnDataSource(_measured([], self.unit)) for _ in range(2))
        super().__init__(_time_figure(False))
        self.figure.yaxis.formatter = CustomJSTickFormatter(
            args={"spoken": language(), "unit": name}, code=WITH_UNIT
        )
        promise = Span(
            location=self.target, dimension="width", line_color=ORANGE, line_dash="dashed", line_width=1.6
        )
        self.figure.add_layout(promise)
        words = Label(
            x=8,
            x_units="screen",
            y=self.target,
            y_offset=3,
            text=say("Target {duration}", duration=duration(target)),
            text_font_size="12px",
        )
        self.figure.add_layout(words)
        line = Line(x="at", y="value", line_color=series.colour, line_width=1.6, line_alpha=0.5)
        self.figure.add_glyph(self.source, line, **PLAIN)
        good = Scatter(x="at", y="value", size=8, fill_color=series.colour, line_color=series.colour)
        bad = Scatter(x="at", y="value", size=10, marker="x", line_color=RED, line_width=2.4)
        drawn = [
            self.figure.add_glyph(self.source, good, **PLAIN),
            self.figure.add_glyph(self.failed, bad, **PLAIN),
        ]
        rows = [tooltip_row(told(series.title), "@said", series.colour)]
        self.figure.add_tools(
            HoverTool(renderers=drawn, tooltips=tooltip("@label", rows), attachment="horizontal")
        )

    def show(
        self,
        at: Sequence[datetime],
        seconds: Sequence[float | None],
        failed: Sequence[bool],
        labels: Sequence[str],
        description: str,
        *,
        start: datetime,
        end: datetime,
    ) -> None:
        """Draw other measurements, oldest first; one that failed without a figure stands on the axis as a cross.

        Args:
            at: naive local times.
            seconds: what was measured; None where nothing was.
            failed: which of them failed.
            labels: what each is called in the tooltip.
            description: the chart in a sentence, for those who can't see it.
            start, end: of the axis.
        """
        every = list(zip(at, seconds, failed, labels, strict=True))
        good = [(when, value, name) for when, value, bad, name in every if value is not None and not bad]
        self.source.data = _measured(good, self.unit)
        self.failed.data = _measured(
            [(when, value or 0.0, name) for when, value, bad, name in every if bad], self.unit
        )
        self.figure.x_range.update(start=start, end=end + (end - start) * MARGIN)
        highest = max([self.target, *(value / self.unit for value in seconds if value is not None)])
        # Some room below zero, so that a cross on the axis is whole.
        self.figure.y_range.update(start=-0.04 * highest, end=1.15 * highest)
        describe(self.figure, description)

    def clear(self) -> None:
        """Take everything out of the chart."""
        self.source.data, self.failed.data = _measured([], self.unit), _measured([], self.unit)
        self.mark([])
        describe(self.figure, "")


def base_figure(**more: Any) -> Any:
    """A figure as wide as its place, without a toolbar; `more` are Bokeh's own arguments."""
    made = figure(
        height=HEIGHT,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="",
        min_border_right=14,
        output_backend="canvas",
        **more,
    )
    made.outline_line_color = None
    made.background_fill_color = made.border_fill_color = None
    made.xgrid.visible = False
    for axis in (*made.xaxis, *made.yaxis):
        axis.minor_tick_line_color = axis.major_tick_line_color = None
        axis.major_label_text_font_size = "12px"
    made.yaxis.axis_line_color = None
    return made


def link(figures: Sequence[Any]) -> None:
    """Show the same days together: a line under the pointer in all figures, and a band of the days chosen in one."""
    here = Span(dimension="height", line_color=GREY, line_dash="dotted", line_width=1.2)
    bands = [BoxAnnotation(fill_color=TEAL, fill_alpha=0.12, line_color=None, visible=False) for _ in figures]
    chosen = CustomJS(args={"bands": bands}, code=CHOSEN_DAYS)
    for plot, band in zip(figures, bands, strict=True):
        plot.add_layout(band)
        choose = BoxSelectTool(
            dimensions="width", renderers=[], continuous=True, description=say("Choose days")
        )
        choose.overlay.visible = False
        plot.add_tools(CrosshairTool(overlay=here), choose)
        plot.toolbar.active_drag = choose
        plot.js_on_event("selectiongeometry", chosen)


def describe(plot: Any, description: str) -> None:
    """Say to a screen reader what a figure shows."""
    plot.html_attributes = {"role": "img", "aria-label": description}


def tooltip(title: str, rows: Sequence[str], compared_with: str = "") -> str:
    """The inside of a tooltip: a title over rows, all of them fields or text of Bokeh's own syntax."""
    other = f'<span class="with">{compared_with}</span>' if compared_with else ""
    return f'<div class="tip"><style>{tooltip_styles()}</style><strong>{title}</strong>{other}{"".join(rows)}</div>'


def tooltip_row(title: str, value: str, colour: str, before: str = "") -> str:
    """One row of a tooltip: a mark of the line's colour, what it is, its value, and the one of the period before."""
    other = f"<em>{before}</em>" if before else ""
    return f'<div><i style="background:{colour}"></i><span>{escape(title)}</span><b>{value}</b>{other}</div>'


@lru_cache(maxsize=1)
def tooltip_styles() -> str:
    """The look of tooltips; each has a shadow root of its own, which only a style inside of it reaches."""
    return (FOLDER / "tooltip.css").read_text()


def _marked(marks: Sequence[Mark]) -> dict[str, Any]:
    looks = [MARKS[one.kind] for one in marks]
    return {
        "at": [one.at for one in marks],
        "colour": [colour for colour, _ in looks],
        "dash": [dash for _, dash in looks],
    }


def _measured(rows: Sequence[tuple[datetime, float, str]], unit: float) -> dict[str, Any]:
    return {
        "at": [at for at, _, _ in rows],
        "value": [seconds / unit for _, seconds, _ in rows],
        "label": [label for _, _, label in rows],
        "said": [duration(seconds) if seconds else say("nothing was measured") for _, seconds, _ in rows],
    }


def _instant(day: date) -> datetime:
    return datetime.combine(day, time())


def _time_figure(share: bool) -> Any:
    today = datetime.now(UTC).replace(tzinfo=None)
    made = base_figure(x_axis_type="datetime", x_range=Range1d(start=today - 60 * HALF_DAY, end=today))
    # Below the last day stands its year; months and years say theirs themselves.
    days, months = DAYS_AND_MONTHS[language()]
    year = DatetimeTickFormatter(hours="", days="%Y", months="", years="")
    made.xaxis.formatter = DatetimeTickFormatter(
        hours="", days=days, months=months, years="%Y", context=year, context_which="end"
    )
    made.xaxis.ticker.desired_num_ticks = MOST_MARKS
    made.xaxis.major_label_policy = NoOverlap(min_distance=10)
    made.yaxis.formatter = CustomJSTickFormatter(args={"spoken": language()}, code=SHARE if share else COUNT)
    made.yaxis.ticker = BasicTicker(min_interval=0.05 if share else 1, desired_num_ticks=4, num_minor_ticks=0)
    made.y_range.start = 0
    if share:
        made.y_range.end = 1
    else:
        made.y_range.range_padding = 0.08
    return made
