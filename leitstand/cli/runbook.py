"""leitstand runbook: the notebooks for emergencies, run with parameters and archived."""

import json
import sys
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
        result = run_runbook(engine, get_settings(), name, values, confirmed=confirmed, progress=told())
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        click.echo(
            f"{'done' if result.ok else 'FAILED'}  {result.seconds:.1f} s\nevidence  {result.notebook}\n          {result.html}"
        )
        click.echo(result.error, err=True, nl=bool(result.error))
    context.exit(0 if result.ok else 1)


def _parsed(parameters: tuple[str, ...]) -> dict[str, object]:
    parsed: dict[str, object] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals:
            raise click.BadParameter(f"{parameter!r} is not NAME=VALUE")
        parsed[name.strip()] = value
    return parsed
