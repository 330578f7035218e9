"""The releases of an embedded environment: checkouts of the repository, of which one runs on the data folder."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from leitstand.embedded import processes
from leitstand.embedded.environment import Environment
from leitstand.embedded.supervisor import NAME, PYTHON, SOCKET
from leitstand.errors import LeitstandError, NotFound, Unavailable
from leitstand.runbooks.installed import commit_of
from leitstand.services import MARK
from leitstand.words import msg

START_SECONDS = 900
SAID_SHOWN = 1_500
VERSION = re.compile(r"""^__version__ = ["']([^"']+)["']""", re.MULTILINE)
ACCEPTED = "accepted_schema"
PREFIX = "LEITSTAND_"
# A notebook asks programs for colours, which are noise in a table.
COLOURED = {"FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR"}
# What a start sets for the processes of that very release.
ITS_OWN = {MARK, PYTHON, SOCKET, "LEITSTAND_REPOSITORY"}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Release:
    """One checkout.

    Args:
        commit: `unknown` where it is no git checkout.
    """

    folder: Path
    version: str
    commit: str

    def __str__(self) -> str:
        return f"{self.folder} ({self.version}, commit {self.commit[:12]})"

    @property
    def python(self) -> Path:
        """Its interpreter: that of its own packages, or, where it has none yet, the one that runs now."""
        own = self.folder / ".venv" / "bin" / "python"
        return own if own.exists() else Path(sys.executable)

    def accepts_newer_schema(self) -> bool:
        """Whether this release starts on a schema that somebody has accepted for it."""
        source = self.folder / "leitstand" / "embedded" / "releases.py"
        return source.exists() and f'ACCEPTED = "{ACCEPTED}"' in source.read_text()


def release(folder: Path) -> Release:
    """The release in a folder.

    Raises:
        NotFound: it holds none.
    """
    folder = folder.expanduser().resolve()
    try:
        found = VERSION.search((folder / "leitstand" / "__init__.py").read_text())
    except OSError:
        found = None
    if found is None or not (folder / "run").exists():
        raise NotFound(
            msg("{folder} is no checkout of this product.", folder=folder),
            hint="Give the folder that holds ./run.",
        )
    try:
        commit = commit_of(folder)
    except LeitstandError:
        commit = UNKNOWN
    return Release(folder, found[1], commit)


def running(environment: Environment) -> Release | None:
    """The release whose supervisor runs the environment; None where none does."""
    import psutil

    known = {one.name: one for one in processes.known(environment.pids_dir) if one.alive()}
    if NAME not in known:
        return None
    try:
        folder = psutil.Process(known[NAME].pid).environ().get("LEITSTAND_REPOSITORY", "")
        return release(Path(folder)) if folder else None
    except (psutil.Error, NotFound):
        return None


def variables_of(environment: Environment) -> dict[str, str]:
    """The settings that were given as variables when what runs was started; empty where nothing runs. They may be secret."""
    import psutil

    known = {one.name: one for one in processes.known(environment.pids_dir) if one.alive()}
    try:
        found = psutil.Process(known[NAME].pid).environ() if NAME in known else {}
    except psutil.Error:
        return {}
    return {name: value for name, value in found.items() if name.startswith(PREFIX) and name not in ITS_OWN}


def start(found: Release, environment: Environment, variables: dict[str, str]) -> str:
    """Start a release on the environment's data folder, and wait until every service is ready; gives what it said.

    A start that took too long on a busy machine goes on; the second try waits for what the first has started.

    Raises:
        Unavailable: it does not come up.
    """
    plain = {name: value for name, value in variables.items() if name not in COLOURED}
    own = {**plain, **environment.variables(), "PYTHONPATH": str(found.folder), "NO_COLOR": "1"}
    first = _up(found, own)
    done = first if first.returncode == 0 else _up(found, own)
    if done.returncode:
        raise Unavailable(
            msg("{found} does not come up: {said}", found=found, said=done.stderr[-SAID_SHOWN:].strip()),
            hint="See ./run logs NAME.",
        )
    return done.stderr


def _up(found: Release, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    argv = [str(found.python), "-P", "-m", "leitstand", "up", "--detach"]
    try:
        return subprocess.run(
            argv,
            cwd=found.folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            msg("{found} does not come up in {start_seconds} s.", found=found, start_seconds=START_SECONDS),
            hint="See ./run status.",
        ) from error
