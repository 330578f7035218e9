"""leitstand dev: tools for those who develop or look into an environment on this machine."""

import os
import sys

import click

from leitstand.cli._environment import chosen

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@click.group(name="dev")
def group() -> None:
    """Tools for developers of Leitstand."""


@group.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql on the environment's database (any psql arguments)."""
    from leitstand.db.cluster import bin_dir
    from leitstand.embedded import programs

    environment = chosen(None, None)
    client = programs.cluster(environment).environment() | {"PGUSER": "leitstand", "PGDATABASE": "leitstand"}
    program = str(bin_dir() / "psql")
    os.execve(program, [program, *arguments], client)  # noqa: S606 - no shell reads the arguments


@group.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def prefect(arguments: tuple[str, ...]) -> None:
    """Run Prefect's own command line against the environment's server (any prefect arguments)."""
    from leitstand.embedded import programs

    environment = chosen(None, None)
    variables = programs.inherited(environment) | programs.prefect_variables(environment)
    os.execve(sys.executable, [sys.executable, "-m", "prefect", *arguments], variables)  # noqa: S606


@group.command()
def check() -> None:
    """Check whether this machine is fit for an environment (Python, disk, memory, ports)."""
    from leitstand.embedded import preflight

    preflight.check(chosen(None, None))
    click.echo("This machine is fit for an environment.")


@group.command()
def demo() -> None:
    """Fill the demo workspace again: what is there stays, what was deleted comes back."""
    from leitstand.db.engine import make_engine
    from leitstand.embedded import demo as workspace
    from leitstand.embedded import programs
    from leitstand.embedded.progress import Terminal

    settings = programs.settings_of(chosen(None, None))
    engine = make_engine(settings, statement_timeout_ms=workspace.STATEMENT_TIMEOUT_MS)
    workspace.fill(engine, settings, Terminal().note)
