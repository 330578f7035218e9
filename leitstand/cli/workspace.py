"""leitstand workspace: the workspaces of this environment."""

import json

import click

from leitstand.cli._options import database
from leitstand.db.engine import transaction
from leitstand.identity.workspaces import ensure_workspace, list_workspaces


@click.group("workspace")
def group() -> None:
    """List and make workspaces."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(as_json: bool) -> None:
    """Every workspace with its reporting zone."""
    with database() as engine, transaction(engine) as session:
        found = [
            {"workspace": row.slug, "name": row.name, "zone": row.reporting_zone}
            for row in list_workspaces(session)
        ]
    if as_json:
        click.echo(json.dumps({"workspaces": found}, ensure_ascii=False))
        return
    for row in found:
        click.echo(f"{row['workspace']:<24} {row['zone']:<24} {row['name']}")
    if not found:
        click.echo("There is no workspace yet; `leitstand workspace create NAME` makes one.")


@group.command("create")
@click.argument("workspace")
@click.option("--name", help="What people read; the short name where none is given.")
@click.option("--zone", default="UTC", show_default=True, help="Reporting zone, such as Europe/Berlin.")
def create(workspace: str, name: str | None, zone: str) -> None:
    """Make WORKSPACE; one that is there stays as it is."""
    with database() as engine, transaction(engine) as session:
        made = ensure_workspace(session, slug=workspace, name=name, zone=zone)
    click.echo(f"{made.slug} reports in {made.reporting_zone}.")
