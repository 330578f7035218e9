"""leitstand restore: bring PostgreSQL back into an empty folder, and objects into their bucket, another one or a folder."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leitstand.cli import secrets

if TYPE_CHECKING:
    from leitstand.backups.object_restore import Plan

SHOWN = 20


@click.group("restore")
def group() -> None:
    """Restores: PostgreSQL beside what is running, objects where you say."""


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
    from leitstand.backups.engines.chain import level_of

    until = instant.isoformat() if instant else "the end of the archived log"
    size = f"{manifest['content']['bytes'] / 1e6:.0f} MB"
    level = level_of(manifest)
    upon = f" upon {manifest['parent_id']}" if manifest.get("parent_id") else ""
    click.echo(f"{level} backup {manifest['id']}{upon}, finished {manifest['finished_at']}, {size}", err=True)
    click.echo(f"into {target}, recovered to {until}", err=True)


def _made_room(target: Path, name: str | None) -> Path | None:
    """Move what is in the way aside, after its name was typed; gives where it is now."""
    from leitstand.backups.restore import move_aside, occupied
    from leitstand.cli._confirmation import confirmed

    if not occupied(target):
        return None
    click.echo(f"{target} is not empty: what is there will be moved aside", err=True)
    confirmed(target.name, name, doing="move it aside")
    return move_aside(target)


@group.command("dump")
@click.option(
    "--target-database", "database", required=True, metavar="NAME", help="Empty database to restore into."
)
@click.option("--backup", "backup_id", default="", help="Dump to restore; default: the newest.")
@click.option(
    "--create",
    is_flag=True,
    help="Make the database first, with its extensions; where PostgreSQL runs embedded.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def dump(database: str, backup_id: str, create: bool, as_json: bool) -> None:
    """Restore a dump into an empty database of this server, all of it or nothing; the one in use is never touched.

    It brings back the instant at which the dump began. Needs the object store and a key in <data_dir>/keys.
    """
    from leitstand.backups import dumps
    from leitstand.backups.restore import choose
    from leitstand.cli._progress import told
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    settings = get_settings()
    manifest = choose(ObjectStorage(settings), settings.bucket_backups, backup_id=backup_id, kind="dump")
    click.echo(f"dump {manifest['id']} of {manifest['counted_at']} into the database {database}", err=True)
    if create:
        dumps.create_database(settings, database)
    dumps.restore(settings, manifest=manifest, database=database, progress=told())
    document = {"database": database, "backup_id": manifest["id"], "as_of": manifest["counted_at"]}
    click.echo(
        json.dumps(document) if as_json else f"{database} is as the database was at {manifest['counted_at']}"
    )


@group.command("objects")
@click.argument("key", default="")
@click.option("--prefix", default="", help="Every object whose key begins like this.")
@click.option("--all", "everything", is_flag=True, help="Every object of the bucket.")
@click.option(
    "--bucket", "role", type=click.Choice(["media", "evidence"]), default="media", show_default=True
)
@click.option("--to-time", required=True, help="Instant with its offset, to the second.")
@click.option("--target", required=True, help="Name of a bucket, or a folder's path (from / or ./).")
@click.option("--only-missing", is_flag=True, help="Write what is not there, and replace nothing.")
@click.option("--dry-run", is_flag=True, help="Show the plan and write nothing.")
@click.option("--yes", "name", default=None, metavar="NAME", help="The target's name, instead of typing it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def objects(
    context: click.Context,
    *,
    key: str,
    prefix: str,
    everything: bool,
    role: str,
    to_time: str,
    target: str,
    only_missing: bool,
    dry_run: bool,
    name: str | None,
    as_json: bool,
) -> None:
    """Restore one object, a prefix or a bucket as of an instant; exit 1 when an object could not be restored.

    Nothing is deleted, and in a bucket what is replaced stays as an older version. It may be repeated: what is there
    already stays, so one that was interrupted goes on. Needs the object store and a key, and no database.
    """
    from leitstand.backups.object_restore import Selection, execute_restore, plan_restore
    from leitstand.cli._confirmation import confirmed
    from leitstand.cli._progress import told
    from leitstand.settings import get_settings

    settings, tell = get_settings(), told()
    instant = _instant(to_time)
    if instant is None:
        raise click.BadParameter("an instant is needed", param_hint="--to-time")
    tell("comparing the inventory with what is there")
    plan = plan_restore(
        settings,
        selection=Selection(frozenset({key} - {""}), prefix, everything),
        to_time=instant,
        target=target,
        role=role,
        only_missing=only_missing,
    )
    document: dict[str, Any] = {"plan": plan.to_dict(), "restored": None}
    _show_objects(plan)
    if not dry_run:
        if not plan.target.name.startswith("/"):  # a folder is only filled; a bucket is what people use
            confirmed(plan.target.name, name, doing="restore into it")
        restored = execute_restore(settings, plan, progress=tell)
        document["restored"] = vars(restored)
        _show_failed(restored.failed)
        line = f"{restored.written} objects written, {restored.verified} read back and right"
        click.echo(line, err=as_json)
    if as_json:
        click.echo(json.dumps(document))
    failed = document["restored"] and document["restored"]["failed"]
    context.exit(1 if failed else 0)


def _show_objects(plan: "Plan") -> None:
    from leitstand.backups.object_restore import MISSING, REPLACE

    said = plan.to_dict()
    click.echo(
        f"{said['objects']} objects of {said['bucket']} as of {said['to_time']} into {said['target']}:\n"
        f"  write {said['write']}, replace {said['replace']}, already there {said['same']}, left as they are {said['left']}, "
        f"missing {said['missing']}; {said['bytes'] / 1e6:.1f} MB\n"
        f"  {said['newer']} objects that came later stay\n"
        f"  inventory of {said['inventory_at']}, backup {said['backup_id']}\n"
        f"  plan {said['plan_sha256']}",
        err=True,
    )
    for item in plan.of(REPLACE, MISSING)[:SHOWN]:
        click.echo(f"  {item.action:<8} {item.wanted.key}", err=True)


def _show_failed(failed: dict[str, str]) -> None:
    for key, why in failed.items():
        click.echo(f"  NOT RESTORED {key}: {why}", err=True)


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
