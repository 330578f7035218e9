"""What the commands of the embedded environment share: their options, and how they show services."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leitstand.embedded.environment import Environment, locate

if TYPE_CHECKING:
    from leitstand.embedded.state import EnvironmentStatus

COLOURS = {"up": "green", "starting": "yellow", "restarting": "yellow"}
MEBIBYTE = 1024 * 1024
MINUTE, HOUR, DAY = 60, 3600, 86_400


def environment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --data-dir and --port."""
    command = click.option("--port", type=int, help="First port (default: as started before, else 8400).")(
        command
    )
    folder = click.Path(path_type=Path, file_okay=False)
    return click.option("--data-dir", type=folder, help="Folder of everything it writes (default: var).")(
        command
    )


def chosen(data_dir: Path | None, port: int | None) -> Environment:
    """The environment that the options name."""
    return locate(data_dir, port)


def adopt(environment: Environment) -> None:
    """Make this process one of the environment, for core functions that read the settings themselves."""
    import os

    from leitstand.settings import get_settings

    os.environ.update(environment.variables())
    get_settings.cache_clear()


def table(status: "EnvironmentStatus") -> str:
    """Services, addresses and states as people read them, then what they cost and how the last start went."""
    rows = [("SERVICE", "ADDRESS", "STATE", "UP FOR", "MEMORY", "")]
    for service in status.services:
        memory = f"{service.memory_bytes / MEBIBYTE:,.0f} MB" if service.memory_bytes else ""
        rows.append(
            (service.name, service.address, service.state, _duration(service.seconds), memory, service.detail)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join([*(_line(row, widths) for row in rows), "", *_figures(status)])


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if column >= 3 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=False))
    ]
    if row[0] != "SERVICE":
        cells[2] = click.style(cells[2], fg=COLOURS.get(row[2], "red"))
    return "  ".join([*cells, row[5]]).rstrip()


def _figures(status: "EnvironmentStatus") -> list[str]:
    lines = [f"memory of everything: {status.memory_bytes / MEBIBYTE:,.0f} MB"] if status.memory_bytes else []
    if last := status.last_start:
        lines.append(f"last {last['kind']} start: {last['seconds']:g} s to ready ({last['at']})")
    return lines


def _duration(seconds: int) -> str:
    if not seconds:
        return ""
    if seconds < MINUTE:
        return f"{seconds} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    return f"{seconds // HOUR} h" if seconds < DAY else f"{seconds // DAY} d"
