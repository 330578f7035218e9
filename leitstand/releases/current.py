"""What runs on a server: which colour serves on which image, and what it was before."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from leitstand.releases.files import write_durably
from leitstand.releases.host import COLOURS, Host
from leitstand.releases.site import Site

FILE = "current.json"


@dataclass(frozen=True)
class Current:
    """What serves.

    Args:
        release: the release that brought it; empty: none, it was started by hand.
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


def serving_now(site: Site, host: Host) -> Current | None:
    """What serves: as it is written down, or, where the services were started by hand, as the machine says.

    Where both colours run, the first is taken for the one that serves: a release exchanges the other.
    """
    known = current(site.releases)
    if known:
        return known
    running = host.running()
    colour = next((one for one in COLOURS if one in running), None)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Current(colour, running[colour], "", since) if colour else None


def set_current(folder: Path, now: Current) -> None:
    """Write down what serves."""
    write_durably(folder / FILE, json.dumps(asdict(now)))
