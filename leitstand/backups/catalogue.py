"""What backups and drills there are. The database holds the catalogue; `catalogue/` beside the backups holds a copy."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from leitstand.backups.retention import COMPLETE, MISSING, REMOVING, RUNNING
from leitstand.db.models import Backup, Drill
from leitstand.errors import NotFound
from leitstand.words import msg

__all__ = [
    "COMPLETE", "FAILED", "KINDS", "MISSING", "REMOVED", "REMOVING", "RUNNING",
    "get_backup", "last_proven", "list_backups", "list_drills", "newest_complete",
]  # fmt: skip

KINDS = ("postgres", "objects", "secrets", "dump")
FAILED, REMOVED = "failed", "removed"


def list_backups(
    session: Session, *, kind: str | None = None, limit: int = 50, removed: bool = True
) -> list[Backup]:
    """Backups, newest first, finished or not; `kind` is one of `KINDS`.

    Args:
        removed: also those that retention has removed.
    """
    query = select(Backup).order_by(Backup.started_at.desc(), Backup.id.desc()).limit(limit)
    if not removed:
        query = query.where(Backup.status != REMOVED)
    return list(session.scalars(query.where(Backup.kind == kind) if kind else query))


def get_backup(session: Session, backup_id: UUID | str) -> Backup:
    """One backup by its id, or by a beginning of the id that only one has.

    Raises:
        NotFound: there is none.
    """
    wanted = str(backup_id).lower()
    if not wanted or not all(character in "0123456789abcdef-" for character in wanted):
        raise NotFound(
            msg("{wanted!r} is no id of a backup.", wanted=wanted), hint="`leitstand backup list` shows them."
        )
    query = select(Backup).where(cast(Backup.id, Text).startswith(wanted)).limit(2)
    found = list(session.scalars(query))
    if len(found) != 1:
        raise NotFound(
            msg("More than one backup has the id {wanted}.", wanted=wanted)
            if found
            else msg("No backup has the id {wanted}.", wanted=wanted),
            hint="`leitstand backup list` shows them.",
        )
    return found[0]


def newest_complete(session: Session, kind: str) -> Backup | None:
    """The newest backup of a kind that was completed; the one a drill restores."""
    query = select(Backup).where(Backup.kind == kind, Backup.status == COMPLETE)
    return session.scalars(query.order_by(Backup.finished_at.desc(), Backup.id.desc()).limit(1)).first()


def list_drills(session: Session, *, limit: int = 20) -> list[Drill]:
    """Restore drills and runbooks that were run, newest first."""
    return list(
        session.scalars(select(Drill).order_by(Drill.started_at.desc(), Drill.id.desc()).limit(limit))
    )


def last_proven(session: Session) -> datetime | None:
    """When a drill last restored a PostgreSQL backup and found it good; None when that never happened, or what it proved is gone."""
    return session.scalar(
        select(func.max(Backup.verified_at)).where(Backup.kind == "postgres", Backup.status == COMPLETE)
    )
