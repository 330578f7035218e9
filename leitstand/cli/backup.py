"""leitstand backup: take, list, show, verify and keep backups, and remove those that retention does not keep."""

import json
from typing import Any

import click

KINDS = ("postgres", "objects", "secrets", "dump")
LEVELS = ("full", "incremental", "differential")


@click.group("backup")
def group() -> None:
    """Backups of PostgreSQL, the objects and the secrets, and dumps of the database."""


@group.command("run")
@click.argument("kind", type=click.Choice([*KINDS, "all"]), default="all")
@click.option("--full", "level", flag_value="full", help="Of postgres: everything.")
@click.option(
    "--incremental", "level", flag_value="incremental", help="Of postgres: what changed since the last one."
)
@click.option(
    "--differential",
    "level",
    flag_value="differential",
    help="Of postgres: what changed since the last full one. Default: a full one each week, else incremental.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def run(kind: str, level: str | None, as_json: bool) -> None:
    """Take a backup, encrypted and stored; one at a time of each kind."""
    from leitstand.backups.keys import ensure_keys
    from leitstand.backups.operations import public, run_backup
    from leitstand.cli._options import database
    from leitstand.cli._progress import told
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    if level and kind != "postgres":
        raise click.UsageError(f"--{level} is for postgres alone.")
    configure_logging("cli", "WARNING")
    settings, taken = get_settings(), []
    with database() as engine:
        for one in KINDS if kind == "all" else (kind,):
            tell = told()
            tell(f"backup of {one}")
            taken.append(public(run_backup(engine, settings, one, level=level or "", progress=tell)))
            tell(f"backup of {one} complete: {_what(taken[-1])}")
    _warn_about_key(ensure_keys(settings).offline_key_here)
    _show(taken, as_json)


def _what(backup: dict[str, Any]) -> str:
    stored = f"{backup['bytes'] / 1e6:.1f} MB stored"
    return f"{backup['level']} ({backup['level_reason']}), {stored}" if backup["level"] else stored


def _warn_about_key(path: Any) -> None:
    if path is not None:
        click.echo(
            f"warning: the offline recovery key still lies on this machine: move {path} to a safe place.",
            err=True,
        )


@group.command("list")
@click.option("--kind", type=click.Choice(KINDS), default=None)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--all", "everything", is_flag=True, help="Also those that retention has removed.")
@click.option(
    "--from-storage", is_flag=True, help="As the object store itself knows them; needs no database."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def list_command(kind: str | None, limit: int, everything: bool, from_storage: bool, as_json: bool) -> None:
    """The backups that there are, newest first, finished or not."""
    from leitstand.backups.catalogue import list_backups
    from leitstand.backups.operations import public
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction

    if from_storage:
        _show(_stored(kind, limit), as_json)
        return
    with database() as engine, transaction(engine) as session:
        found = list_backups(session, kind=kind, limit=limit, removed=everything)
        backups = [public(backup) for backup in found]
    _show(backups, as_json)


def _stored(kind: str | None, limit: int) -> list[dict[str, Any]]:
    """The same documents from the entries beside the backups."""
    from leitstand.backups.entries import stored_entries
    from leitstand.backups.operations import public
    from leitstand.backups.reconciling import row_of
    from leitstand.settings import get_settings
    from leitstand.storage.objects import ObjectStorage

    settings = get_settings()
    storage, bucket = ObjectStorage(settings), settings.bucket_backups
    found = [entry for one in ((kind,) if kind else KINDS) for entry in stored_entries(storage, bucket, one)]
    rows = [public(row_of(entry)) for entry in found]
    return sorted(rows, key=lambda row: row["started_at"], reverse=True)[:limit]


@group.command("show")
@click.argument("backup_id")
@click.option("--json", "as_json", is_flag=True, help="The same: it always is one JSON document.")
def show(backup_id: str, as_json: bool) -> None:
    """Everything that is known of one backup, as JSON; the beginning of its id is enough."""
    from leitstand.backups.actions import show as look
    from leitstand.backups.operations import public
    from leitstand.cli._backups import operator
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        shown = look(session, get_settings(), backup_id, principal=operator(session))
        document = {**public(shown.backup), **shown.to_dict(), "manifest": shown.backup.manifest}
    click.echo(json.dumps(document, indent=1))


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


@group.command("keep")
@click.argument("backup_id")
@click.option("--undo", is_flag=True, help="Leave it to retention again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def keep_command(backup_id: str, undo: bool, as_json: bool) -> None:
    """Mark a backup as kept: retention never removes it, nor what it needs, until the mark is given up."""
    from leitstand.backups.actions import keep
    from leitstand.backups.operations import public
    from leitstand.cli._backups import operator
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        principal = operator(session)
        backup = public(keep(session, get_settings(), backup_id, kept=not undo, principal=principal))
    click.echo(
        json.dumps(backup)
        if as_json
        else f"backup {backup['id']} is {'kept' if backup['kept'] else 'left to retention'}"
    )


@group.command("prune")
@click.option("--dry-run", is_flag=True, help="Show what would go and what stays, and why; change nothing.")
@click.option("--yes", "name", default=None, metavar="NAME", help="Name of the bucket, instead of typing it.")
@click.option(
    "--plan",
    "plan_sha256",
    default="",
    metavar="HASH",
    help="With --yes: the plan that was seen; without it a suspicious plan is refused.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def prune_command(dry_run: bool, name: str | None, plan_sha256: str, as_json: bool) -> None:
    """Remove the backups that retention does not keep, and the archived log that nothing needs any more."""
    from leitstand.backups.pruning import propose, prune
    from leitstand.cli._backups import recorded, show_plan
    from leitstand.cli._confirmation import confirmed
    from leitstand.cli._options import database
    from leitstand.cli._progress import told
    from leitstand.db.engine import transaction
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    settings = get_settings()
    with database() as engine:
        with transaction(engine) as session:
            proposal = propose(session, settings)
        if dry_run and as_json:
            click.echo(json.dumps(proposal.to_dict()))
            return
        show_plan(proposal, error_stream=not dry_run)
        if dry_run:
            return
        typed = confirmed(settings.bucket_backups, name, doing="remove this")
        seen = proposal.plan.sha256 if typed else plan_sha256
        who = recorded(engine, settings, proposal.plan.sha256)
        result = prune(engine, settings, confirmed=seen, requested_by=who, progress=told())
    if as_json:
        click.echo(json.dumps(result.to_dict()))
        return
    click.echo(
        f"{len(result.removed)} backups and {result.log_removed} files of the log removed, {result.bytes / 1e6:.1f} MB freed"
    )
    for removal in result.left:
        click.echo(f"  {removal.id} stays: {removal.left}")


@group.command("conditions")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def conditions_command(context: click.Context, as_json: bool) -> None:
    """What is wrong with the backups that there are; exit 1 when something is."""
    from leitstand.backups.conditions import conditions
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        found = conditions(session, get_settings())
    if as_json:
        click.echo(json.dumps({"ok": not found, "conditions": [one.to_dict() for one in found]}))
    else:
        for one in found:
            click.echo(f"{one.name}: {one.says}\n  {one.hint}")
        if not found:
            click.echo("nothing is wrong")
    context.exit(1 if found else 0)


def _show(backups: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"backups": backups}))
        return
    for backup in backups:
        proven = f"proven {backup['verified_at'][:19]}" if backup["verified_at"] else "not proven by a drill"
        state = backup["error"] or backup["reason"] or proven
        state += ", kept" if backup["kept"] else ""
        click.echo(
            f"{backup['id']}  {backup['started_at'][:19]}  {backup['kind']:<8} {backup['level'] or '':<12} {backup['status']:<8} {backup['bytes'] / 1e6:9.1f} MB  {state}"
        )
