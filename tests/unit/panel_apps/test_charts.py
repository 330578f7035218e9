"""Charts: readable on light and dark pages, and right after every change of rows."""

import re
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from leitstand.settings import REPOSITORY
from panel_apps import charts
from panel_apps.charts import Earlier, Mark, Series, TargetChart, TimeChart
from panel_apps.speech import speaking

COLOURS = {name: getattr(charts, name) for name in ("GREY", "TEAL", "ORANGE", "BLUE", "VIOLET", "RED")}
TOKENS = (REPOSITORY / "serving" / "static" / "css" / "tokens.css").read_text()


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", sorted(COLOURS))
def test_lines_stand_out_from_both_themes(name: str) -> None:
    found = re.search(r"--surface: light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS)
    assert found is not None
    for surface in found.groups():
        assert contrast(COLOURS[name], surface) >= 3, f"{name} on {surface}"


def chart() -> TimeChart:
    return TimeChart(
        (Series("viewed", "Viewed", charts.GREY, filled=True), Series("done", "Done", charts.TEAL))
    )


def rows(days: int) -> pd.DataFrame:
    at = [date.fromordinal(date(2026, 1, 1).toordinal() + place) for place in range(days)]
    return pd.DataFrame({"at": at, "viewed": range(days), "done": [None, *range(1, days)][:days]})


def test_a_chart_shows_its_rows_and_says_what_they_are() -> None:
    made = chart()
    made.show(rows(3), ["a", "b", "c"], "Three days", start=date(2026, 1, 1), end=date(2026, 1, 4))
    assert list(made.source.data["viewed"]) == [0, 1, 2]
    assert np.isnan(made.source.data["done"][0])
    assert made.source.data["at"][0] == np.datetime64("2026-01-01")
    assert made.figure.html_attributes == {"role": "img", "aria-label": "Three days"}


def test_the_axis_spans_the_range_whatever_the_rows() -> None:
    made = chart()
    made.show(rows(1), ["a"], "One day", start=date(2026, 1, 1), end=date(2026, 1, 31))
    assert made.figure.x_range.start <= datetime(2026, 1, 1)
    assert made.figure.x_range.end >= datetime(2026, 1, 30)
    made.show(rows(0), [], "None", start=date(2026, 1, 1), end=date(2026, 1, 2))
    assert made.figure.x_range.start < made.figure.x_range.end


@pytest.mark.parametrize(("days", "marks"), [(1, 2), (2, 2), (5, 5), (90, charts.MOST_MARKS)])
def test_an_axis_of_few_days_marks_days_and_no_hours(days: int, marks: int) -> None:
    made = chart()
    first = date(2026, 1, 1)
    made.show(rows(days), [""] * days, "", start=first, end=first + timedelta(days=days))
    assert made.figure.xaxis[0].ticker.desired_num_ticks == marks
    assert made.figure.xaxis[0].formatter.hours == ""


def test_figures_at_an_axis_are_said_in_the_language_of_the_page() -> None:
    with speaking("de"):
        formatter = chart().figure.yaxis[0].formatter
    assert formatter.args == {"spoken": "de"}
    assert "toLocaleString(spoken" in formatter.code


def test_marks_are_left_out_where_there_are_many_points() -> None:
    made = chart()
    for days, marked in ((10, True), (charts.MARKED_UP_TO + 1, False)):
        made.show(rows(days), [""] * days, "", start=date(2026, 1, 1), end=date(2026, 4, 1))
        assert {mark.visible for mark in made._marks} == {marked}


def test_clearing_leaves_nothing() -> None:
    made = chart()
    made.show(rows(3), ["a", "b", "c"], "Three days", start=date(2026, 1, 1), end=date(2026, 1, 4))
    made.clear()
    assert all(len(values) == 0 for values in made.source.data.values())
    assert made.figure.html_attributes["aria-label"] == ""


def test_figures_have_no_toolbar_and_take_their_text_colours_from_the_page() -> None:
    figure = chart().figure
    assert figure.toolbar_location is None
    assert figure.background_fill_color is None
    assert figure.border_fill_color is None


def test_a_drill_that_failed_stands_apart_from_those_that_measured() -> None:
    made = TargetChart(Series("rto", "Recovery time", charts.BLUE), 1800)
    at = [datetime(2026, 1, day) for day in (1, 2, 3)]
    made.show(at, [60.0, None, 120.0], [False, True, False], ["a", "b", "c"], "", start=at[0], end=at[2])
    assert made.source.data["value"] == [1.0, 2.0]  # minutes, since the target is half an hour
    assert made.failed.data["label"] == ["b"]
    assert made.failed.data["said"] == ["nothing was measured"]
    assert made.figure.y_range.end > 30
    made.clear()
    assert made.source.data["value"] == []


def test_the_target_stays_in_sight_and_so_does_what_exceeds_it() -> None:
    made = TargetChart(Series("rpo", "Recovery point", charts.TEAL), 120)
    at = [datetime(2026, 1, 1)]
    made.show(at, [5.0], [False], ["a"], "", start=at[0], end=datetime(2026, 1, 2))
    assert made.figure.y_range.end > 120
    made.show(at, [900.0], [False], ["a"], "", start=at[0], end=datetime(2026, 1, 2))
    assert made.figure.y_range.end > 900


def test_what_happened_is_drawn_by_kind_and_taken_away_again() -> None:
    chart = TimeChart([Series("runs", "Runs", charts.TEAL)])
    at = datetime(2026, 1, 5, 9)
    chart.mark([Mark(at, "release"), Mark(at, "incident")])
    assert list(chart.marks.data["dash"]) == ["solid", "dashed"]
    assert len(set(chart.marks.data["colour"])) == 2
    chart.clear()
    assert list(chart.marks.data["at"]) == []


def test_linked_charts_share_the_line_under_the_pointer_and_each_has_a_band() -> None:
    linked = [TimeChart([Series("runs", "Runs", charts.TEAL)]).figure for _ in range(3)]
    charts.link(linked)
    tools = [
        [tool for tool in plot.toolbar.tools if type(tool).__name__ == "CrosshairTool"] for plot in linked
    ]
    assert len({found[0].overlay.id for found in tools}) == 1
    bands = [[one for one in plot.center if type(one).__name__ == "BoxAnnotation"] for plot in linked]
    assert len({band.id for found in bands for band in found if not band.visible}) == 3
    assert all(plot.js_event_callbacks["selectiongeometry"] for plot in linked)


def test_the_period_before_is_a_line_of_its_own_with_exact_figures_in_the_tooltip() -> None:
    made = chart()
    before = Earlier(pd.DataFrame({"at": [date(2026, 1, 2)], "before_done": [1234]}), ["x", "y", "z"])
    days = {"start": date(2026, 1, 1), "end": date(2026, 1, 4)}
    made.show(rows(3), ["a", "b", "c"], "Three days", before=before, **days)
    assert made._quiet.visible
    assert made._quiet.glyph.y == "before_done"
    assert list(made.source.data["said_before_done"]) == ["–", "1,234", "–"]
    assert list(made.source.data["said_before_viewed"]) == ["–"] * 3
    assert list(made.source.data["said_done"]) == ["–", "1", "2"]
    assert made.source.data["label_before"] == ["x", "y", "z"]
    assert "@label_before" in made._hover.tooltips and "@{said_before_done}" in made._hover.tooltips
    made.show(rows(3), ["a", "b", "c"], "Three days", **days)
    assert not made._quiet.visible
    assert "before" not in made._hover.tooltips
    assert np.isnan(made.source.data["before_done"]).all()


def test_shares_are_said_as_percentages() -> None:
    made = TimeChart([Series("rate", "Rate", charts.TEAL)], share=True)
    rows = pd.DataFrame({"at": [date(2026, 1, 1)], "rate": [0.4567]})
    made.show(rows, ["a"], "", start=date(2026, 1, 1), end=date(2026, 1, 2))
    assert list(made.source.data["said_rate"]) == ["45.7%"]
