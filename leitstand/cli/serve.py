"""leitstand serve: be one service, in the foreground of a container."""

import os

import click

from leitstand.containers.programs import NAMES, program
from leitstand.containers.tasks import TASKS


@click.command(name="serve")
@click.argument("name", type=click.Choice([*NAMES, *TASKS]))
def group(name: str) -> None:
    """Become the service NAME until told to stop: what the containers of deploy/compose.yaml execute.

    `migrate` and `archive` are done when they end: the one makes roles, databases, schema and buckets, the other writes
    what PostgreSQL archives its log with.
    """
    from leitstand.settings import load_settings

    settings = load_settings()
    if name in TASKS:
        TASKS[name](settings)
        return
    argv, variables = program(name, settings)
    os.umask(0o077)
    os.execvpe(argv[0], argv, {**os.environ, **variables})  # noqa: S606 - argv is a list and no shell reads it
