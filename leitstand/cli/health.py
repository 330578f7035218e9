"""leitstand health: the state of every service."""

import json
import sys

import click

from leitstand.telemetry.logs import configure_logging

MARKS = {"up": "green", "degraded": "yellow", "down": "red"}


@click.command(name="health")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def group(as_json: bool) -> None:
    """Ask every service how it is; exit code 1 when any is not up."""
    from leitstand.db.engine import get_engine
    from leitstand.health.overview import UP, overview
    from leitstand.settings import get_settings

    configure_logging("cli", "ERROR")
    states = overview(get_engine(), get_settings())
    healthy = all(state.state == UP for state in states)
    if as_json:
        click.echo(json.dumps({"ok": healthy, "services": [state.to_dict() for state in states]}))
    else:
        for state in states:
            mark = click.style(f"{state.state:<9}", fg=MARKS[state.state])
            click.echo(
                f"{state.name:<15} {mark} {state.milliseconds:>6.0f} ms  {state.address:<28} {state.detail}"
            )
    sys.exit(0 if healthy else 1)
