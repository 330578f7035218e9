"""leitstand space: spaces and the documents in them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from leitstand.catalogue.items import LARGEST_PAGE, list_items
from leitstand.cli import _uploading as uploading
from leitstand.cli._options import database
from leitstand.db.engine import transaction
from leitstand.db.models import Document
from leitstand.errors import InvalidInput, NotFound
from leitstand.identity.access import Principal, system_principal
from leitstand.identity.workspaces import find_workspace
from leitstand.knowledge import document_trash, documents, spaces
from leitstand.settings import get_settings
from leitstand.storage.objects import ObjectStorage

workspace_option = click.option("--workspace", required=True, metavar="W", help="The workspace.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("space")
def group() -> None:
    """Spaces: add documents, see what became of them, delete them."""


@group.command("list")
@workspace_option
@json_option
def list_(workspace: str, as_json: bool) -> None:
    """The spaces of a workspace, the last changed first (at most 200)."""

    def work(session: Session, principal: Principal) -> list[dict[str, Any]]:
        found = list_items(session, principal=principal, kind=spaces.KIND, limit=LARGEST_PAGE).items
        return [{"id": str(item.id), "title": item.title} for item in found]

    rows = _in_workspace(workspace, work)
    if as_json:
        click.echo(json.dumps({"spaces": rows}, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['title']}")
    if not rows:
        click.echo("There is no space yet; `leitstand space add TITLE FILE…` makes one.")


@group.command("add")
@click.argument("space")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@workspace_option
@json_option
def add(space: str, files: tuple[Path, ...], workspace: str, as_json: bool) -> None:
    """Add FILES to the SPACE (its id or title; a new one is made), to be read by the worker."""
    storage, rows = ObjectStorage(get_settings()), []
    with database() as engine:
        for file in files:
            data = _content(file)
            with transaction(engine) as session:
                principal = _principal(session, workspace)
                added = documents.add_document(
                    session,
                    storage,
                    principal=principal,
                    space_id=_ensure_space(session, principal, space),
                    title=file.name,
                    data=data,
                )
            state = "there already" if added.duplicate else "added"
            rows.append(
                {"id": str(added.document.id), "title": added.document.title, "duplicate": added.duplicate}
            )
            click.echo(f"{added.document.title}: {state}", err=True)
    if as_json:
        click.echo(json.dumps({"documents": rows}, ensure_ascii=False))


@group.command("upload")
@click.argument("space")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@workspace_option
@json_option
def upload(space: str, files: tuple[Path, ...], workspace: str, as_json: bool) -> None:
    """Upload large FILES to the SPACE in pieces; what an upload that broke off has sent is not sent again."""
    rows = []
    with database() as engine:
        for file in files:
            with transaction(engine) as session:
                space_id = _ensure_space(session, _principal(session, workspace), space)
            document, duplicate = uploading.send_file(
                engine, ObjectStorage(get_settings()), file, workspace=workspace, space_id=space_id
            )
            rows.append({"id": str(document.id), "title": document.title, "duplicate": duplicate})
            click.echo(f"{document.title}: {'there already' if duplicate else 'added'}", err=True)
    if as_json:
        click.echo(json.dumps({"documents": rows}, ensure_ascii=False))


@group.command("restore")
@click.argument("document", type=click.UUID)
@workspace_option
def restore(document: UUID, workspace: str) -> None:
    """Take the DOCUMENT (its id) out of the trash; it is read again by the worker."""
    _tell(workspace, document, document_trash.restore_document, "is there again.")


@group.command("documents")
@click.argument("space")
@workspace_option
@json_option
def list_documents(space: str, workspace: str, as_json: bool) -> None:
    """The documents of the SPACE with their status, and why one failed."""

    def work(session: Session, principal: Principal) -> list[dict[str, Any]]:
        space_id = spaces.find_space(session, principal=principal, name=space).id
        found = documents.list_documents(session, principal=principal, space_id=space_id)
        return [
            {
                "id": str(row.id), "title": row.title, "status": row.status, "reason": row.reason, "bytes": row.bytes,
                "media_type": row.media_type, "language": row.language, "passages": row.passages, "sha256": row.sha256,
            }
            for row in found
        ]  # fmt: skip

    rows = _in_workspace(workspace, work)
    if as_json:
        click.echo(json.dumps({"documents": rows}, ensure_ascii=False))
        return
    for row in rows:
        click.echo(
            f"{row['status']:<10} {row['passages']:>6} passages  {row['title']}  {row['reason']}".rstrip()
        )


@group.command("ingest")
@click.argument("document", type=click.UUID)
@workspace_option
def ingest(document: UUID, workspace: str) -> None:
    """Have the DOCUMENT (its id) read again by the worker."""
    _tell(workspace, document, documents.ingest_again, "will be read again.")


@group.command("delete")
@click.argument("document", type=click.UUID)
@workspace_option
def delete(document: UUID, workspace: str) -> None:
    """Put the DOCUMENT (its id) into the trash: its passages go now, its file after 30 days."""
    _tell(workspace, document, documents.delete_document, "is deleted.")


def _tell(workspace: str, document: UUID, change: Callable[..., Document], said: str) -> None:
    """Do something with a document, and say of its title what was done."""

    def work(session: Session, principal: Principal) -> str:
        return change(session, principal=principal, document_id=document).title

    click.echo(f"{_in_workspace(workspace, work)} {said}")


def _principal(session: Session, workspace: str) -> Principal:
    return system_principal(find_workspace(session, workspace).id, "command line")


def _in_workspace[Result](workspace: str, work: Callable[[Session, Principal], Result]) -> Result:
    with database() as engine, transaction(engine) as session:
        return work(session, _principal(session, workspace))


def _ensure_space(session: Session, principal: Principal, name: str) -> UUID:
    try:
        return spaces.find_space(session, principal=principal, name=name).id
    except NotFound:
        return spaces.create_space(session, principal=principal, title=name).id


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(documents.MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{file} can't be read: {error.strerror}.", hint="Check the path.") from None
