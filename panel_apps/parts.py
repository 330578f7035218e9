"""The parts of dashboards that are HTML: tiles, legends, tables, bars, badges and what stands where nothing is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from panel_apps.access import PREFIX
from panel_apps.definitions import defined
from panel_apps.speech import number, percent, say, status, told
from serving.shell.formats import EMPTY, icon

if TYPE_CHECKING:
    import pandas as pd

MOST_STEPS = 12
DAY, WEEK = timedelta(days=1), timedelta(days=7)
PASSED = frozenset({"complete", "completed", "succeeded", "passed", "ok", "done", "ready"})
FAILED = frozenset({"failed", "crashed", "aborted"})


@dataclass(frozen=True)
class Tile:
    """One key figure.

    Args:
        title: what it is.
        value: as it is shown.
        note: beneath it.
        change: how it differs from the period before, as HTML; empty without a comparison.
        definition: what exactly is counted.
        look: `good`, `bad` or empty.
    """

    title: str
    value: str
    note: str
    change: str = ""
    definition: str = ""
    look: str = ""


def tiles_html(tiles: Sequence[Tile]) -> str:
    """The key figures; each says what it means to whoever points at it, tabs to it or listens."""
    cells = [
        f"<div><dt>{defined(tile.title, tile.definition)}</dt><dd{_look(tile)}>{escape(tile.value)}"
        f"<small>{escape(tile.note)}</small><small>{tile.change}</small></dd></div>"
        for tile in tiles
    ]
    return f'<dl class="figures">{"".join(cells)}</dl>'


@dataclass(frozen=True)
class Key:
    """One line of a chart in its legend: how it is called and looks (a dash, or `quiet`)."""

    title: str
    colour: str
    look: str


def legend(lines: Sequence[Key], words: str) -> str:
    """What the lines of a chart are, and what it says."""
    keys = "".join(
        f'<li><i class="{one.look}" style="--key:{one.colour}"></i>{escape(told(one.title))}</li>'
        for one in lines
    )
    return f'<ul class="legend">{keys}</ul><p class="words">{escape(words)}</p>'


def csv_link(app: str, table: str, caption: str, choices: dict[str, str]) -> str:
    """The link to the CSV of a table (by its name and its caption) with the choices that are shown."""
    address = f"{PREFIX}/export/{app}/{table}.csv?{urlencode(choices)}"
    return f'<p class="csv"><a href="{escape(address)}" download>CSV<span class="visually-hidden"> – {escape(told(caption))}</span></a></p>'


def bars(head: Sequence[str], rows: Iterable[str], caption: str) -> str:
    """A table whose rows begin with a bar, which scrolls where there is no room for it.

    Args:
        head: titles of the columns; all but the first hold numbers.
        rows: HTML of the rows (see `bar`).
    """
    first, *others = head
    titles = f'<th scope="col">{first}</th>' + "".join(
        f'<th scope="col" class="number">{one}</th>' for one in others
    )
    return (
        f'<div class="table-scroll whole" tabindex="0" role="group" aria-label="{escape(caption)}">'
        f'<table class="bars"><caption class="visually-hidden">{escape(caption)}</caption><thead><tr>{titles}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def bar(name: str, value: float, widest: float, cells: Sequence[str]) -> str:
    """A row that begins with a bar: its name, how long the bar is of the widest, and further cells as HTML."""
    rest = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row"><span class="bar" style="--share:{value / widest:.3f}"></span>{escape(str(name))}</th>{rest}</tr>'


def funnel(rows: "pd.DataFrame") -> str:
    """Steps as bars: how many runs reached each, and how many of these went no further."""
    if rows.empty or not int(rows["reached"].max()):
        return nothing(say("No run took a step in this range."))
    widest, shown = int(rows["reached"].max()), rows.head(MOST_STEPS)
    more = (
        left_out(say("{shown} of {all} steps; the CSV has them all.", shown=len(shown), all=len(rows)))
        if len(shown) < len(rows)
        else ""
    )
    body = [
        bar(row["step"], row["reached"], widest, [number(row["reached"]), _gone(row)])
        for row in shown.to_dict("records")
    ]
    return bars((say("Step"), say("Reached"), say("Went no further")), body, say("Steps")) + more


def share_of(part: int, whole: int) -> float | None:
    """The share that a count is of another one; None of nothing."""
    return part / whole if whole else None


def with_share(part: int, whole: int, digits: int = 0) -> str:
    """A count with the share it is of another one."""
    return f'{number(part)} <span class="muted">({percent(share_of(part, whole), digits)})</span>'


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: set[int],
    whole: bool = False,
) -> str:
    """A table of cells that are HTML already; the first of a row leads it.

    Args:
        numbers: places of the columns that are aligned to the right.
        whole: shown in its full height; else it scrolls.
    """
    look = "table-scroll whole" if whole else "table-scroll"
    head = "".join(
        f'<th scope="col"{_aligned(place, numbers)}>{title}</th>' for place, title in enumerate(heads)
    )
    body = "".join(_row(cells, numbers) for cells in rows)
    return (
        f'<div class="{look}" tabindex="0" role="group" aria-label="{escape(caption)}"><table>'
        f'<caption class="visually-hidden">{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def badge(state: str, *, good: bool | None = None) -> str:
    """A state as a word with an icon and a colour."""
    if good or state in PASSED:
        look, symbol = "good", "ok"
    elif state in FAILED:
        look, symbol = "bad", "bad"
    else:
        look, symbol = "accent", "wait"
    return f'<span class="badge {look}">{icon(symbol)}{escape(status(state))}</span>'


def left_out(words: str) -> str:
    """A line below a table or a diagram about what it does not show."""
    return f'<p class="muted small">{escape(words, quote=False)}</p>'


def nothing(words: str) -> str:
    """The empty state of one card."""
    return f'<div class="empty"><p>{escape(words)}</p></div>'


def _gone(row: dict[Any, Any]) -> str:
    if not row["reached"]:
        return EMPTY
    return f'{number(row["dropped"])} <span class="muted">({percent(row["drop_off"])})</span>'


def _look(tile: Tile) -> str:
    return f' class="{tile.look}"' if tile.look else ""


def _aligned(place: int, numbers: set[int]) -> str:
    return ' class="number"' if place in numbers else ""


def _row(cells: Sequence[str], numbers: set[int]) -> str:
    first, *others = cells
    rest = "".join(f"<td{_aligned(place, numbers)}>{cell}</td>" for place, cell in enumerate(others, 1))
    return f'<tr><th scope="row">{first}</th>{rest}</tr>'
