"""leitstand watching: what Prometheus and Alertmanager are told of this environment."""

from pathlib import Path

import click

from leitstand.health.watching import configure as write
from leitstand.settings import get_settings


@click.group(name="watching")
def group() -> None:
    """Prometheus and Alertmanager beside this environment."""


@group.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--owner", type=int, help="Number of the user that the files are given to.")
def configure(folder: Path, owner: int | None) -> None:
    """Write alertmanager.yml and sites.json, made from the settings, into FOLDER (mode 0600)."""
    for path in write(get_settings(), folder, owner=owner):
        click.echo(str(path))
