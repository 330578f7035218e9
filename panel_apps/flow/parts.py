"""The flow dashboard's parts that are HTML: the diagram's place, and the runs of a step with its pages."""

from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from panel_apps.flow.answers import PAGE, Answers, Runs
from panel_apps.flow.diagram import svg
from panel_apps.parts import nothing, table
from panel_apps.tables import is_missing
from serving.shell.formats import EMPTY, day, duration, number

KEY_SHOWN = 24


def diagram(answers: Answers, companion: str) -> str:
    """The diagram with what it leaves out."""
    if not answers.graph.nodes:
        return nothing("No run took a step in this range, and no flow of this companion is published.")
    found = answers.graph
    note = (
        f'<p class="muted small">Not drawn: {number(found.steps_left_out)} steps that fewer runs reached, and '
        f"{number(found.left_out)} ways that fewer than one in twenty of a step's runs took. The CSV has them.</p>"
        if found.left_out or found.steps_left_out
        else ""
    )
    return svg(answers.graph, chosen=answers.runs.step, title=f"Diagram of the flow of {companion}") + note


def runs_table(runs: Runs, zone: str) -> str:
    """The runs that reached the chosen step, a page of them."""
    if runs.rows is None:
        return nothing("Choose a step in the diagram to see the runs that reached it.")
    place = ZoneInfo(zone)
    rows = [_run(row, place) for row in runs.rows.to_dict("records")]
    first = (runs.page - 1) * PAGE + 1
    shown = f"{number(first)} to {number(first + len(rows) - 1)} of {number(runs.total)}" if rows else "None"
    words = f'<p class="words"><strong>{escape(runs.step)}</strong>: {shown} runs that reached it, the last begun first.</p>'
    heads = ("Run", "Version", "Began", "Reached the step", "Stayed", "Went on to", "Completed", "Events")
    return (
        words
        + table(f"Runs that reached {runs.step}", heads, rows, numbers={1, 4, 7}, whole=True)
        + _pages(runs)
    )


def _run(row: dict[Any, Any], place: ZoneInfo) -> list[str]:
    key = str(row["run"])
    stayed = (
        None
        if is_missing(row["next_at"]) or is_missing(row["reached"])
        else (row["next_at"] - row["reached"]).total_seconds()
    )
    return [
        f'<code title="{escape(key)}">{escape(key[:KEY_SHOWN])}{"…" if len(key) > KEY_SHOWN else ""}</code>',
        EMPTY if is_missing(row["version"]) else number(int(row["version"])),
        _moment(row["began"], place),
        _moment(row["reached"], place),
        duration(stayed),
        EMPTY if is_missing(row["next_step"]) else escape(str(row["next_step"])),
        "Yes" if row["completed"] else "No",
        number(row["events"]),
    ]


def _moment(at: datetime, place: ZoneInfo) -> str:
    if is_missing(at):
        return EMPTY
    local = at.astimezone(place)
    return f'<time datetime="{local.isoformat()}">{day(local.date())}, {local:%H:%M:%S}</time>'


def _pages(runs: Runs) -> str:
    if runs.pages == 1:
        return ""
    before = _page("Before", runs.page - 1) if runs.page > 1 else ""
    after = _page("Next", runs.page + 1) if runs.page < runs.pages else ""
    return f'<nav class="pages" aria-label="Pages of runs">{before}<span>Page {number(runs.page)} of {number(runs.pages)}</span>{after}</nav>'


def _page(words: str, page: int) -> str:
    query = escape(urlencode({"page": page}))
    return f'<a href="?{query}" data-choose="{query}">{words}</a>'
