"""leitstand events archive: old months of events on object storage."""

import json
import sys
from datetime import UTC, date, datetime
from typing import Any

import click
from sqlalchemy import Engine

from leitstand.cli._confirmation import confirmed
from leitstand.cli._options import database
from leitstand.cli._progress import told
from leitstand.db.engine import transaction
from leitstand.identity.workspaces import find_workspace

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


class Month(click.ParamType[date]):
    """A calendar month, as 2024-05."""

    name = "month"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return (
                value
                if isinstance(value, date)
                else datetime.strptime(str(value), "%Y-%m").replace(tzinfo=UTC).date()
            )
        except ValueError:
            self.fail(f"{value!r} is not a month; write it as 2024-05", param, ctx)


@click.group("archive")
def group() -> None:
    """Old months of events: from the database to object storage and back. Figures never change by it."""


@group.command("list")
@click.option("--workspace", metavar="W", help="Of this workspace only.")
@JSON
def list_(workspace: str | None, as_json: bool) -> None:
    """What is archived, and what was brought back."""
    from leitstand.events.archive.parts import list_parts

    with database() as engine, transaction(engine) as session:
        chosen = find_workspace(session, workspace).id if workspace else None
        found = list_parts(session, workspace_id=chosen)
    if as_json:
        click.echo(json.dumps({"objects": [row.to_dict() for row in found]}))
        return
    for row in found:
        back = f"  brought back {row.restored_at:%Y-%m-%d}" if row.restored_at else ""
        click.echo(
            f"{row.month:%Y-%m}  {row.workspace:<20}  {row.rows:>12,} events  {row.bytes / 1e6:>10,.1f} MB{back}"
        )
    click.echo(f"{len(found)} objects." if found else "Nothing is archived.")


@group.command("run")
@DRY_RUN
@click.option("--yes", metavar="ENVIRONMENT", help="Go on without asking: the environment's name.")
@JSON
def run(dry_run: bool, yes: str | None, as_json: bool) -> None:
    """Archive the months that are older than LEITSTAND_EVENTS_KEPT_MONTHS and have come to rest.

    A month is written to object storage, read back and compared, and only then dropped from the database. The flow
    archive-events does so every month.
    """
    from leitstand.events.archive.moving import archive
    from leitstand.events.archive.planning import plan
    from leitstand.settings import get_settings

    settings = get_settings()
    with database(statement_timeout_ms=0) as engine:
        planned = plan(engine, settings)
        due = [month for month in planned if not month.waiting]
        document: dict[str, Any] = {
            "kept_months": settings.events_kept_months, "plan": [month.to_dict() for month in planned], "moved": [],
        }  # fmt: skip
        if not as_json:
            _show(document)
        if due and not dry_run:
            question = (
                f"{len(due)} months of events leave the database of the environment {settings.environment}."
            )
            click.echo(question, err=True)
            confirmed(settings.environment, yes, doing="move them")
            document["moved"] = [moved.to_dict() for moved in archive(engine, settings, tell=told())]
    if as_json:
        click.echo(json.dumps(document))


def _show(document: dict[str, Any]) -> None:
    if not document["kept_months"]:
        click.echo("LEITSTAND_EVENTS_KEPT_MONTHS is 0: no month is archived.")
    elif not document["plan"]:
        click.echo(f"No month is older than the {document['kept_months']} that are kept.")
    for month in document["plan"]:
        what = f"stays: {month['waiting']}" if month["waiting"] else "is due"
        click.echo(
            f"{month['month']}  {month['events']:>12,} events of {month['workspaces']} workspaces"
            f"  {month['bytes'] / 1e6:>10,.1f} MB  {what}"
        )


@group.command("restore")
@click.argument("month", type=Month())
@click.option("--workspace", metavar="W", help="Of this workspace only; default: of all.")
@DRY_RUN
@click.option("--yes", metavar="MONTH", help="Go on without asking: the month once more.")
@JSON
def restore(month: date, workspace: str | None, dry_run: bool, yes: str | None, as_json: bool) -> None:
    """Bring the archived events of MONTH (as 2024-05) back into the database. It stays there for a week at least."""
    from leitstand.events.archive.moving import restore as bring_back
    from leitstand.events.archive.moving import to_restore
    from leitstand.settings import get_settings

    with database(statement_timeout_ms=0) as engine:
        workspace_id = _workspace(engine, workspace)
        found = to_restore(engine, month=month, workspace_id=workspace_id)
        events, size = sum(part.rows for part in found), sum(part.bytes for part in found)
        said = f"{month:%Y-%m}: {events:,} events in {len(found)} objects, {size / 1e6:,.1f} MB"
        click.echo(said, err=as_json)
        document: dict[str, Any] = {"plan": [part.key for part in found], "moved": None}
        if not dry_run:
            click.echo("They come back into the database and take their place there.", err=True)
            confirmed(f"{month:%Y-%m}", yes, doing="bring them back")
            moved = bring_back(engine, get_settings(), month=month, workspace_id=workspace_id, tell=told())
            document["moved"] = moved.to_dict()
    if as_json:
        click.echo(json.dumps(document))


@group.command("check")
@click.option("--workspace", metavar="W", help="Of this workspace only; default: of all.")
@JSON
def check(workspace: str | None, as_json: bool) -> None:
    """Compare the facts with all events, those in the database and those in the archive; reads every archived object."""
    from leitstand.checks.event_archive import check_archive

    with database(statement_timeout_ms=0) as engine:
        result = check_archive(engine, workspace_id=_workspace(engine, workspace))
    if as_json:
        click.echo(json.dumps(result.to_dict(), default=str))
    else:
        for line in result.results:
            click.echo(f"{'holds ' if line['success'] else 'FAILS '} {line['name']}: {line['says']}")
            for example in line["examples"]:
                click.echo(f"        {example}")
    if not result.success:
        sys.exit(1)


def _workspace(engine: Engine, slug: str | None) -> Any:
    if slug is None:
        return None
    with transaction(engine) as session:
        return find_workspace(session, slug).id
