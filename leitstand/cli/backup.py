"""leitstand backup: take, list, show and verify backups."""

import json
from typing import Any

import click

KINDS = ("postgres", "objects", "secrets")


@click.group("backup")
def group() -> None:
    """Backups of PostgreSQL, the objects and the secrets."""


@group.command("run")
@click.argument("kind", type=click.Choice([*KINDS, "all"]), default="all")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def run(kind: str, as_json: bool) -> None:
    """Take a backup, encrypted and stored; one at a time of each kind."""
    from leitstand.backups.keys import ensure_keys
    from leitstand.backups.operations import public, run_backup
    from leitstand.cli._options import database
    from leitstand.cli._progress import told
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    settings, taken = get_settings(), []
    with database() as engine:
        for one in KINDS if kind == "all" else (kind,):
            tell = told()
            tell(f"backup of {one}")
            taken.append(public(run_backup(engine, settings, one, progress=tell)))
            tell(f"backup of {one} complete: {taken[-1]['bytes'] / 1e6:.1f} MB stored")
    _warn_about_key(ensure_keys(settings).offline_key_here)
    _show(taken, as_json)


def _warn_about_key(path: Any) -> None:
    if path is not None:
        click.echo(
            f"warning: the offline recovery key still lies on this machine: move {path} to a safe place.",
            err=True,
        )


@group.command("list")
@click.option("--kind", type=click.Choice(KINDS), default=None)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def list_command(kind: str | None, limit: int, as_json: bool) -> None:
    """The backups that there are, newest first, finished or not."""
    from leitstand.backups.catalogue import list_backups
    from leitstand.backups.operations import public
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction

    with database() as engine, transaction(engine) as session:
        backups = [public(backup) for backup in list_backups(session, kind=kind, limit=limit)]
    _show(backups, as_json)


@group.command("show")
@click.argument("backup_id")
def show(backup_id: str) -> None:
    """Everything that is known of one backup, as JSON; the beginning of its id is enough."""
    from leitstand.backups.catalogue import get_backup
    from leitstand.backups.operations import public
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction

    with database() as engine, transaction(engine) as session:
        backup = get_backup(session, backup_id)
        click.echo(json.dumps({**public(backup), "manifest": backup.manifest}, indent=1))


@group.command("verify")
@click.argument("backup_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def verify(backup_id: str, as_json: bool) -> None:
    """Check every hash, decrypt and unpack a backup, and have PostgreSQL's own tool compare it."""
    from leitstand.backups.operations import public, verify_backup
    from leitstand.cli._options import database
    from leitstand.cli._progress import told
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    with database() as engine:
        backup = public(verify_backup(engine, get_settings(), backup_id, progress=told()))
    if as_json:
        click.echo(json.dumps(backup))
        return
    for finding in backup["verification"]["findings"]:
        click.echo(f"  {finding['check']}: {finding['found']}")
    click.echo(f"backup {backup['id']} is what was stored; only a drill proves that it can be restored")


def _show(backups: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"backups": backups}))
        return
    for backup in backups:
        proven = f"proven {backup['verified_at'][:19]}" if backup["verified_at"] else "not proven by a drill"
        state = backup["error"] if backup["status"] == "failed" else proven
        click.echo(
            f"{backup['id']}  {backup['started_at'][:19]}  {backup['kind']:<8} {backup['status']:<8} {backup['bytes'] / 1e6:9.1f} MB  {state}"
        )
