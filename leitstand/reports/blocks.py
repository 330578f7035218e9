"""The parts of a report as HTML: what strangers wrote is escaped, nothing is loaded from anywhere."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import unescape

from markupsafe import Markup

from leitstand.reports.words import NONE
from leitstand.words import N_

Cell = str | Markup
TAG = re.compile(r"<[^>]*>")


class Block:
    """A piece of a report, as a notebook shows it; empty where there is nothing to show."""

    def __init__(self, html: Markup | None = None) -> None:
        self.html = html or Markup("")

    def _repr_html_(self) -> str:
        return str(self.html)

    def __repr__(self) -> str:
        # The notebook's plain text; the page shows the HTML.
        return unescape(" ".join(TAG.sub(" ", str(self.html)).split()))

    def __bool__(self) -> bool:
        return bool(self.html)


@dataclass(frozen=True)
class KeyFigure:
    """One figure beside the same of the period before, in words.

    Args:
        counts: the counts behind a percentage, empty for other figures.
    """

    name: str
    value: str
    before: str
    change: str
    counts: str = ""

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Notice:
    """What needs attention: `weight` is "bad", "warn" or "note"."""

    weight: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return dict(vars(self))


WEIGHTS = {"bad": N_("Act"), "warn": N_("Look"), "note": N_("Note")}


def section(title: str, *parts: Markup | str) -> Block:
    """A section with its heading; text parts become paragraphs."""
    inner = Markup("").join(
        part if isinstance(part, Markup) else Markup("<p>{}</p>").format(part) for part in parts if part
    )
    return Block(Markup("<section><h2>{}</h2>{}</section>").format(title, inner))


def head(title: str, period: str, facts: Iterable[tuple[str, str]]) -> Block:
    """The head of a report: whose it is, for which days, as of when."""
    rows = Markup("").join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in facts)
    return Block(
        Markup('<header><p class="period">{}</p><p class="whose">{}</p><dl>{}</dl></header>').format(
            period, title, rows
        )
    )


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, numbers: int | None = None
) -> Markup:
    """A table; its first column heads the rows.

    Args:
        numbers: the columns from this one on are aligned as numbers; None: all but the first.
    """
    first = 1 if numbers is None else numbers
    heads = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_aligned(place >= first), name)
        for place, name in enumerate(columns)
    )
    body = Markup("").join(_row(row, first) for row in rows)
    shape = Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="{}"><table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    )
    return shape.format(caption, caption, heads, body)


def _row(row: Sequence[Cell], first: int) -> Markup:
    cells = Markup("").join(
        Markup("<td{}>{}</td>").format(_aligned(place >= first), cell)
        for place, cell in enumerate(row[1:], 1)
    )
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(row[0], cells)


def _aligned(number: bool) -> Markup:
    return Markup(' class="number"') if number else Markup("")


def key_figures(figures: Sequence[KeyFigure], before: str) -> Markup:
    """The key figures as cards: value, counts, and the period before."""
    card = Markup(
        '<div class="figure"><dt>{}</dt><dd><span class="value">{}</span>{}<span class="before">{}</span></dd></div>'
    )
    cards = Markup("").join(
        card.format(
            figure.name,
            figure.value,
            Markup('<span class="counts">{}</span>').format(figure.counts) if figure.counts else "",
            f"{before}: nothing to compare"
            if figure.change == NONE
            else f"{before} {figure.before}: {figure.change}",
        )
        for figure in figures
    )
    return Markup('<dl class="figures">{}</dl>').format(cards)


def notices(found: Sequence[Notice], otherwise: str) -> Markup:
    """What needs attention, the weightiest first; a sentence where nothing does."""
    if not found:
        return Markup('<p class="calm">{}</p>').format(otherwise)
    item = Markup('<li class="{}"><strong>{}</strong> {}</li>')
    items = Markup("").join(item.format(one.weight, f"{WEIGHTS[one.weight]}:", one.text) for one in found)
    return Markup('<ul class="notices">{}</ul>').format(items)


def definitions(entries: Iterable[tuple[str, str]]) -> Markup:
    """What the words mean."""
    rows = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(*entry) for entry in entries)
    return Markup('<dl class="definitions">{}</dl>').format(rows)


def bar(part: float, whole: float) -> Markup:
    """A small bar for a table's cell; the cell's number says the same."""
    width = round(100 * part / whole, 1) if whole else 0
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="10"/><rect class="s1" width="{}" height="10"/></svg>'
    ).format(width)
