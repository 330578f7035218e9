"""Tables: one description of the columns for the page and for CSV."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from leitstand.words import spreadsheet
from panel_apps.definitions import defined
from panel_apps.parts import left_out
from panel_apps.series import BEFORE, beside
from panel_apps.speech import day as day_form
from panel_apps.speech import number, say, told
from serving.shell.formats import EMPTY

if TYPE_CHECKING:
    import pandas as pd

# The page shows so many rows; the CSV has them all.
SHOWN_ROWS = 100


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: in the rows and in the CSV.
        title: what people read.
        form: how a value looks on the page; None: as text.
        numeric: aligned to the right.
        definition: shown when the title is pointed at.
    """

    name: str
    title: str
    form: Callable[[Any], str] | None = None
    numeric: bool = True
    definition: str = ""


@dataclass(frozen=True)
class Table[A]:
    """A table of a dashboard, on the page and as a file.

    Args:
        caption: its name.
        columns: what of the rows is shown.
        rows: takes them out of the dashboard's answers.
        before: those of the period before, moved to the days that they are compared with (`panel_apps.series.moved`).
        day: the column that both have.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: "Callable[[A], pd.DataFrame]"
    before: "Callable[[A], pd.DataFrame | None]" = lambda _: None
    day: str = "day"

    def of(self, answers: A) -> "tuple[pd.DataFrame, tuple[Column, ...]]":
        """Rows and columns; with those of the period before beside them where it was asked for."""
        rows, earlier = self.rows(answers), self.before(answers)
        if earlier is None:
            return rows, self.columns
        compared = [
            replace(
                one,
                name=f"{BEFORE}{one.name}",
                title=say("{figure} before", figure=told(one.title)),
                definition="",
            )
            for one in self.columns
            if one.name != "day" and f"{BEFORE}{one.name}" in earlier
        ]
        return beside(rows, earlier, self.day), (
            *self.columns,
            day(f"{BEFORE}day", say("Compared with")),
            *compared,
        )


def text(name: str, title: str, definition: str = "") -> Column:
    """A column of names, which leads its row."""
    return Column(name, title, None, False, definition)


def count(name: str, title: str, definition: str = "") -> Column:
    """A column of whole numbers."""
    return Column(name, title, number, True, definition)


def day(name: str, title: str, definition: str = "") -> Column:
    """A column of days."""
    return Column(name, title, day_form, False, definition)


def to_html(
    rows: "pd.DataFrame", columns: Sequence[Column], *, caption: str, newest_last: bool = False
) -> str:
    """The table as HTML; every value is escaped.

    Args:
        caption: names the table to a screen reader.
        newest_last: rows are in order of time, and the last ones are kept when there are too many.
    """
    kept = rows.tail(SHOWN_ROWS).iloc[::-1] if newest_last else rows.head(SHOWN_ROWS)
    head = "".join(_head(column) for column in columns)
    body = "".join(_row(row, columns) for row in kept.to_dict("records"))
    more = (
        left_out(say("{shown} of {all} rows; the CSV has them all.", shown=len(kept), all=number(len(rows))))
        if len(kept) < len(rows)
        else ""
    )
    return (
        f'<div class="table-scroll" tabindex="0" role="group" aria-label="{escape(caption)}"><table>'
        f'<caption class="visually-hidden">{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
    )


def to_csv(rows: "pd.DataFrame", columns: Iterable[Column]) -> str:
    """The table as CSV (RFC 4180): plain values under the columns' names; formulas are defused."""
    names = [column.name for column in columns]
    cells = ([_plain(value) for value in row] for row in rows[names].itertuples(index=False, name=None))
    return "".join(spreadsheet.lines(names, cells))


def shown(value: Any, form: Callable[[Any], str] | None = None) -> str:
    """One value as HTML: a dash where there is none."""
    if is_missing(value):
        return EMPTY
    return str(escape(str(form(value) if form else value)))


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN or pandas' own."""
    import pandas as pd

    return bool(pd.isna(value))


def _head(column: Column) -> str:
    look = " class=number" if column.numeric else ""
    return f'<th scope="col"{look}>{defined(column.title, column.definition)}</th>'


def _row(row: dict[Any, Any], columns: Sequence[Column]) -> str:
    first, *others = columns
    cells = [f'<th scope="row">{shown(row[first.name], first.form)}</th>']
    cells += [
        f"<td{' class=number' if one.numeric else ''}>{shown(row[one.name], one.form)}</td>" for one in others
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _plain(value: Any) -> Any:
    return "" if is_missing(value) else value
