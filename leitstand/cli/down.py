"""leitstand down: stop the environment of this machine."""

from pathlib import Path

import click

from leitstand.cli._environment import chosen, environment_options


@click.command(name="down")
@environment_options
def group(data_dir: Path | None, port: int | None) -> None:
    """Stop every service in order and wait until all have ended; works on what is left of a broken one too."""
    from leitstand.embedded.progress import Terminal
    from leitstand.embedded.stop import down

    environment = chosen(data_dir, port)
    stopped = environment.data_dir.exists() and down(environment, Terminal())
    click.echo("Everything is stopped." if stopped else "Nothing was running.")
