"""leitstand item: items of every kind, listed, shown, sent out into a file and taken in from one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from leitstand.catalogue import contents
from leitstand.catalogue.exports import export
from leitstand.catalogue.import_files import LARGEST
from leitstand.catalogue.listing import LARGEST_PAGE, SORTS, STATUSES, Filters, find
from leitstand.cli._options import database
from leitstand.companions.importing import import_items
from leitstand.db.engine import transaction
from leitstand.db.models import Item
from leitstand.db.models.catalogue import BUILT
from leitstand.errors import InvalidInput
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.workspaces import find_workspace

workspace_option = click.option("--workspace", required=True, metavar="W", help="The workspace.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
kind_option = click.option("--kind", type=click.Choice(BUILT), default=None, help="Only of this kind.")


@click.group("item")
def group() -> None:
    """Items of every kind: list and show them, export and import them."""


@group.command("list")
@workspace_option
@kind_option
@click.option("--q", default="", metavar="TEXT", help="Text that the title contains.")
@click.option("--status", type=click.Choice(STATUSES), default=None, help="Only of this status.")
@click.option("--tag", default="", metavar="TAG", help="Only with this tag.")
@click.option("--sort", type=click.Choice(SORTS), default="changed", help="The order.")
@json_option
def list_(
    workspace: str, kind: str | None, q: str, status: str | None, tag: str, sort: str, as_json: bool
) -> None:
    """The items of a workspace (at most 200)."""
    filters = Filters(kind=kind or "", q=q, status=status or "", tag=tag, sort=sort)

    def work(session: Session, principal: Principal) -> list[dict[str, Any]]:
        found = find(session, principal=principal, filters=filters, limit=LARGEST_PAGE)
        return [_row(item) for item in found.items]

    rows = _in_workspace(workspace, work)
    if as_json:
        click.echo(json.dumps({"items": rows}, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['kind']:<11} {row['status']:<10} {row['title']}")
    if not rows:
        click.echo("There is no such item.")


@group.command("show")
@click.argument("item", type=click.UUID)
@workspace_option
def show(item: UUID, workspace: str) -> None:
    """The ITEM (its id) with what it holds, as JSON."""

    def work(session: Session, principal: Principal) -> dict[str, Any]:
        found = contents.read(session, principal=principal, item_id=item)
        return _row(found.item) | {"content": found.content.document()}

    click.echo(json.dumps(_in_workspace(workspace, work), ensure_ascii=False, indent=2))


@group.command("export")
@workspace_option
@kind_option
@click.option(
    "--format", "form", type=click.Choice(["json", "csv"]), default="json", help="The form of the file."
)
def export_(workspace: str, kind: str | None, form: str) -> None:
    """Write the items to standard output as a file."""

    def work(session: Session, principal: Principal) -> None:
        filters = Filters(kind=kind or "")
        for piece in export(session, principal=principal, filters=filters, form=form):
            click.echo(piece, nl=False)

    _in_workspace(workspace, work)


@group.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@workspace_option
@click.option("--kind", type=click.Choice(BUILT), default=None, help="Of rows of CSV that name none.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
def import_(file: Path, workspace: str, kind: str | None, dry_run: bool, as_json: bool) -> None:
    """Take in the FILE (.json of our own export, or .csv): all of it, or nothing where anything is wrong."""
    data, form = _content(file), "csv" if file.suffix.lower() == ".csv" else "json"

    def work(session: Session, principal: Principal) -> list[dict[str, Any]]:
        planned = import_items(
            session, principal=principal, data=data, form=form, kind=kind or "", dry_run=dry_run
        )
        return [
            {"line": one.line, "kind": one.kind, "title": one.title, "action": one.action,
             "id": str(one.item_id) if one.item_id else None}
            for one in planned
        ]  # fmt: skip

    try:
        rows = _in_workspace(workspace, work)
    except InvalidInput as error:
        told = error.details.get("errors")
        for fault in told if isinstance(told, list) else []:
            click.echo(f"line {fault['line']}: {fault['pointer']}: {fault['detail']}", err=True)
        raise
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "items": rows}, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['action']:<7} {row['kind']:<11} {row['title']}")
    if dry_run:
        click.echo("Nothing was changed: this was a dry run.", err=True)


def _row(item: Item) -> dict[str, Any]:
    return {
        "id": str(item.id), "kind": item.kind, "title": item.title, "description": item.description, "status": item.status,
        "visibility": item.visibility, "tags": list(item.tags), "version": item.version, "external_key": item.external_key,
        "updated_at": item.updated_at.isoformat(),
    }  # fmt: skip


def _in_workspace[Result](workspace: str, work: Callable[[Session, Principal], Result]) -> Result:
    with database() as engine, transaction(engine) as session:
        principal = system_principal(find_workspace(session, workspace).id, "command line")
        return work(session, principal)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        raise InvalidInput(f"{file} can't be read: {error.strerror}.", hint="Check the path.") from None
