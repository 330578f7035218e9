"""leitstand runbook: the notebooks for emergencies, run with parameters and archived."""

import json
from dataclasses import asdict
from typing import Any

import click

from leitstand.cli._runbooks import (
    is_id,
    parsed,
    run_line,
    show_result,
    show_run,
    show_text,
    typed_target,
)


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
    values = parsed(parameters)
    confirmed = typed_target(values, confirmed)
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
    show_result(result, as_json=as_json)
    context.exit(0 if result.ok else 1)


@group.command("resume")
@click.argument("run_id")
@click.option("--yes", "confirmed", default="", metavar="NAME", help="As for `run`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.pass_context
def resume(context: click.Context, run_id: str, confirmed: str, as_json: bool) -> None:
    """Go on with a run that was interrupted or failed, with its parameters; the target's name is typed again."""
    from leitstand.cli._identity import at_the_terminal
    from leitstand.cli._options import database
    from leitstand.cli._progress import told
    from leitstand.runbooks.resuming import find_earlier, resume_runbook
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    settings = get_settings()
    with database() as engine:
        earlier = find_earlier(engine, settings, run_id)
        confirmed = typed_target(earlier.parameters, confirmed)
        who = at_the_terminal()
        result = resume_runbook(
            engine, settings, earlier.run_id, confirmed=confirmed, requested_by=who, progress=told()
        )
    show_result(result, as_json=as_json)
    context.exit(0 if result.ok else 1)


@group.command("runs")
@click.option("--name", default="", help="Only runs of this runbook.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def runs_command(name: str, limit: int, as_json: bool) -> None:
    """The runs of runbooks, newest first, with who ran and who signed them."""
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction
    from leitstand.runbooks.runs import list_runs

    with database() as engine, transaction(engine) as session:
        found = list_runs(session, name=name, limit=limit)
    if as_json:
        click.echo(json.dumps({"runs": [run.to_dict() for run in found]}))
        return
    for run in found:
        click.echo(run_line(run))


@group.command("show")
@click.argument("what", metavar="NAME|RUN_ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def show(what: str, as_json: bool) -> None:
    """The text and the parameters of a runbook, or one run: its steps, checks, figures, evidence and signatures."""
    from leitstand.errors import NotFound
    from leitstand.runbooks.library import RUNBOOKS, find
    from leitstand.settings import get_settings

    try:
        notebook = find(get_settings(), RUNBOOKS, what)
    except NotFound:
        if not is_id(what):
            raise
        show_run(what, as_json=as_json)
        return
    show_text(notebook, as_json=as_json)


@group.command("sign")
@click.argument("run_id")
@click.option("--note", required=True, help="What you looked at, and what is left to do.")
@click.option("--alone", is_flag=True, help="You ran it and there is nobody else: the signature says so.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def sign_command(run_id: str, note: str, alone: bool, as_json: bool) -> None:
    """Sign a run off, after its evidence was read: by somebody else than who ran it."""
    from leitstand.cli._identity import at_the_terminal
    from leitstand.cli._options import database
    from leitstand.db.engine import transaction
    from leitstand.runbooks.signing import sign
    from leitstand.settings import get_settings

    with database() as engine, transaction(engine) as session:
        link = sign(session, get_settings(), run_id, signer=at_the_terminal(), note=note, alone=alone)
    if as_json:
        click.echo(json.dumps(link.to_dict()))
        return
    eyes = "by somebody else" if link.content["four_eyes"] else "by who ran it, with nobody else there"
    click.echo(f"signed by {link.content['signer']}, {eyes}\nlink {link.sequence}  {link.sha256}")


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


@group.command("lab")
@click.option(
    "--port", type=click.IntRange(1024, 65535), help="Instead of the environment's own port for it."
)
def lab_command(port: int | None) -> None:
    """Open JupyterLab on copies of the runbooks and on the catalogue, to read and to try; Ctrl-C ends it."""
    from leitstand.embedded.programs import allowed_hosts
    from leitstand.runbooks.lab import prepare, serve
    from leitstand.settings import get_settings
    from leitstand.telemetry.logs import configure_logging

    configure_logging("cli", "WARNING")
    settings = get_settings()
    lab = prepare(settings, port or 0)
    for path in lab.kept:
        click.echo(f"kept what you changed: {path}")

    def ready() -> None:
        click.echo(f"JupyterLab:  {lab.address}\nits token:   {lab.token}\nCtrl-C ends it.")

    serve(settings, lab, hosts=allowed_hosts(settings.public_url), ready=ready)
