"""leitstand companion: flows from files: checked, saved, published, rolled back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from leitstand.catalogue import companions as catalogue
from leitstand.catalogue.items import LARGEST_PAGE, list_items
from leitstand.cli._options import database
from leitstand.companions import versions
from leitstand.companions.find import find_companion
from leitstand.companions.flow import MAX_FLOW_BYTES, Flow, parse_flow
from leitstand.db.engine import transaction
from leitstand.db.models import Companion
from leitstand.errors import InvalidInput, LeitstandError
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.workspaces import find_workspace
from leitstand.settings import get_settings

workspace_option = click.option("--workspace", required=True, metavar="W", help="The workspace.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.group("companion")
def group() -> None:
    """Check flows, publish them under a link, and roll back."""


@group.command("list")
@workspace_option
@json_option
def list_(workspace: str, as_json: bool) -> None:
    """The companions of a workspace, the last changed first (at most 200)."""

    def rows(session: Session, principal: Principal) -> list[dict[str, Any]]:
        items = list_items(session, principal=principal, kind=versions.KIND, limit=LARGEST_PAGE).items
        query = select(Companion).where(Companion.item_id.in_([item.id for item in items]))
        own = {companion.item_id: companion for companion in session.scalars(query)}
        return [
            {
                "id": str(item.id),
                "title": item.title,
                "status": item.status,
                "version": own[item.id].published_version,
                "link": _link(own[item.id].slug) if own[item.id].published_version else None,
            }
            for item in items
        ]

    found = _in_workspace(workspace, rows)
    if as_json:
        click.echo(json.dumps({"companions": found}, ensure_ascii=False))
        return
    for row in found:
        version = f"version {row['version']}" if row["version"] else "no flow"
        click.echo(f"{row['title']:<32} {version:<12} {row['link'] or row['status']}")
    if not found:
        click.echo("There is no companion yet; `leitstand companion publish FILE` makes one.")


@group.command("check")
@file_argument
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check the flow in FILE; every fault is named with its step and how to mend it."""
    try:
        flow = _read(file)
    except InvalidInput as error:
        if as_json:
            click.echo(
                json.dumps({"ok": False, "problem": error.message} | error.details, ensure_ascii=False)
            )
        for fault in _faults(error):
            click.echo(f"{fault['step'] or 'flow'}: {fault['problem']}. {fault['mend']}", err=True)
        raise
    if as_json:
        click.echo(json.dumps({"ok": True, "title": flow.title, "steps": len(flow.steps), "funnel": flow.funnel}, ensure_ascii=False))  # fmt: skip
    else:
        click.echo(f"{flow.title}: {len(flow.steps)} steps, nothing wrong.")


@group.command("publish")
@file_argument
@workspace_option
@click.option("--key", help="Name by which it is found again (default: the file's name without its suffix).")
@click.option("--link", help="Last part of its address (default: its own, or one made from the title).")
@json_option
def publish(file: Path, workspace: str, key: str | None, link: str | None, as_json: bool) -> None:
    """Save the flow in FILE as the next version and open it to visitors; a new companion is made where there is none."""
    flow = _read(file)

    def work(session: Session, principal: Principal) -> versions.Published:
        companion_id = catalogue.ensure_companion(
            session, workspace_id=principal.workspace_id, key=key or file.stem, title=flow.title
        )
        number = versions.save_version(session, principal=principal, companion_id=companion_id, flow=flow)
        return versions.publish(
            session, principal=principal, companion_id=companion_id, number=number, slug=link
        )

    _say_published(_in_workspace(workspace, work), as_json)


@group.command("roll-back")
@click.argument("name")
@workspace_option
@json_option
def roll_back(name: str, workspace: str, as_json: bool) -> None:
    """Publish the version before the published one of the companion NAME (its id, link, key or title)."""

    def work(session: Session, principal: Principal) -> versions.Published:
        item = find_companion(session, principal=principal, name=name)
        return versions.roll_back(session, principal=principal, companion_id=item.id)

    _say_published(_in_workspace(workspace, work), as_json)


@group.command("withdraw")
@click.argument("name")
@workspace_option
def withdraw(name: str, workspace: str) -> None:
    """Close the companion NAME to visitors; it keeps its link for the next time."""

    def work(session: Session, principal: Principal) -> str:
        item = find_companion(session, principal=principal, name=name)
        return catalogue.withdraw(session, principal=principal, item_id=item.id).title

    click.echo(f"{_in_workspace(workspace, work)} is closed to visitors.")


@group.command("versions")
@click.argument("name")
@workspace_option
@json_option
def list_versions(name: str, workspace: str, as_json: bool) -> None:
    """The saved versions of the companion NAME, newest first."""

    def work(session: Session, principal: Principal) -> catalogue.CompanionDetails:
        item = find_companion(session, principal=principal, name=name)
        return catalogue.get(session, principal=principal, item_id=item.id)

    details = _in_workspace(workspace, work)
    published = details.companion.published_version
    rows = [
        {"version": row.number, "saved": row.created_at.isoformat(), "by": row.created_by, "published": row.number == published}
        for row in details.versions
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps({"companion": details.item.title, "versions": rows}, ensure_ascii=False))
        return
    for row in rows:
        click.echo(
            f"{row['version']:>4}  {row['saved']}  {row['by']}{'  published' if row['published'] else ''}"
        )


def _in_workspace[Result](workspace: str, work: Callable[[Session, Principal], Result]) -> Result:
    """What `work` gives, done in one transaction as the operator at the command line."""
    with database() as engine, transaction(engine) as session:
        return work(session, system_principal(find_workspace(session, workspace).id, "command line"))


def _read(file: Path) -> Flow:
    try:
        with file.open("rb") as stream:
            return parse_flow(stream.read(MAX_FLOW_BYTES + 1))
    except OSError as error:
        raise InvalidInput(f"{file} can't be read: {error.strerror}.", hint="Check the path.") from None


def _faults(error: LeitstandError) -> list[dict[str, str]]:
    faults = error.details.get("errors", [])
    return faults if isinstance(faults, list) else []


def _link(slug: str | None) -> str:
    return versions.public_address(get_settings().base_url, slug or "")


def _say_published(published: versions.Published, as_json: bool) -> None:
    address = _link(published.slug)
    if as_json:
        document = {"id": str(published.companion_id), "version": published.number, "link": address}
        click.echo(json.dumps(document))
    else:
        click.echo(f"Version {published.number} is open at {address}")
