"""leitstand site: the folder of a server on which Docker Compose runs the services."""

from pathlib import Path

import click


@click.group(name="site")
def group() -> None:
    """The folder of a server on which Docker Compose runs the services."""


@group.command(name="secrets")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def secrets(folder: Path) -> None:
    """Make the secrets, certificates and folders that are missing in FOLDER (as /srv/leitstand); what is there stays."""
    from leitstand.containers.site import ensure

    made = ensure(folder)
    click.echo(f"made: {', '.join(made)}" if made else "everything is there")
