"""leitstand runbook: the notebooks for emergencies, run with parameters and archived."""

import json
import sys
from dataclasses import asdict
from typing import Any

import click


@click.group("runbook")
def group() -> None:
    """Runbooks: what to do in an emergency, executable."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def list_command(as_json: bool) -> None:
    """The runbooks and drills that there are, with their parameters."""
    from leitstand.runbooks import documents
    from leitstand.runbooks.library import DRILLS, RUNBOOKS, notebooks
    from leitstand.runbooks.parameters import declared
    from leitstand.settings import get_settings

    settings = get_settings()
    found: list[dict[str, Any]] = [
        {
            "number": one.number,
            "name": one.name,
            "title": one.title,
            "folder": folder,
            "parameters": declared(documents.read(one.path)),
        }
        for folder in (RUNBOOKS, DRILLS)
        for one in notebooks(settings, folder)
    ]
    if as_json:
        click.echo(json.dumps({"runbooks": found}))
        return
    for one in found:
        click.echo(f"{one['number']}  {one['name']:<28} {one['title']}")
        parameters = dict(one["parameters"])
        click.echo(
            f"       parameters: {', '.join(f'{name}={value!r}' for name, value in parameters.items()) or 'none'}"
        )


@group.command("run")
@click.argument("name")
@click.option(
    "--parameter",
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter; may be repeated.",
)
@click.option(
    "--yes",
    "confirmed",
    default="",
    metavar="NAME",
    help="Name of the target of a run that is no dry run, instead of typing it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def run(
    context: click.Context, name: str, parameters: tuple[str, ...], confirmed: str, as_json: bool
) -> None:
    """Execute a runbook and archive it; exit 1 when a cell or a check of it failed."""
    from leitstand.cli._identity import at_the_terminal
    from leitstand.cli._options import database
    from leitstand.cli._progress import told
    from leitstand.runbooks.drills import run_runbook
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    values = _parsed(parameters)
    real = str(values.get("dry_run", "")).lower() == "false"
    if real and not confirmed and sys.stdin.isatty():
        confirmed = click.prompt("Type the name of the target to go on", err=True)
    with database() as engine:
        result = run_runbook(
            engine,
            get_settings(),
            name,
            values,
            confirmed=confirmed,
            requested_by=at_the_terminal(),
            progress=told(),
        )
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        click.echo(
            f"{'done' if result.ok else 'FAILED'}  {result.seconds:.1f} s\nevidence  {result.notebook}\n          {result.html}"
        )
        for note in filter(None, (result.error, result.waiting)):
            click.echo(note, err=True)
    context.exit(0 if result.ok else 1)


@group.command("adopt")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def adopt_command(context: click.Context, as_json: bool) -> None:
    """Take runs that were made without a database up into the catalogue and the chain; every run does so first."""
    from leitstand.cli._options import database
    from leitstand.runbooks.delivering import adopt
    from leitstand.settings import get_settings

    with database() as engine:
        runs = adopt(engine, get_settings())
    if as_json:
        click.echo(json.dumps({"runs": [asdict(run) for run in runs]}))
    else:
        for run in runs:
            click.echo(f"{run.run_id}  {run.name:<28} {run.waiting or 'taken up'}")
        click.echo("nothing waits" if not runs else "", nl=not runs)
    context.exit(1 if any(run.waiting for run in runs) else 0)


@group.command("audit")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def audit_command(context: click.Context, as_json: bool) -> None:
    """Verify the chain of evidence, in the database and in the store; exit 1 when anything in it was changed."""
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction
    from leitstand.runbooks.audit import audit
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        found = audit(session, get_settings())
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        for problem in found.problems:
            click.echo(str(problem))
        waiting = f"; {found.waiting} runs of this machine wait to be linked" if found.waiting else ""
        click.echo(f"{found.links} links, {len(found.problems)} problems{waiting}")
    context.exit(0 if found.ok else 1)


def _parsed(parameters: tuple[str, ...]) -> dict[str, object]:
    parsed: dict[str, object] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals:
            raise click.BadParameter(f"{parameter!r} is not NAME=VALUE")
        parsed[name.strip()] = value
    return parsed
