"""Charts as inline SVG: they need no script, follow light and dark by the page's CSS, and are readable in print.

Series differ in colour and in pattern; a label says which is which, and the words beside the chart say what it shows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from leitstand.reports import words

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 28
TICKS = 4
GROUP_FILL = 0.78
# As many labels as have room below the columns.
MOST_LABELS = 10


@dataclass(frozen=True)
class Series:
    """Values of one kind, one a column; None where there is none."""

    name: str
    values: Sequence[float | None]


def columns(
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    unit: str = "",
    target: float | None = None,
    target_name: str = "",
) -> Markup:
    """Grouped columns, with a line for a target where one is given.

    Args:
        title: what a screen reader says of the drawing; its values stand in the table beside it.
        labels: one a column, in order.
        series: at most four.
    """
    found = [value for one in series for value in one.values if value is not None]
    top = ceiling(max([*found, target or 0.0], default=0.0))
    parts = [_axis(top, unit), *_bars(series, len(labels), top), _labels(labels)]
    if target is not None:
        parts.append(_target(target, top, target_name))
    drawing = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, Markup("").join(parts)
    )
    legend = _legend(series) if len(series) > 1 else Markup("")
    return Markup("<figure>{}{}</figure>").format(legend, drawing)


def ceiling(value: float) -> float:
    """The next round number at which an axis may end: 1, 2, 4, 5 or 8 times a power of ten, at least 4."""
    if value <= TICKS:
        return float(TICKS)
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)


def _height(value: float, top: float) -> float:
    return (HEIGHT - TOP - BOTTOM) * value / top


def _axis(top: float, unit: str) -> Markup:
    line = Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
    )
    ticks = []
    for tick in range(TICKS + 1):
        value = top * tick / TICKS
        y = round(HEIGHT - BOTTOM - _height(value, top), 1)
        shown = words.number(value, 0 if value.is_integer() else 1) + (f" {unit}" if unit and tick else "")
        ticks.append(line.format(LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, shown))
    return Markup("").join(ticks)


def _step(count: int) -> float:
    return (WIDTH - LEFT - RIGHT) / max(count, 1)


def _bars(series: Sequence[Series], count: int, top: float) -> list[Markup]:
    rect = Markup('<rect class="s{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>')
    step = _step(count)
    width = step * GROUP_FILL / max(len(series), 1)
    bars = []
    for place, one in enumerate(series):
        for column, value in enumerate(one.values):
            if not value:
                continue
            x = LEFT + column * step + step * (1 - GROUP_FILL) / 2 + place * width
            high = _height(value, top)
            at = round(x, 1), round(HEIGHT - BOTTOM - high, 1), round(width * 0.94, 1), round(high, 1)
            digits = 0 if float(value).is_integer() else 1
            bars.append(rect.format(place + 1, *at, one.name, words.number(value, digits)))
    return bars


def _labels(labels: Sequence[str]) -> Markup:
    every = max(1, math.ceil(len(labels) / MOST_LABELS))
    label = Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>')
    step = _step(len(labels))
    return Markup("").join(
        label.format(round(LEFT + (place + 0.5) * step, 1), HEIGHT - 8, text)
        for place, text in enumerate(labels)
        if place % every == 0
    )


def _target(target: float, top: float, name: str) -> Markup:
    y = round(HEIGHT - BOTTOM - _height(target, top), 1)
    shape = Markup(
        '<line class="target" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="target-name" x="{}" y="{}" text-anchor="end">{}</text>'
    )
    return shape.format(LEFT, WIDTH - RIGHT, y, y, WIDTH - RIGHT, y - 5, name)


def _legend(series: Sequence[Series]) -> Markup:
    entry = Markup(
        '<span><svg viewBox="0 0 12 12" aria-hidden="true"><rect class="s{}" width="12" height="12"/></svg>{}</span>'
    )
    entries = Markup("").join(entry.format(place, one.name) for place, one in enumerate(series, 1))
    return Markup('<figcaption class="legend">{}</figcaption>').format(entries)
