"""Progress of long work: lines on standard error, each with the time that has passed."""

import time
from collections.abc import Callable

import click


def told() -> Callable[[str], None]:
    """A function that prints what it is told, with the seconds since this call."""
    began = time.monotonic()

    def tell(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {line}", err=True)

    return tell
