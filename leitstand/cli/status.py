"""leitstand status: the services of this machine's environment, their memory, and how the last start went."""

import json
import sys
from pathlib import Path

import click

from leitstand.cli._environment import chosen, environment_options, table


@click.command(name="status")
@environment_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def group(data_dir: Path | None, port: int | None, as_json: bool) -> None:
    """Show every service; exit code 0 only when all are up."""
    from leitstand.embedded.state import status

    now = status(chosen(data_dir, port))
    click.echo(json.dumps(now.to_dict()) if as_json else table(now))
    sys.exit(0 if now.ok else 1)
