"""leitstand events: import event files, see what was refused, send it once more."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy import Engine

from leitstand.checks.ingested import ask_for_checks
from leitstand.cli import _event_archive
from leitstand.cli._options import SeveralValues, database
from leitstand.db.engine import transaction
from leitstand.errors import NotFound
from leitstand.events import replay
from leitstand.events.importer import ImportResult, Progress, import_file
from leitstand.events.partitions import list_partitions, make_ahead
from leitstand.events.readers import open_reader
from leitstand.events.refusals import Filters, list_refusals
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.workspaces import checked_zone, ensure_workspace, find_workspace


@click.group("events")
def group() -> None:
    """Import events from files, see those that were refused, send them once more; archive old months."""


group.add_command(_event_archive.group)


@group.command("import", cls=SeveralValues)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--workspace", required=True, metavar="W", help="The workspace that takes the events; a new one is made."
)
@click.option(
    "--complete",
    multiple=True,
    metavar="NAME",
    help="An activity that completes a run; repeat it, or give several.",
)
@click.option(
    "--step",
    "steps",
    multiple=True,
    metavar="NAME",
    help="A step of the funnel, in order; repeat it, or give several.",
)
@click.option(
    "--zone", metavar="Z", help="The workspace's reporting zone from now on, such as Europe/Berlin."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def import_(
    file: Path,
    workspace: str,
    complete: tuple[str, ...],
    steps: tuple[str, ...],
    zone: str | None,
    as_json: bool,
) -> None:
    """Import FILE: CSV, NDJSON (both also gzipped) or Parquet.

    Columns: session_id (a run), actor_id, activity (the step that was answered), timestamp (ISO 8601 with Z or an offset);
    optional: seq, flow_id (names the companion; else item, else the file's name does), item; any others are kept as
    properties. A line that can't be taken is refused, kept and reported, and the rest goes on. An interrupted import
    goes on where it stopped, and a file imported twice adds nothing.
    """
    open_reader(file).close()
    with database() as engine:
        workspace_id, created = _workspace(engine, workspace, zone)
        if created:
            click.echo(f"Made the workspace {workspace!r}: there was none of that name.", err=True)
        with _bar(file.name, shown=not as_json and sys.stderr.isatty()) as progress:
            result = import_file(
                engine,
                file,
                workspace_id=workspace_id,
                complete=complete,
                steps=steps,
                zone=zone,
                progress=progress,
            )
        if result.counts.accepted and not result.already_imported:
            with transaction(engine) as session:
                ask_for_checks(session)
    if as_json:
        click.echo(
            json.dumps(
                {"workspace": workspace, "workspace_created": created} | result.to_dict(), ensure_ascii=False
            )
        )
    else:
        _say(result, workspace)
    if result.truncated:
        sys.exit(1)


@group.command("refusals")
@click.option("--workspace", required=True, metavar="W", help="The workspace.")
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="At most so many, newest first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def refusals(workspace: str, limit: int, as_json: bool) -> None:
    """The events that were refused, and why."""
    with database() as engine, transaction(engine) as session:
        found = list_refusals(session, workspace_id=find_workspace(session, workspace).id, limit=limit)
    if as_json:
        click.echo(
            json.dumps(
                {"total": found.total, "refusals": [row.to_dict() for row in found.rows]}, ensure_ascii=False
            )
        )
        return
    for row in found.rows:
        where = f"{row.file} line {row.line}" if row.file else "sent"
        click.echo(f"{row.at:%Y-%m-%d %H:%M:%S} UTC  {where}: {row.reason}\n    {row.raw[:160]!r}")
    click.echo(f"{found.total:,} refused in all." if found.total else "Nothing was refused.")


@group.command("replay")
@click.option("--workspace", required=True, metavar="W", help="The workspace.")
@click.option("--id", "ids", multiple=True, type=int, metavar="N", help="These refusals only; repeat it.")
@click.option("--source", default="", help="Those of this source only: api, runtime or snippet.")
@click.option("--reason", default="", metavar="WORDS", help="Those with these words in the reason only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def replay_(workspace: str, ids: tuple[int, ...], source: str, reason: str, as_json: bool) -> None:
    """Send refused events once more, after what they were refused for has been mended.

    Each becomes accepted or a duplicate, or stays refused with its new reason. Lines of files are not sent again: mend the
    file and import it.
    """
    with database() as engine:
        with transaction(engine) as session:
            principal = system_principal(find_workspace(session, workspace).id, "command line")
        if ids:
            with transaction(engine) as session:
                done = replay.replay(session, principal=principal, ids=list(ids)).items
        else:
            done = _replay_all(engine, principal, Filters(source=source, reason=reason))
    whole = replay.Replay(done)
    if as_json:
        click.echo(json.dumps(whole.to_dict(), ensure_ascii=False))
        return
    counts = whole.counts()
    click.echo(
        f"{counts['accepted']:,} accepted, {counts['duplicate']:,} known already, {counts['refused']:,} still refused."
    )
    for item in [item for item in done if item.reason][:20]:
        click.echo(f"  {item.id}: {item.reason}")


@group.command("partitions")
@click.option("--make", is_flag=True, help="Make those of this month and the two that follow.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def partitions(make: bool, as_json: bool) -> None:
    """The months of events in the database. The flow keep-events makes them ahead every night."""
    with database() as engine:
        made = make_ahead(engine, datetime.now(UTC)) if make else []
        with transaction(engine) as session:
            found = list_partitions(session)
    if as_json:
        rows = [
            {"name": row.name, "month": f"{row.month:%Y-%m}", "bytes": row.bytes, "events": row.events}
            for row in found
        ]
        click.echo(json.dumps({"partitions": rows, "made": made}))
        return
    for row in found:
        new = "  made now" if row.name in made else ""
        click.echo(f"{row.month:%Y-%m}  about {row.events:>12,} events  {row.bytes / 1e6:>10,.1f} MB{new}")
    click.echo(f"{len(found)} months." if found else "There is no month yet.")


def _replay_all(engine: Engine, principal: Principal, filters: Filters) -> list[replay.Replayed]:
    """Everything that matches, a thousand a transaction."""
    done: list[replay.Replayed] = []
    after: int | None = 0
    while after is not None:
        with transaction(engine) as session:
            part = replay.replay_matching(session, principal=principal, filters=filters, after=after)
        done += part.items
        after = part.next
    return done


def _workspace(engine: Engine, slug: str, zone: str | None) -> tuple[UUID, bool]:
    """The workspace's id, and whether it was made now."""
    checked_zone(zone or "UTC")
    with transaction(engine) as session:
        try:
            return find_workspace(session, slug).id, False
        except NotFound:
            return ensure_workspace(session, slug=slug, zone=zone or "UTC").id, True


@contextmanager
def _bar(name: str, *, shown: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on standard error, for people only."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=1.0, note="")

        def update(progress: Progress) -> None:
            note = (
                f"waiting for {progress.waiting}" if progress.waiting else f"{progress.counts.lines:,} lines"
            )
            bar.update(task, completed=progress.share, note=note)

        yield update


def _say(result: ImportResult, workspace: str) -> None:
    counts, rate = result.counts, result.counts.lines / max(result.seconds, 0.001)
    if result.already_imported:
        click.echo(
            f"{result.file} was imported before: nothing was added to {workspace}. Its {counts.lines:,} lines are there."
        )
    else:
        added = f"{counts.accepted:,} events added" if counts.accepted else "nothing added"
        click.echo(
            f"{result.file}: {added} to {workspace}, from {counts.lines:,} lines in {result.seconds:.1f} s ({rate:,.0f}/s)."
        )
    if counts.duplicates and not result.already_imported:
        click.echo(f"  {counts.duplicates:,} events were there already.")
    if counts.identical:
        click.echo(
            f"  {counts.identical:,} lines repeat an earlier line and count once; a column seq tells such events apart."
        )
    if result.resumed_from:
        click.echo(f"  It went on behind line {result.resumed_from:,}, where it had been interrupted.")
    if counts.refused:
        click.echo(
            f"  {counts.refused:,} lines were refused; `leitstand events refusals --workspace {workspace}` shows them. The first:"
        )
        for line, reason in result.refusals:
            click.echo(f"    line {line:,}: {reason}")
    if result.unknown_steps:
        click.echo(
            "  No event is called "
            + ", ".join(map(repr, result.unknown_steps))
            + "; names are compared letter by letter.",
            err=True,
        )
    if result.truncated:
        click.echo("error: the file is damaged; what stands before the damage was imported.", err=True)
