"""leitstand up: start the whole environment on this machine."""

import json
import signal
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from leitstand.cli._environment import chosen, environment_options, table

if TYPE_CHECKING:
    from leitstand.embedded.environment import Environment
    from leitstand.embedded.owner import Owner
    from leitstand.embedded.progress import Tell
    from leitstand.embedded.state import EnvironmentStatus

OWNER_EMAIL = "owner@leitstand.local"
WATCH_SECONDS = 2.0


@click.command(name="up")
@environment_options
@click.option("--detach", is_flag=True, help="Return when everything is ready; ./run down stops it.")
@click.option(
    "--owner-email", default=OWNER_EMAIL, show_default=True, help="Of the first owner, in a new environment."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end (with --detach).")
def group(data_dir: Path | None, port: int | None, detach: bool, owner_email: str, as_json: bool) -> None:
    """Start PostgreSQL, object storage and every service, and fill a new environment with a demo workspace.

    A second call changes nothing. Without --detach it stays, shows what changes, and stops everything at Ctrl-C.
    """
    from leitstand.embedded.progress import Terminal
    from leitstand.embedded.start import up
    from leitstand.embedded.state import status

    if as_json and not detach:
        raise click.UsageError("--json needs --detach.")
    environment, tell, owners = chosen(data_dir, port), Terminal(), []

    def keep(owner: "Owner") -> None:
        owners.append(owner)

    try:
        started = up(environment, owner_email=owner_email, tell=tell, on_owner=keep)
    finally:
        if owners and not as_json:
            _show_owner(environment, owners[0])
    now = status(environment)
    if as_json:
        click.echo(json.dumps(_document(now, started.changed, started.seconds, owners)))
        return
    click.echo(table(now))
    click.echo(
        f"\nEverything is ready ({started.seconds:.1f} s). Open {environment.base_url}"
        if started.changed
        else f"\nEverything was up already. Open {environment.base_url}"
    )
    if started.changed and not detach:
        watch(environment, tell)


def _show_owner(environment: "Environment", owner: "Owner") -> None:
    click.echo(f"\nSign in at {environment.base_url} as {owner.email}")
    click.echo(
        f"with the password {click.style(owner.password, bold=True)}  (shown only now; change it in your profile)\n"
    )


def _document(
    now: "EnvironmentStatus", changed: bool, seconds: float, owners: "list[Owner]"
) -> dict[str, Any]:
    owner = {"email": owners[0].email, "password": owners[0].password} if owners else None
    return now.to_dict() | {"changed": changed, "seconds": round(seconds, 1), "owner": owner}


def watch(environment: "Environment", tell: "Tell") -> None:
    """Show changes until told to stop, then stop everything; also when the terminal goes away."""
    from leitstand.embedded.stop import down

    click.echo("Ctrl-C stops everything.")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _follow(environment, tell)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        click.echo("\nStopping…", err=True)
        down(environment, tell)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _follow(environment: "Environment", tell: "Tell") -> None:
    from leitstand.embedded.state import status

    known: dict[str, str] = {}
    while True:
        now = status(environment)
        for service in now.services:
            if known.get(service.name, "up") != service.state:
                tell.note(f"{time.strftime('%H:%M:%S')} {service.name}: {service.state} {service.detail}")
            known[service.name] = service.state
        if not now.supervised:
            tell.note(
                "The environment is no longer supervised: stopped from elsewhere, or ./run up recovers it."
            )
            return
        time.sleep(WATCH_SECONDS)
