"""The server that is released on: its folder, and how careful a release is there."""

from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3


@dataclass(frozen=True)
class Site:
    """One server.

    Args:
        folder: holds the Compose files, `.env`, `secrets/`, `state/` and, written here, `releases/`.
        environment: `staging` or `production`; production takes only what has passed staging.
        repository: the one repository whose images are taken; empty: any.
        staging_key: public key (Ed25519, hexadecimal) by which production knows what staging has passed.
        free_bytes: disk space that must be free before an image is pulled.
        ready_seconds: longest wait for the new colour.
        settle_seconds: longest wait for the proxy to notice that a colour came or went.
        drain_seconds: time that requests under way get after a colour has left the rotation.
        observe_seconds: how long the new colour is watched before the old one is stopped.
        poll_seconds: between two looks.
        error_share: share of answers by 5xx above which the release is rolled back.
        slow_share: share of answers that take more than a second above which it is.
        fewest: requests below which a share says nothing.
        backup_hours: age of the newest whole backup of PostgreSQL above which nothing is released.
        proof_hours: the same of the last restore that was proven.
    """

    folder: Path
    environment: str
    repository: str = ""
    staging_key: str = ""
    free_bytes: int = 3 * GIB
    ready_seconds: float = 120
    settle_seconds: float = 20
    drain_seconds: float = 3
    observe_seconds: float = 300
    poll_seconds: float = 5
    error_share: float = 0.01
    slow_share: float = 0.05
    fewest: int = 20
    backup_hours: float = 26
    proof_hours: float = 26

    @property
    def releases(self) -> Path:
        """The journals, the lock and what is current."""
        return self.folder / "releases"

    @property
    def state(self) -> Path:
        """What the services and the proxy see of a release: who drains, and whether there is maintenance."""
        return self.folder / "state"
