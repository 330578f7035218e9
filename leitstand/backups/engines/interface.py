"""What a backup engine of PostgreSQL does, and what its callers may rely on.

An engine copies a server, archives its log, and brings both back. All else is common to all engines and not theirs:
the catalogue, locks, retention, choosing a backup and its level, the target folder, the configuration of recovery,
drills. `tests/integration/backups/contract.py` is what every engine has to pass.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from leitstand.backups.retention import LogNeed
from leitstand.backups.work import Job, Outcome, Progress
from leitstand.settings import Settings

FULL, DIFFERENTIAL, INCREMENTAL = "full", "differential", "incremental"
LEVELS = (FULL, DIFFERENTIAL, INCREMENTAL)
# What every manifest of PostgreSQL has, whoever took it; an engine adds what it needs to find its own again, and, where
# its log is not that of our own archiver, `archive`: `ENGINE:SYSTEM-IDENTIFIER`, as two engines never share an archive.
MANIFEST = (
    "level", "parent_id", "system_identifier", "postgres_version", "segment_bytes", "archive_mode",
    "timeline", "start_lsn", "stop_lsn", "start_segment", "content",
)  # fmt: skip
Manifest = dict[str, Any]
Chain = Sequence[Manifest]
"""A full backup and the increments after it, oldest first; the last is the one that is meant."""


@dataclass(frozen=True)
class Archived:
    """One file of an archived log: its name, and when it was stored."""

    name: str
    modified: datetime


@dataclass
class LogRemoval:
    """What became of the log of one cluster.

    Args:
        archive: system identifier, after `ENGINE:` where the log is not that of our own archiver.
        removed, bytes: files, and what was freed.
        locked, why: files that the store keeps, and until when, in words.
        left: files that are still there.
        gap: the first segment that is missing in what stays; empty when none is.
        archived_at: when the newest was archived.
    """

    archive: str
    removed: int = 0
    bytes: int = 0
    locked: int = 0
    why: str = ""
    left: int = 0
    gap: str = ""
    archived_at: datetime | None = None

    def to_dict(self) -> dict[str, object]:
        """JSON values."""
        return {**vars(self), "archived_at": self.archived_at.isoformat() if self.archived_at else None}


class PostgresEngine(Protocol):
    """One engine. It keeps no state: all that it needs is in the settings, the store and the manifests."""

    recorded: str
    """What the catalogue's column `engine` and a manifest's `engine` say of what it took."""

    def take(self, job: Job) -> Outcome:
        """Copy the server behind `job.source`; complete only when it returns.

        `job.level` is what is wanted and `job.chain` what it builds on; where that can't be done it takes a full one
        and says why in `level_reason`. The manifest has what `MANIFEST` names: `parent_id` is that of the chain's
        last or None, `content` has `bytes` (what is unpacked). Nothing that it stores may make a later restore take
        a killed backup for a complete one.

        Raises:
            PreconditionFailed: its program is missing, too old for the server, or refused.
            Unavailable: the store or the server failed, or nothing moved for too long.
        """

    def unpack(self, settings: Settings, chain: Chain, target: Path, say: Progress) -> None:
        """Everything of the chain's last backup in `target`, an empty folder, every byte checked; the server can start on it.

        Raises:
            IntegrityFailed: something is not what was stored, or gone; the message names the backup.
            PreconditionFailed: no key opens it.
        """

    def check(self, settings: Settings, chain: Chain, scratch: Path, say: Progress) -> dict[str, object]:
        """Whether the chain is what was stored, every byte; gives what was looked at, by name. Raises as `unpack`.

        Args:
            scratch: an empty folder, removed afterwards.
        """

    def needed_bytes(self, chain: Chain) -> int:
        """Bytes that `unpack` takes on the disk at most, also while it works."""

    def not_stored(self, settings: Settings, manifest: Manifest) -> list[str]:
        """What of one backup the store lacks or has in another size, as names for people; quick, reads no content."""

    def opens(self, settings: Settings, manifest: Manifest) -> bool:
        """Whether a key of this machine opens it."""

    def remove(self, settings: Settings, manifest: Manifest) -> int:
        """Remove what lies outside of the backup's own prefix, which its caller empties; may be repeated. Gives the bytes."""

    def tidy(self, job: Job) -> None:
        """Put right what killed backups left outside of their own prefixes; called before `take`, under the lock."""

    def archive_command(self, settings: Settings) -> str:
        """The server's `archive_command`, which ends with 0 only when the file is durable; writes what the command reads."""

    def restore_command(self, settings: Settings, folder: Path, manifest: Manifest) -> str:
        """The server's `restore_command` after a backup was unpacked; writes what it reads into `folder`, which goes when recovery has ended.

        It ends with 1 when the archive has no such file, and with more than 125 when anything else is wrong, so that
        recovery never takes a failing store for the end of the log.
        """

    def archived(self, settings: Settings, system_id: str) -> Iterator[Archived]:
        """The archived files of a cluster, ordered by timeline and name: segments, histories, labels."""

    def remove_log(
        self, settings: Settings, need: LogNeed, *, segment_bytes: int, check: Callable[[], None]
    ) -> LogRemoval:
        """Remove what `need` does not name, oldest first.

        Args:
            check: called now and then; raises where another may have taken over this work.
        """
