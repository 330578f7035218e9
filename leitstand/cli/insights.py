"""leitstand insights: every figure of a workspace, and its facts made anew."""

import json
from datetime import date
from typing import Any

import click

from leitstand.cli._options import Day, SeveralValues, database
from leitstand.db.engine import transaction
from leitstand.identity.workspaces import find_workspace


@click.group("insights")
def group() -> None:
    """Figures of what people do with companions."""


@group.command("report", cls=SeveralValues)
@click.option("--workspace", required=True, metavar="W", help="The workspace.")
@click.option("--companion", metavar="C", help="One companion, by name, public link or id; default: all.")
@click.option(
    "--from", "start", type=Day(), metavar="D", help="First local day; default: the first with an event."
)
@click.option(
    "--to", "end", type=Day(), metavar="D", help="The day AFTER the last (half-open); default: all there is."
)
@click.option("--zone", metavar="Z", help="IANA zone of the days; default: the workspace's.")
@click.option(
    "--step",
    "steps",
    multiple=True,
    metavar="NAME",
    help="A step of the funnel, in order; repeat it, or give several.",
)
@click.option(
    "--top",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="How many companions the lists hold.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def report(
    workspace: str, companion: str | None, start: date | None, end: date | None, zone: str | None,
    steps: tuple[str, ...], top: int, as_json: bool,
) -> None:  # fmt: skip
    """Every figure of a range; what each means: docs/guide/figures.md.

    A range takes in its first day and leaves out its last: --from 2026-01-01 --to 2026-02-01 is January.
    """
    from leitstand.insights.opening import open_facts
    from leitstand.insights.report import build
    from leitstand.insights.scope import resolve

    with database() as engine, transaction(engine) as session:
        workspace_id = find_workspace(session, workspace).id
        scope = resolve(
            session, workspace_id=workspace_id, companion=companion, start=start, end=end, zone=zone
        )
        with open_facts(session, scope) as facts:
            document = build(facts, scope, steps=steps, top=top)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    else:
        _show(document, companion or workspace)


@group.command("rebuild")
@click.option("--workspace", required=True, metavar="W", help="The workspace.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def rebuild(workspace: str, as_json: bool) -> None:
    """Compute the facts anew from the raw events, archived ones too; the figures stay what they were, unless a fact was damaged."""
    from leitstand.events.rebuilding import rebuild_workspace

    with database(statement_timeout_ms=0) as engine:
        with transaction(engine) as session:
            workspace_id = find_workspace(session, workspace).id
        logs = rebuild_workspace(engine, workspace_id=workspace_id)
    click.echo(
        json.dumps({"workspace": workspace, "logs": logs})
        if as_json
        else f"Made the facts of {workspace} anew ({logs:,} logs)."
    )


@group.command("copy")
@click.option("--workspace", metavar="W", help="Only this workspace, however few its runs; default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def copy(workspace: str | None, as_json: bool) -> None:
    """Bring the columnar copies of the facts up to date, from which wide ranges are answered.

    A flow does so every few minutes. A copy that was lost is made again; until then PostgreSQL answers.
    """
    from dataclasses import asdict

    from leitstand.insights.copy.copier import copy_facts
    from leitstand.settings import get_settings

    with database(statement_timeout_ms=0) as engine:
        if workspace is not None:
            with transaction(engine) as session:
                workspace = find_workspace(session, workspace).slug
        copied = copy_facts(engine, get_settings(), workspace=workspace)
    if as_json:
        click.echo(json.dumps({"copied": [asdict(it) for it in copied]}))
        return
    for it in copied:
        click.echo(f"{it.workspace}: {it.written:,} parts, {it.rows:,} rows, {it.bytes / 1e6:,.1f} MB")
    if not copied:
        click.echo("Nothing has changed since the last copy, or no workspace has enough runs.")


def _show(document: dict[str, Any], title: str) -> None:
    from rich.console import Console

    console = Console()
    console.print(
        f"[bold]{_safe(title)}[/bold]  {document['range']['from']} until before {document['range']['to']}, {document['range']['zone']}"
    )
    _print_totals(console, document)
    _print_table(console, "Steps", document["steps"], ["step", "reached", "dropped", "drop_off"])
    _print_table(
        console, "Companions", document["top_companions"], ["companion", "runs", "completed", "active_users"]
    )
    _print_table(console, "Popular", document["popular"], ["companion", "score"])
    _print_table(
        console, "Active users, last days", document["active_users_by_day"][-7:], ["day", "dau", "wau", "mau"]
    )
    _print_table(
        console, "Traffic, last days", document["traffic"][-7:], ["day", "viewed", "started", "completed"]
    )


def _print_totals(console: Any, document: dict[str, Any]) -> None:
    runs, duration = document["runs"], document["duration_seconds"]
    rows = [
        ("events", _number(document["events"])),
        ("sessions", _number(document["sessions"])),
        (
            "runs viewed, started, completed",
            " / ".join(_number(runs[name]) for name in ("viewed", "started", "completed")),
        ),
        (
            "completion rate",
            _percent(document["completion_rate"])
            + (", some runs may still be going" if document["immature"] else ""),
        ),
        ("active users", _number(document["active_users"])),
        ("duration, median and 95 %", f"{_seconds(duration['median'])} and {_seconds(duration['p95'])}"),
    ]
    for name, value in rows:
        console.print(f"  {name:<32} {value}", highlight=False)


def _print_table(console: Any, title: str, rows: list[dict[str, Any]], columns: list[str]) -> None:
    from rich.table import Table

    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for place, name in enumerate(columns):
        table.add_column(name.replace("_", " "), justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*(_cell(name, row[name]) for name in columns))
    console.print(table)


def _cell(name: str, value: Any) -> str:
    if name == "drop_off":
        return _percent(value)
    return _safe(value) if isinstance(value, str) else _number(value)


def _safe(text: str) -> str:
    """Text of strangers: no markup, no control characters that a terminal would obey."""
    from rich.markup import escape

    return escape("".join(letter if letter.isprintable() else "\ufffd" for letter in text))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:,.1f} min" if value < 7200 else f"{value / 3600:,.1f} h"
