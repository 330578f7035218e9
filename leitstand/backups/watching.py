"""Looks after the archived log: where a segment is missing since the newest backup, a new one is taken at once.

PostgreSQL never drops a segment that it could not archive. A hole comes from elsewhere: a rule of the bucket, a person,
a lost disk. From then on the newest backup restores no instant after the hole, and only another backup mends that.
"""

from dataclasses import dataclass

from sqlalchemy import Engine

from leitstand.backups.archived_log import missing_log
from leitstand.backups.catalogue import newest_complete
from leitstand.backups.engines.interface import FULL
from leitstand.backups.operations import run_backup
from leitstand.backups.work import Progress
from leitstand.db.engine import transaction
from leitstand.errors import Conflict
from leitstand.settings import Settings
from leitstand.storage.objects import ObjectStorage
from leitstand.telemetry.logs import get_logger

log = get_logger("backups")


@dataclass(frozen=True)
class LogWatched:
    """What was found: the first missing segment (empty: none), since which backup, and the backup taken for it."""

    gap: str = ""
    since: str = ""
    taken: str = ""

    @property
    def says(self) -> str:
        """One sentence."""
        if not self.gap:
            return "The archived log has no gap since the newest backup."
        return (
            f"The archived log lacks {self.gap}: from backup {self.since} nothing after it can be restored."
            f" {f'Backup {self.taken} was taken at once.' if self.taken else 'A backup is being taken already.'}"
        )


def watch_log(engine: Engine, settings: Settings, *, progress: Progress | None = None) -> LogWatched:
    """Find a hole in the log since the newest backup, and take a new backup when there is one.

    Raises:
        LeitstandError: as the store and the backup say.
    """
    with transaction(engine) as session:
        newest = newest_complete(session, "postgres")
    if newest is None or "start_segment" not in newest.manifest:
        return LogWatched()
    gap = missing_log(ObjectStorage(settings), settings.bucket_backups, newest.manifest)
    if not gap:
        return LogWatched()
    log.error("the archived log has a gap", segment=gap, backup=str(newest.id))
    try:
        taken = str(run_backup(engine, settings, "postgres", level=FULL, progress=progress).id)
    except Conflict:
        taken = ""
    return LogWatched(gap, str(newest.id), taken)
