"""What runs on a server: which colour serves on which image, and what it was before."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from leitstand.releases.files import write_durably

FILE = "current.json"


@dataclass(frozen=True)
class Current:
    """What serves.

    Args:
        release: the release that brought it.
        previous: image that served before; empty: none. back: whether it can be brought back.
    """

    colour: str
    image: str
    release: str
    since: str
    previous: str = ""
    back: bool = True


def current(folder: Path) -> Current | None:
    """What serves, as the last release that ended has written it; None: nothing ever was."""
    try:
        return Current(**json.loads((folder / FILE).read_text()))
    except FileNotFoundError:
        return None


def set_current(folder: Path, now: Current) -> None:
    """Write down what serves."""
    write_durably(folder / FILE, json.dumps(asdict(now)))
