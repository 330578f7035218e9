"""leitstand token: API tokens of people."""

import json
from typing import Any
from uuid import UUID

import click

from leitstand.cli._options import database
from leitstand.db.engine import transaction
from leitstand.db.models import ApiToken
from leitstand.identity import tokens
from leitstand.identity.access import PERMISSIONS
from leitstand.identity.workspaces import find_workspace

ACTOR = "command line"


@click.group("token")
def group() -> None:
    """Make API tokens, list them, revoke them."""


def _whose(command: Any) -> Any:
    workspace = click.option("--workspace", required=True, help="Short name of the workspace.")
    email = click.option("--email", required=True, help="Whose tokens.")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    return workspace(email(as_json(command)))


@group.command("create")
@click.option("--name", required=True, help="What it is for.")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    required=True,
    type=click.Choice(list(PERMISSIONS)),
    help="What it may do; repeat it for several.",
)
@click.option("--days", type=int, help="Days after which it expires; never where left out.")
@_whose
def create(
    *, workspace: str, email: str, name: str, permissions: tuple[str, ...], days: int | None, as_json: bool
) -> None:
    """Make a token with which a program acts for a person. It is printed once."""
    with database() as engine, transaction(engine) as session:
        principal = tokens.owner(
            session, workspace_id=find_workspace(session, workspace).id, email=email, name=ACTOR
        )
        made = tokens.create(session, principal=principal, name=name, permissions=permissions, days=days)
        session.refresh(made.token)
    if as_json:
        click.echo(json.dumps(_shown(made.token) | {"token": made.secret}, ensure_ascii=False))
        return
    click.echo(f"{made.token.name} acts for {email}: {', '.join(made.token.permissions)}.")
    click.echo(f"Token (shown once): {made.secret}")


@group.command("list")
@_whose
def list_(*, workspace: str, email: str, as_json: bool) -> None:
    """The tokens of a person that are not revoked."""
    with database() as engine, transaction(engine) as session:
        principal = tokens.owner(
            session, workspace_id=find_workspace(session, workspace).id, email=email, name=ACTOR
        )
        found = [_shown(token) for token in tokens.list_tokens(session, principal=principal)]
    if as_json:
        click.echo(json.dumps({"tokens": found}, ensure_ascii=False))
        return
    for token in found:
        used = f"used {token['last_used_at'][:16]}" if token["last_used_at"] else "never used"
        ends = f"expires {token['expires_at'][:10]}" if token["expires_at"] else "never expires"
        click.echo(f"{token['id']}  {token['start']}…  {used}, {ends}  {token['name']}")
        click.echo(f"    {', '.join(token['permissions'])}")
    if not found:
        click.echo(f"{email} has no token.")


@group.command("revoke")
@click.argument("token_id", type=click.UUID)
@_whose
def revoke(*, token_id: UUID, workspace: str, email: str, as_json: bool) -> None:
    """Revoke the token with this id (as `list` shows it)."""
    with database() as engine, transaction(engine) as session:
        principal = tokens.owner(
            session, workspace_id=find_workspace(session, workspace).id, email=email, name=ACTOR
        )
        tokens.revoke(session, principal=principal, token_id=token_id)
    click.echo(json.dumps({"revoked": str(token_id)}) if as_json else "The token is revoked.")


def _shown(token: ApiToken) -> dict[str, Any]:
    def moment(at: Any) -> str | None:
        return at.isoformat() if at else None

    return {
        "id": str(token.id),
        "name": token.name,
        "start": token.start,
        "permissions": token.permissions,
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at),
        "last_used_at": moment(token.last_used_at),
    }
