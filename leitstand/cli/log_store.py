"""leitstand log-store: the logs of all containers in one place."""

from pathlib import Path

import click

from leitstand.telemetry.log_store import LogStore, run


@click.group(name="log-store")
def group() -> None:
    """The logs of all containers in one place; `leitstand logs --request ID` looks into it."""


@group.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--store", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File that holds them."
)
@click.option("--port", default=8000, show_default=True, help="Port of /metrics.")
def collect(folder: Path, store: Path, port: int) -> None:
    """Take in what containers (or services) write under FOLDER, until it is ended."""
    run(LogStore(store), folder, port=port)
