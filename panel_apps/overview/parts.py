"""The overview's parts that are HTML: tiles, legends, tables, bars and the retention grid."""

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from panel_apps.access import PREFIX
from panel_apps.charts import Series
from panel_apps.overview.store import Snapshot
from panel_apps.overview.words import Tile
from panel_apps.tables import Column, count, text
from serving.shell.formats import day as day_form
from serving.shell.formats import number, percent

if TYPE_CHECKING:
    import pandas as pd

DAY, WEEK = timedelta(days=1), timedelta(days=7)
MOST_STEPS, MOST_COHORTS, MOST_WEEKS = 12, 12, 12


def score(value: float) -> str:
    """A popularity score: one that fades says so."""
    return number(value, 2) if value >= 0.01 else "< 0.01"


TABLES: dict[str, tuple[Column, ...]] = {
    "traffic": (
        Column("day", "Day", day_form, False),
        count("viewed", "Viewed"),
        count("started", "Started"),
        count("completed", "Completed"),
    ),
    "active-users": (
        Column("day", "Day", day_form, False),
        count("dau", "That day", "Different people active on the local day (DAU)"),
        count("wau", "7 days", "Different people active in the 7 days ending with it (WAU)"),
        count("mau", "30 days", "Different people active in the 30 days ending with it (MAU)"),
    ),
    "completion": (
        Column("day", "Day", day_form, False),
        count("started", "Started"),
        count("completed", "Completed"),
        Column("rate", "Completed of started", percent),
        Column(
            "immature",
            "Still going",
            lambda going: "yes" if going else "no",
            False,
            "Some of that day's runs may still be going",
        ),
    ),
    "steps": (
        text("step", "Step"),
        count("reached", "Reached"),
        count("dropped", "Went no further"),
        Column("drop_off", "Drop-off", percent),
    ),
    "top-companions": (
        text("companion", "Companion"),
        count("runs", "Runs"),
        count("completed", "Completed"),
        count("active_users", "Active users"),
    ),
    "popular": (text("companion", "Companion"), Column("score", "Score", score)),
    "retention": (
        Column("cohort", "First seen in the week of", day_form, False),
        count("weeks_later", "Weeks later"),
        count("actors", "Active"),
    ),
}


def tiles_html(tiles: Sequence[Tile]) -> str:
    """The key figures."""
    cells = [
        f'<div title="{escape(tile.definition)}"><dt>{escape(tile.title)}</dt><dd>{escape(tile.value)}'
        f"<small>{escape(tile.note)}</small><small>{tile.change}</small></dd></div>"
        for tile in tiles
    ]
    return f'<dl class="figures">{"".join(cells)}</dl>'


def legend(series: Sequence[Series], words: str) -> str:
    """What the lines of a chart are, and what it says."""
    keys = "".join(
        f'<li><i class="{one.dash}" style="--key:{one.colour}"></i>{escape(one.title)}</li>' for one in series
    )
    return f'<ul class="legend">{keys}</ul><p class="words">{escape(words)}</p>'


def csv_link(table: str, choices: dict[str, str]) -> str:
    """The link to a table's CSV with the choices that are shown."""
    address = f"{PREFIX}/export/overview/{table}.csv?{urlencode(choices)}"
    return f'<p class="csv"><a href="{escape(address)}" download>CSV<span class="visually-hidden"> of {escape(table.replace("-", " "))}</span></a></p>'


def funnel(rows: "pd.DataFrame") -> str:
    """Steps as bars: how many runs reached each, and how many of these went no further."""
    if rows.empty or not int(rows["reached"].max()):
        return nothing("No run took a step in this range.")
    widest, shown = int(rows["reached"].max()), rows.head(MOST_STEPS)
    more = (
        f'<p class="muted small">{len(shown)} of {len(rows)} steps; the CSV has them all.</p>'
        if len(shown) < len(rows)
        else ""
    )
    head = '<thead><tr><th scope="col">Step</th><th scope="col" class="number">Reached</th><th scope="col" class="number">Went no further</th></tr></thead>'
    body = "".join(_step(row, widest) for row in shown.to_dict("records"))
    return bars(head, body, "Steps") + more


def companions_table(rows: "pd.DataFrame") -> str:
    """The companions with the most runs, as bars."""
    if rows.empty:
        return nothing("No companion was used in this range.")
    head = "".join(
        f'<th scope="col" class="number">{title}</th>' for title in ("Runs", "Completed", "Active users")
    )
    widest = max(1, int(rows["runs"].max()))
    body = "".join(
        f'<tr>{_bar(row["companion"], row["runs"], widest)}<td class="number">{number(row["runs"])}</td>'
        f'<td class="number">{number(row["completed"])} <span class="muted">({percent(_part(row["completed"], row["runs"]), 0)})</span></td>'
        f'<td class="number">{number(row["active_users"])}</td></tr>'
        for row in rows.to_dict("records")
    )
    return bars(f'<thead><tr><th scope="col">Companion</th>{head}</tr></thead>', body, "Most used companions")


def popular_table(rows: "pd.DataFrame") -> str:
    """The companions by decayed use, as bars."""
    if rows.empty:
        return nothing("Nobody used a companion in this range.")
    widest = max(float(rows["score"].max()), 1e-12)
    body = "".join(
        f'<tr>{_bar(row["companion"], row["score"], widest)}<td class="number">{score(row["score"])}</td></tr>'
        for row in rows.to_dict("records")
    )
    head = '<thead><tr><th scope="col">Companion</th><th scope="col" class="number">Score</th></tr></thead>'
    return bars(head, body, "Popular companions")


def bars(head: str, body: str, caption: str) -> str:
    """A table whose rows begin with a bar, which scrolls where there is no room for it."""
    return (
        f'<div class="table-scroll whole" tabindex="0" role="group" aria-label="{escape(caption)}">'
        f'<table class="bars"><caption class="visually-hidden">{escape(caption)}</caption>{head}<tbody>{body}</tbody></table></div>'
    )


def retention_grid(rows: "pd.DataFrame", *, start: date, end: date) -> str:
    """Weeks' newcomers against the weeks after: the share that was active, the darker the more.

    Cohorts that began before the range are left out: their size is not known here. A week that has not ended is blank.
    """
    whole = rows[rows["cohort"] >= start] if len(rows) else rows
    cohorts = sorted(set(whole["cohort"]))[-MOST_COHORTS:] if len(whole) else []
    if not cohorts:
        return nothing("No week’s newcomers lie wholly within this range.")
    known = {(row["cohort"], int(row["weeks_later"])): row["actors"] for row in whole.to_dict("records")}
    last = min(MOST_WEEKS, max((end - cohort).days // 7 for cohort in cohorts) - 1)
    head = "".join(f'<th scope="col" class="number">{later}</th>' for later in range(last + 1))
    body = "".join(_cohort(cohort, known, last, end) for cohort in cohorts)
    return (
        '<div class="table-scroll whole" tabindex="0" role="group" aria-label="Retention by week"><table class="retention">'
        f'<thead><tr><th scope="col">First seen in the week of</th><th scope="col" class="number">People</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        '<p class="muted small">Columns: weeks later. A cell is the share of the week’s newcomers who were active then.</p>'
    )


def empty_range(snapshot: Snapshot) -> str:
    """What to do where nothing happened in the range; empty where something did."""
    if not snapshot.empty:
        return ""
    if snapshot.newest is None:
        words = (
            "No event has been recorded yet. Publish a companion and share its link, or import an event log:"
        )
        return f'<div class="callout"><p>{words} <code>leitstand events import FILE --workspace NAME</code></p></div>'
    newest = f"Nothing happened in this range. The newest event is of {day_form(snapshot.newest)}."
    return f'<div class="callout"><p>{newest} <a href="?range=recent">Show the latest 30 days with data</a></p></div>'


def nothing(words: str) -> str:
    """The empty state of one card."""
    return f'<div class="empty"><p>{escape(words)}</p></div>'


def _cohort(cohort: date, known: dict[tuple[date, int], Any], last: int, end: date) -> str:
    import pandas as pd

    size = known.get((cohort, 0))
    cells = []
    for later in range(last + 1):
        actors = known.get((cohort, later), 0)
        if cohort + (later + 1) * WEEK > end or pd.isna(actors) or pd.isna(size) or not size:
            cells.append("<td></td>")
            continue
        share = int(actors) / int(size)
        cells.append(
            f'<td class="number heat" style="--share:{share:.3f}" title="{number(int(actors))} of {number(int(size))}">{percent(share, 0)}</td>'
        )
    people = number(int(size)) if size is not None and not pd.isna(size) else "–"
    return f'<tr><th scope="row">{day_form(cohort)}</th><td class="number">{people}</td>{"".join(cells)}</tr>'


def _step(row: dict[Any, Any], widest: int) -> str:
    gone = (
        f'{number(row["dropped"])} <span class="muted">({percent(row["drop_off"])})</span>'
        if row["reached"]
        else "–"
    )
    return f'<tr>{_bar(row["step"], row["reached"], widest)}<td class="number">{number(row["reached"])}</td><td class="number">{gone}</td></tr>'


def _bar(name: str, value: float, widest: float) -> str:
    return f'<th scope="row"><span class="bar" style="--share:{value / widest:.3f}"></span>{escape(str(name))}</th>'


def _part(part: int, whole: int) -> float | None:
    return part / whole if whole else None
