"""leitstand migrate: what would be done to the schema, doing it, and whether it is as it should be."""

import json
from typing import TYPE_CHECKING

import click

from leitstand.cli._rehearsal import CONTRACTS, EXPANDS, say
from leitstand.errors import IntegrityFailed
from leitstand.words import N_, msg

if TYPE_CHECKING:
    from leitstand.db.schema_history import Migration


@click.group(name="migrate")
def group() -> None:
    """The database's schema: each migration alone, within three seconds' wait for a lock, never during a dump."""


@group.command(name="plan")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def plan(as_json: bool) -> None:
    """The pending migrations, and for each whether the release that runs can go on: it expands, or contracts."""
    from leitstand.cli._options import database
    from leitstand.db import migrate

    with database() as engine:
        revision, found = migrate.current(engine), migrate.pending(engine)
    if as_json:
        pending = [_document(one) for one in found]
        click.echo(json.dumps({"current": revision, "head": migrate.head(), "pending": pending}))
        return
    click.echo(f"the database is at {revision or 'nothing'}, this release at {migrate.head()}")
    for one in found:
        click.echo(f"{one.revision:<28} {CONTRACTS if one.contracts else EXPANDS:<10} {one.title}")
        for statement in one.narrows:
            click.echo(f"{'':<28} {statement}")
        if one.compatible:
            click.echo(f"{'':<28} compatible: {one.compatible}")


@group.command(name="up")
@click.option("--contract", is_flag=True, help="Also what an earlier release can't go on with.")
@click.option("--patience", default=120.0, show_default=True, help="Seconds to wait for others' locks.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def up(contract: bool, patience: float, as_json: bool) -> None:
    """Apply what is pending, and nothing of it when one contracts the schema and --contract was not given."""
    from leitstand.cli._options import database
    from leitstand.db import migrate

    with database() as engine:
        if contract:
            applied = migrate.pending(engine)
            migrate.upgrade(engine, patience=patience)
        else:
            applied = migrate.expand(engine, patience=patience)
        revision = migrate.current(engine)
    if as_json:
        click.echo(json.dumps({"current": revision, "applied": [one.revision for one in applied]}))
        return
    click.echo("\n".join([*(f"applied {one.revision}" for one in applied), f"the database is at {revision}"]))


@group.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def check(as_json: bool) -> None:
    """Whether the schema is at this release's head and equal to its models; exit 1 when it is not."""
    from leitstand.cli._options import database
    from leitstand.db import migrate

    with database() as engine:
        pending = [one.revision for one in migrate.pending(engine)]
        differences = [] if pending else [str(one) for one in migrate.differences(engine)]
    if as_json:
        click.echo(
            json.dumps(
                {"ok": not pending and not differences, "pending": pending, "differences": differences}
            )
        )
    if pending:
        raise IntegrityFailed(
            msg("Pending migrations: {names}.", names=", ".join(pending)), hint="`leitstand migrate up`."
        )
    if differences:
        raise IntegrityFailed(
            msg("The schema is not what its migrations make: {differences}.", differences=differences[0]),
            hint=N_("Runbook migration-stuck-or-failed compares and mends it."),
        )
    if not as_json:
        click.echo(f"the schema is at {migrate.head()}, as it should be")


@group.command(name="rehearse")
@click.option("--backup", "backup_id", default="", help="The beginning of its id; default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def rehearse(backup_id: str, as_json: bool) -> None:
    """Apply what is pending to a restored copy of the newest backup, and say how long each migration took; the live database is asked nothing."""
    from dataclasses import asdict

    from leitstand.runbooks import migration_rehearsal
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "ERROR")
    found = migration_rehearsal.rehearse(
        get_settings(), backup_id=backup_id, progress=lambda line: click.echo(line, err=True)
    )
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    say(asdict(found))


def _document(one: "Migration") -> dict[str, object]:
    return {
        "revision": one.revision,
        "title": one.title,
        "contracts": one.contracts,
        "narrows": list(one.narrows),
        "compatible": one.compatible,
    }
