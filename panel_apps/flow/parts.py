"""The flow dashboard's parts that are HTML: the diagram's place, and the runs of a step with its pages."""

from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from panel_apps.flow.answers import PAGE, Answers, Runs
from panel_apps.flow.diagram import svg
from panel_apps.parts import left_out, nothing, table
from panel_apps.speech import clock, day, duration, number, say
from panel_apps.tables import is_missing
from serving.shell.formats import EMPTY

KEY_SHOWN = 24


def diagram(answers: Answers, companion: str) -> str:
    """The diagram with what it leaves out."""
    if not answers.graph.nodes:
        return nothing(say("No run took a step in this range, and no flow of this companion is published."))
    found = answers.graph
    note = (
        left_out(
            say(
                "Not drawn: {steps} steps that fewer runs reached, and {ways} ways that fewer than one in twenty of a"
                " step's runs took. The CSV has them.",
                steps=number(found.steps_left_out),
                ways=number(found.left_out),
            )
        )
        if found.left_out or found.steps_left_out
        else ""
    )
    title = say("Diagram of the flow of {companion}", companion=companion)
    return svg(answers.graph, chosen=answers.runs.step, title=title) + note


def runs_table(runs: Runs, zone: str) -> str:
    """The runs that reached the chosen step, a page of them."""
    if runs.rows is None:
        return nothing(say("Choose a step in the diagram to see the runs that reached it."))
    place = ZoneInfo(zone)
    rows = [_run(row, place) for row in runs.rows.to_dict("records")]
    first = (runs.page - 1) * PAGE + 1
    shown = (
        say(
            "{first} to {last} of {all} runs that reached it, the last begun first.",
            first=number(first), last=number(first + len(rows) - 1), all=number(runs.total),
        )
        if rows
        else say("no run reached it.")
    )  # fmt: skip
    words = f'<p class="words"><strong>{escape(runs.step)}</strong>: {escape(shown)}</p>'
    heads = (
        say("Key of the run"), say("Version"), say("Began"), say("Reached the step"), say("Stayed"), say("Went on to"),
        say("Completed"), say("Events"),
    )  # fmt: skip
    return (
        words
        + table(say("Runs that reached {step}", step=runs.step), heads, rows, numbers={1, 4, 7}, whole=True)
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
        say("Yes") if row["completed"] else say("No"),
        number(row["events"]),
    ]


def _moment(at: datetime, place: ZoneInfo) -> str:
    if is_missing(at):
        return EMPTY
    local = at.astimezone(place)
    return f'<time datetime="{local.isoformat()}">{day(local.date())}, {clock(local, seconds=True)}</time>'


def _pages(runs: Runs) -> str:
    if runs.pages == 1:
        return ""
    before = _page(say("Previous page"), runs.page - 1) if runs.page > 1 else ""
    after = _page(say("Next page"), runs.page + 1) if runs.page < runs.pages else ""
    place = say("Page {page} of {pages}", page=number(runs.page), pages=number(runs.pages))
    return f'<nav class="pages" aria-label="{say("Pages of runs")}">{before}<span>{place}</span>{after}</nav>'


def _page(words: str, page: int) -> str:
    query = escape(urlencode({"page": page}))
    return f'<a href="?{query}" data-choose="{query}">{words}</a>'
