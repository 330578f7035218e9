"""Blocks and charts: what strangers wrote stays text, charts are readable without colour and never divide by nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.reports import blocks
from leitstand.reports.blocks import Block, KeyFigure, Notice
from leitstand.reports.charts import Series, ceiling, columns

EVIL = "<script>alert(1)</script>&\"'"


def test_text_is_escaped_everywhere() -> None:
    parts = [
        blocks.table(EVIL, [EVIL], [(EVIL, EVIL)]),
        blocks.key_figures([KeyFigure(EVIL, EVIL, EVIL, EVIL, EVIL)], EVIL),
        blocks.notices([Notice("bad", EVIL)], EVIL),
        blocks.notices([], EVIL),
        blocks.definitions([(EVIL, EVIL)]),
        columns(EVIL, [EVIL], [Series(EVIL, [1]), Series(EVIL, [2])], target=3, target_name=EVIL),
    ]
    html = (
        blocks.section(EVIL, EVIL, *parts)._repr_html_()
        + blocks.head(EVIL, EVIL, [(EVIL, EVIL)])._repr_html_()
    )
    assert "<script" not in html and "&lt;script&gt;" in html


def test_an_empty_block_shows_nothing() -> None:
    assert not Block() and Block()._repr_html_() == ""
    assert repr(blocks.section("Title", "Said.")) == "Title Said."


@given(st.floats(0, 1e15, allow_nan=False))
def test_an_axis_ends_above_its_values_at_a_round_number(value: float) -> None:
    top = ceiling(value)
    assert top >= value and top >= 4
    assert re.fullmatch(r"[1-8]0*", f"{top:.0f}")


def test_a_chart_has_a_bar_for_each_value_and_says_them() -> None:
    chart = columns(
        "Runs by day", ["Mon", "Tue"], [Series("Started", [3, None]), Series("Completed", [0, 2])], unit="s"
    )
    assert chart.count("<title>") == 2  # nothing and none have no bar
    assert "<title>Started: 3</title>" in chart and "<title>Completed: 2</title>" in chart
    assert 'role="img" aria-label="Runs by day"' in chart
    assert chart.count('class="legend"') == 1


def test_a_chart_without_values_is_an_empty_frame() -> None:
    assert "<title>" not in columns("Nothing", [], [Series("None", [])])
    assert "<title>" not in columns("Nothing", ["Mon"], [Series("None", [None])])


def test_a_target_is_in_the_frame_however_small_the_values() -> None:
    chart = columns("RPO", ["Mon"], [Series("RPO", [1.5])], target=120, target_name="promised: 2 min")
    y = float(re.search(r'class="target"[^>]* y1="([0-9.]+)"', chart)[1])  # type: ignore[index]
    assert 0 < y < 240 and "promised: 2 min" in chart


def test_a_bar_of_nothing() -> None:
    assert 'width="0"' in blocks.bar(0, 0)


@pytest.mark.parametrize("weight", blocks.WEIGHTS)
def test_a_notice_says_its_weight_in_words(weight: str) -> None:
    assert f"<strong>{blocks.WEIGHTS[weight]}:</strong>" in blocks.notices([Notice(weight, "Look.")], "")
