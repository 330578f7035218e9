"""What runs when, as the schedules file says it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Schedule:
    """One flow that is started by the clock (cron in a zone) or by hand (no cron)."""

    name: str
    description: str
    cron: str
    zone: str


def schedules(path: Path) -> list[Schedule]:
    """The schedules of the file, in its order; none where it can't be read: sending them to Prefect says why."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    entries = document.get("deployment", [])
    return (
        [_schedule(entry) for entry in entries if isinstance(entry, dict)]
        if isinstance(entries, list)
        else []
    )


def _schedule(entry: dict[str, object]) -> Schedule:
    cron, zone = str(entry.get("cron") or ""), str(entry.get("zone") or "UTC")
    return Schedule(str(entry.get("name", "")), str(entry.get("description", "")), cron, zone)
