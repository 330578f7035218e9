"""leitstand secrets: list, back up, verify, restore and rotate the secrets; no value is ever shown."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from leitstand.backups.secret_restore import Plan
    from leitstand.embedded.rotation import Plan as Rotation

as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
key_option = click.option(
    "--key",
    "key_file",
    default="",
    type=click.Path(dir_okay=False),
    help="File of the key to open it with, the offline one for instance; default: the keys of this machine.",
)


@click.group("secrets")
def group() -> None:
    """Secrets: what there are, their backups, and their rotation. No command shows a value."""


@group.command("list")
@as_json_option
def list_command(as_json: bool) -> None:
    """Every secret: what it is for, where it lies, when it changed, whether this value is backed up."""
    from leitstand.backups.secret_backups import inventory, recipients
    from leitstand.cli._options import database
    from leitstand.settings import get_settings

    settings = get_settings()
    with database() as engine:
        items = [item.to_dict() for item in inventory(engine, settings)]
    found = recipients(settings)
    if as_json:
        click.echo(json.dumps({"secrets": items, "recipients": found}))
        return
    for item in items:
        state = f"backed up {item['backed_up_at'][:19]}" if item["backed_up_at"] else "NOT BACKED UP"
        click.echo(f"{item['name']:<24} {item['fingerprint']}  {item['changed_at'][:19]:<19}  {state}")
        click.echo(f"    {item['purpose']}\n    {item['place']}")
    for one in found:
        kind = "offline" if one["offline"] else "this machine's"
        click.echo(
            f"encrypted to {one['recipient']} ({kind}{', STILL LIES HERE' if one['still_here'] else ''})"
        )


@group.command("backup")
@click.option(
    "--if-changed", is_flag=True, help="Only when a secret or a key has changed since the newest backup."
)
@as_json_option
def backup(if_changed: bool, as_json: bool) -> None:
    """Encrypt every secret to the recipients' keys and store it in two places."""
    from leitstand.backups.operations import public
    from leitstand.backups.secret_backups import back_up_secrets
    from leitstand.cli._options import database
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    with database() as engine:
        taken = back_up_secrets(engine, get_settings(), only_changed=if_changed)
    if as_json:
        click.echo(
            json.dumps({"backup": {**public(taken), "copy": taken.manifest["copy"]} if taken else None})
        )
    elif taken is None:
        click.echo("nothing has changed since the newest backup")
    else:
        click.echo(f"backup {taken.id} of {len(taken.manifest['inventory'])} secrets")
        click.echo(f"  {taken.location}\n  {taken.manifest['copy']['path']}")


@group.command("verify")
@click.option("--backup", "backup_id", default="", help="Which backup; default: the newest.")
@key_option
@as_json_option
@click.pass_context
def verify(context: click.Context, backup_id: str, key_file: str, as_json: bool) -> None:
    """Decrypt a backup in both places and compare it with its inventory and with what is here; exit 1 where it differs.

    Needs the store and a key, and no database.
    """
    from leitstand.backups import secret_opening
    from leitstand.settings import get_settings

    found = secret_opening.verify(get_settings(), backup_id=backup_id, key_file=key_file)
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo(
            f"backup {found['backup_id']} of {found['made_at'][:19]} opens in both places and is whole"
        )
        click.echo("".join(f"  {place}\n" for place in found["places"]), nl=False)
        if found["changed"]:
            click.echo(f"changed here since, take a new one: {', '.join(found['changed'])}", err=True)
    context.exit(0 if found["ok"] else 1)


def restore_options(command: Any) -> Any:
    """The options of `secrets restore`, which is also `restore secrets`."""
    options = [
        click.option(
            "--backup", "backup_id", default="", help="Which backup of the bucket; default: the newest."
        ),
        click.option(
            "--from",
            "copy",
            default=None,
            type=click.Path(path_type=Path, dir_okay=False),
            help="A copy (*.tar.zst.age) instead of the bucket; then no store is needed.",
        ),
        key_option,
        click.option("--replace-newer", is_flag=True, help="Also replace what was changed after the backup."),
        click.option("--dry-run", is_flag=True, help="Only show what would be done."),
        click.option(
            "--yes", metavar="NAME", default=None, help="The environment's name, instead of typing it."
        ),
        as_json_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@group.command("restore")
@restore_options
def restore(
    backup_id: str,
    copy: Path | None,
    key_file: str,
    replace_newer: bool,
    dry_run: bool,
    yes: str | None,
    as_json: bool,
) -> None:
    """Put the secrets of a backup back into their files; what is replaced is kept, sealed.

    Needs a key, and the bucket or a copy; no database. Services take the secrets up when they are started again.
    """
    from leitstand.backups import secret_opening, secret_restore
    from leitstand.cli._confirmation import confirmed
    from leitstand.embedded.environment import locate
    from leitstand.settings import get_settings

    settings = get_settings()
    own = secret_opening.identities(settings, key_file)
    opened = (
        secret_opening.open_copy(copy, own)
        if copy
        else secret_opening.open_stored(settings, secret_opening.choose(settings, backup_id), own)
    )
    with locate(settings.data_dir, settings.port).exclusive():
        agreed, aside = secret_restore.plan(settings, opened), None
        _show_plan(agreed)
        if not dry_run and agreed.written:
            confirmed(settings.environment, yes, doing="write these files")
            aside = secret_restore.restore(settings, opened, agreed, replace_newer=replace_newer)
    if as_json:
        done = {"restored": [] if dry_run else agreed.written, "replaced": str(aside) if aside else None}
        click.echo(json.dumps({"plan": agreed.to_dict(), "dry_run": dry_run, **done}))
    elif not dry_run and agreed.written:
        click.echo(
            f"{len(agreed.written)} secrets restored; start the services again: ./run down, then ./run up"
        )
        click.echo(f"what was replaced: {aside}" if aside else "nothing was replaced")


def _show_plan(agreed: "Plan") -> None:
    click.echo(f"from {agreed.place}, made {agreed.made_at[:19]}, into {agreed.folder}", err=True)
    for change in agreed.changes:
        click.echo(f"  {change.state:<13} {change.name}", err=True)
    if agreed.newer:
        click.echo(
            "  NEWER HERE means: changed after the backup; --replace-newer would put the older back", err=True
        )
    click.echo(f"plan {agreed.sha256[:16]}", err=True)


@group.command("rotate")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Everything that can be rotated here.")
@click.option("--leaked", is_flag=True, help="Others know the old values: nothing accepts them any more.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option("--yes", metavar="NAME", default=None, help="The environment's name, instead of typing it.")
@as_json_option
@click.pass_context
def rotate(
    context: click.Context,
    names: tuple[str, ...],
    everything: bool,
    leaked: bool,
    dry_run: bool,
    yes: str | None,
    as_json: bool,
) -> None:
    """Replace secrets by new ones, prove that the old ones are refused, and back up the new; exit 1 where they are not.

    Without a name it shows what can be rotated. Killed at any step, the next run (or ./run up) goes on where it stopped.
    """
    from leitstand.cli._confirmation import confirmed
    from leitstand.cli._progress import told
    from leitstand.embedded import rotation
    from leitstand.embedded.environment import locate
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    if everything and names:
        raise click.UsageError("Give names or --all, not both.")
    configure_logging("cli", "WARNING")
    environment = locate(get_settings().data_dir, get_settings().port)
    agreed = rotation.plan(environment, names, leaked=leaked)
    _show_rotation(agreed)
    if dry_run or not (names or everything):
        click.echo(
            json.dumps({"plan": agreed.to_dict(), "done": False}) if as_json else "nothing was changed"
        )
        return
    confirmed(agreed.target, yes, doing="rotate these secrets")
    done = rotation.carry_out(environment, agreed, actor="leitstand secrets rotate", progress=told())
    if as_json:
        click.echo(json.dumps({"plan": agreed.to_dict(), "done": True, **done.to_dict()}))
    else:
        click.echo("".join(f"{one.name}: {one.detail}\n" for one in done.proofs), nl=False)
        click.echo(f"backup of the secrets: {done.backup_id}")
    context.exit(0 if done.ok else 1)


def _show_rotation(agreed: "Rotation") -> None:
    click.echo(f"environment {agreed.target} in {agreed.data_dir}", err=True)
    for step in agreed.steps:
        click.echo(f"  {step.name:<14} {step.what}: {step.title}\n{'':17}{step.effect}", err=True)
    click.echo(f"  started again, where they run: {', '.join(agreed.restarted) or 'nothing'}", err=True)
    click.echo(f"plan {agreed.sha256[:16]}", err=True)
