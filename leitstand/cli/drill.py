"""leitstand drill: rehearse a restore, and see how the rehearsals went."""

import json

import click


@click.group("drill")
def group() -> None:
    """Restore drills: a backup that has not been restored is not yet a backup."""


@group.command("run")
@click.argument("name", default="postgres-latest")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def run(context: click.Context, name: str, as_json: bool) -> None:
    """Restore the newest backup into a scratch server, check it, measure RPO and RTO; exit 1 when it proves nothing."""
    from leitstand.cli._identity import at_the_terminal
    from leitstand.cli._options import database
    from leitstand.cli._progress import told
    from leitstand.runbooks.drills import run_drill
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    with database() as engine:
        result = run_drill(engine, get_settings(), name, requested_by=at_the_terminal(), progress=told())
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        _show(result.to_dict())
    context.exit(0 if result.ok else 1)


def _show(result: dict[str, object]) -> None:
    for check in result["checks"]:  # type: ignore[attr-defined]
        click.echo(f"  {check['verdict']:<8} {check['name']}: {check['detail']}")
    click.echo(
        f"{'proven' if result['ok'] else 'NOT PROVEN'}  backup {result['backup_id']}  RPO {result['rpo_seconds']} s  RTO {result['rto_seconds']} s"
    )
    click.echo(f"evidence  {result['notebook']}\n          {result['html']}")
    if result["error"]:
        click.echo(f"error     {result['error']}", err=True)


@group.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def list_command(limit: int, as_json: bool) -> None:
    """The drills and runbooks that were run, newest first."""
    from leitstand.backups.catalogue import list_drills
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction
    from leitstand.runbooks.drills import public

    with database() as engine, transaction(engine) as session:
        drills = [public(drill) for drill in list_drills(session, limit=limit)]
    if as_json:
        click.echo(json.dumps({"drills": drills}))
        return
    for drill in drills:
        click.echo(
            f"{drill['started_at'][:19]}  {drill['status']:<8} {drill['kind']:<18} RPO {drill['rpo_seconds']} s  RTO {drill['rto_seconds']} s  {drill['notebook'] or drill['error']}"
        )


@group.command("chain")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def chain(context: click.Context, as_json: bool) -> None:
    """The same as `leitstand runbook audit`: drills and runbooks are one chain."""
    from leitstand.cli.runbook import audit_command

    context.invoke(audit_command, as_json=as_json)
