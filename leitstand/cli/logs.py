"""leitstand logs: what a service of this machine's environment wrote."""

import json
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import click

from leitstand.cli._environment import chosen
from leitstand.errors import InvalidInput, NotFound
from leitstand.settings import get_settings
from leitstand.telemetry.log_store import LogStore, find_in

LINES = 100
POLL_SECONDS = 0.3


@click.command(name="logs")
@click.argument("name", required=False)
@click.option(
    "--request", "request_id", help="Everything that was written for this request, across services."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is added.")
@click.option("-n", "--lines", default=LINES, show_default=True, help="How many of the last lines.")
def group(name: str | None, request_id: str | None, as_json: bool, follow: bool, lines: int) -> None:
    """Show the last lines of a service's log (or of `supervisor`, or of `deploy`), or all lines of one request."""
    folder = chosen(None, None).logs_dir
    if request_id:
        _show_request(folder, request_id, as_json)
        return
    if name is None:
        raise InvalidInput("Whose log?", hint="Name a service, or a request: leitstand logs --request ID.")
    path = folder / f"{name}.log"
    names = sorted(entry.stem for entry in folder.glob("*.log"))
    if name not in names:
        known = ", ".join(names) or "none yet; start the environment with ./run up"
        raise NotFound(f"There is no log of {name!r}.", hint=f"Logs are: {known}.")
    with path.open(errors="replace") as stream:
        for line in deque(stream, maxlen=lines):
            click.echo(line, nl=False)
        position = stream.tell()
    if follow:
        _follow(path, position)


def _show_request(folder: Path, request_id: str, as_json: bool) -> None:
    store = get_settings().log_store
    found = LogStore(Path(store)).find(request_id) if store else find_in(folder, request_id)
    if as_json:
        click.echo(json.dumps([line.to_dict() for line in found], ensure_ascii=False))
        return
    if not found:
        raise NotFound(f"No log has a line of the request {request_id!r}.")
    for line in found:
        at = datetime.fromtimestamp(line.at, UTC)
        click.echo(f"{at:%Y-%m-%d %H:%M:%S.%f} {line.service:<14} {line.text}")


def _follow(path: Path, position: int) -> None:
    """Show what is added, also after the log was rotated, until interrupted."""
    inode = path.stat().st_ino
    while True:
        time.sleep(POLL_SECONDS)
        if not path.exists():
            continue
        status = path.stat()
        if status.st_ino != inode or status.st_size < position:
            inode, position = status.st_ino, 0
        with path.open(errors="replace") as stream:
            stream.seek(position)
            click.echo(stream.read(), nl=False)
            position = stream.tell()
