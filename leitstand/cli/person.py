"""leitstand person: the people of a workspace, and their passwords."""

import json
import secrets
import sys
from typing import Any

import click

from leitstand.cli._options import database
from leitstand.db.engine import transaction
from leitstand.errors import InvalidInput
from leitstand.identity import one_time_codes, people
from leitstand.identity.access import ROLES, system_principal
from leitstand.identity.workspaces import find_workspace

GENERATED_BYTES = 15


@click.group("person")
def group() -> None:
    """Make people, list them, set passwords."""


def _password_options(command: Any) -> Any:
    """How a password comes in; never as an argument, which other users of the machine could read."""
    stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
    generate = click.option("--generate", is_flag=True, help="Make a random password and print it once.")
    return stdin(generate(command))


@group.command("create")
@click.option("--workspace", required=True, help="Short name of the workspace.")
@click.option("--email", required=True)
@click.option("--name", required=True, help="What other people read.")
@click.option("--role", default="member", show_default=True, type=click.Choice(list(ROLES)))
@_password_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def create(
    *, workspace: str, email: str, name: str, role: str, password_stdin: bool, generate: bool, as_json: bool
) -> None:
    """Make a person with a role in a workspace."""
    _create(workspace, email, name, role, _password(password_stdin, generate), generate, as_json)


@group.command("create-owner")
@click.option("--workspace", required=True, help="Short name of the workspace.")
@click.option("--email", required=True)
@click.option("--name", default="Owner", show_default=True, help="What other people read.")
@_password_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def create_owner(
    *, workspace: str, email: str, name: str, password_stdin: bool, generate: bool, as_json: bool
) -> None:
    """Make a person who owns a workspace."""
    _create(workspace, email, name, "owner", _password(password_stdin, generate), generate, as_json)


@group.command("invite")
@click.option("--workspace", required=True, help="Short name of the workspace.")
@click.option("--email", "emails", required=True, multiple=True, help="Repeat it for several people.")
@click.option(
    "--role", default="member", show_default=True, help="A built-in role, or one of the workspace's own."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def invite(*, workspace: str, emails: tuple[str, ...], role: str, as_json: bool) -> None:
    """Invite people by e-mail; where no mail goes out, print each one's link once."""
    from leitstand.identity import invitations

    with database() as engine, transaction(engine) as session:
        principal = system_principal(find_workspace(session, workspace).id, "command line")
        sent = invitations.invite(session, principal=principal, emails=emails, role=role)
        made = [{"email": one.invitation.email, "role": role, "link": one.link} for one in sent]
    if as_json:
        click.echo(json.dumps({"invitations": made}, ensure_ascii=False))
        return
    for one in made:
        click.echo(
            f"{one['email']} is invited as {role}{': ' + one['link'] if one['link'] else ', by mail'}."
        )


@group.command("role")
@click.option("--workspace", required=True, help="Short name of the workspace.")
@click.option("--email", required=True)
@click.option("--role", required=True, help="A built-in role, or one of the workspace's own.")
def change_role(*, workspace: str, email: str, role: str) -> None:
    """Give somebody another role; the last owner stays one."""
    from leitstand.identity import members

    with database() as engine, transaction(engine) as session:
        principal = system_principal(find_workspace(session, workspace).id, "command line")
        person = people.find_person(session, email)
        members.change_member(session, principal=principal, person_id=person.id, role=role)
    click.echo(f"{email} is {role} of {workspace}.")


@group.command("list")
@click.option("--workspace", required=True, help="Short name of the workspace.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(workspace: str, as_json: bool) -> None:
    """Everybody of a workspace with their role."""
    with database() as engine, transaction(engine) as session:
        found = [
            {
                "email": person.email,
                "name": person.name,
                "role": role,
                "disabled": person.disabled_at is not None,
            }
            for person, role in people.list_people(
                session, workspace_id=find_workspace(session, workspace).id
            )
        ]
    if as_json:
        click.echo(json.dumps({"people": found}, ensure_ascii=False))
        return
    for row in found:
        click.echo(f"{row['email']:<36} {row['role']:<14} {row['name']}")


@group.command("reset-password")
@click.option("--email", required=True)
@_password_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def reset_password(*, email: str, password_stdin: bool, generate: bool, as_json: bool) -> None:
    """Set somebody's password and end all their sessions."""
    password = _password(password_stdin, generate)
    with database() as engine, transaction(engine) as session:
        workspace_id = people.home_of(session, people.find_person(session, email).id)
        person = people.reset_password(
            session, principal=system_principal(workspace_id, "command line"), email=email, new=password
        )
        made = {"email": person.email}
    _tell(made, "has a new password; every session has ended", password if generate else "", as_json)


@group.command("turn-off-codes")
@click.option("--email", required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def turn_off_codes(*, email: str, as_json: bool) -> None:
    """Ask somebody for no one-time code any more, who has lost device and recovery codes."""
    with database() as engine, transaction(engine) as session:
        workspace_id = people.home_of(session, people.find_person(session, email).id)
        person = one_time_codes.turn_off_for(
            session, principal=system_principal(workspace_id, "command line"), email=email
        )
        made = {"email": person.email}
    _tell(made, "is asked for no one-time code any more", "", as_json)


def _create(
    workspace: str, email: str, name: str, role: str, password: str, generated: bool, as_json: bool
) -> None:
    with database() as engine, transaction(engine) as session:
        workspace_id = find_workspace(session, workspace).id
        person = people.create_person(
            session, email=email, name=name, password=password, workspace_id=workspace_id, role=role
        )
        made = {"id": str(person.id), "email": person.email, "role": role, "workspace": workspace}
    _tell(made, f"is {role} of {workspace}", password if generated else "", as_json)


def _tell(made: dict[str, str], what: str, generated: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(made | ({"password": generated} if generated else {}), ensure_ascii=False))
        return
    click.echo(f"{made['email']} {what}.")
    if generated:
        click.echo(f"Password (shown once): {generated}")


def _password(from_stdin: bool, generate: bool) -> str:
    if from_stdin and generate:
        raise click.UsageError("Either --password-stdin or --generate.")
    if generate:
        return secrets.token_urlsafe(GENERATED_BYTES)
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidInput(
            "No password was given.", hint="Use --password-stdin or --generate, or run it in a terminal."
        )
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


@group.command("disable")
@click.option("--email", required=True)
def disable(*, email: str) -> None:
    """Let somebody sign in no more; their sessions and tokens are refused at once."""
    _enable(email, enabled=False)


@group.command("enable")
@click.option("--email", required=True)
def enable(*, email: str) -> None:
    """Let somebody who was disabled sign in again."""
    _enable(email, enabled=True)


def _enable(email: str, *, enabled: bool) -> None:
    from leitstand.identity import freezing

    with database() as engine, transaction(engine) as session:
        freezing.enable(session, email=email, enabled=enabled, actor="command line")
    click.echo(f"{email} may {'sign in again' if enabled else 'not sign in any more'}.")
