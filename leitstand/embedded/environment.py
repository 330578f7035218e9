"""Where one embedded environment lives: its folders, its port, its secrets, and what it remembers.

Everything here is read by `./run up` and `./run status`, which answer within two seconds, so this module
imports nothing heavy.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leitstand.errors import Conflict, InvalidInput, PreconditionFailed
from leitstand.machine_lock import alone
from leitstand.services import Service
from leitstand.words import msg

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DEFAULT_DATA_DIR = REPOSITORY / "var"
DEFAULT_PORT = 8400
LOWEST_PORT, HIGHEST_PORT = 1024, 45_000
MEMORY_FILE = "environment.json"
SECRET_PREFIX = "leitstand_"  # noqa: S105 - the beginning of a file name


@dataclass(frozen=True)
class Environment:
    """One embedded environment.

    Args:
        data_dir: absolute folder under which it writes everything.
        port: first port; `leitstand.services` counts from it.
    """

    data_dir: Path
    port: int

    @property
    def secrets_dir(self) -> Path:
        return self.data_dir / "secrets"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def pids_dir(self) -> Path:
        return self.data_dir / "pids"

    @property
    def postgres_dir(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def objects_dir(self) -> Path:
        return self.data_dir / "objects"

    @property
    def prefect_dir(self) -> Path:
        return self.data_dir / "prefect"

    @property
    def base_url(self) -> str:
        """Address that people type."""
        return f"http://127.0.0.1:{self.port}"

    def port_of(self, service: Service) -> int:
        """Port of a service."""
        return self.port + service.offset

    def address_of(self, service: Service) -> str:
        """host:port of a service."""
        return f"127.0.0.1:{self.port_of(service)}"

    def log_of(self, name: str) -> Path:
        """The log file of a service (or of the supervisor)."""
        return self.logs_dir / f"{name}.log"

    def secret(self, name: str) -> str:
        """The secret setting `name`.

        Raises:
            PreconditionFailed: its file is missing.
        """
        try:
            return (self.secrets_dir / f"{SECRET_PREFIX}{name}").read_text().strip()
        except FileNotFoundError as error:
            raise PreconditionFailed(
                msg(
                    "The secret {name} is missing in {secrets_dir}.", name=name, secrets_dir=self.secrets_dir
                ),
                hint="Run ./run up, which makes what is missing.",
            ) from error

    def variables(self) -> dict[str, str]:
        """Environment variables that make any Leitstand process belong to this environment (nothing secret)."""
        return {
            "LEITSTAND_DATA_DIR": str(self.data_dir),
            "LEITSTAND_PORT": str(self.port),
            "PYTHONPATH": str(REPOSITORY),
        }

    def recall(self) -> dict[str, Any]:
        """What the environment remembers of itself; empty when it is new."""
        return _recall(self.data_dir)

    def remember(self, **facts: object) -> None:
        """Add to what the environment remembers; a reader sees the old or the new, never a part."""
        known = self.recall() | {"port": self.port} | facts
        write_private(self.data_dir / MEMORY_FILE, json.dumps(known, indent=2) + "\n")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Only one `up` or `down` at a time works on an environment.

        Raises:
            Conflict: another one is at work.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone(self.data_dir / "up.lock") as free:
            if not free:
                raise Conflict(
                    msg("Another ./run up or ./run down is at work on {data_dir}.", data_dir=self.data_dir),
                    hint="Wait for it to end, then try again.",
                )
            yield


def locate(data_dir: Path | None = None, port: int | None = None) -> Environment:
    """The environment that is meant: folder and port by option, else by variable, else as remembered, else by default.

    Args:
        data_dir: else LEITSTAND_DATA_DIR, else `var` in the repository.
        port: else LEITSTAND_PORT, else the one that the folder's environment.json remembers, else 8400.

    Raises:
        InvalidInput: the port is no number within 1024…45000.
    """
    folder = data_dir or Path(os.environ.get("LEITSTAND_DATA_DIR") or DEFAULT_DATA_DIR)
    folder = Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100 - links stay as they were typed
    chosen = (
        port
        if port is not None
        else os.environ.get("LEITSTAND_PORT") or _recall(folder).get("port", DEFAULT_PORT)
    )
    try:
        number = int(chosen)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            msg("The port {chosen!r} is no number.", chosen=chosen),
            hint="Set LEITSTAND_PORT or --port to a number.",
        ) from error
    if not LOWEST_PORT <= number <= HIGHEST_PORT:
        raise InvalidInput(
            msg("The port {number} is out of range.", number=number),
            hint=msg(
                "Choose one from {lowest_port} to {highest_port}.",
                lowest_port=LOWEST_PORT,
                highest_port=HIGHEST_PORT,
            ),
        )
    return Environment(folder, number)


def _recall(data_dir: Path) -> dict[str, Any]:
    try:
        known = json.loads((data_dir / MEMORY_FILE).read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}
    return known if isinstance(known, dict) else {}


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
