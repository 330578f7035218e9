"""leitstand logs: what a service of this machine's environment wrote."""

import time
from collections import deque
from pathlib import Path

import click

from leitstand.cli._environment import chosen
from leitstand.errors import NotFound

LINES = 100
POLL_SECONDS = 0.3


@click.command(name="logs")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is added.")
@click.option("-n", "--lines", default=LINES, show_default=True, help="How many of the last lines.")
def group(name: str, follow: bool, lines: int) -> None:
    """Show the last lines of a service's log (or of `supervisor`, or of `deploy`)."""
    folder = chosen(None, None).logs_dir
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
