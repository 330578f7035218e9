"""leitstand restore: bring PostgreSQL back from object storage into an empty folder."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from leitstand.cli import secrets


@click.group("restore")
def group() -> None:
    """Restores; none of them touches what is running."""


@group.command("postgres")
@click.option(
    "--target",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Empty folder to restore into.",
)
@click.option(
    "--to-time",
    default=None,
    help="Instant with its offset, as 2026-11-23T21:30:00+01:00; default: as new as the archive goes.",
)
@click.option(
    "--to-backup",
    "--backup",
    "backup_id",
    default="",
    help="Backup to start from; default: the newest that fits.",
)
@click.option(
    "--over", is_flag=True, help="The folder may be occupied: what is there is moved aside, never deleted."
)
@click.option(
    "--yes",
    "name",
    default=None,
    metavar="NAME",
    help="With --over: name of the folder, instead of typing it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def postgres(
    target: Path, to_time: str | None, backup_id: str, over: bool, name: str | None, as_json: bool
) -> None:
    """Download, check, decrypt and unpack a backup; the server recovers when it is started on the folder.

    Needs the object store and a key in <data_dir>/keys, and no database.
    """
    from leitstand.backups.restore import choose, restore_postgres
    from leitstand.cli._progress import told
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    settings, instant = get_settings(), _instant(to_time)
    manifest = choose(ObjectStorage(settings), settings.bucket_backups, to_time=instant, backup_id=backup_id)
    target = target.resolve()
    _show_plan(manifest, target, instant)
    aside = _made_room(target, name) if over else None
    restored = restore_postgres(settings, target=target, manifest=manifest, to_time=instant, progress=told())
    document = {
        "moved_aside": str(aside) if aside else None,
        "target": str(restored.target),
        "backup_id": manifest["id"],
        "to_time": instant.isoformat() if instant else None,
    }
    if as_json:
        click.echo(json.dumps(document))
        return
    click.echo(f"{restored.target} is ready; it recovers when it is started:")
    click.echo(f"  pg_ctl -D {restored.target} -o '-c archive_mode=off' start")
    if aside:
        click.echo(f"What was there is in {aside}.")
    click.echo(f"{restored.access} holds the key for that and is removed when recovery ends.")


def _show_plan(manifest: dict[str, Any], target: Path, instant: datetime | None) -> None:
    """What is about to be done, on standard error."""
    until = instant.isoformat() if instant else "the end of the archived log"
    size = f"{manifest['content']['bytes'] / 1e6:.0f} MB"
    click.echo(f"backup {manifest['id']}, finished {manifest['finished_at']}, {size}", err=True)
    click.echo(f"into {target}, recovered to {until}", err=True)


def _made_room(target: Path, name: str | None) -> Path | None:
    """Move what is in the way aside, after its name was typed; gives where it is now."""
    from leitstand.backups.restore import move_aside, occupied
    from leitstand.cli._backups import ask_for

    if not occupied(target):
        return None
    click.echo(f"{target} is not empty: what is there will be moved aside", err=True)
    ask_for(target.name, name)
    return move_aside(target)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no instant; write it as 2026-11-23T21:30:00+01:00") from error
    if instant.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no offset; write it as {text}+00:00 for UTC")
    return instant


group.add_command(secrets.restore, "secrets")
