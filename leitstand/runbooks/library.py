"""The notebooks that can be run: restore drills (dr…) and runbooks (rb…), by the name behind their number."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from leitstand.errors import NotFound
from leitstand.settings import Settings
from leitstand.words import msg

DRILLS, RUNBOOKS = "restore-drills", "runbooks"
FILE = re.compile(r"(?P<number>(?:dr|rb)\d{3})-(?P<name>[a-z0-9-]+)")


@dataclass(frozen=True)
class Notebook:
    """One notebook.

    Args:
        number: as `dr010`.
        name: what commands call it, as `postgres-latest`.
        title: its first heading.
    """

    number: str
    name: str
    title: str
    path: Path

    @property
    def short_title(self) -> str:
        """The title without the word for what it is."""
        text = self.title.removeprefix("Runbook: ").removeprefix("Restore drill: ")
        return text[:1].upper() + text[1:]

    @property
    def file_name(self) -> str:
        return self.path.stem


def notebooks(settings: Settings, folder: str) -> list[Notebook]:
    """The notebooks of a folder, by number."""
    found = []
    for path in sorted((settings.notebooks_dir / folder).glob("*.ipynb")):
        if match := FILE.fullmatch(path.stem):
            found.append(
                Notebook(match["number"], match["name"], _title(path, path.stat().st_mtime_ns), path)
            )
    return found


def titles(settings: Settings) -> dict[str, str]:
    """What drills and runbooks are called, by the name that a run has of them."""
    return {one.name: one.short_title for folder in (DRILLS, RUNBOOKS) for one in notebooks(settings, folder)}


def find(settings: Settings, folder: str, name: str) -> Notebook:
    """One notebook by name, number or both.

    Raises:
        NotFound: there is none; the hint lists those that are.
    """
    known = notebooks(settings, folder)
    for notebook in known:
        if name in {notebook.name, notebook.number, notebook.file_name}:
            return notebook
    raise NotFound(
        msg("There is no {name!r}.", name=name),
        hint=msg("Known: {name}.", name=", ".join(notebook.name for notebook in known) or "none"),
    )


@lru_cache(maxsize=64)
def _title(path: Path, changed: int) -> str:
    import json

    for cell in json.loads(path.read_text()).get("cells", []):
        for line in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("# "):
                return line.removeprefix("# ").strip()
    return path.stem
