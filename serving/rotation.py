"""Whether the proxy is to send requests to this process: no longer, while a release drains its colour or it is to end.

The proxy asks /proxyz every second. A process leaves the rotation first and ends afterwards, so that no request meets
a port that nobody listens on.
"""

from pathlib import Path

from leitstand.settings import get_settings

_ending = False


def end_soon() -> None:
    """From now on this process leaves the rotation, for good."""
    global _ending  # noqa: PLW0603 - one process, one fate
    _ending = True


def leaves() -> str:
    """Why nothing more is to be sent here; empty where it is."""
    if _ending:
        return "ending"
    settings = get_settings()
    drained = settings.state_dir and settings.colour
    return "drained" if drained and (Path(settings.state_dir) / f"{settings.colour}.drain").exists() else ""
